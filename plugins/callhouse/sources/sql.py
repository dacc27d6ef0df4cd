"""Kind ``sql``: any database that SQLAlchemy reaches, one stream per query or table.

::

    crm_db (Airflow connection) ──▶ landing, the rows as CSV ──▶ raw.<source>__<stream> ──▶ stg_delimited__…

::

    connection: crm_db                # AIRFLOW_CONN_CRM_DB, or a connection that Airflow keeps
    streams:
      cases:
        query: >-
          select case_no, topic, opened_at from cases
          where updated_at >= :from and updated_at < :to order by case_no
        lag_days: 2                   # `:from` lies so many days before the window; default 0
        columns: [case_no, topic, opened_at]
        record: case
        map: {case_id: case_no, topic: topic, opened_at: opened_at}
      agents:
        table: hr.employees           # the whole table each time, in the order of its key
        columns: [no, name]
        …

``:from`` and ``:to`` are local midnights of the source's time zone, the first inside the window and the
second just behind it. The rows become CSV as they are (`callhouse.sources.databases.text_of`): the same rows
in the same order make the same bytes, and those are not landed twice. ``columns``, ``record``, ``map`` and
``key`` are those of the kind ``delimited``, whose staging models the two kinds share.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from callhouse.errors import ConfigError
from callhouse.settings import Source
from callhouse.sources import databases, kinds
from callhouse.sources.kinds import Delivery, FileFormat, Kind, Stream, Window

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.sql.base import Executable

OPTIONS = kinds.STAGING_OPTIONS | {"query", "table", "lag_days", "columns", "required"}


def streams(source: Source) -> dict[str, Stream]:
    """The declared streams of an entry.

    Raises:
        ConfigError: an option is missing, unknown or has a value that cannot be used.
    """
    where = f"config/sources.yml, {source.name}"
    kinds.check_options(source.options, ("connection", "streams"), where)
    databases.read_connection(source.options, where)
    if not source.streams:
        raise ConfigError("no `streams`", where=where, do="name at least one stream with query and columns")
    return {name: _stream(source.name, str(name), options) for name, options in source.streams.items()}


def _stream(source: str, name: str, options: Mapping[str, Any]) -> Stream:
    where = f"config/sources.yml, {source}.{name}"
    kinds.check_name(source, name)
    kinds.check_options(options, OPTIONS, where)
    kinds.check_missing(options, where)
    if ("query" in options) == ("table" in options):
        raise ConfigError("neither or both of `query` and `table`", where=where, do="give one of them")
    if "table" in options:
        databases.read_table(options, where)
    elif not isinstance(options["query"], str) or not options["query"].strip():
        raise ConfigError("`query` is empty", where=where, do="write a select statement")
    databases.read_lag(options, where, default=0)
    columns = kinds.read_columns(options.get("columns"), where)
    return Stream(source, name, columns, (), FileFormat(), bool(options.get("required", True)))


def pull(source: Source, stream: Stream, window: Window) -> Iterator[Delivery]:
    """What the stream's query or table answers for a window, as one CSV file.

    Raises:
        ConfigError: the connection is missing or cannot be read.
        SourceError: the database cannot be reached, or refuses the statement.
    """
    options = source.streams[stream.name]
    zone = ZoneInfo(source.time_zone)
    name = databases.read_connection(source.options, stream.where)
    with databases.opened(source, name, stream.where) as session:
        statement, values = _statement(session, options, window, stream.where)
        records = databases.rows(session, statement, stream.where, values)
        file_name = f"{stream.name}-{window[0]:%Y%m%d}-{window[1]:%Y%m%d}.csv"
        delivery = databases.delivery(stream.name, file_name, databases.csv_lines(records, zone))
        if delivery is not None:  # there is a header at least
            yield delivery


def _statement(
    session: Connection, options: Mapping[str, Any], window: Window, where: str
) -> tuple[Executable, dict[str, datetime.datetime]]:
    """The statement and the values of the parameters that it names."""
    import sqlalchemy

    if "table" in options:
        table = databases.reflected(session, *databases.read_table(options, where), where)
        columns = map(databases.plain, table.columns)
        return sqlalchemy.select(*columns).order_by(*table.primary_key or table.columns), {}
    databases.check_zone(session, where)
    statement = sqlalchemy.text(options["query"])
    lag = datetime.timedelta(days=databases.read_lag(options, where, default=0))
    bounds = {
        "from": databases.midnight(window[0] - lag),
        "to": databases.midnight(window[1] + datetime.timedelta(days=1)),
    }
    asked = statement.compile().params.keys()
    unknown = sorted(asked - bounds.keys())
    if unknown:
        raise ConfigError(
            f"`query` asks for the parameter `:{unknown[0]}`",
            where=where,
            do=r"use :from and :to; a colon that means something else is written \:",
        )
    return statement, {name: value for name, value in bounds.items() if name in asked}


KIND = Kind("sql", streams, pull)
