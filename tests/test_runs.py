"""Which business dates a run covers, and how its end is written down."""

from __future__ import annotations

from datetime import date

import psycopg
import pytest

from callhouse import runs
from callhouse.settings import Settings

D1, D2, D3, D4 = (date(2026, 3, day) for day in (1, 2, 3, 4))


def affect(connection: psycopg.Connection, *dates: date, state: str = "pending") -> None:
    for day in dates:
        connection.execute(
            "insert into ops.affected_dates (business_date, state) values (%s, %s)", (day, state)
        )


def test_a_run_covers_every_date_it_is_asked_for_whether_news_touched_it_or_not(
    settings: Settings, connection: psycopg.Connection
) -> None:
    assert runs.dates_to_build(connection, runs.begin(settings, D2, D4, "t")) == [D2, D3, D4]


def test_a_run_takes_earlier_dates_along_that_news_touched_and_leaves_later_ones(
    settings: Settings, connection: psycopg.Connection
) -> None:
    affect(connection, D1, D4)
    assert runs.dates_to_build(connection, runs.begin(settings, D3, D3, "t")) == [D1, D3]


def test_a_date_held_by_a_rule_is_left_out_even_when_it_is_asked_for(
    settings: Settings, connection: psycopg.Connection
) -> None:
    affect(connection, D2, state="held")
    assert runs.dates_to_build(connection, runs.begin(settings, D1, D3, "t")) == [D1, D3]


def test_every_run_has_a_higher_number_than_the_one_before(settings: Settings) -> None:
    first = runs.begin(settings, D1, D1, "t")
    assert runs.begin(settings, D1, D1, "t") > first


@pytest.mark.parametrize("state", ["published", "held", "failed"])
def test_how_a_run_ended_is_written_with_its_message(
    settings: Settings, connection: psycopg.Connection, state: str
) -> None:
    run = runs.begin(settings, D1, D2, "by hand")
    runs.finish(settings, run, state, "why")
    found = connection.execute(
        "select label, date_from, date_to, state, message, finished_at >= started_at from ops.runs"
    ).fetchall()
    assert found == [("by hand", D1, D2, state, "why", True)]


def test_a_run_backwards_in_time_is_refused(settings: Settings) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        runs.begin(settings, D2, D1, "t")
