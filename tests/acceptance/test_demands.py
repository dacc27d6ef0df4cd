"""Every kind of source meets every demand, or says in writing why it need not."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from callhouse.sources import KINDS

from ..main_job.warehouse import digests, published_by, query
from .arrangements import ARRANGEMENTS
from .centre import LAST, Centre
from .conftest import CLOCK_CHANGES
from .dialects import DIALECTS

every_kind = pytest.mark.parametrize("kind", DIALECTS)


def test_every_kind_of_source_has_a_dialect_and_skips_no_demand_without_a_reason() -> None:
    assert DIALECTS.keys() == KINDS.keys()
    for dialect in DIALECTS.values():
        assert dialect.skips.keys() <= ARRANGEMENTS.keys()
        said = {**dialect.skips, **dialect.cannot_tell, **dialect.silent}
        assert all(len(reason.split()) > 3 for reason in said.values()), said


@every_kind
@pytest.mark.parametrize("demand", ARRANGEMENTS)
def test_whatever_is_done_to_a_storys_records_the_marts_are_as_it_was(
    centre: Centre, demand: str, kind: str
) -> None:
    if demand in DIALECTS[kind].skips:
        pytest.skip(DIALECTS[kind].skips[demand])
    check = centre.differences_of_twins if demand == "damaged" else centre.differences
    tellings = centre.of(demand, kind)
    found = [text for telling in tellings for text in check(telling)]
    assert not found, f"{len(found)} of {len(tellings)} tellings\n" + "\n\n".join(found[:3])


def test_every_row_of_every_file_is_loaded_rejected_or_a_duplicate(centre: Centre) -> None:
    wrong = """
        select source, stream, state, message from ops.loads
        where state <> 'staged' or rows_in <> rows_loaded + rows_rejected + rows_duplicate
    """
    assert query(centre.settings, wrong) == []
    rejected = "select load_id, rows_rejected from ops.loads where rows_rejected > 0 order by 1"
    kept = "select load_id, count(distinct (stage, line)) from ops.rejects group by 1 order by 1"
    assert query(centre.settings, rejected) == query(centre.settings, kept)


@every_kind
def test_a_withdrawn_call_leaves_no_visit_and_no_leg(centre: Centre, kind: str) -> None:
    if "deleted" in DIALECTS[kind].skips:
        pytest.skip(DIALECTS[kind].skips["deleted"])
    numbers = [telling.number for telling in centre.of("deleted", kind)]
    taken_back = f"'^{kind}:v({'|'.join(map(str, numbers))})c'"
    for mart, left in (
        ("fct_queue_visits", "count(*) = 0"),
        ("fct_agent_legs", "count(*) = 0"),
        ("fct_contacts", "count(*) > 0 and sum(contact_count) = 0"),
    ):
        found = f"select {left} from marts.{mart} where contact_key ~ {taken_back}"
        assert query(centre.settings, found) == [(True,)], mart


@every_kind
@pytest.mark.parametrize(("day", "seconds"), CLOCK_CHANGES.items(), ids=str)
def test_a_day_on_which_the_clock_changes_has_all_its_half_hours_and_seconds(
    centre: Centre, kind: str, day: date, seconds: int
) -> None:
    half_hours = "select count(distinct interval_start_at), sum(offered_count) from marts.fct_queue_intervals"
    found = query(
        centre.settings, f"{half_hours} where business_date = %s and queue_key like '{kind}:e%%'", day
    )
    assert found == [(seconds // 1800, seconds // 1800)]
    if DIALECTS[kind].tells_shifts:
        logged_in = "select sum(state_seconds), sum(state_seconds) filter (where state = 'talk')"
        found = query(
            centre.settings,
            f"{logged_in} from marts.fct_agent_states"
            f" where business_date = %s and agent_key like '{kind}-e%%'",
            day,
        )
        assert found == [(seconds - 10, seconds // 1800 * 100)]


def test_what_lies_in_another_age_is_set_aside_or_waits_for_its_day(centre: Centre) -> None:
    published = "select min(business_date) > '1999-12-01', max(business_date) from ops.publications"
    assert query(centre.settings, published) == [(True, LAST)]
    waiting = "select count(*) > 0, min(business_date) > '2100-01-01' from ops.affected_dates"
    assert query(centre.settings, waiting) == [(True, True)]
    calendar = "select min(year) >= 1999, max(year) from marts.dim_date"
    assert query(centre.settings, calendar) == [(True, LAST.year)]


def test_a_window_without_records_changes_nothing_and_is_a_day_of_zeros(centre: Centre) -> None:
    before = digests(centre.settings)
    centre.deliver_nothing()
    centre.run(LAST)
    assert digests(centre.settings) == before
    zeros = "select numerator from marts.kpi_values where kpi_id = 'offered' and period_start_date = %s"
    assert {row[0] for row in query(centre.settings, zeros, LAST)} == {0}


def test_days_built_again_without_those_around_them_are_the_same(centre: Centre) -> None:
    """Middle days, which take part in the calls and shifts of the days before and after."""
    before = digests(centre.settings)
    middle_days = {
        telling.first + timedelta(days=1) for kind in DIALECTS for telling in centre.of("midnight", kind)
    }
    centre.clear()
    centre.run(*sorted(middle_days & published_by(centre.settings).keys()))
    assert digests(centre.settings) == before


@pytest.mark.long
@every_kind
def test_a_day_built_again_alone_is_the_same(centre: Centre, kind: str) -> None:
    before = digests(centre.settings)
    telling, *_ = centre.of("midnight", kind)
    centre.clear()
    centre.run(telling.first + timedelta(days=1))
    assert digests(centre.settings) == before
