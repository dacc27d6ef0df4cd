"""Kind ``asterisk_queue_log``: what Asterisk's app_queue writes, one event per line or per row.

::

    pbx/queue_log*        ──▶ landing ──▶ raw.<source>__queue_log ──▶ stg_asterisk_queue_log__events
    table queue_log (SQL) ──▶ landing, a file of its rows as lines, one per local day ──▶ the same

From files::

    streams:
      queue_log:
        files: ["pbx/queue_log*"]   # rotated and packed ones too: a line counts once, wherever it stands
        agents: {"Local/id-61@agentcallback": "1061"}   # whose id the agent's interface does not say
    callback_keys: ["1"]            # keys with which a waiting caller asks to be called back

From a table (PostgreSQL, MySQL, MariaDB or any other database that SQLAlchemy reaches)::

    streams:
      queue_log:
        connection: pbx_db          # an Airflow connection: AIRFLOW_CONN_PBX_DB
        table: queue_log            # or schema.table; by default queue_log
        lag_days: 1                 # days before the window that are read again, for rows written late

A line is ``time|callid|queuename|agent|event|data1|…|data5`` without quoting or header. Events carry 0 to
5 data fields: missing ones are NULL. ``ATTENDEDTRANSFER`` with method ``LINK`` writes a ``|`` inside a
field, so surplus fields stay together in ``data5`` as they stand (docs.asterisk.org, "Queue Logs"). What the
events mean, and their traps: docs/sources/asterisk_queue_log.md.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from callhouse.errors import ConfigError, SourceError
from callhouse.settings import Source
from callhouse.sources import databases, kinds
from callhouse.sources.kinds import Column, Delivery, FileFormat, Kind, Stream, Window

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

STREAM = "queue_log"
COLUMNS = ("time", "callid", "queuename", "agent", "event", "data1", "data2", "data3", "data4", "data5")
EVENT_FIELDS = 5
LINE_BREAKS = str.maketrans("\r\n\0", "   ")


def streams(source: Source) -> dict[str, Stream]:
    """The one stream ``queue_log``.

    Raises:
        ConfigError: an option is missing, unknown or has a value that cannot be used.
    """
    kinds.check_options(source.options, ("streams", "callback_keys"), f"config/sources.yml, {source.name}")
    kinds.check_options(source.streams, (STREAM,), f"config/sources.yml, {source.name}.streams")
    options = source.streams.get(STREAM) or {}
    where = f"config/sources.yml, {source.name}.{STREAM}"
    kinds.check_name(source.name, STREAM)
    is_table = "connection" in options
    own = databases.DATABASE_OPTIONS if is_table else kinds.FILE_OPTIONS
    if is_table:
        databases.check_no_files(options, where)
        databases.read_connection(options, where)
        databases.read_lag(options, where)
        databases.read_table(options, where, STREAM)
    kinds.check_options(options, own | kinds.STAGING_OPTIONS | {"agents"}, where)
    if not isinstance(options.get("agents", {}), Mapping):
        raise ConfigError("`agents` is no mapping", where=where, do='write it as {"Local/id-61@x": "1061"}')
    form = FileFormat(
        delimiter="|",
        quote=None,
        header=False,
        encoding=kinds.read_encoding(options, where),
        min_fields=EVENT_FIELDS,
        join_surplus=True,
        caps=kinds.read_caps(options, where),
    )
    columns = tuple(Column(name) for name in COLUMNS)
    required = bool(options.get("required", True))
    files = () if is_table else kinds.read_files(options, where)
    return {STREAM: Stream(source.name, STREAM, columns, files, form, required)}


def pull(source: Source, stream: Stream, window: Window) -> Iterator[Delivery] | None:
    """The table's rows of a window as lines, one delivery per local day; None where the stream is files.

    The same rows make the same bytes, so a day read again makes a new landing file only when it has news.

    Raises:
        ConfigError: the connection is missing or cannot be read.
        SourceError: the database cannot be reached, or the table is missing or another one.
    """
    options = source.streams[STREAM]
    return _days(source, stream, options, window) if "connection" in options else None


def _days(source: Source, stream: Stream, options: Mapping[str, Any], window: Window) -> Iterator[Delivery]:
    schema, name = databases.read_table(options, stream.where, STREAM)
    lag = databases.read_lag(options, stream.where)
    with databases.opened(source, databases.read_connection(options, stream.where), stream.where) as session:
        table = databases.reflected(session, schema, name, stream.where)
        for day in databases.days_of(window, lag):
            lines = _lines(session, table, day, ZoneInfo(source.time_zone), stream.where)
            delivery = databases.delivery(STREAM, f"queue_log-{day:%Y%m%d}", lines)
            if delivery is not None:
                yield delivery


def _lines(
    session: Connection, table: Table, day: datetime.date, zone: ZoneInfo, where: str
) -> Iterator[str]:
    """A local day's rows in the form of the file, in the table's order."""
    import sqlalchemy

    columns = {column.name.lower(): column for column in table.columns}
    missing = [name for name in COLUMNS[:EVENT_FIELDS] if name not in columns]
    if missing or not {"data", "data1"} & columns.keys():
        raise SourceError(
            f"the table has no column `{(missing or ['data1'])[0]}`",
            where=f"{where}, {table.name}",
            do="name the queue_log table with the columns that Asterisk's documentation gives",
        )
    wanted = [columns[name] for name in (*COLUMNS, "data") if name in columns]
    order = [columns[name] for name in ("time", "id") if name in columns] + wanted
    statement = (
        sqlalchemy.select(*map(databases.plain, wanted))
        .where(databases.during(columns["time"], day, zone))
        .order_by(*order)
    )
    found = databases.rows(session, statement, where)
    names = [name.lower() for name in next(found)]
    for row in found:
        values = dict(zip(names, row, strict=True))
        at = _seconds(values["time"], zone)
        if isinstance(at, int) and datetime.datetime.fromtimestamp(at, zone).date() != day:
            continue  # text compares by the database's own rules
        data = [values.get(name) for name in COLUMNS[EVENT_FIELDS:]]
        fields = [values[name] for name in COLUMNS[1:EVENT_FIELDS]]
        fields += data if any(data) else [values.get("data")]
        texts = [("" if field is None else str(field)).translate(LINE_BREAKS) for field in fields]
        while len(texts) > EVENT_FIELDS - 1 and not texts[-1]:
            texts.pop()
        yield "|".join([str(at), *texts]) + "\n"


def _seconds(value: Any, zone: ZoneInfo) -> int | str:
    """A time as seconds since 1970, as the file has it; what is no time, as it stands."""
    text = str(value).strip()
    try:
        if not isinstance(value, datetime.datetime) and text.replace(".", "", 1).isdigit():
            return int(float(text))
        moment = value if isinstance(value, datetime.datetime) else datetime.datetime.fromisoformat(text)
    except ValueError:
        return text.translate(LINE_BREAKS)
    return int((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp())


KIND = Kind("asterisk_queue_log", streams, pull)
