"""One warehouse to which all tellings are delivered, by all kinds of sources at once, in a few runs.

A run of the main job costs seconds, so hundreds of tellings share one. Each has dates of its own: whether the
news of one makes its dates built anew shows only where nothing else does.
"""

from __future__ import annotations

import re
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from callhouse.settings import Settings
from callhouse.simulate.truth import COLUMNS

from ..main_job.warehouse import MainJob, query
from .arrangements import RUNS, TWIN, Telling, deliveries
from .dialects import CALL_COLUMNS, DIALECTS, Dialect
from .records import Record
from .scenes import truth

SOURCES: dict[str, Any] = {
    name: entry
    for dialect in DIALECTS.values()
    for twin in ("", TWIN)
    for name, entry in dialect.entries(dialect.kind + twin).items()
}
for _entry in SOURCES.values():
    for _options in _entry["streams"].values():
        _options["required"] = False
DATABASES = [name for name, entry in SOURCES.items() if entry["kind"] == "sql"]
LAST = date(2029, 12, 31)  # what every run asks for: a date without a record
# The column by which a row of a mart is known to be a telling's.
KEYS = {
    "fct_contacts": "contact_key", "fct_queue_visits": "contact_key", "fct_agent_legs": "contact_key",
    "fct_queue_intervals": "queue_key", "fct_agent_days": "agent_key", "fct_agent_intervals": "agent_key",
    "fct_agent_states": "agent_key",
}  # fmt: skip
_ALL_KEYS = KEYS | {"kpi_values": "unit_key"}
# They hold what agents do all day, which a system without log-ins does not know.
_OF_LOG_INS = ("fct_agent_intervals", "fct_agent_states")
# A half-hour in which anybody is there counts once for the centre, on one agent of all sources.
_SHARED = "staffed_interval_seconds"
_TELLING = re.compile(r"(\w+)[:-]e(\d+)[cqa]\d+(?![^:])")

Row = tuple[str, ...]
Place = tuple[str, int]
"""A source and the number of a telling."""


@dataclass
class Centre:
    """The warehouse, and the tellings delivered to it.

    ``seed`` is what the stories were drawn with.
    """

    settings: Settings
    tellings: list[Telling]
    seed: int

    def run(self, *dates: date) -> None:
        """The main job without its two checks, which take a third of the time and change nothing here.

        Args:
            dates: dates built again beside those that news has touched; the last of them is asked for.
        """
        again = "insert into ops.affected_dates (business_date, reason) select unnest(%s::date[]), 'again'"
        query(self.settings, again, [*dates[:-1]])
        job = MainJob(self.settings, dates[-1], dates[-1])
        for name, step in job.steps:
            if not name.startswith("check"):
                step()
        assert not job.failed_sources, job.failed_sources

    def deliver(self) -> None:
        """Write the files of each run and run; what one run has read is no longer there for the next."""
        files: dict[tuple[int, str, str, int], list[Record]] = defaultdict(list)
        for telling in self.tellings:
            for delivered in deliveries(telling):
                place = (delivered.run, delivered.source, delivered.table, delivered.part)
                files[place].append(delivered.record)
        for run in range(RUNS):
            self.clear()
            for (of_run, source, table, part), found in files.items():
                if of_run == run:
                    self.write(source, table, f"{run}-{part}", found, run + part)
            self.run(LAST)

    def clear(self) -> None:
        """Remove what has been delivered; databases are there, and empty."""
        for path in self.settings.data_dir.glob("*/*"):
            path.unlink()
        for source in DATABASES:
            with self._database(source) as database:
                columns = ", ".join(f"{column} text" for column in (*CALL_COLUMNS, "something_new"))
                database.execute(f"create table calls ({columns})")

    def write(self, source: str, table: str, name: str, found: list[Record], style: int) -> None:
        """A file of a raw table; for a database, rows of its table."""
        if source in DATABASES:
            with self._database(source) as database:
                for row in found:
                    texts = [text.encode(errors="replace").decode() for text in row.values()]
                    places = ", ".join("?" * len(row))
                    database.execute(f"insert into calls ({', '.join(row)}) values ({places})", texts)
            return
        path = self.settings.data_dir / table.format(source) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(DIALECTS[source.removesuffix(TWIN)].forms[table](found, style))

    @contextmanager
    def _database(self, source: str) -> Iterator[sqlite3.Connection]:
        path = database_path(self.settings, source)
        path.parent.mkdir(parents=True, exist_ok=True)
        with closing(sqlite3.connect(path)) as database, database:
            yield database

    def deliver_nothing(self) -> None:
        """Files and answers as they are where nothing happened."""
        self.clear()
        for kind, dialect in DIALECTS.items():
            for table in dialect.forms:
                self.write(kind, table, "nothing", [], 0)

    def of(self, demand: str, kind: str) -> list[Telling]:
        """The tellings of a demand to a kind of source."""
        return [telling for telling in self.tellings if (telling.demand, telling.kind) == (demand, kind)]

    def differences(self, telling: Telling) -> list[str]:
        """Where the marts and the telling's truth part, in words, with the story to tell again."""
        scene, dialect = telling.scene(), telling.dialect
        true = truth(scene, dialect.calls_of(scene), dialect.knowledge, dialect.tells_shifts)
        found = [
            part
            for mart in KEYS
            if dialect.tells_shifts or mart not in _OF_LOG_INS
            for part in differences(mart, true[mart], self._published[mart][_place(telling)], dialect)
        ]
        return self._explained(telling, found)

    def differences_of_twins(self, telling: Telling) -> list[str]:
        """Where the marts of a source and of its twin part, in any column."""
        found = []
        for mart, rows in self._whole_rows.items():
            expected, actual = rows[telling.kind + TWIN, telling.number], rows[_place(telling)]
            found += _parted(mart, [mart], expected, actual)
        return self._explained(telling, found)

    def _explained(self, telling: Telling, found: list[str]) -> list[str]:
        where = f"{telling.demand}, {telling.kind}, number {telling.number} of seed {self.seed}"
        return [f"{where}: {'; '.join(found)}\n{telling}"] if found else []

    @cached_property
    def _published(self) -> dict[str, dict[Place, list[dict[str, str]]]]:
        """The rows of every telling, by mart, in the columns of the truth."""
        found: dict[str, dict[Place, list[dict[str, str]]]] = {}
        for mart in KEYS:
            found[mart] = defaultdict(list)
            for key, row in published(self.settings, mart):
                place = _place_of(key)
                if place:
                    found[mart][place].append(row)
        return found

    @cached_property
    def _whole_rows(self) -> dict[str, dict[Place, Counter[Row]]]:
        """The rows of every telling, by mart, as text without the source's name."""
        whole: dict[str, dict[Place, Counter[Row]]] = {}
        for mart, key in _ALL_KEYS.items():
            rows: dict[Place, Counter[Row]] = defaultdict(Counter)
            where = "where period_type <> 'month'" if mart == "kpi_values" else ""
            for row_key, text in query(
                self.settings,
                f"select {key}, (to_jsonb(t) - '{_SHARED}')::text from marts.{mart} as t {where}",
            ):
                place = _place_of(row_key)
                if place:
                    rows[place][(re.sub(rf'"{place[0]}(?=[-:"])', '"', text),)] += 1
            whole[mart] = rows
        return whole


def database_path(settings: Settings, source: str) -> Path:
    return settings.data_dir / f"{source}__db" / "calls.db"


def _place(telling: Telling) -> Place:
    return telling.kind, telling.number


def _place_of(key: str) -> Place | None:
    found = _TELLING.match(key)
    return (found[1], int(found[2])) if found else None


def published(settings: Settings, mart: str) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows of a mart, each with its key of `KEYS`, in the columns of the truth."""
    names = {name: _in_mart(mart, name) for name in COLUMNS[mart]}
    columns = ", ".join([KEYS[mart], *names.values()])
    for key, *row in query(settings, f"select {columns} from marts.{mart}"):
        yield key, dict(zip(names, map(_text, row), strict=True))


def differences(
    mart: str, true: Iterable[dict[str, str]], found: Iterable[dict[str, str]], dialect: Dialect
) -> list[str]:
    """Where rows of a mart and those of the truth part, in what the dialect knows of; empty when nowhere."""

    def known(row: dict[str, str], source: str) -> Row:
        return tuple("" if is_silent(name) else keyed(name, row[name], source) for name in COLUMNS[mart])

    def is_silent(name: str) -> bool:
        return name == _SHARED or name in dialect.silent or f"{mart}.{name}" in dialect.silent

    def keyed(name: str, value: str, source: str) -> str:
        """A value of the truth, with the source's keys in place of natural ids."""
        if source and name == "source":
            return source
        is_key = name.endswith("queue_id") or (name == "contact_id" and mart != "fct_contacts")
        return f"{source}:{value}" if source and value and is_key else value

    expected = Counter(known(row, dialect.kind) for row in true)
    return _parted(mart, COLUMNS[mart], expected, Counter(known(row, "") for row in found))


def _in_mart(mart: str, name: str) -> str:
    """The mart's column for a column of the truth, which has natural ids in place of keys."""
    if name.endswith(("queue_id", "agent_id")) or (name == "contact_id" and mart != "fct_contacts"):
        return name.removesuffix("_id") + "_key"
    return name


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return str(value)


def _parted(mart: str, columns: Sequence[str], expected: Counter[Row], actual: Counter[Row]) -> list[str]:
    """What is missing and what is untrue in a mart; a missing row beside the one most like it."""
    missing, untrue = sorted((expected - actual).elements()), sorted((actual - expected).elements())
    if not missing and not untrue:
        return []
    said = []
    for row in missing[:2]:
        nearest = max(untrue, default=(), key=lambda other: sum(map(str.__eq__, row, other)))
        parts = [
            f"{name} is {b!r}, not {a!r}" for name, a, b in zip(columns, row, nearest, strict=False) if a != b
        ]
        said.append(f"{row[:4]}: {', '.join(parts) or 'nothing like it'}")
    if not missing:
        said = [str(row) for row in untrue[:2]]
    return [f"{mart} lacks {len(missing)} rows and has {len(untrue)} untrue ones: {'; '.join(said)}"]
