"""Agents' seconds against a model without cleverness: one second after the other, each with one state.

The models' SQL is run as dbt compiled it, on spans that hypothesis draws: overlapping ones of two systems, of
no length, of fractions of a second, of days, over midnights, half-hours and the clock's changes. What the
seconds are is worked out here with an array of seconds per agent and the calendar of zoneinfo.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

import hypothesis
import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from callhouse import postgres, runs, transform
from callhouse.postgres import Warehouse
from callhouse.settings import Settings

from .conftest import centre_in, cloned

STATES = ("talk", "hold", "after_call", "ringing", "away", "available")  # the first one wins a second
MODELS = {
    "dim_interval": "build",
    "int_agent_states": "intermediate",
    "fct_agent_states": "build",
    "fct_agent_intervals": "build",
    "fct_agent_days": "build",
}  # and the schema of each
KINDS = ("asterisk_queue_log", "amazon_connect")
ZONE = "Asia/Kathmandu"  # of the centre; other zones take its place in the compiled statements

# The middle one of three days: of 24 hours at odd offsets, of 23, 25, 23.5 and 24.5; where midnight is left
# out, comes after a repeated hour, or comes twice.
PLACES = [
    ("UTC", date(2025, 1, 6)),
    ("Asia/Kolkata", date(2025, 1, 6)),
    (ZONE, date(2025, 1, 6)),
    ("Europe/Berlin", date(2025, 3, 30)),
    ("Europe/Berlin", date(2025, 10, 26)),
    ("Australia/Lord_Howe", date(2025, 10, 5)),
    ("Australia/Lord_Howe", date(2025, 4, 6)),
    ("America/Santiago", date(2025, 9, 7)),
    ("America/Santiago", date(2025, 4, 6)),
    ("Atlantic/Azores", date(2025, 10, 26)),
    ("America/Havana", date(2025, 11, 2)),
]
DAYS = 7  # of seconds that are looked at, the three days in their middle
SECONDS = DAYS * 86400
QUARTER = 900  # all zones change and begin their days on quarters of an hour


class Span(NamedTuple):
    """What a source says of an agent; instants in seconds, also fractions, from the first one looked at."""

    kind: str
    agent_id: str
    state: str
    reason: str | None
    started: float
    ended: float
    is_end_inferred: bool


@dataclass(frozen=True)
class Calendar:
    """Of each second looked at: its local date, and the second its half-hour began."""

    origin: datetime
    dates: np.ndarray
    half_hours: np.ndarray
    days: tuple[date, date, date]

    def at(self, second: float) -> datetime:
        return self.origin + timedelta(seconds=second)

    def second(self, at: datetime) -> float:
        return (at - self.origin).total_seconds()


@cache
def calendar(zone: str, middle: date) -> Calendar:
    origin = datetime(middle.year, middle.month, middle.day, tzinfo=UTC) - timedelta(days=DAYS // 2)
    dates = np.array([
        (origin + timedelta(seconds=at)).astimezone(ZoneInfo(zone)).toordinal()
        for at in range(0, SECONDS, QUARTER)
    ])  # fmt: skip
    # A date's quarters two by two, from its first.
    firsts = {day: int(np.argmax(dates == day)) for day in np.unique(dates)}
    half_hours = np.array([
        firsts[day] + (quarter - firsts[day]) // 2 * 2 for quarter, day in enumerate(dates)
    ])  # fmt: skip
    return Calendar(
        origin,
        np.repeat(dates, QUARTER),
        np.repeat(half_hours, QUARTER) * QUARTER,
        (middle - timedelta(days=1), middle, middle + timedelta(days=1)),
    )


@st.composite
def spans_of_agents(draw: st.DrawFn, when: Calendar) -> list[Span]:
    """Up to a dozen spans of two agents around the three days."""
    first, end = 2 * 86400, 5 * 86400
    inside = when.dates[first:end]
    midnights = [first + int(at) + 1 for at in np.flatnonzero(np.diff(inside))]
    edges = st.one_of(
        st.integers(first, end),
        st.sampled_from(midnights),
        st.integers(first // 1800, end // 1800).map(lambda number: number * 1800),
        st.integers(first // 900, end // 900).map(lambda number: number * 900),
    )
    around = st.sampled_from([0, 0, 0, -1, 1, 59, -0.25, 0.5, 0.999999])
    lengths = st.sampled_from([0, 0.4, 0.75, 1, 1.5, 30, 600, 1799, 1800, 1801, 7200, 40000, 100000])

    def span() -> Span:
        state = draw(st.sampled_from(STATES))
        started = draw(edges) + draw(around)
        ended = draw(st.one_of(lengths.map(lambda length: started + length), edges))
        return Span(
            draw(st.sampled_from(KINDS)),
            draw(st.sampled_from(["a", "b"])),
            state,
            draw(st.sampled_from([None, "lunch", "training"])) if state == "away" else None,
            started,
            max(started, ended),
            draw(st.booleans()),
        )

    return [span() for _ in range(draw(st.integers(1, 12)))]


# -- the seconds -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Seconds:
    """An agent's seconds: the number of the span that has each, -1 where none has."""

    spans: list[Span]
    owners: np.ndarray

    @property
    def is_log_in_known(self) -> bool:
        return any(span.state == "available" for span in self.spans)

    def state(self, owner: int) -> str:
        if owner >= 0:
            return self.spans[owner].state
        return "offline" if self.is_log_in_known else "unknown"

    def runs(self, first: int, end: int) -> Iterator[tuple[int, int, int]]:
        """Neighbouring seconds of one span: (owner, from, to)."""
        owners = self.owners[first:end]
        starts = [0, *(np.flatnonzero(np.diff(owners)) + 1)]
        for start, stop in zip(starts, [*starts[1:], end - first], strict=True):
            yield int(owners[start]), first + int(start), first + int(stop)


def seconds_of(spans: list[Span]) -> dict[str, Seconds]:
    """Whole seconds only; in one state the span opened first has the second, of several the longest."""
    found: dict[str, Seconds] = {}
    for agent in sorted({span.agent_id for span in spans}):
        whole = [
            span._replace(started=int(span.started), ended=int(span.ended))
            for span in spans
            if span.agent_id == agent and int(span.started) < int(span.ended)
        ]
        whole.sort(key=lambda span: (
            -STATES.index(span.state), -span.started, span.ended, _descending(span.kind),
            _descending(span.reason), not span.is_end_inferred,
        ))  # fmt: skip
        owners = np.full(SECONDS, -1)
        for number, span in enumerate(whole):  # the last one painted stays
            owners[span.started : span.ended] = number
        if whole:
            found[agent] = Seconds(whole, owners)
    return found


def _descending(text: str | None) -> tuple[int, ...]:
    """Sorts texts from Z to A, nothing first: the database puts it last when it sorts from A to Z."""
    return () if text is None else (1, *(-ord(character) for character in text))


def true_states(agents: dict[str, Seconds], when: Calendar, days: list[date] | None) -> list[tuple[Any, ...]]:
    """Runs of seconds of one span, over all days or cut at the midnights of some."""
    rows = []
    for agent, seconds in agents.items():
        for first, end, day in _stretches(seconds, when, days):
            for owner, start, stop in seconds.runs(first, end):
                state, is_known = seconds.state(owner), seconds.is_log_in_known
                told: tuple[Any, ...] = (None, None, False)
                if owner >= 0:
                    span = seconds.spans[owner]
                    told = span.reason, span.kind, span.is_end_inferred and span.ended == stop
                rows.append((agent, day, start, stop, state, *told, is_known))
    return rows


def true_calendar(when: Calendar, days: list[date]) -> list[tuple[date, int]]:
    """(date, start of the half-hour) of all half-hours of some dates."""
    return [
        (day, int(start))
        for day in days
        for start in np.unique(when.half_hours[when.dates == day.toordinal()])
    ]


def _stretches(
    seconds: Seconds, when: Calendar, days: list[date] | None
) -> Iterator[tuple[int, int, date | None]]:
    """From the first second with a span to the last, of all time or of each day."""
    for day in [None] if days is None else days:
        is_told = seconds.owners >= 0
        if day is not None:
            is_told &= when.dates == day.toordinal()
        told = np.flatnonzero(is_told)
        if told.size:
            yield int(told[0]), int(told[-1]) + 1, day


def true_half_hours(
    agents: dict[str, Seconds], when: Calendar, days: list[date]
) -> dict[Any, dict[str, int]]:
    """(agent, date, start of the half-hour) → seconds of each state."""
    rows: dict[Any, dict[str, int]] = {}
    for agent, seconds in agents.items():
        numbers = np.array([STATES.index(span.state) for span in seconds.spans])
        for day in days:
            of_day = (when.dates == day.toordinal()) & (seconds.owners >= 0)
            for start in np.unique(when.half_hours[of_day]):
                owners = seconds.owners[of_day & (when.half_hours == start)]
                counts = np.bincount(numbers[owners], minlength=len(STATES))
                rows[agent, day, int(start)] = dict(zip(STATES, map(int, counts), strict=True))
    return rows


def true_days(
    half_hours: dict[Any, dict[str, int]], agents: dict[str, Seconds], when: Calendar
) -> list[tuple[Any, ...]]:
    """The sums of the half-hours; where nobody's log-in is known, neither is how long anybody was there."""
    sums: dict[tuple[str, date], np.ndarray] = {}
    for (agent, day, _), seconds in half_hours.items():
        sums[agent, day] = sums.get((agent, day), 0) + np.array([*seconds.values()])
    with_log_ins = {day for agent, day in sums if agents[agent].is_log_in_known}
    rows = []
    for (agent, day), seconds in sums.items():
        *others, available = map(int, seconds)
        log_in: tuple[int | None, ...] = (None, None, None)
        if day in with_log_ins:
            is_paused = np.zeros(SECONDS, bool)
            for span in agents[agent].spans:
                if span.state == "away":
                    is_paused[span.started : span.ended] = True
            paused = int((is_paused & (when.dates == day.toordinal())).sum())
            is_known = agents[agent].is_log_in_known
            log_in = (available if is_known else 0, int(seconds.sum()) if is_known else 0, paused)
        rows.append((agent, day, *others, *log_in))
    return rows


# -- the models --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def settings(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A warehouse that was built once, from nothing: its tables are there, and the compiled statements."""
    folder = tmp_path_factory.mktemp("states")
    with (
        cloned(server, name="agent_states") as database,
        centre_in(folder, database, centre={"time_zone": ZONE}) as made,
    ):
        run_id = runs.begin(made, date(2025, 1, 6), date(2025, 1, 6), "test")
        transform.stage(made, run_id)
        transform.build(made, run_id)
        yield made


@dataclass(frozen=True)
class Models:
    """The models, made anew from given spans and days; the caller takes them back."""

    connection: psycopg.Connection[Any]
    folder: Path

    def build(self, zone: str, when: Calendar, days: list[date], spans: list[Span]) -> None:
        self.connection.execute("update ops.build_state set dates = %s", (days,))
        for span in spans:
            self.connection.execute(
                f"""
                insert into intermediate.int_{span.kind}__agent_spans
                (source, agent_id, state, reason, started_at, ended_at, is_end_inferred)
                values (%s, %s, %s, %s, %s, %s, %s)
                """.encode(),
                (
                    span.kind, span.agent_id, span.state, span.reason, when.at(span.started),
                    when.at(span.ended), span.is_end_inferred,
                ),
            )  # fmt: skip
        for model, schema in MODELS.items():
            self.connection.execute(f"truncate {schema}.{model}".encode())
            columns = self.connection.execute(f"table {schema}.{model} limit 0".encode()).description or []
            names = ", ".join(column.name for column in columns)
            statement = self._statement(model).replace(f"'{ZONE}'", f"'{zone}'")
            self.connection.execute(
                f"insert into {schema}.{model} ({names}) select {names} from ({statement}) as made".encode()
            )

    def rows(self, when: Calendar, statement: str) -> list[tuple[Any, ...]]:
        """The rows, instants as seconds from the first one looked at."""
        return [
            tuple(when.second(value) if isinstance(value, datetime) else value for value in row)
            for row in self.connection.execute(statement.encode())
        ]

    @cache  # noqa: B019
    def _statement(self, model: str) -> str:
        (path,) = self.folder.rglob(f"compiled/**/{model}.sql")
        return path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def models(settings: Settings) -> Iterator[Models]:
    with postgres.connect(settings, name="test") as connection:
        yield Models(connection, settings.home / "dbt")


# -- the comparison ----------------------------------------------------------------------------------------

SPANS = """
    select agent_id, null::date, started_at, ended_at, state, reason, source, is_end_inferred, is_log_in_known
    from intermediate.int_agent_states order by 1, 3
"""
STATES_OF_DAYS = """
    select agent_key, business_date, started_at, ended_at, state, reason, source, is_end_inferred,
        is_log_in_known
    from build.fct_agent_states where state_seconds = extract(epoch from ended_at - started_at) order by 1, 3
"""
CALENDAR = "select business_date, interval_start_at from build.dim_interval order by 2"
INTERVALS = """
    select agent_key, business_date, interval_start_at, talk_seconds, hold_seconds, after_call_seconds,
        ringing_seconds, away_seconds, available_seconds, logged_in_seconds, staffed_interval_seconds
    from build.fct_agent_intervals order by 1, 3
"""
DAYS_OF_AGENTS = """
    select agent_key, business_date, talk_seconds, hold_seconds, after_call_seconds, ringing_seconds,
        away_seconds, available_seconds, logged_in_seconds, paused_seconds
    from build.fct_agent_days order by 1, 2
"""


@pytest.mark.parametrize(("zone", "middle"), PLACES, ids=lambda value: str(value).replace("/", "-"))
def test_each_second_has_the_state_it_has_in_a_model_of_single_seconds(
    models: Models, zone: str, middle: date
) -> None:
    when = calendar(zone, middle)

    @hypothesis.settings(max_examples=60, deadline=None)
    @given(spans=spans_of_agents(when), days=st.sampled_from([[1], [0, 1], [0, 2], [0, 1, 2]]))
    def compare(spans: list[Span], days: list[int]) -> None:
        with models.connection.transaction(force_rollback=True):
            dates = [when.days[day] for day in days]
            models.build(zone, when, dates, spans)
            agents = seconds_of(spans)
            is_known = {agent: seconds.is_log_in_known for agent, seconds in agents.items()}

            assert models.rows(when, SPANS) == true_states(agents, when, None)
            assert models.rows(when, STATES_OF_DAYS) == true_states(agents, when, dates)
            assert models.rows(when, CALENDAR) == true_calendar(when, dates)

            half_hours = true_half_hours(agents, when, dates)
            staffed = {start for agent, _, start in half_hours if is_known[agent]}
            expected = []
            for (agent, day, start), seconds in sorted(half_hours.items()):
                is_first = is_known[agent] and start in staffed
                staffed -= {start} if is_first else set()
                *others, available = seconds.values()
                log_in = (available, sum(seconds.values())) if is_known[agent] else (None, None)
                expected.append((agent, day, start, *others, *log_in, 1800 if is_first else 0))
            assert models.rows(when, INTERVALS) == sorted(expected)

            assert models.rows(when, DAYS_OF_AGENTS) == true_days(half_hours, agents, when)

    compare()
