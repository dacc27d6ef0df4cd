"""Rules → counts: how many rows each rule checked and found wrong, per business date.

All ``violates`` rules of one table are one statement, one scan; the statements are shared out among the
connections there are. A rule whose SQL does not run is an error of its own and spoils no other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date
from itertools import chain
from queue import SimpleQueue
from typing import Any

import psycopg

from callhouse.quality.rulebook import Rule

Counts = dict[date | None, tuple[int, int] | tuple[int, int, str | None]]


@dataclass(frozen=True)
class Measurement:
    """Rows checked and rows in violation, for one rule and business date (None: the whole run).

    ``detail`` is what the rule itself says about them, where it does.
    """

    rule: str
    business_date: date | None
    checked_count: int
    violation_count: int
    detail: str | None = None

    @property
    def share(self) -> float:
        """Violations as a share of the rows checked, 0 to 1; nothing checked and nothing wrong is 0."""
        if self.violation_count == 0:
            return 0.0
        return min(1.0, self.violation_count / max(self.checked_count, 1))


@dataclass
class Measurements:
    """What the rules counted; ``errors`` names the reason of each rule that could not be evaluated."""

    rows: list[Measurement] = field(default_factory=list)
    errors: dict[str, str] = field(default_factory=dict)

    def of(self, rule: str) -> list[Measurement]:
        return [row for row in self.rows if row.rule == rule]


def measure(
    connections: Sequence[psycopg.Connection],
    rules: Sequence[Rule],
    dates: Sequence[date],
    parameters: Mapping[str, Any],
) -> Measurements:
    """Evaluate ``rules`` for ``dates``; every rule ends with a count per date or with an error.

    Raises:
        psycopg.OperationalError: the connection was lost (a rule is not to blame).
    """
    idle: SimpleQueue[psycopg.Connection] = SimpleQueue()
    for connection in connections:
        idle.put(connection)

    def evaluate(batch: list[Rule]) -> list[tuple[Rule, Counts | psycopg.Error]]:
        connection = idle.get()
        try:
            return _evaluate(connection, batch, parameters)
        finally:
            idle.put(connection)

    measured = Measurements()
    with ThreadPoolExecutor(len(connections)) as threads:
        for known, outcome in chain.from_iterable(threads.map(evaluate, _batches(rules))):
            try:
                if isinstance(outcome, psycopg.Error):
                    raise _RuleError(_reason(outcome)) from outcome
                measured.rows += _completed(known, outcome, dates)
            except _RuleError as error:
                measured.errors[known.name] = str(error)
    return measured


class _RuleError(Exception):
    """Why a rule has no verdict, in words without data."""


def _batches(rules: Iterable[Rule]) -> list[list[Rule]]:
    """Rules that can share one statement stand together: conditions on one table, or the same query."""
    batches: dict[object, list[Rule]] = defaultdict(list)
    for known in rules:
        batches[known.query or (known.stage, known.subject, known.date_column)].append(known)
    return list(batches.values())


def _evaluate(
    connection: psycopg.Connection, batch: list[Rule], parameters: Mapping[str, Any]
) -> list[tuple[Rule, Counts | psycopg.Error]]:
    try:
        with connection.transaction():
            connection.execute("set transaction read only")
            rows = connection.execute(_statement(batch).encode(), parameters).fetchall()
    except psycopg.Error as error:
        if connection.closed:
            raise
        if len(batch) == 1:
            return [(batch[0], error)]
        return [pair for known in batch for pair in _evaluate(connection, [known], parameters)]
    if rows and len(rows[0]) < 3:
        unusable = psycopg.ProgrammingError(
            "fewer columns than business_date, checked_count, violation_count"
        )
        return [(known, unusable) for known in batch]
    # A query has one pair of counts for all its rules, a combined statement one for each.
    if batch[0].query:
        return [(known, {row[0]: row[1:4] for row in rows}) for known in batch]
    pairs = range(len(batch))
    return [
        (known, {row[0]: (row[1 + 2 * pair], row[2 + 2 * pair]) for row in rows})
        for known, pair in zip(batch, pairs, strict=True)
    ]


def _statement(batch: list[Rule]) -> str:
    """SQL whose rows are a date, then a pair of counts for each rule of the batch (one pair for a query)."""
    first = batch[0]
    if first.query is not None:
        return first.query
    counts = ",\n  ".join(
        f"count(*) filter (where {known.where}),\n"
        # Undecided is violated: a rule that forgets about NULL must not look like good data.
        f"  count(*) filter (where ({known.where}) and ({known.violates}) is not false)"
        for known in batch
    )
    table = f"{first.stage}.{first.subject}"
    if first.date_column is None:
        return f"select null::date,\n  {counts}\nfrom {table}"
    day = f"{first.subject}.{first.date_column}"
    return f"select {day},\n  {counts}\nfrom {table}\nwhere {day} = any(%(dates)s)\ngroup by {day}"


def _completed(known: Rule, counts: Counts, dates: Sequence[date]) -> list[Measurement]:
    """One measurement for every date the rule owes; dates without rows have checked nothing."""
    owed: Sequence[date | None] = [None] if known.is_run_wide else dates
    if strangers := set(counts) - set(owed):
        raise _RuleError(f"returned {len(strangers)} business dates that it was not asked for")
    rows = [Measurement(known.name, day, *counts.get(day, (0, 0))) for day in owed]
    if any(
        not isinstance(count, int) or count < 0
        for row in rows
        for count in (row.checked_count, row.violation_count)
    ):
        raise _RuleError("returned a count that is no whole number from 0")
    return rows


def _reason(error: psycopg.Error) -> str:
    """The error's kind; its text only where it names tables and columns and cannot hold data."""
    if error.sqlstate is None:
        return f"{type(error).__name__}: {error}"  # psycopg's own words about the statement
    kind = f"{type(error).__name__} ({error.sqlstate})"
    return f"{kind}: {error.diag.message_primary}" if error.sqlstate.startswith("42") else kind
