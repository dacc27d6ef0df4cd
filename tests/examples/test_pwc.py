"""examples/pwc: a telephone company's workbook of five thousand calls."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from callhouse.settings import Settings

from ..main_job.warehouse import query, run_warehouse
from .conftest import Example


@pytest.fixture(scope="module")
def pwc(example: Example, shared_data: Path) -> Iterator[Settings]:
    """The warehouse after one run over the whole list."""
    with example("pwc", [shared_data / "pwc" / "calls.xlsx"]) as settings:
        run_warehouse(settings, date(2021, 1, 1), date(2021, 12, 31))
        yield settings


def over_all_months(settings: Settings, kpi_id: str) -> float:
    """A KPI over the year: the sum of its numerators over the sum of its denominators."""
    (row,) = query(
        settings,
        "select sum(numerator) / sum(denominator) from marts.kpi_values"
        " where kpi_id = %s and period_type = 'month' and unit_key = 'centre'",
        kpi_id,
    )
    return float(row[0])


def test_the_share_answered_and_its_speed_are_the_known_ones(pwc: Settings) -> None:
    (row,) = query(
        pwc,
        "select sum(offered_count), sum(answered_count), sum(abandoned_count) from marts.fct_queue_visits",
    )
    assert row == (5000, 4054, 946)
    assert round(100 * (1 - over_all_months(pwc, "abandonment_rate")), 2) == 81.08
    assert round(over_all_months(pwc, "asa"), 2) == 67.52


def test_the_mean_satisfaction_is_the_known_one(pwc: Settings) -> None:
    assert round(over_all_months(pwc, "satisfaction_score"), 4) == 3.4036
    assert query(pwc, "select count(*), bool_and(is_contact_known) from marts.fct_surveys") == [(4054, True)]


def test_the_share_resolved_is_the_known_one_of_all_and_of_answered_calls(pwc: Settings) -> None:
    (row,) = query(
        pwc,
        "select avg(is_resolved::integer), avg(is_resolved::integer) filter (where outcome = 'answered')"
        " from marts.fct_contacts",
    )
    assert [round(float(100 * share), 2) for share in row] == [72.92, 89.94]
