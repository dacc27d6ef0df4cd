"""The stories that hypothesis draws, told to every kind of source in one warehouse.

Environment: ``CALLHOUSE_ACCEPTANCE_SEED`` draws other stories (by default always the same);
``CALLHOUSE_ACCEPTANCE_NUMBERS=12,17`` tells only those, as a failure names them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from itertools import count
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, Phase
from hypothesis import strategies as st

from callhouse.postgres import Warehouse

from ..conftest import centre_in, cloned
from .arrangements import Telling
from .centre import DATABASES, SOURCES, Centre, database_path
from .dialects import DIALECTS
from .scenes import ZONE
from .stories import Story, every_half_hour, over_midnight, stories

SEED = int(os.environ.get("CALLHOUSE_ACCEPTANCE_SEED", "0"))
ONLY = {int(number) for number in os.environ.get("CALLHOUSE_ACCEPTANCE_NUMBERS", "").split(",") if number}
# Stories that each kind of source is told for a demand.
STORIES = {
    "told": 8, "twice": 4, "pieces": 24, "damaged": 16, "resumed": 12, "late": 12, "streams_apart": 4,
    "corrected": 8, "deleted": 4, "unknown_fields": 4, "hostile": 1, "outlying_times": 2,
}  # fmt: skip
CLOCK_CHANGES = {date(2025, 3, 30): 23 * 3600, date(2025, 10, 26): 25 * 3600}
_FIRST = date(2000, 1, 3)
_APART = timedelta(days=5)  # a story's days, and one before and behind that no other touches


def draw(number: int, seed: int) -> list[tuple[Story, int]]:
    """So many stories with a number each for what else is left to chance."""
    drawn: list[tuple[Story, int]] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=number,
        phases=[Phase.generate],
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @hypothesis.given(stories(), st.integers(0, 2**32))
    def draw_one(story: Story, dice: int) -> None:
        drawn.append((story, dice))

    draw_one()
    assert len(drawn) >= number
    return drawn[:number]


def tellings(per_demand: dict[str, int], seed: int) -> list[Telling]:
    """Every story to every kind of source, for each demand that it has to meet."""
    drawn = iter(draw(sum(per_demand.values()), seed))
    planned = [
        (demand, story, dice, None)
        for demand, number in per_demand.items()
        for story, dice in (next(drawn) for _ in range(number))
    ]
    planned += [
        (demand, story, dice, None)
        for story in over_midnight()
        for demand, dices in (("midnight", 1), ("beginning_last", 8), ("streams_apart", 2))
        for dice in range(dices)
    ]
    planned += [("clock_changes", every_half_hour(seconds), 0, day) for day, seconds in CLOCK_CHANGES.items()]
    numbers = count()
    return [
        Telling(demand, kind, number, day or _FIRST + number * _APART, story, dice)
        for demand, story, dice, day in planned
        for kind, number in zip(DIALECTS, numbers)  # noqa: B905
        if demand not in DIALECTS[kind].skips and (not ONLY or number in ONLY)
    ]


@contextmanager
def told_centre(
    server: Warehouse, folder: Path, told: list[Telling], seed: int, name: str = "acceptance"
) -> Iterator[Centre]:
    """A warehouse of a name, with a folder of its own, that has all its sources' records to come."""
    with (
        cloned(server, name=name) as database,
        centre_in(folder, database, sources=SOURCES, centre={"time_zone": ZONE}) as settings,
        pytest.MonkeyPatch.context() as patch,
    ):
        for source in DATABASES:
            path = database_path(settings, source)
            patch.setenv(f"AIRFLOW_CONN_{source.upper()}_DB", f"sqlite:///{path}")
        yield Centre(settings, told, seed)


@pytest.fixture(scope="module")
def centre(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Centre]:
    """The warehouse to which all has been told."""
    with told_centre(server, tmp_path_factory.mktemp("acceptance"), tellings(STORIES, SEED), SEED) as made:
        made.deliver()
        yield made
