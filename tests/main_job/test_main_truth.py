"""The published marts of simulated days are what the simulation says happened."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime

import pytest
import yaml

from callhouse.settings import PROJECT, Settings
from callhouse.simulate import Plan, simulate

from .conftest import DAYS
from .warehouse import differences_from_truth, query, run_warehouse

NIGHT = Plan(
    date(2026, 5, 1), days=4, calls_per_day=500, seed=20260501,
    open_from="14:00", open_to="03:00", callback_key="1", cut_off=datetime(2026, 5, 4, 21, 17),
)  # fmt: skip


def test_the_published_marts_equal_the_simulation_in_every_column_of_every_row(published: Settings) -> None:
    assert differences_from_truth(published) == []
    assert query(
        published, "select sum(offered_count), count(distinct business_date) from marts.fct_queue_visits"
    ) > [(1000, 2)]


def test_every_simulated_date_is_published_and_none_is_left_to_do(published: Settings) -> None:
    assert query(published, "select business_date from ops.publications order by 1") == [
        (day,) for day in DAYS
    ]
    assert query(published, "select business_date from ops.affected_dates") == []
    assert query(published, "select state from ops.runs") == [("published",)]
    assert query(
        published, "select distinct outcome from marts.quality_results where severity = 'critical'"
    ) == [("pass",)]


def test_a_wrong_figure_in_a_mart_is_found_by_the_comparison_with_the_truth(published: Settings) -> None:
    query(
        published, "update marts.fct_queue_intervals set talk_seconds = talk_seconds + 1 where ctid = '(0,1)'"
    )
    (found,) = differences_from_truth(published)
    assert found.startswith("fct_queue_intervals: 1 rows are missing, 1 are not true.")
    assert "talk_seconds" in found


@pytest.mark.parametrize("seed", [20260501, *(pytest.param(s, marks=pytest.mark.long) for s in range(1, 6))])
def test_a_centre_open_over_midnight_with_callbacks_and_open_calls_equals_its_truth(
    make_settings: Callable[..., Settings], seed: int
) -> None:
    sources = yaml.safe_load((PROJECT / "config" / "sources.yml").read_text(encoding="utf-8"))["sources"]
    sources["pbx"]["callback_keys"] = ["1"]
    settings = make_settings(centre={"opening_hours": {"from": "14:00", "to": "03:00"}}, sources=sources)
    simulate(replace(NIGHT, seed=seed), settings.data_dir)
    run_warehouse(settings, date(2026, 5, 1), date(2026, 5, 5))
    assert query(settings, "select count(*) > 0 from marts.fct_contacts where is_in_progress") == [(True,)]
    assert query(settings, "select sum(called_back_count) > 0 from marts.fct_queue_visits") == [(True,)]
    assert differences_from_truth(settings) == []
