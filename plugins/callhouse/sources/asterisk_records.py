"""What Asterisk's call detail records and channel events have in common: files or tables of known columns.

Files have a header, or their columns in a declared order (the templates of ``cdr_custom.conf`` and
``cel_custom.conf`` are the operator's own). Tables are read by time window over an Airflow connection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from callhouse.errors import ConfigError
from callhouse.settings import Source
from callhouse.sources import databases, kinds
from callhouse.sources.kinds import Column, Delivery, FileFormat, Stream, Window

FORM_OPTIONS = frozenset({"columns", "header", "delimiter", "quote"})


@dataclass(frozen=True)
class Records:
    """A kind of record: its one stream and table, the columns that have a meaning, and Asterisk's own order.

    A line in Asterisk's own order has at least ``least`` columns. ``times`` are the columns that may say when
    a record was; a table is read by the first that it has.
    """

    stream: str
    columns: Sequence[str]
    required: Sequence[str]
    order: Sequence[str]
    least: int
    times: Sequence[str]


def streams(source: Source, records: Records) -> dict[str, Stream]:
    """The one stream of an entry.

    Raises:
        ConfigError: an option is missing, unknown or has a value that cannot be used.
    """
    where = f"config/sources.yml, {source.name}"
    kinds.check_options(source.options, ("streams", "queue_log_source", "trunks"), where)
    trunks = source.options.get("trunks", [])
    if not isinstance(trunks, list) or not all(isinstance(trunk, str) and trunk for trunk in trunks):
        raise ConfigError("`trunks` is no list", where=where, do='list channels, such as ["PJSIP/provider"]')
    kinds.check_options(source.streams, (records.stream,), f"{where}.streams")
    kinds.check_name(source.name, records.stream)
    options = source.streams.get(records.stream) or {}
    where = f"{where}.{records.stream}"
    if "connection" in options:
        stream = _table_stream(source.name, options, records, where)
    else:
        stream = _file_stream(source.name, options, records, where)
    return {records.stream: stream}


def pull(source: Source, stream: Stream, window: Window, records: Records) -> Iterator[Delivery] | None:
    """A table's rows of a window as CSV, one delivery per local day; None where the stream is files.

    Raises:
        ConfigError: the connection is missing or cannot be read.
        SourceError: the database cannot be reached, or the table is missing or another one.
    """
    options = source.streams[stream.name]
    if "connection" not in options:
        return None
    return databases.by_day(source, stream, window, records.stream, records.columns, records.times)


def _table_stream(source: str, options: Mapping[str, Any], records: Records, where: str) -> Stream:
    kinds.check_options(options, databases.DATABASE_OPTIONS | kinds.STAGING_OPTIONS | {"files"}, where)
    databases.check_no_files(options, where)
    databases.read_connection(options, where)
    databases.read_lag(options, where)
    databases.read_table(options, where, records.stream)
    columns = tuple(Column(name, required=False) for name in records.columns)
    required = bool(options.get("required", True))
    return Stream(source, records.stream, columns, (), FileFormat(), required)


def _file_stream(source: str, options: Mapping[str, Any], records: Records, where: str) -> Stream:
    kinds.check_options(options, kinds.FILE_OPTIONS | kinds.STAGING_OPTIONS | FORM_OPTIONS, where)
    header = bool(options.get("header", False))
    if header:
        columns = tuple(Column(name, required=name in records.required) for name in records.columns)
    elif "columns" in options:
        columns = kinds.read_columns(options["columns"], where)
    else:
        columns = tuple(Column(name) for name in records.order)
    names = {column.name for column in columns}
    missing = [name for name in records.required if name not in names]
    if missing:
        raise ConfigError(
            f"`columns` lacks `{missing[0]}`",
            where=where,
            do=f"name the columns in the file's order, by these names: {', '.join(records.columns)}",
        )
    form = FileFormat(
        delimiter=kinds.read_character(options, "delimiter", ",", where),
        quote=kinds.read_character(options, "quote", '"', where),
        header=header,
        encoding=kinds.read_encoding(options, where),
        min_fields=None if header or "columns" in options else records.least,
        bare_quotes=True,  # Asterisk 1.4's template was "${CDR(clid)}", and names have quotes of their own
        caps=kinds.read_caps(options, where),
    )
    required = bool(options.get("required", True))
    return Stream(source, records.stream, columns, kinds.read_files(options, where), form, required)
