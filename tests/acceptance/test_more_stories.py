"""The same with other stories, drawn anew each time: five hundred and more to every kind of source."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from callhouse.postgres import Warehouse

from .conftest import tellings, told_centre

# Cut, shuffled, doubled, late, lost and corrected records; the other demands do not live on many stories.
STORIES = {"told": 8, "pieces": 24, "damaged": 24, "resumed": 16, "late": 16, "corrected": 16}
ROUNDS = 5


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("round_number", range(ROUNDS), ids=lambda number: f"part {number}")
def test_whatever_is_done_to_a_storys_records_the_marts_are_as_it_was(
    server: Warehouse, tmp_path: Path, draw: random.Random, round_number: int
) -> None:
    seed = draw.randrange(1, 2**32)
    told = tellings(STORIES, seed)
    with told_centre(server, tmp_path, told, seed, "acceptance_more") as centre:
        centre.deliver()
        found = [
            text
            for telling in told
            for text in (
                centre.differences_of_twins(telling)
                if telling.demand == "damaged"
                else centre.differences(telling)
            )
        ]
    assert not found, f"{len(found)} of {len(told)} tellings\n" + "\n\n".join(found[:3])
