"""The gate: evaluates the rules of a stage, keeps every result, holds the dates that are not fit for use."""

from __future__ import annotations

import json
import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Any, get_args

import psycopg

from callhouse.errors import WarehouseError
from callhouse.postgres import advisory_lock, connect, open_warehouse
from callhouse.quality.judge import Outcome, judge
from callhouse.quality.measure import Measurements, measure
from callhouse.quality.rulebook import Rule, Severity, Stage, rules
from callhouse.settings import Settings
from callhouse.sources import streams_of

logger = logging.getLogger(__name__)

ROLE = "callhouse_build"
THREADS = 2  # as many as dbt has (dbt_project/profiles.yml)
LEVELS: dict[Severity, int] = {
    "critical": logging.ERROR,
    "warning": logging.WARNING,
    "info": logging.INFO,
}
UNDATED_RECORDS = ("agent", "customer", "queue")


@dataclass(frozen=True)
class RuleResult:
    """What one rule said about one business date (None: about the run as a whole).

    ``detail`` holds counts, or why there is no verdict; never a value of a row.
    """

    rule: Rule
    business_date: date | None
    outcome: Outcome
    checked_count: int | None
    violation_count: int | None
    detail: str

    @property
    def holds(self) -> bool:
        """Whether its date (None: every date) must not be published."""
        return self.rule.severity == "critical" and self.outcome != "pass"


@dataclass(frozen=True)
class GateResult:
    """The results of a stage, and the run's dates: those that may go on, and those held."""

    stage: Stage
    results: tuple[RuleResult, ...]
    passed: list[date]
    held: list[date]


def check(settings: Settings, run_id: int, stage: Stage) -> GateResult:
    """Evaluate the rules of ``stage`` over the run's business dates.

    Every result goes to ``marts.quality_results``. A date with a critical failure or error becomes
    ``held`` in ``ops.affected_dates``, any other that was held becomes ``pending`` again. What held a date
    at staging holds it at build, too. Both are committed together.

    Raises:
        WarehouseError: there is no such run, or the figures in ``build`` are another run's.
    """
    if stage not in get_args(Stage):
        raise ValueError(f"no stage {stage!r}: one of {', '.join(get_args(Stage))}")
    name = f"check {stage}, run {run_id}"
    with ExitStack() as stack:
        connections = [
            stack.enter_context(connect(settings, ROLE, autocommit=True, name=name)) for _ in range(THREADS)
        ]
        connection = connections[0]
        stack.enter_context(advisory_lock(connection, "warehouse"))
        date_to, dates = _dates(connection, run_id, stage)
        if not dates:
            return GateResult(stage, (), [], [])
        chosen = rules(stage)
        measured = measure(connections, chosen, dates, _parameters(settings, run_id, date_to, dates))
        verdicts = judge(connection, open_warehouse(settings).sqlalchemy_url(ROLE), chosen, measured)
        results = tuple(
            result for known in chosen for result in _results(known, verdicts[known.name], measured, dates)
        )
        with connection.transaction():
            _keep(connection, run_id, stage, results)
            reasons = _reasons(connection, run_id, stage, results, dates)
            _hold(connection, reasons, dates)
            if stage == "build":
                connection.execute(
                    "update ops.build_state set checked_at = now() where run_id = %s", (run_id,)
                )
    held = [day for day in dates if day in reasons]
    _log(stage, results, held)
    return GateResult(stage, results, [day for day in dates if day not in reasons], held)


def _dates(connection: psycopg.Connection, run_id: int, stage: Stage) -> tuple[date, list[date]]:
    """The run's last date and its business dates in order.

    At staging these are the range asked for and every unpublished date up to its end; at build those that
    were built.
    """
    run = connection.execute("select date_to from ops.runs where run_id = %s", (run_id,)).fetchone()
    if run is None:
        raise WarehouseError(
            f"there is no run {run_id}", where="ops.runs", do="start the run from its first step"
        )
    if stage == "staging":
        found = connection.execute(
            """
            select generate_series(date_from, date_to, interval '1 day')::date as business_date
            from ops.runs where run_id = %(run_id)s
            union
            select business_date from ops.affected_dates where business_date <= %(date_to)s
            order by 1
            """,
            {"run_id": run_id, "date_to": run[0]},
        ).fetchall()
        return run[0], [row[0] for row in found]
    built = connection.execute("select run_id, dates from ops.build_state").fetchone()
    if built is None or built[0] != run_id:
        raise WarehouseError(
            f"run {run_id} has no figures in schema build"
            + (f": they are of run {built[0]}" if built else ""),
            where="ops.build_state",
            do="run the same dates again; only one run builds at a time",
        )
    return run[0], sorted(built[1] or [])


def _parameters(settings: Settings, run_id: int, date_to: date, dates: Sequence[date]) -> dict[str, Any]:
    """What a rule's SQL may ask for (documented in ``expectations/crucial.py``)."""
    opening = settings.centre.get("opening_hours") or {}
    return {
        "run_id": run_id,
        "date_to": date_to,
        "dates": list(dates),
        "time_zone": settings.time_zone,
        "opens_at": opening.get("from"),
        "closes_at": opening.get("to"),
        "sources": _dated_sources(settings),
        "no_agent_markers": sorted(set(_no_agent_markers(settings))),
        "short_within_threshold": _is_short_within_threshold(settings.centre),
        "row_counts": json.dumps(list(_row_counts(settings)), default=str),
    }


def _row_counts(settings: Settings) -> Iterator[dict[str, Any]]:
    """Every stream whose row count is watched: from where on it has collapsed, the dates excused."""
    for source in settings.sources.values():
        if source.row_counts is None:
            continue
        for name in source.streams or streams_of(source):
            record = (source.streams.get(name) or {}).get("record")
            yield {
                "source": source.name,
                "stream": name,
                "is_dated": record not in UNDATED_RECORDS,
                "below": source.row_counts.below,
                "minimum": source.row_counts.minimum,
                "excused": sorted(settings.holidays | source.row_counts.accepted.keys()),
            }


def _no_agent_markers(settings: Settings) -> Iterator[str]:
    """``no_agent`` of every stream: the word, or words, it writes where a call had no agent."""
    for source in settings.sources.values():
        for options in source.streams.values():
            marker = (options or {}).get("no_agent") or []
            yield from [marker] if isinstance(marker, str) else map(str, marker)


def _dated_sources(settings: Settings) -> list[str]:
    """Sources with a stream whose records belong to a date."""
    return [
        name
        for name, source in settings.sources.items()
        if not source.streams
        or any((options or {}).get("record") not in UNDATED_RECORDS for options in source.streams.values())
    ]


def _is_short_within_threshold(centre: dict[str, Any]) -> bool:
    """Whether S <= T in every setting of the centre and its queues: then a short abandon is one in time."""
    entries = [*(centre.get("service_level") or []), *chain(*(centre.get("queues") or {}).values())]
    return all(entry["short_abandon_seconds"] <= entry["threshold_seconds"] for entry in entries)


def _results(
    known: Rule, verdict: Outcome, measured: Measurements, dates: Sequence[date]
) -> list[RuleResult]:
    """One result per date. Great Expectations says whether a rule holds; the counts say where it does not."""
    rows = measured.of(known.name)
    over = [row for row in rows if row.share > known.tolerance]
    if verdict == "error" or not rows or (verdict == "fail") != bool(over):
        detail = measured.errors.get(known.name, "Great Expectations gave no verdict that fits the counts")
        owed: Sequence[date | None] = [None] if known.is_run_wide else dates
        return [RuleResult(known, day, "error", None, None, detail) for day in owed]
    return [
        RuleResult(
            known,
            row.business_date,
            "fail" if row in over else "pass",
            row.checked_count,
            row.violation_count,
            row.detail or f"{row.violation_count} of {row.checked_count}",
        )
        for row in rows
    ]


def _reasons(
    connection: psycopg.Connection,
    run_id: int,
    stage: Stage,
    results: Sequence[RuleResult],
    dates: Sequence[date],
) -> dict[date, str]:
    """The rules that hold each date: this stage's, and at build what staging held in the same run."""
    holding = [(result.rule.name, result.business_date) for result in results if result.holds]
    if stage == "build":
        holding += connection.execute(
            """
            select rule, business_date
            from (
              select distinct on (rule, business_date) rule, business_date, outcome
              from marts.quality_results
              where run_id = %s and stage = 'staging' and severity = 'critical'
              order by rule, business_date, result_id desc
            ) as latest
            where outcome <> 'pass'
            """,
            (run_id,),
        ).fetchall()
    names: dict[date, set[str]] = defaultdict(set)
    for name, day in holding:
        for concerned in dates if day is None else [day]:
            names[concerned].add(name)
    return {day: ", ".join(sorted(names[day])) for day in dates if day in names}


def _keep(connection: psycopg.Connection, run_id: int, stage: Stage, results: Sequence[RuleResult]) -> None:
    columns = (
        "run_id, stage, rule, principle, severity, subject, sentence_en, sentence_zh,"
        " business_date, outcome, checked_count, violation_count, detail"
    )
    with connection.cursor().copy(f"copy marts.quality_results ({columns}) from stdin".encode()) as copy:
        for result in results:
            known = result.rule
            copy.write_row(
                (
                    run_id,
                    stage,
                    known.name,
                    known.principle.key,
                    known.severity,
                    known.subject,
                    known.en,
                    known.zh,
                    result.business_date,
                    result.outcome,
                    result.checked_count,
                    result.violation_count,
                    result.detail,
                )
            )


def _hold(connection: psycopg.Connection, reasons: dict[date, str], dates: Sequence[date]) -> None:
    # `since` stays: it is when news last touched the date, and tells publication whether it has seen them.
    connection.execute(
        """
        update ops.affected_dates set state = 'pending', reason = null
        where state = 'held' and business_date = any(%s)
        """,
        ([day for day in dates if day not in reasons],),
    )
    connection.execute(
        """
        insert into ops.affected_dates (business_date, state, reason)
        select held.business_date, 'held', held.reason
        from unnest(%s::date[], %s::text[]) as held (business_date, reason)
        on conflict (business_date) do update set state = excluded.state, reason = excluded.reason
        """,
        (list(reasons), list(reasons.values())),
    )


def _log(stage: Stage, results: Sequence[RuleResult], held: Sequence[date]) -> None:
    troubles: dict[Rule, list[RuleResult]] = defaultdict(list)
    for result in results:
        if result.outcome != "pass":
            troubles[result.rule].append(result)
    for known, bad in troubles.items():
        logger.log(
            LEVELS[known.severity],
            "%s (%s): %s on %s%s, %s. %s",
            known.name,
            known.severity,
            bad[0].outcome,
            bad[0].business_date or "the run as a whole",
            f" and {len(bad) - 1} more" if len(bad) > 1 else "",
            bad[0].detail,
            known.remedy,
        )
    logger.info("%s: %d results, %d dates held", stage, len(results), len(held))
