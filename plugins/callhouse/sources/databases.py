"""Databases as sources: rows over an Airflow connection, a server-side cursor in a read-only session.

Sessions with PostgreSQL, MySQL and MariaDB have the source's time zone, so that times with a zone (MySQL's
TIMESTAMP) are compared and written in it. A MySQL server may know no names of zones, and an offset has no
daylight saving time: its session counts as being in the zone when it turns the moments at which the zone's
offset changes into the zone's own times (`_is_in_zone`). Where it does not, tables with TIMESTAMPs and
queries are refused. Other servers keep their own zone: their columns hold local times, as telephone systems
write them, or the query converts.
"""

from __future__ import annotations

import bisect
import csv
import datetime
import io
import itertools
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from callhouse import connections
from callhouse.errors import ConfigError, SourceError
from callhouse.settings import Source
from callhouse.sources.kinds import Delivery, Stream, Window

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Connection, Table
    from sqlalchemy.engine import ExceptionContext
    from sqlalchemy.sql.base import Executable

DATABASE_OPTIONS = frozenset({"connection", "table", "lag_days", "required"})
ROWS_AT_ONCE = 2000
CHUNK = 1 << 18
MAX_LAG_DAYS = 366

MYSQL = ("mysql", "mariadb")
# Numbers of column types in MySQL's protocol, which every driver gives in a cursor's description.
MYSQL_BIT, MYSQL_DATES = 16, (7, 10, 12)
NOT_IN_ZONE = "callhouse: not in the source's time zone"
DAY = 86_400
YEAR_2000 = 946_684_800

Line = str
"""A line of a landing file, with its line end."""


# -- options -----------------------------------------------------------------------------------------------


def read_connection(options: Mapping[str, Any], where: str) -> str:
    """The option ``connection``: an Airflow connection's name.

    Raises:
        ConfigError: it is missing or no name.
    """
    name = options.get("connection")
    if not isinstance(name, str) or not name.replace("_", "").isalnum():
        raise ConfigError(
            "no `connection`", where=where, do="name an Airflow connection, such as `connection: pbx_db`"
        )
    return name


def read_lag(options: Mapping[str, Any], where: str, default: int = 1) -> int:
    """The option ``lag_days``: how many days before the window are read again, for rows written late."""
    given = options.get("lag_days", default)
    if not isinstance(given, int) or isinstance(given, bool) or not 0 <= given <= MAX_LAG_DAYS:
        raise ConfigError(
            f"`lag_days: {given!r}` is not a number of days",
            where=where,
            do=f"give a whole number from 0 to {MAX_LAG_DAYS}",
        )
    return given


def read_table(options: Mapping[str, Any], where: str, default: str | None = None) -> tuple[str | None, str]:
    """The option ``table``: schema (None: the account's own) and name."""
    given = options.get("table", default)
    parts = given.split(".") if isinstance(given, str) else []
    if len(parts) not in (1, 2) or not all(parts):
        raise ConfigError("no `table`", where=where, do="name a table, such as `table: asterisk.queue_log`")
    return (parts[0] if len(parts) == 2 else None), parts[-1]


def check_no_files(options: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError when a stream is to come from files and from a database."""
    if "files" in options:
        raise ConfigError(
            "both `files` and `connection`", where=where, do="keep the one that says where the records are"
        )


# -- reading -----------------------------------------------------------------------------------------------


@contextmanager
def opened(source: Source, connection_name: str, where: str) -> Iterator[Connection]:
    """A read-only session with a source's database.

    Raises:
        ConfigError: the connection is missing or cannot be read.
        SourceError: the database cannot be reached, or refuses what is asked in the block.
    """
    import sqlalchemy

    url = connections.database_url(connections.resolve(connection_name))
    is_postgres, is_mysql = url.get_backend_name() == "postgresql", url.get_backend_name() in MYSQL
    engine = sqlalchemy.create_engine(
        url,
        poolclass=sqlalchemy.NullPool,
        connect_args={"options": f"-c TimeZone={source.time_zone}"} if is_postgres else {},
        hide_parameters=True,
    )
    if is_mysql:
        sqlalchemy.event.listen(engine, "handle_error", _let_go_of_a_failure)
    read_only = {"postgresql_readonly": True} if is_postgres else {}
    with _refusals(where), engine.connect() as session:
        if is_mysql:
            _prepare_mysql(session, ZoneInfo(source.time_zone))
        yield session.execution_options(stream_results=True, yield_per=ROWS_AT_ONCE, **read_only)


def rows(
    session: Connection, statement: Executable, where: str, values: Mapping[str, Any] | None = None
) -> Iterator[Any]:
    """The rows of a statement, fetched `ROWS_AT_ONCE` at a time; the first is a tuple of the columns' names.

    Raises:
        SourceError: the database refuses, or breaks off.
    """
    with _refusals(where):
        result = session.execute(statement, values or {})
        cursor = result.cursor
        try:
            yield tuple(result.keys())
            if session.dialect.name in MYSQL:
                yield from _read_by_mysql(result)
            else:
                yield from result
        except GeneratorExit:  # nobody wants the rest
            _let_go(cursor)
            session.invalidate()
            raise


def reflected(session: Connection, schema: str | None, name: str, where: str) -> Table:
    """A table as the database describes it.

    Raises:
        SourceError: there is no such table, or its times need a zone that the session cannot have.
    """
    import sqlalchemy

    try:
        table = sqlalchemy.Table(name, sqlalchemy.MetaData(), schema=schema, autoload_with=session)
        if any(isinstance(column.type, sqlalchemy.TIMESTAMP) for column in table.columns):
            check_zone(session, where)
        return table
    except sqlalchemy.exc.NoSuchTableError:
        raise SourceError(
            f"there is no table `{name}`" + (f" in the schema `{schema}`" if schema else ""),
            where=where,
            do="correct `table:` in sources.yml, or give the account the right to read it",
        ) from None


def plain(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """A table's column whose values come as the driver gives them, as those of a query do."""
    import sqlalchemy

    return sqlalchemy.type_coerce(column, sqlalchemy.types.NullType())


def during(column: ColumnElement[Any], day: datetime.date, zone: ZoneInfo) -> ColumnElement[bool]:
    """The condition that a column's time lies on a local date, in a form that an index serves.

    Asterisk writes times as timestamps, as their text, or as seconds since 1970 in text or a number.
    """
    import sqlalchemy
    from sqlalchemy import Date, DateTime, Float, Integer, Numeric

    begin, end = midnight(day), midnight(day + datetime.timedelta(days=1))
    if isinstance(column.type, DateTime | Date):
        return sqlalchemy.and_(column >= begin, column < end)
    since_1970 = [int(moment.replace(tzinfo=zone).timestamp()) for moment in (begin, end)]
    if isinstance(column.type, Integer | Float | Numeric):
        return sqlalchemy.and_(column >= since_1970[0], column < since_1970[1])
    return sqlalchemy.or_(
        sqlalchemy.and_(column >= str(begin), column < str(end)),
        sqlalchemy.and_(column >= str(since_1970[0]), column < str(since_1970[1])),
    )


def by_day(
    source: Source, stream: Stream, window: Window, table: str, columns: Sequence[str], times: Sequence[str]
) -> Iterator[Delivery]:
    """Those of the columns that a table has, as CSV with a header: one delivery per local day with rows.

    Args:
        table: its name, where `table` does not give another.
        times: columns that may say when a record was; the first that the table has decides.

    Raises:
        SourceError: the database cannot be reached, or the table is missing or another one.
    """
    options = source.streams[stream.name]
    schema, name = read_table(options, stream.where, table)
    zone = ZoneInfo(source.time_zone)
    with opened(source, read_connection(options, stream.where), stream.where) as session:
        records = reflected(session, schema, name, stream.where)
        for day in days_of(window, read_lag(options, stream.where)):
            found = _rows_of_day(session, records, day, zone, columns, times, stream.where)
            header = next(csv_lines([next(found)], zone))
            part = delivery(
                stream.name, f"{stream.name}-{day:%Y%m%d}.csv", _behind(header, csv_lines(found, zone))
            )
            if part is not None:
                yield part


def _behind(header: Line, lines: Iterator[Line]) -> Iterator[Line]:
    """A header and the lines behind it; nothing where there are none."""
    for line in lines:
        yield header
        yield line
        break
    yield from lines


def _rows_of_day(
    session: Connection,
    table: Table,
    day: datetime.date,
    zone: ZoneInfo,
    columns: Sequence[str],
    times: Sequence[str],
    where: str,
) -> Iterator[Any]:
    """The columns' names, then a local day's rows, in the order of time."""
    import sqlalchemy

    there = {column.name.lower(): column for column in table.columns}
    moment = next((there[name] for name in times if name in there), None)
    if moment is None:
        raise SourceError(
            f"the table has no column `{times[0]}`",
            where=f"{where}, {table.name}",
            do=f"name a table with these columns: {', '.join(columns)}",
        )
    wanted = [plain(there[name]).label(name) for name in columns if name in there]
    order = [there[name] for name in ("id", "sequence", "uniqueid", "xml_cdr_uuid") if name in there]
    statement = sqlalchemy.select(*wanted).where(during(moment, day, zone))
    yield from rows(session, statement.order_by(moment, *order), where)


def days_of(window: Window, lag: int) -> list[datetime.date]:
    """The dates of a window and the ``lag`` days before it."""
    first = window[0] - datetime.timedelta(days=lag)
    return [first + datetime.timedelta(days=number) for number in range((window[1] - first).days + 1)]


def delivery(stream: str, name: str, lines: Iterator[Line]) -> Delivery | None:
    """Lines as one landing file; None when there are none."""
    first = next(lines, None)
    return None if first is None else Delivery(stream, name, _chunked(itertools.chain([first], lines)))


# -- MySQL and MariaDB -------------------------------------------------------------------------------------


def check_zone(session: Connection, where: str) -> None:
    """Raise SourceError when a session could not be given the source's time zone."""
    zone = session.info.get(NOT_IN_ZONE)
    if zone:
        raise SourceError(
            f"the database server does not know the time zone {zone}, and its own is another",
            where=where,
            do="load its time zones (mariadb-tzinfo-to-sql or mysql_tzinfo_to_sql), "
            "or correct `time_zone` in sources.yml",
        )


def _prepare_mysql(session: Connection, zone: ZoneInfo) -> None:
    """Make a session read-only, which old servers cannot, and one of the source's time zone, or note that."""
    _try_statement(session, "set session transaction read only")
    offset = datetime.datetime.fromtimestamp(time.time(), zone).isoformat()[-6:]
    if not any(_is_in_zone(session, zone, name) for name in (None, zone.key, offset)):
        session.info[NOT_IN_ZONE] = zone.key


def _is_in_zone(session: Connection, zone: ZoneInfo, name: str | None) -> bool:
    """Whether the session (given a time zone, unless None) tells the times of a zone."""
    if name and not _try_statement(session, f"set time_zone = '{name}'"):
        return False
    moments = _telling_moments(zone)
    answer = session.exec_driver_sql(f"select {', '.join(f'from_unixtime({each})' for each in moments)}")
    return list(answer.one()) == [
        datetime.datetime.fromtimestamp(each, zone).replace(tzinfo=None) for each in moments
    ]


@lru_cache
def _telling_moments(zone: ZoneInfo) -> list[int]:
    """Seconds since 1970 that tell a zone from others: the changes of its offset from 2000 to next year."""
    first, last = YEAR_2000, int(time.time()) + 366 * DAY

    def offset(moment: int) -> datetime.timedelta | None:
        return datetime.datetime.fromtimestamp(moment, zone).utcoffset()

    found = {first, last}
    for day in range(first, last, DAY):
        before = offset(day)
        if offset(day + DAY) != before:
            seconds = range(day, day + DAY)
            change = day + bisect.bisect_left(seconds, True, key=lambda moment: offset(moment) != before)
            found |= {change - 1, change}
    return sorted(found)


def _try_statement(session: Connection, statement: str) -> bool:
    from sqlalchemy.exc import DBAPIError

    try:
        session.exec_driver_sql(statement)
    except DBAPIError as error:
        if error.connection_invalidated:
            raise
        return False
    return True


def _let_go(cursor: Any) -> None:
    """Keep PyMySQL from reading an answer to its end before it closes, even one whose connection is gone."""
    answer: Any = getattr(cursor, "_result", None)
    if hasattr(answer, "unbuffered_active"):
        answer.unbuffered_active = False


def _let_go_of_a_failure(context: ExceptionContext) -> None:
    _let_go(getattr(context.execution_context, "cursor", None))


def _read_by_mysql(result: Any) -> Iterator[Any]:
    """An answer's rows; bits as numbers, dates of zeros as NULL, which drivers leave as they are."""
    types = [column[1] for column in result.cursor.description]
    readers: dict[int, Callable[[Any], Any]] = {
        place: _number_of_bits if kind == MYSQL_BIT else _date_or_none
        for place, kind in enumerate(types)
        if kind == MYSQL_BIT or kind in MYSQL_DATES
    }
    for row in result:
        values = list(row)
        for place, read in readers.items():
            values[place] = read(values[place])
        yield values


def _number_of_bits(value: Any) -> Any:
    return int.from_bytes(value, "big") if isinstance(value, bytes) else value


def _date_or_none(value: Any) -> Any:
    """``0000-00-00`` is MySQL's way to say that there is no date; drivers give it as text."""
    return None if isinstance(value, str) and value.startswith("0000-00-00") else value


# -- writing -----------------------------------------------------------------------------------------------


def csv_lines(records: Iterable[Iterable[Any]], zone: ZoneInfo) -> Iterator[Line]:
    """Records as lines of CSV, the same bytes for the same values (see `text_of`)."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)  # ends lines with CR LF, so that fields with either are quoted
    for record in records:
        writer.writerow([text_of(value, zone) for value in record])
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()


def text_of(value: Any, zone: ZoneInfo) -> str:
    """A database's value as text: local times without a zone, durations as h:mm:ss, NULL as nothing."""
    match value:
        case None:
            return ""
        case str():
            return value.replace("\0", "")
        case bool():
            return str(value).lower()
        case datetime.datetime():
            local = value.astimezone(zone).replace(tzinfo=None) if value.tzinfo else value
            return local.isoformat(" ")
        case datetime.date() | datetime.time():
            return value.isoformat()
        case datetime.timedelta():
            minutes, seconds = divmod(abs(int(value.total_seconds())), 60)
            sign = "-" if value < datetime.timedelta() else ""
            return f"{sign}{minutes // 60}:{minutes % 60:02}:{seconds:02}"
        case Decimal():
            return format(value, "f")
        case bytes() | bytearray() | memoryview():
            return bytes(value).decode(errors="replace").replace("\0", "")
        case dict() | list():
            return json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
    return str(value)


def _chunked(lines: Iterator[Line]) -> Iterator[bytes]:
    pending: list[str] = []
    size = 0
    for line in lines:
        pending.append(line)
        size += len(line)
        if size >= CHUNK:
            yield "".join(pending).encode(errors="replace")
            pending, size = [], 0
    yield "".join(pending).encode(errors="replace")


def midnight(day: datetime.date) -> datetime.datetime:
    """The local time at which a date begins, without a zone."""
    return datetime.datetime.combine(day, datetime.time())


@contextmanager
def _refusals(where: str) -> Iterator[None]:
    """What the database refuses, as SourceError: the driver's words, never the statement's values."""
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except SQLAlchemyError as error:
        # Some drivers give a number and a text.
        words = getattr(getattr(error, "orig", None), "args", None) or (type(error).__name__,)
        said = str(words[-1]).strip().splitlines()
        raise SourceError(
            f"the database refuses: {said[0] if said else type(error).__name__}",
            where=where,
            do="check the connection, the account's rights, and the names in sources.yml",
        ) from None
