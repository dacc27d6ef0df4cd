"""examples/attlog: five years of a fingerprint clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from callhouse import transform
from callhouse.settings import Settings

from ..main_job.warehouse import MainJob, query
from .conftest import Example

DAY = date(2018, 3, 5)


@pytest.fixture(scope="module")
def attlog(example: Example, shared_data: Path) -> Iterator[Settings]:
    """The warehouse with all punches staged, and one day built for which there is a roster."""
    with example("attlog", [shared_data / "attlog" / "1_attlog.dat"]) as settings:
        roster = "".join(f"{agent},{DAY},07:00,16:00\n" for agent in (1, 4, 5, 6))
        (settings.data_dir / "shifts.csv").write_text(f"user_id,date,from,to\n{roster}", encoding="utf-8")
        job = MainJob(settings, DAY, DAY)
        for _, step in job.steps[:3]:
            step()
        transform.build(settings, job.run_id, [DAY])
        yield settings


def test_what_no_clock_can_have_meant_is_set_aside_and_the_rest_loaded(attlog: Settings) -> None:
    assert query(
        attlog,
        "select rows_in, rows_loaded, rows_rejected, rows_duplicate from ops.loads where stream = 'punches'",
    ) == [(12705, 12694, 11, 0)]
    assert query(attlog, "select reason, count(*) from ops.rejects group by 1") == [
        ("punched_at: not a time", 11)
    ]
    assert query(
        attlog, "select count(distinct agent_id), min(business_date) from staging.stg_delimited__punches"
    ) == [(11, date(2016, 11, 15))]


def test_a_shift_begins_and_ends_with_its_first_and_last_punch(attlog: Settings) -> None:
    assert query(
        attlog,
        "select agent_key, attended_count, late_seconds, present_seconds"
        " from build.fct_attendance order by 1",
    ) == [("1", 1, 520, 31880), ("4", 1, 0, 32400), ("5", 1, 8710, 0), ("6", 0, None, 0)]
