"""examples/edna: three years of calls without a call id, agents with site and manager, call types."""

from __future__ import annotations

import csv
import gzip
import io
from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from callhouse.settings import Settings

from ..main_job.warehouse import query, run_warehouse
from .conftest import Example


@pytest.fixture(scope="module")
def calls(shared_data: Path) -> list[dict[str, str]]:
    """Every row of the three years."""
    texts = [
        gzip.decompress(path.read_bytes()).decode("utf-8-sig")
        for path in sorted((shared_data / "edna").glob("calls_*.csv.gz"))
    ]
    return [row for text in texts for row in csv.DictReader(io.StringIO(text))]


@pytest.fixture(scope="module")
def edna(example: Example, shared_data: Path) -> Iterator[Settings]:
    """The warehouse after one run over the three years."""
    with example("edna", sorted((shared_data / "edna").glob("*.csv*"))) as settings:
        run_warehouse(settings, date(2018, 1, 1), date(2020, 12, 31))
        yield settings


def year(row: dict[str, str]) -> int:
    return int(row["CallTimestamp"].split()[0].split("/")[2])


def test_every_call_is_loaded_once_save_for_rows_that_repeat_another_in_every_column(
    edna: Settings, calls: list[dict[str, str]]
) -> None:
    different = {tuple(row.values()): year(row) for row in calls}
    assert dict(
        query(
            edna,
            "select extract(year from business_date)::integer, count(*) from marts.fct_contacts group by 1",
        )
    ) == Counter(different.values())
    assert query(
        edna,
        "select sum(rows_in), sum(rows_duplicate), sum(rows_rejected) from ops.loads where stream = 'calls'",
    ) == [(len(calls), len(calls) - len(different), 0)]


def test_queues_have_the_names_of_the_call_types(edna: Settings, shared_data: Path) -> None:
    with (shared_data / "edna" / "call_types.csv").open(encoding="utf-8-sig", newline="") as file:
        names = {row["CallTypeID"]: row["CallTypeDesc"] for row in csv.DictReader(file)}
    assert dict(query(edna, "select queue_id, queue_name from marts.dim_queue")) == names


def test_agents_have_name_site_and_manager_of_the_personnel_list(edna: Settings, shared_data: Path) -> None:
    with (shared_data / "edna" / "employees.csv").open(encoding="utf-8-sig", newline="") as file:
        people = {tuple(row.values()) for row in csv.DictReader(file)}
    assert (
        set(query(edna, "select agent_id, agent_name, site, supervisor_name from marts.dim_agent")) == people
    )


def test_a_years_outcomes_and_seconds_are_those_counted_from_the_file(
    edna: Settings, calls: list[dict[str, str]]
) -> None:
    counted: Counter[tuple[int, str]] = Counter()
    for row in {tuple(row.values()): row for row in calls}.values():
        if row["CallAbandoned"] == "0":
            counted[year(row), "answered"] += 1
            counted[year(row), "talk"] += int(row["CallDuration"])
            counted[year(row), "wait"] += int(row["WaitTime"])
        else:
            counted[year(row), "abandoned"] += 1
    published = query(
        edna,
        """
        select extract(year from business_date)::integer, sum(answered_count), sum(talk_seconds),
            sum(answered_wait_seconds), sum(abandoned_count)
        from marts.fct_queue_intervals group by 1
        """,
    )
    names = ("answered", "talk", "wait", "abandoned")
    assert {(row[0], name): row[1 + i] for row in published for i, name in enumerate(names)} == counted
