"""The main job as a test runs it: the functions that the DAGs' tasks call, in their order."""

from __future__ import annotations

import csv
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from callhouse import landing, postgres, publish, quality, raw, runs, transform
from callhouse.errors import GateHeld, SourceError
from callhouse.settings import Settings
from callhouse.simulate import Plan, simulate
from callhouse.simulate.truth import COLUMNS

Row = tuple[str, ...]


@dataclass
class MainJob:
    """One pass over ``[date_from, date_to]``; `steps` can be stepped through, and broken off, one by one."""

    settings: Settings
    date_from: date
    date_to: date
    run_id: int = field(default=0, init=False)
    failed_sources: dict[str, SourceError] = field(default_factory=dict, init=False)

    @property
    def steps(self) -> list[tuple[str, Callable[[], object]]]:
        return [
            ("extract", self.extract),
            ("load", self.load),
            ("stage", lambda: transform.stage(self.settings, self.run_id)),
            ("check_staging", lambda: self.check("staging")),
            ("build", lambda: transform.build(self.settings, self.run_id)),
            ("check_build", lambda: self.check("build")),
            ("publish", lambda: publish.publish(self.settings, self.run_id)),
        ]

    def extract(self) -> None:
        """A source that fails stops only itself; when all of them fail, there is nothing to do."""
        for source in self.settings.sources:
            try:
                landing.extract(self.settings, source, self.date_from, self.date_to)
            except SourceError as error:
                self.failed_sources[source] = error
        if len(self.failed_sources) == len(self.settings.sources):
            raise next(iter(self.failed_sources.values()))

    def load(self) -> None:
        self.run_id = runs.begin(self.settings, self.date_from, self.date_to, "test")
        raw.load(self.settings, self.run_id)

    def check(self, stage: Any) -> None:
        result = quality.check(self.settings, self.run_id, stage)
        if result.held and not result.passed:
            raise GateHeld(f"all dates held: {result.held}")


def run_warehouse(settings: Settings, date_from: date, date_to: date | None = None) -> int:
    """Extract, load, stage, check, build, check, publish; returns the run's id.

    Raises:
        GateHeld: a critical rule holds a date; the others are published.
    """
    job = MainJob(settings, date_from, date_to or date_from)
    for _, step in job.steps:
        step()
    return job.run_id


def query(settings: Settings, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement, as the warehouse's owner; ``parameters`` are values, or one dict of them."""
    values = parameters[0] if parameters and isinstance(parameters[0], dict) else parameters or None
    with postgres.connect(settings, autocommit=True, name="test") as connection:
        cursor = connection.execute(statement.encode(), values)
        return cursor.fetchall() if cursor.description else []


def digests(settings: Settings) -> dict[str, tuple[int, str]]:
    """Every mart's number of rows and a digest of all its figures, whatever their order.

    Without the gate's own book-keeping.
    """
    with postgres.connect(settings, autocommit=True, name="digest") as connection:
        return {
            table.removeprefix("marts."): digest
            for table, digest in sorted(contents(connection, "marts").items())
            if table != "marts.quality_results"
        }


def contents(connection: psycopg.Connection, *schemas: str) -> dict[str, tuple[int, str]]:
    """Rows and a digest of every table of some schemas, by ``schema.table``, all of one moment."""
    tables = connection.execute(
        "select schemaname, tablename from pg_tables where schemaname = any(%s)", (list(schemas),)
    ).fetchall()
    each = sql.SQL("select {}, count(*), coalesce(sum(hashtextextended(t::text, 0)), 0)::text from {} as t")
    statement = sql.SQL(" union all ").join(
        each.format(sql.Literal(".".join(table)), sql.Identifier(*table)) for table in tables
    )
    return {name: (count, digest) for name, count, digest in connection.execute(statement)}


def published_by(settings: Settings) -> dict[date, int]:
    """The run that published each date last."""
    return dict(query(settings, "select business_date, max(run_id) from ops.publications group by 1"))


def dates_published_by(settings: Settings, run_id: int) -> list[date]:
    """The dates a run published, in order."""
    rows = query(settings, "select business_date from ops.publications where run_id = %s order by 1", run_id)
    return [row[0] for row in rows]


def kpi(settings: Settings, kpi_id: str, period: str, start: date, unit: str = "centre") -> Any:
    """``(numerator, denominator, value)`` of one published KPI value, None where there is none."""
    rows = query(
        settings,
        """
        select numerator, denominator, value from marts.kpi_values
        where kpi_id = %s and period_type = %s and period_start_date = %s and unit_key = %s
        """,
        kpi_id, period, start, unit,
    )  # fmt: skip
    assert len(rows) < 2
    return rows[0] if rows else None


# -- the simulation's truth --------------------------------------------------------------------------------


def differences_from_truth(settings: Settings) -> list[str]:
    """What the published marts and ``truth/*.csv`` do not agree on, in words; empty when they are equal.

    Compared are all columns of the truth, as text, with repeated rows counted. The truth writes natural
    ids where marts have keys: ``queue_id`` is ``pbx:<id>`` in ``queue_key``.
    """
    found = []
    files = sorted((settings.data_dir / "truth").glob("*.csv"))
    assert [path.stem for path in files] == sorted(COLUMNS)
    with postgres.connect(settings, autocommit=True, name="truth") as connection:
        for path in files:
            columns, expected = _truth(connection, path.stem, path)
            found += differences(
                path.stem, columns, expected, Counter(_published(connection, path.stem, columns))
            )
    return found


def differences(mart: str, columns: list[str], expected: Counter[Row], actual: Counter[Row]) -> list[str]:
    """Where rows of a mart part from those expected, in words."""
    missing, untrue = sorted((expected - actual).elements()), sorted((actual - expected).elements())
    if not missing and not untrue:
        return []
    examples = "; ".join(_difference(columns, row, untrue) for row in missing[:3])
    return [f"{mart}: {len(missing)} rows are missing, {len(untrue)} are not true. {examples}"]


def published(settings: Settings, mart: str) -> list[dict[str, str]]:
    """The rows of a mart in the columns of the truth, as text."""
    with postgres.connect(settings, autocommit=True, name="truth") as connection:
        columns, _ = _truth(connection, mart, settings.data_dir / "truth" / f"{mart}.csv")
        rows = _published(connection, mart, columns)
        return [dict(zip(COLUMNS[mart], row, strict=True)) for row in rows]


def cut_after_a_change(plan: Plan, folder: Path) -> Plan:
    """The plan cut off earlier on its last day, just after an agent's status changed while as many callers as
    possible waited and talked. Every telephone system tells of that change, and nothing is known beyond a
    system's last record: so all of them know equally much.

    Args:
        folder: where days may be simulated to find it.
    """
    simulate(plan, folder, truth=False)
    going_on: dict[str, str] = {}
    changes: dict[int, tuple[int, int]] = {}
    for line in (
        (folder / "pbx" / f"queue_log-{plan.dates[-1]:%Y%m%d}").read_text(encoding="utf-8").splitlines()
    ):
        at, call_id, _, _, event, *_ = line.split("|")
        if event in ("ENTERQUEUE", "CONNECT"):
            going_on[call_id] = event
        elif re.fullmatch("ABANDON|EXIT.*|COMPLETE.*|BLINDTRANSFER", event):
            going_on.pop(call_id, None)
        elif re.fullmatch("AGENTLOG.*|(UN)?PAUSEALL", event):
            waiting = [*going_on.values()].count("ENTERQUEUE")
            changes[int(at) + 1] = waiting, len(going_on)
    return replace(plan, cut_off=datetime.fromtimestamp(max(changes, key=changes.__getitem__), UTC))


def _difference(columns: list[str], row: Row, others: list[Row]) -> str:
    """How a row of the truth and the published row most like it differ."""
    nearest = max(others, default=(), key=lambda other: sum(map(str.__eq__, row, other)))
    different = [f"{name} {a!r}, not {b!r}" for name, a, b in zip(columns, row, nearest) if a != b]  # noqa: B905
    return f"{row[:4]}: {', '.join(different) or 'nothing like it'}"


def _truth(connection: psycopg.Connection, mart: str, path: Path) -> tuple[list[str], Counter[Row]]:
    """The mart's columns that the truth speaks of, and its rows in their words."""
    published = {
        row[0]
        for row in connection.execute(
            "select column_name from information_schema.columns"
            " where table_schema = 'marts' and table_name = %s",
            (mart,),
        )
    }
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        names = {name: _in_mart(name, published) for name in reader.fieldnames or []}
        rows = [tuple(_text(_key(names[name], row[name])) for name in names) for row in reader]
    return list(names.values()), Counter(rows)


def _in_mart(name: str, published: set[str]) -> str:
    """The mart's column for a column of the truth."""
    key = name.removesuffix("_id") + "_key"
    assert name in published or key in published, f"{name} is in the truth and not in the mart"
    return name if name in published else key


def _key(column: str, value: str) -> str:
    """The key that a natural id becomes; agents are the same people in every system."""
    if value and column.endswith(("queue_key", "contact_key")):
        return f"pbx:{value}"
    return value


def _published(connection: psycopg.Connection, mart: str, columns: list[str]) -> Iterator[Row]:
    statement = sql.SQL("select {} from {}").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Identifier("marts", mart)
    )
    for row in connection.execute(statement):
        yield tuple(map(_text, row))


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


# -- files -------------------------------------------------------------------------------------------------


def queue_log(settings: Settings, day: date) -> Path:
    """The simulated telephone system's file of a day."""
    return settings.data_dir / "pbx" / f"queue_log-{day:%Y%m%d}"


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
