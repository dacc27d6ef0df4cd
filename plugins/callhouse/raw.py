"""Load: landing files into ``raw.<source>__<stream>``, every column text, nothing lost and nothing invented.

Each landing file is one transaction: its rows, its rejects and the end of its ``ops.loads`` row are there
together or not at all, so a load killed half-way is simply done again. ``rows_in = rows_loaded +
rows_rejected``. `reload` does a finished load anew, also in one transaction.

A field that nobody declared is kept and named in ``ops.loads.new_fields``, for a rule to warn of. Documents
declare no fields; a field of one is new when no load of the stream had it before, at the top or, by its path,
in the objects that the kind names (`Stream.objects`).

Empty text stays empty text; a field the file does not have is NULL. ``_line`` is the physical line (the row
in a spreadsheet) at which the record begins, ``_extra`` holds undeclared columns as ``{name: value}``.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql
from psycopg.copy import Copy, QueuedLibpqWriter

from callhouse import postgres
from callhouse.errors import SourceError, WarehouseError
from callhouse.landing import ROLE, together
from callhouse.settings import Settings
from callhouse.sources import Stream, documents, files, kinds, spreadsheets, streams_of
from callhouse.sources.records import MAX_RECORD, Batch, Cutter, Layout, Reject, read_header
from callhouse.stores import open_store

logger = logging.getLogger(__name__)

REJECTS_AT_ONCE = 10_000
HOPELESS = 10_000  # so many rejects before the first row: the form of the file is not the declared one
STAGE_TABLE = "pg_temp.callhouse_load"
# At the beginning of a file, for fields never seen before; at least one document.
DOCUMENTS_LOOKED_AT = 1000
BYTES_LOOKED_AT = 512 << 10
LONGEST_FIELD = 200


@dataclass(frozen=True)
class LoadResult:
    """How a landing file's load ended: ``state`` is ``loaded``, or ``failed`` and ``message`` says why."""

    load_id: int
    source: str
    stream: str
    original_name: str
    state: str
    rows_in: int = 0
    rows_loaded: int = 0
    rows_rejected: int = 0
    has_extra: bool = False
    new_fields: tuple[str, ...] = ()
    message: str | None = None


@dataclass
class _Tally:
    loaded: int = 0
    rejected: int = 0
    first_reason: str = ""
    extra: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()
    remark: str | None = None


@dataclass(frozen=True)
class _Job:
    """One landing file on its way into raw."""

    connection: psycopg.Connection[Any]
    stream: Stream
    path: Path
    load_id: int
    block_size: int
    is_replay: bool = False


def load(settings: Settings, run_id: int | None = None, *, block_size: int = files.BLOCK) -> list[LoadResult]:
    """Load every landing file that has no finished load, each in a transaction of its own.

    A file that cannot be loaded is entered as failed, with the reason, and tried again the next time; the
    others go on. Call `raise_failures` where a failure must stop the caller.

    Raises:
        ConfigError: an entry of sources.yml is wrong.
        WarehouseError: the database cannot be reached, or another load of a source does not end.
    """
    results = []
    with postgres.connect(settings, ROLE, autocommit=True, name="callhouse load") as connection:
        for source in settings.sources.values():
            streams = streams_of(source)
            with postgres.advisory_lock(connection, f"load {source.name}"):
                for waiting in _waiting(connection, source.name):
                    stream = streams.get(waiting["stream"])
                    if stream is None:
                        logger.warning(
                            "%s.%s is no longer declared: %s is not loaded",
                            source.name,
                            waiting["stream"],
                            waiting["path"],
                        )
                        continue
                    load_id = _begin(connection, waiting, run_id)
                    job = _Job(connection, stream, Path(waiting["path"]), load_id, block_size)
                    results.append(_load_file(job, waiting["original_name"], _fetched(settings, waiting)))
    return results


def reload(
    settings: Settings, connection: psycopg.Connection[Any], load_id: int, *, block_size: int = files.BLOCK
) -> LoadResult:
    """Do a finished load anew from its landing file, as declared now: its rows and rejects are replaced.

    The load keeps its number, and with it its place among the versions of a record. It is to be staged
    again. When the file cannot be loaded any more, everything stays as it was and the result says why.

    Args:
        connection: the owner's, in autocommit: the loading role may not take anything back. The caller holds
            the locks of the source's loads and of the warehouse.

    Raises:
        SourceError: there is no such finished load.
        WarehouseError: the database refuses.
    """
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        found = cursor.execute(
            """
            select source, stream, path, sha256, original_name
            from ops.loads inner join ops.landing_files using (landing_id, source, stream)
            where load_id = %s and state in ('loaded', 'staged')
            """,
            (load_id,),
        ).fetchone()
    if found is None:
        raise SourceError(f"there is no finished load {load_id}", where="ops.loads", do="name one of those")
    source = settings.sources.get(found["source"])
    stream = streams_of(source).get(found["stream"]) if source else None
    if stream is None:
        message = "the stream is no longer declared in sources.yml"
        return LoadResult(
            load_id, found["source"], found["stream"], found["original_name"], "failed", message=message
        )
    job = _Job(connection, stream, Path(found["path"]), load_id, block_size, is_replay=True)
    return _load_file(job, found["original_name"], _fetched(settings, found))


def raise_failures(results: list[LoadResult]) -> None:
    """Raise one SourceError that names every failed file."""
    errors = [
        SourceError(f"{result.original_name}: {result.message}", where=f"{result.source}.{result.stream}")
        for result in results
        if result.state == "failed"
    ]
    if errors:
        raise together(errors)


def _waiting(connection: psycopg.Connection[Any], source: str) -> list[dict[str, Any]]:
    """The landing files of a source without a finished load, in the order they came."""
    with connection.cursor(row_factory=psycopg.rows.dict_row) as cursor:
        return cursor.execute(
            """
            select landing_id, source, stream, path, sha256, original_name
            from ops.landing_files
            where
                source = %s
                and not exists (
                    select from ops.loads
                    where loads.landing_id = landing_files.landing_id and loads.state in ('loaded', 'staged')
                )
            order by landing_id
            """,
            (source,),
        ).fetchall()


def _begin(connection: psycopg.Connection[Any], waiting: dict[str, Any], run_id: int | None) -> int:
    """The load's number: that of the attempt that failed or was killed, else a new one."""
    row = connection.execute(
        """
        update ops.loads
        set state = 'loading', run_id = %(run_id)s, message = null, started_at = now(), finished_at = null
        where load_id = (select max(load_id) from ops.loads where landing_id = %(landing_id)s)
        returning load_id
        """,
        {**waiting, "run_id": run_id},
    ).fetchone()
    row = (
        row
        or connection.execute(
            """
        insert into ops.loads (landing_id, source, stream, run_id)
        values (%(landing_id)s, %(source)s, %(stream)s, %(run_id)s)
        returning load_id
        """,
            {**waiting, "run_id": run_id},
        ).fetchone()
    )
    assert row is not None
    return int(row[0])


def _fetched(settings: Settings, landed: dict[str, Any]) -> AbstractContextManager[Path]:
    return open_store(settings).local(landed["path"], landed["sha256"])


def _load_file(job: _Job, original_name: str, fetched: AbstractContextManager[Path]) -> LoadResult:
    stream = job.stream
    try:
        with fetched as path, job.connection.transaction():
            job, tally = replace(job, path=path), _Tally()
            _create_table(job)
            if job.is_replay:
                _take_back(job)
            if job.path.stat().st_size == 0:
                tally.remark = "0 rows: the file is empty"
            elif files.is_spreadsheet(job.path):
                _load_spreadsheet(job, tally)
            else:
                _load_text(job, tally)
            _check(job, tally)
            result = LoadResult(
                job.load_id,
                stream.source,
                stream.name,
                original_name,
                "loaded",
                tally.loaded + tally.rejected,
                tally.loaded,
                tally.rejected,
                bool(tally.extra),
                tally.extra or tally.unseen,
                _message(tally),
            )
            _finish(job, result)
            if job.is_replay:
                _forget_failed_again(job)
    except (SourceError, OSError, psycopg.DataError) as error:
        message = _reason(error)
        result = LoadResult(job.load_id, stream.source, stream.name, original_name, "failed", message=message)
        if not job.is_replay:
            _finish(job, result)
    except psycopg.Error as error:
        raise WarehouseError(
            f"the load of {original_name} broke off: {str(error).splitlines()[0]}",
            where=f"raw.{stream.table}",
            do="see the database's log, correct the cause and run again: nothing of the file was kept",
        ) from error
    logger.log(
        logging.ERROR if result.state == "failed" else logging.INFO,
        "%s.%s %s: %s, %d loaded, %d rejected%s",
        stream.source,
        stream.name,
        original_name,
        result.state,
        result.rows_loaded,
        result.rows_rejected,
        f" ({result.message})" if result.message else "",
    )
    return result


def _reason(error: Exception) -> str:
    if isinstance(error, SourceError):
        return error.what + (f" — {error.do}" if error.do else "")
    if isinstance(error, OSError):
        return f"the landing file cannot be read: {error.strerror}"
    return f"the database refuses the file: {str(error).splitlines()[0]}"


def _check(job: _Job, tally: _Tally) -> None:
    """A file without a header of which no line is a record is of another form, not merely damaged."""
    if tally.rejected and not tally.loaded and not job.stream.format.header:
        raise _not_one_record(job, tally)


def _not_one_record(job: _Job, tally: _Tally) -> SourceError:
    return SourceError(
        f"not one of {tally.rejected} lines is a record (line 1: {tally.first_reason})",
        where=job.path.name,
        do=f"compare the file with the form declared in {job.stream.where}",
    )


def _message(tally: _Tally) -> str | None:
    remarks = [tally.remark] if tally.remark else []
    if tally.extra:
        remarks.append(f"undeclared columns are kept in _extra: {', '.join(tally.extra)}")
    if tally.unseen:
        remarks.append(f"fields never seen before: {', '.join(tally.unseen)}")
    if tally.rejected:
        remarks.append(f"{tally.rejected} lines rejected, see ops.rejects")
    return "; ".join(remarks) or None


def _take_back(job: _Job) -> None:
    """Remove what the load brought; its rejects stay known as replayed until they fail again."""
    job.connection.execute(
        sql.SQL("delete from {} where _load_id = %s").format(_table(job.stream)), (job.load_id,)
    )
    job.connection.execute(
        """
        with taken as (delete from ops.rejects where load_id = %s returning *)
        insert into ops.replayed_rejects
            (load_id, source, stream, stage, line, reason, rejected_at, replayed_at)
        select load_id, source, stream, stage, line, reason, rejected_at, now() from taken
        """,
        (job.load_id,),
    )


def _forget_failed_again(job: _Job) -> None:
    """What is set aside again was not replayed with success (staging does the same for its own)."""
    job.connection.execute(
        """
        delete from ops.replayed_rejects as before using ops.rejects as again
        where before.load_id = %s and again.load_id = before.load_id and again.line = before.line
        """,
        (job.load_id,),
    )


def _finish(job: _Job, result: LoadResult) -> None:
    is_known_already = job.is_replay and job.stream.format.documents
    job.connection.execute(
        """
        update ops.loads
        set
            state = %s, rows_in = %s, rows_loaded = %s, rows_rejected = %s, rows_duplicate = 0,
            has_extra = %s, new_fields = case when %s then new_fields else %s end, message = %s,
            finished_at = clock_timestamp(), replayed_at = case when %s then now() else replayed_at end
        where load_id = %s
        """,
        (
            result.state,
            result.rows_in,
            result.rows_loaded,
            result.rows_rejected,
            result.has_extra,
            is_known_already,
            list(result.new_fields) or None,
            result.message,
            job.is_replay,
            result.load_id,
        ),
    )


# -- tables ------------------------------------------------------------------------------------------------


def _create_table(job: _Job) -> None:
    """Make the raw table, or give it the columns declared since."""
    connection, table = job.connection, _table(job.stream)
    names = [column.name for column in job.stream.columns]
    there = connection.execute(
        """
        select attname from pg_attribute
        where attrelid = to_regclass(%s) and attnum > 0 and not attisdropped
        """,
        (f'raw."{job.stream.table}"',),
    ).fetchall()
    existing = {row[0] for row in there}
    if not existing:
        columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in names)
        connection.execute(
            sql.SQL(
                "create table {} (_load_id bigint not null, _line bigint not null, {}, _extra jsonb)"
            ).format(table, columns)
        )
        connection.execute(sql.SQL("create index on {} using brin (_load_id)").format(table))
        return
    for name in names:
        if name not in existing:
            connection.execute(
                sql.SQL("alter table {} add column {} text").format(table, sql.Identifier(name))
            )


def _table(stream: Stream) -> sql.Identifier:
    return sql.Identifier("raw", stream.table)


# -- text --------------------------------------------------------------------------------------------------


def _load_text(job: _Job, tally: _Tally) -> None:
    form = job.stream.format
    with files.open_text(job.path, form, job.block_size) as text:
        if form.documents:
            batches = _batches(job, documents.DocumentCutter(job.load_id, text.newline), text.blocks)
            _copy(job, documents.LAYOUT, [kinds.DOCUMENT], batches, tally, text.original)
            tally.unseen = _unseen_fields(job)
            return
        layout = Layout(
            fields=len(job.stream.columns),
            min_fields=form.min_fields or len(job.stream.columns),
            join_surplus=form.join_surplus,
            delimiter=form.delimiter.encode(),
            quote=form.quote.encode() if form.quote else None,
            newline=text.newline,
            bare_quotes=form.bare_quotes,
        )
        text.blocks = _behind_lines(form.skip_lines, text.blocks, text.newline)
        header, blocks, line = [column.name for column in job.stream.columns], text.blocks, 1
        if form.header:
            header, blocks, line = _take_header(job, layout, text)
            if not header:
                tally.remark = "0 rows: the file has only blank lines"
                return
            layout = replace(layout, fields=len(header), min_fields=len(header))
        batches = _batches(job, Cutter(layout, job.load_id, line + form.skip_lines), blocks)
        _copy(job, layout, header, batches, tally, text.original)
        if form.header and not tally.loaded and not tally.rejected:
            tally.remark = "0 rows: the file has only a header"


def _unseen_fields(job: _Job) -> tuple[str, ...]:
    """Note the fields of the load's first documents; returns those new to a stream that was known before.

    An object that is itself new is one new field, not as many as it has.
    """
    connection, stream = job.connection, job.stream
    connection.execute("set local enable_seqscan = off")  # the load's rows are a small range at the end
    new = connection.execute(
        sql.SQL(
            """
            with documents as materialized (
                select ops.to_json({document}) as doc
                from (
                    select *, sum(octet_length({document})) over (rows unbounded preceding) as size
                    from (
                        select {document} from {table} where _load_id = %(load_id)s limit %(limit)s
                    ) as first_ones
                ) as sized
                where size - octet_length({document}) < %(bytes)s
            ),
            found as (
                select distinct null as object, left(key, %(longest)s) as field
                from documents
                cross join lateral jsonb_object_keys(
                    case when jsonb_typeof(doc) = 'object' then doc end
                ) as key
                union all
                select distinct object, left(concat(object, '.', key), %(longest)s)
                from documents
                cross join unnest(%(objects)s::text[], %(paths)s::jsonpath[]) as objects (object, path)
                cross join lateral jsonb_path_query(doc, path) as inside
                cross join lateral jsonb_object_keys(inside) as key
            ),
            new as (
                insert into ops.known_fields (source, stream, field, load_id)
                select distinct %(source)s, %(stream)s, field, %(load_id)s::bigint from found
                on conflict do nothing
                returning field
            )
            select distinct field
            from new
            inner join found using (field)
            where object is null or exists (
                select from ops.known_fields as known
                where known.source = %(source)s and known.stream = %(stream)s
                    and starts_with(known.field, concat(object, '.'))
            )
            """
        ).format(document=sql.Identifier(kinds.DOCUMENT), table=_table(stream)),
        {
            "source": stream.source,
            "stream": stream.name,
            "load_id": job.load_id,
            "limit": DOCUMENTS_LOOKED_AT,
            "bytes": BYTES_LOOKED_AT,
            "longest": LONGEST_FIELD,
            "objects": list(stream.objects),
            "paths": [_path_of(names) for names in stream.objects],
        },
    ).fetchall()
    connection.execute("set local enable_seqscan to default")
    is_known = connection.execute(
        "select exists (select from ops.loads where source = %s and stream = %s and state = 'staged')",
        (stream.source, stream.name),
    ).fetchone()
    return tuple(sorted(row[0] for row in new)) if is_known and is_known[0] else ()


def _path_of(names: str) -> str:
    """The SQL/JSON path of the objects that ``a.b`` means, through lists of such."""
    steps = "".join(f'."{name}"' for name in names.split("."))
    return f'lax ${steps}[*] ? (@.type() == "object")'


def _take_header(job: _Job, layout: Layout, text: files.TextFile) -> tuple[list[str], Iterator[bytes], int]:
    """The header's names, the text behind it, and its first line's number.

    Raises:
        SourceError: the header cannot be read, or does not fit the declared columns.
    """
    start = b""
    for block in text.blocks:
        start += block
        names, end, line, fault = read_header(layout, start)
        is_whole = end < len(start) and names and not fault
        if is_whole or len(start) > 2 * MAX_RECORD:
            break
    else:
        names, end, line, fault = read_header(layout, start)
    if fault:
        is_undecodable = line + job.stream.format.skip_lines in text.undecodable
        fault = f"not valid {text.encoding}" if is_undecodable else fault
        raise SourceError(
            f"the header cannot be read: {fault}", where=job.path.name, do="correct the first line"
        )
    if names:
        names = _check_header(job, names)
    rest = start[end:]
    return names, _behind(rest, text.blocks), line + 1


def _behind_lines(count: int, blocks: Iterator[bytes], newline: bytes) -> Iterator[bytes]:
    """The text behind its first ``count`` lines."""
    for block in blocks:
        here = 0
        while count and (end := block.find(newline, here) + 1):
            here, count = end, count - 1
        if not count and here < len(block):
            yield block[here:]


def _behind(rest: bytes, blocks: Iterator[bytes]) -> Iterator[bytes]:
    if rest:
        yield rest
    yield from blocks


def _check_header(job: _Job, header: list[str]) -> list[str]:
    """The header's names without blanks, empty ones named by position, after checking them."""
    names = [name.strip() or f"column_{position}" for position, name in enumerate(header, 1)]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SourceError(
            f"the header names the column `{twice}` twice",
            where=job.path.name,
            do="have the export name it once, or take columns by position (`header: false`, `skip_lines: 1`)",
        )
    missing = [column.name for column in job.stream.columns if column.required and column.name not in names]
    if missing:
        raise SourceError(
            f"the header lacks {', '.join(f'`{name}`' for name in missing)}",
            where=job.path.name,
            do=_header_hint(job.stream, names, missing),
        )
    return names


def _header_hint(stream: Stream, names: list[str], missing: list[str]) -> str:
    if len(names) == 1 and len(stream.columns) > 1:
        found = max(",;\t|", key=names[0].count)
        if found in names[0]:
            return (
                f"wrong delimiter? set to {stream.format.delimiter!r}, the header looks cut by {found!r}: "
                f"correct `delimiter:` in {stream.where}"
            )
    near = [name for name in names if name.casefold() == missing[0].casefold()]
    near = near or difflib.get_close_matches(missing[0], names, n=1)
    hint = f"is `{near[0]}` meant? " if near else ""
    if not any(column.name in names for column in stream.columns):
        hint += "are there lines above it (`skip_lines:`)? "
    return (
        f"{hint}correct `columns:` in {stream.where} "
        "(`required: false` for a column that may be absent) or have the export write it"
    )


def _batches(
    job: _Job, cutter: Cutter | documents.DocumentCutter, blocks: Iterator[bytes]
) -> Iterator[Batch]:
    for block in blocks:
        yield cutter.feed(block, is_last=False)
        if cutter.pending > files.MAX_LINE:
            raise files.line_too_long(job.path)
    yield cutter.feed(b"", is_last=True)


# -- spreadsheets ------------------------------------------------------------------------------------------


def _load_spreadsheet(job: _Job, tally: _Tally) -> None:
    skipped = job.stream.format.skip_lines
    rows = (row for row in spreadsheets.rows(job.path, job.stream.format) if row[0] > skipped)
    header = [column.name for column in job.stream.columns]
    if job.stream.format.header:
        _, cells = next(rows, (0, []))
        while cells and not cells[-1].strip():
            cells.pop()
        if not cells:
            tally.remark = "0 rows: the sheet is empty"
            return
        header = _check_header(job, cells)
    layout = Layout(len(header), len(header))
    _copy(job, layout, header, _sheet_batches(rows, layout, job.load_id), tally, lambda reject: reject)
    if not tally.loaded and not tally.rejected:
        tally.remark = "0 rows: the sheet has only a header"


def _sheet_batches(rows: Iterator[tuple[int, list[str]]], layout: Layout, load_id: int) -> Iterator[Batch]:
    """Batches of rows: cells behind the header's width must be empty, missing ones are empty."""
    for line, cells in rows:
        while len(cells) > layout.fields and not cells[-1]:
            cells.pop()
        cells += [""] * (layout.fields - len(cells))
        quoted = ",".join('"' + cell.replace('"', '""') + '"' for cell in cells)
        yield Cutter(layout, load_id, line, is_fast=False).feed(quoted.encode(errors="replace"), is_last=True)


# -- COPY --------------------------------------------------------------------------------------------------


class _Writer(QueuedLibpqWriter):
    """Sends in a thread of its own: the next lines are cut while the server takes the last ones."""

    def __init__(self, cursor: psycopg.Cursor[Any]) -> None:
        super().__init__(cursor)
        # Blocks in hand: the 1024 of its own would hold a whole file.
        self._queue = type(self._queue)(maxsize=8)


def _copy(
    job: _Job,
    layout: Layout,
    header: list[str],
    batches: Iterator[Batch],
    tally: _Tally,
    original: Callable[[Reject], Reject],
) -> None:
    """Copy the batches into raw and ops.rejects; undeclared columns go by way of a temporary table."""
    declared = {column.name for column in job.stream.columns}
    tally.extra = tuple(name for name in header if name not in declared)
    if tally.extra:
        target, columns = _create_stage(job, len(header))
    else:
        target, columns = _table(job.stream), header
    statement = sql.SQL("copy {} ({}) from stdin ({})").format(
        target,
        sql.SQL(", ").join(map(sql.Identifier, ["_load_id", "_line", *columns])),
        sql.SQL(layout.copy_options),
    )
    rejects: list[Reject] = []
    pending = iter(batches)
    is_done = False
    # COPY holds the connection, so rejects wait; a pause lets them go before they fill the memory.
    while not is_done:
        with (
            job.connection.cursor() as cursor,
            cursor.copy(statement, writer=_Writer(cursor)) as copy,
        ):
            is_done = _copy_until(job, copy, pending, rejects, tally)
        _write_rejects(job, rejects, original)
        rejects.clear()
    if tally.extra:
        _from_stage(job, header, tally.extra)


def _copy_until(
    job: _Job, copy: Copy, batches: Iterator[Batch], rejects: list[Reject], tally: _Tally
) -> bool:
    """Copy until all batches are done (True) or there are many rejects to be written (False)."""
    for batch in batches:
        if batch.copy:
            copy.write(batch.copy)
        tally.loaded += batch.loaded
        if batch.rejects:
            tally.first_reason = tally.first_reason or batch.rejects[0].reason
            tally.rejected += len(batch.rejects)
            rejects += batch.rejects
            if not tally.loaded and tally.rejected >= HOPELESS:
                raise _not_one_record(job, tally)
            if len(rejects) >= REJECTS_AT_ONCE:
                return False
    return True


def _write_rejects(job: _Job, rejects: list[Reject], original: Callable[[Reject], Reject]) -> None:
    if not rejects:
        return
    statement = "copy ops.rejects (load_id, source, stream, stage, line, bytes, reason) from stdin"
    with job.connection.cursor() as cursor, cursor.copy(statement) as copy:
        for reject in map(original, rejects):
            source, stream = job.stream.source, job.stream.name
            copy.write_row((job.load_id, source, stream, "load", reject.line, reject.content, reject.reason))


def _create_stage(job: _Job, fields: int) -> tuple[sql.Composable, list[str]]:
    columns = [f"c{position}" for position in range(fields)]
    job.connection.execute(
        sql.SQL(
            "create temporary table callhouse_load (_load_id bigint, _line bigint, {}) on commit drop"
        ).format(sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in columns))
    )
    return sql.SQL(STAGE_TABLE), columns


def _from_stage(job: _Job, header: list[str], extra: tuple[str, ...]) -> None:
    """Move the rows from the temporary table to raw, undeclared columns together as ``{name: value}``."""
    column = {name: sql.Identifier(f"c{position}") for position, name in enumerate(header)}
    declared = [name for name in header if name not in extra]
    job.connection.execute(
        sql.SQL(
            "insert into {} (_load_id, _line, {}, _extra) select _load_id, _line, {}, "
            "jsonb_object(array[{}], array[{}]) from {}"
        ).format(
            _table(job.stream),
            sql.SQL(", ").join(map(sql.Identifier, declared)),
            sql.SQL(", ").join(column[name] for name in declared),
            sql.SQL(", ").join(map(sql.Literal, extra)),
            sql.SQL(", ").join(column[name] for name in extra),
            sql.SQL(STAGE_TABLE),
        )
    )
