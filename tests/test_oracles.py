"""Worked numbers that others have published, sent through the whole warehouse: files in, KPI values out.

Those of single vendors' records stand with their kinds (tests/sources); a real bank's in tests/examples.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callhouse.postgres import Warehouse
from callhouse.settings import Settings

from .conftest import centre_in, cloned
from .main_job.warehouse import query, run_warehouse

DAY = date(2025, 1, 6)
COLUMNS = ("call", "queue", "agent", "entered", "wait", "talk", "hold", "wrap_up", "result")
SOURCES = {
    "calls": {
        "kind": "delimited",
        "streams": {
            "calls": {
                "files": ["calls.csv"],
                "record": "call",
                "columns": list(COLUMNS),
                "map": {
                    "call_id": "call",
                    "queue_id": "queue",
                    "agent_id": "agent",
                    "started_at": "entered",
                    "queue_entered_at": "entered",
                    "wait_seconds": "wait",
                    "talk_seconds": "talk",
                    "hold_seconds": "hold",
                    "after_call_seconds": "wrap_up",
                    "outcome": "result",
                },
            }
        },
    },
    "pbx": {"kind": "asterisk_queue_log", "streams": {"queue_log": {"files": ["queue_log"]}}},
}


def calls(queue: str, *groups: tuple[int, str, int]) -> list[dict[str, Any]]:
    """So many calls of a result and a wait."""
    return [
        {"queue": queue, "wait": wait, "result": result, "agent": "1" if result == "answered" else ""}
        for count, result, wait in groups
        for _ in range(count)
    ]


# O-3, ICMI's example: 1000 answered, 860 within 20 s; 60 abandoned, 20 within 20 s, 10 of these within 5 s.
TEXTBOOK = calls(
    "textbook",
    (860, "answered", 20), (140, "answered", 21), (10, "abandoned", 5), (10, "abandoned", 20),
    (40, "abandoned", 21),
)  # fmt: skip
# CCPulse's: of 400 calls 200 in time, 100 late, 50 short abandons and 50 long ones.
CCPULSE = calls(
    "ccpulse", (200, "answered", 10), (100, "answered", 60), (50, "abandoned", 3), (50, "abandoned", 60)
)
# A worst case of another product: 50 in time, 80 given up. And a magazine's: 136 of 170 in time.
WORST = calls("worst", (50, "answered", 10), (80, "abandoned", 10))
MAGAZINE = calls("magazine", (136, "answered", 20), (34, "answered", 21))
# Two agents of a published table, whose total row was made of rounded means.
TWO_AGENTS = [
    {"queue": "agents", "wait": 0, "result": "answered", **call}
    for call in [{"agent": "2", "talk": 263, "hold": 47, "wrap_up": 32}] * 3
    + [{"agent": "3", "talk": 187, "hold": 6, "wrap_up": 49}] * 6
]


def at(clock: str) -> int:
    return int(datetime.fromisoformat(f"{DAY}T{clock}+00:00").timestamp())


# O-9: 52 minutes over three half-hours. O-4b: an hour logged in, 45 minutes of it on calls.
QUEUE_LOG = f"""\
{at("05:23:00")}|9.1|split|NONE|ENTERQUEUE||1|1
{at("05:23:00")}|9.1|split|Agent/9|CONNECT|0|9.11|0
{at("06:15:00")}|9.1|split|Agent/9|COMPLETEAGENT|0|3120|1
{at("09:00:00")}|NONE|NONE|Agent/4|AGENTLOGIN|SIP/4
{at("09:10:00")}|4.1|busy|NONE|ENTERQUEUE||1|1
{at("09:10:00")}|4.1|busy|Agent/4|CONNECT|0|4.11|0
{at("09:55:00")}|4.1|busy|Agent/4|COMPLETEAGENT|0|2700|1
{at("10:00:00")}|NONE|NONE|Agent/4|AGENTLOGOFF|SIP/4|3600
{at("11:00:00")}|NONE|NONE|Agent/5|PAUSEALL|Lunch
{at("12:00:00")}|NONE|NONE|Agent/5|UNPAUSEALL|
{at("12:00:00")}|12.1|busy|NONE|ENTERQUEUE||1|1
{at("12:00:30")}|12.1|busy|NONE|EXITWITHTIMEOUT|1|1|30
{at("12:00:30")}|12.2|busy|NONE|FULL|
"""


@pytest.fixture(scope="module")
def published(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    folder = tmp_path_factory.mktemp("oracles")
    centre = {"time_zone": "UTC", "queues": {}}
    with (
        cloned(server, name="oracles") as database,
        centre_in(folder, database, centre=centre, sources=SOURCES, reports={}) as settings,
    ):
        write_calls(settings.data_dir / "calls.csv", TEXTBOOK + CCPULSE + WORST + MAGAZINE + TWO_AGENTS)
        (settings.data_dir / "queue_log").write_text(QUEUE_LOG, encoding="utf-8")
        run_warehouse(settings, DAY)
        yield settings


def write_calls(path: Path, rows: list[dict[str, Any]]) -> None:
    nine = datetime(DAY.year, DAY.month, DAY.day, 9, tzinfo=UTC)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, restval=0)
        writer.writeheader()
        for number, row in enumerate(rows):
            entered = (nine + timedelta(seconds=number)).strftime("%Y-%m-%d %H:%M:%S")
            writer.writerow({"call": f"c{number}", "entered": entered, **row})


def value(settings: Settings, kpi: str, unit: str, period: str = "day") -> float:
    rows = query(
        settings,
        "select value from marts.kpi_values where kpi_id = %s and unit_key = %s and period_type = %s",
        kpi,
        unit,
        period,
    )
    return float(rows[0][0])


@pytest.mark.parametrize(
    ("variant", "percent"),
    [("f1", 83.02), ("f2", 86.00), ("f3", 81.13), ("f4", 82.69), ("f5", 82.08), ("f6", 81.90)],
)
def test_o3_the_six_service_levels_of_the_textbook(published: Settings, variant: str, percent: float) -> None:
    assert round(100 * value(published, f"service_level_{variant}", "calls:textbook"), 2) == percent


def test_short_abandons_left_out_give_the_other_published_service_level(published: Settings) -> None:
    assert round(100 * value(published, "service_level_f6", "calls:ccpulse"), 2) == 57.14


def test_the_textbooks_abandons_as_rates_and_waits(published: Settings) -> None:
    figures = {
        kpi: round(value(published, kpi, "calls:textbook"), 4)
        for kpi in (
            "short_abandoned", "abandonment_rate_reached", "abandonment_rate_net", "connect_rate",
            "longest_wait", "average_abandon_time",
        )
    }  # fmt: skip
    assert figures == {
        "short_abandoned": 10,
        "abandonment_rate_reached": round(60 / 1060, 4),
        "abandonment_rate_net": round(50 / 1050, 4),
        "connect_rate": round(1000 / 1060, 4),
        "longest_wait": 21,
        "average_abandon_time": round((10 * 5 + 10 * 20 + 40 * 21) / 60, 4),
    }


def test_other_published_service_levels(published: Settings) -> None:
    assert round(100 * value(published, "service_level_f3", "calls:worst"), 2) == 38.46
    assert value(published, "service_level_f1", "calls:worst") == 1, "given up within T is served, by F1"
    levels = {value(published, f"service_level_f{number}", "calls:magazine") for number in range(1, 7)}
    assert levels == {0.8}, "where nobody gives up, all formulas agree"


def test_a_total_is_made_of_sums_and_not_of_rounded_means(published: Settings) -> None:
    rows = query(
        published,
        """
        select agent_key, count(*), sum(talk_seconds), sum(hold_seconds), sum(after_call_seconds)
        from marts.fct_agent_legs where queue_key = 'calls:agents' group by 1 order by 1
        """,
    )
    assert rows == [("2", 3, 789, 141, 96), ("3", 6, 1122, 36, 294)]
    talk, hold, after_call = (sum(row[column] for row in rows) for column in (2, 3, 4))
    assert talk == 1911, "the table's total says 1908, nine times the rounded mean"
    assert round(after_call / 9, 2) == 43.33, "the table says 38"
    assert round((talk + after_call) / 9, 2) == 255.67, "the table says 250"
    assert round(hold / 9, 2) == 19.67
    assert round(value(published, "aht", "calls:agents"), 2) == round((1911 + 177 + 390) / 9, 2)
    assert round(value(published, "average_talk_time", "calls:agents"), 2) == 212.33
    assert round(value(published, "average_after_call_time", "calls:agents"), 2) == 43.33
    assert round(value(published, "average_hold_time", "calls:agents"), 2) == 19.67


def test_o9_seconds_are_split_over_half_hours_and_the_call_counts_where_it_ends(published: Settings) -> None:
    assert query(
        published,
        """
        select to_char(interval_start_at at time zone 'UTC', 'HH24:MI'), talk_seconds, handled_count
        from marts.fct_agent_intervals where agent_key = '9' order by 1
        """,
    ) == [("05:00", 7 * 60, 0), ("05:30", 30 * 60, 0), ("06:00", 15 * 60, 1)]


def test_o4b_an_hour_with_45_minutes_on_calls_is_an_occupancy_of_three_quarters(published: Settings) -> None:
    hour = query(
        published,
        """
        select kpi_id, sum(numerator) / sum(denominator) from marts.kpi_values
        where
            period_type = 'half_hour' and unit_type = 'centre'
            and kpi_id in ('occupancy', 'utilisation', 'staffed_seats', 'calls_per_hour')
            and period_start_at >= '2025-01-06 09:00Z' and period_start_at < '2025-01-06 10:00Z'
        group by 1
        """,
    )
    assert {kpi: float(figure) for kpi, figure in hour} == {
        "occupancy": 0.75,
        "utilisation": 1.0,
        "staffed_seats": 1.0,
        "calls_per_hour": 1.0,
    }


def test_an_agent_has_the_same_figures_as_a_centre_of_that_agent_alone(published: Settings) -> None:
    agent = query(
        published,
        """
        select kpi_id, value::float from marts.kpi_values
        where unit_type = 'agent' and unit_key = '4' and period_type = 'day' and value is not null order by 1
        """,
    )
    assert dict(agent) == {
        "occupancy": 0.75, "utilisation": 1.0, "workload_efficiency": 0.75, "away_rate": 0.0,
        "calls_per_hour": 1.0, "logged_in_time": 3600, "idle_time": 900, "total_talk_time": 2700,
        "rings": 1, "average_ring_time": 0.0,
        "missed_offers": 0, "agent_answer_rate": 1.0, "transfer_rate": 0.0, "agent_hung_up_rate": 1.0,
        "consults": 0, "conferences": 0,
    }  # fmt: skip


def test_who_pauses_without_a_log_in_is_on_neither_side_of_the_away_rate(published: Settings) -> None:
    # Agent 5 is paused for an hour, and nobody knows whether he was there; agent 4 was never away.
    ((away, logged_in),) = query(
        published,
        """
        select numerator::int, denominator::int from marts.kpi_values
        where kpi_id = 'away_rate' and period_type = 'day' and unit_type = 'centre'
        """,
    )
    assert (away, logged_in) == (0, 3600)
    assert query(
        published,
        "select away_seconds, logged_in_seconds from marts.fct_agent_days where agent_key = '5'",
    ) == [(3600, 0)]


def test_reasons_are_parts_of_their_kpi(published: Settings) -> None:
    reasons = "select kpi_id, reason, numerator::int, denominator::int, value::float from reports.rpt_reasons"
    assert query(published, f"{reasons} order by 1, 2") == [
        ("blocked_rate", "full", 1, 1773, 1 / 1773),
        ("flow_out_rate", "timeout", 1, 1772, 1 / 1772),
    ]
