"""Rejects: what was set aside, and sending it through again once the cause is mended.

::

    a mapping, the configuration or the code was corrected
        └─ replay: each chosen load is done anew from its landing file ─▶ raw, ops.rejects    one transaction
                   and staged anew ─▶ staging, ops.rejects, ops.affected_dates                one transaction
        └─ the next run builds and publishes the dates touched

A load is done anew whole, not its rejected lines alone: only the whole file says where a quote that was left
open should have ended, and the same code counts ``rows in = loaded + rejected + duplicates``. What passes
now leaves ``ops.rejects`` for ``ops.replayed_rejects``; what fails again stays, with its newest reason. A
replay that is killed leaves each load as it was, or done anew and waiting for the next run to stage it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date, datetime
from itertools import groupby
from typing import Any

import psycopg
from psycopg.rows import class_row

from callhouse import postgres, raw, transform
from callhouse.settings import Settings

SHOWN_BYTES = 200


@dataclass(frozen=True)
class Chosen:
    """Which rejects: all that agree with every field that is not None.

    ``reason`` is part of the reason's text, whatever its case. ``date_from`` and ``date_to`` are dates of the
    centre on which the rows were set aside.
    """

    source: str | None = None
    stream: str | None = None
    stage: str | None = None
    reason: str | None = None
    load_id: int | None = None
    date_from: date | None = None
    date_to: date | None = None


_IS_CHOSEN = """
    (%(source)s::text is null or rejects.source = %(source)s)
    and (%(stream)s::text is null or rejects.stream = %(stream)s)
    and (%(stage)s::text is null or rejects.stage = %(stage)s)
    and (%(reason)s::text is null or position(lower(%(reason)s) in lower(rejects.reason)) > 0)
    and (%(load_id)s::bigint is null or rejects.load_id = %(load_id)s)
    and (rejects.rejected_at at time zone %(time_zone)s)::date
        between coalesce(%(date_from)s::date, '-infinity') and coalesce(%(date_to)s::date, 'infinity')
"""


@dataclass(frozen=True)
class Reason:
    """How many rows of a stream were set aside for one reason, out of how many files, and since when."""

    source: str
    stream: str
    stage: str
    reason: str
    row_count: int
    file_count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True)
class Line:
    """One row that was set aside. ``content`` is personal data: show it to those who ask, never log it."""

    load_id: int
    source: str
    stream: str
    file: str
    line: int | None
    stage: str
    reason: str
    rejected_at: datetime
    byte_count: int
    content: bytes

    @property
    def shown(self) -> str:
        """The bytes on one line: text as text, anything else escaped, shortened."""
        text = escaped(self.content[:SHOWN_BYTES])
        return text + ("…" if self.byte_count > SHOWN_BYTES else "")


@dataclass(frozen=True)
class Replayed:
    """How one load's replay ended.

    ``state`` is ``staged`` or ``loaded`` (nothing stages its stream), or ``failed``: then ``message`` says
    why and everything stayed as it was. ``passed`` of the rows that were set aside are rows now;
    ``rejected`` are set aside after the replay, of all the file's ``rows_in``.
    """

    load_id: int
    source: str
    stream: str
    file: str
    state: str
    rows_in: int = 0
    passed: int = 0
    rejected: int = 0
    message: str | None = None


@dataclass(frozen=True)
class Replay:
    """The loads done anew, and the business dates that wait for the next run because of it."""

    loads: list[Replayed]
    dates: list[date]


def reasons(settings: Settings, chosen: Chosen) -> list[Reason]:
    """The chosen rejects counted by stream, stage and reason, the most frequent first."""
    statement = f"""
        select
            source, stream, stage, reason, count(*) as row_count, count(distinct load_id) as file_count,
            min(rejected_at) as first_at, max(rejected_at) as last_at
        from ops.rejects
        where {_IS_CHOSEN}
        group by source, stream, stage, reason
        order by row_count desc, source, stream, stage, reason
        """
    with _audit(settings) as connection, connection.cursor(row_factory=class_row(Reason)) as cursor:
        return cursor.execute(statement.encode(), _parameters(settings, chosen)).fetchall()


def lines(settings: Settings, chosen: Chosen, limit: int) -> list[Line]:
    """The chosen rejects themselves, in the order of their loads and lines, at most ``limit``."""
    statement = f"""
        select
            rejects.load_id, rejects.source, rejects.stream, original_name as file, line, stage, reason,
            rejected_at, coalesce(length(bytes), 0) as byte_count,
            coalesce(substring(bytes for {SHOWN_BYTES}), '') as content
        from ops.rejects
        inner join ops.loads using (load_id)
        inner join ops.landing_files using (landing_id)
        where {_IS_CHOSEN}
        order by rejects.load_id, line, reject_id
        limit %(limit)s
        """
    with _audit(settings) as connection, connection.cursor(row_factory=class_row(Line)) as cursor:
        return cursor.execute(statement.encode(), _parameters(settings, chosen) | {"limit": limit}).fetchall()


def replay(settings: Settings, chosen: Chosen) -> Replay:
    """Do the loads of the chosen rejects anew, whole, and stage them; the next run restates their dates.

    A file that cannot be loaded as declared now stays as it was and is in the answer as ``failed``.

    Raises:
        ConfigError: an entry of sources.yml is wrong.
        WarehouseError: the database cannot be reached, or another run does not end.
        CallhouseError: staging failed; the next run stages what was done anew.
    """
    results: list[raw.LoadResult] = []
    with postgres.connect(settings, autocommit=True, name="callhouse rejects replay") as connection:
        began = connection.execute("select clock_timestamp()").fetchone()
        assert began is not None
        for source, loads in groupby(_loads(connection, settings, chosen), key=lambda load: load[0]):
            with (
                postgres.advisory_lock(connection, f"load {source}"),
                postgres.advisory_lock(connection, "warehouse"),
            ):
                results += [raw.reload(settings, connection, load_id) for _, load_id in loads]
        if any(result.state != "failed" for result in results):
            transform.stage(settings)
        return Replay([_outcome(connection, result) for result in results], _pending(connection, began[0]))


def escaped(content: bytes) -> str:
    """Bytes as one line of text that a terminal cannot take for anything else; ``\\`` is doubled."""
    text = content.replace(b"\\", b"\\\\").decode(errors="backslashreplace")
    return "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text
    )


def _audit(settings: Settings) -> psycopg.Connection[Any]:
    return postgres.connect(settings, "callhouse_audit", name="callhouse rejects")


def _parameters(settings: Settings, chosen: Chosen) -> dict[str, Any]:
    return asdict(chosen) | {"time_zone": settings.time_zone}


def _loads(connection: psycopg.Connection[Any], settings: Settings, chosen: Chosen) -> list[tuple[str, int]]:
    """Source and number of the loads that hold chosen rejects, source by source."""
    return connection.execute(
        f"select distinct source, load_id from ops.rejects where {_IS_CHOSEN} order by 1, 2".encode(),
        _parameters(settings, chosen),
    ).fetchall()


def _outcome(connection: psycopg.Connection[Any], result: raw.LoadResult) -> Replayed:
    about = (result.load_id, result.source, result.stream, result.original_name)
    if result.state == "failed":
        return Replayed(*about, result.state, message=result.message)
    row = connection.execute(
        """
        select
            state, rows_in, rows_rejected,
            (
                select count(distinct line) from ops.replayed_rejects as before
                where before.load_id = loads.load_id and before.replayed_at = loads.replayed_at
            )
        from ops.loads where load_id = %s
        """,
        (result.load_id,),
    ).fetchone()
    assert row is not None
    state, rows_in, rejected, passed = row
    return Replayed(*about, state, rows_in, passed, rejected)


def _pending(connection: psycopg.Connection[Any], since: datetime) -> list[date]:
    """The business dates that news has touched since."""
    rows = connection.execute(
        "select business_date from ops.affected_dates where state = 'pending' and since >= %s order by 1",
        (since,),
    )
    return [row[0] for row in rows]
