"""examples/anonbank over January to May 1999, against figures worked out by others and from the files.

The tests share one warehouse; those that add files to it come last.
"""

from __future__ import annotations

import csv
import gzip
import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callhouse.settings import Settings

from ..main_job.warehouse import dates_published_by, digests, kpi, query, run_warehouse
from .conftest import Example

MONTHS = [date(1999, month, 1) for month in range(1, 6)]
JANUARY, FEBRUARY = MONTHS[:2]
FILES = ["01_January", "02_February", "03_March", "04_April", "05_May"]
JERUSALEM = ZoneInfo("Asia/Jerusalem")


@dataclass
class Count:
    """What the file says of a period, counted here."""

    phantom: int = 0
    left_in_ivr: int = 0
    answered_waits: list[int] = field(default_factory=list)
    abandoned_waits: list[int] = field(default_factory=list)
    service_seconds: int = 0

    def add(self, row: dict[str, str]) -> None:
        wait = int(row["q_time"])
        if row["outcome"] == "PHANTOM":
            self.phantom += 1
        elif row["outcome"] == "AGENT":
            self.answered_waits.append(wait)
            self.service_seconds += int(row["ser_time"])
        elif row["q_start"] == "0:00:00":
            self.left_in_ivr += 1
        else:
            self.abandoned_waits.append(wait)

    def service_levels(self) -> dict[str, tuple[int, int]]:
        """F1 to F6 as (numerator, denominator) with T = 20 s and S = 5 s."""
        answered, abandoned = len(self.answered_waits), len(self.abandoned_waits)
        answered_in_time = sum(wait <= 20 for wait in self.answered_waits)
        abandoned_in_time = sum(wait <= 20 for wait in self.abandoned_waits)
        short = sum(wait <= 5 for wait in self.abandoned_waits)
        return {
            "f1": (answered_in_time + abandoned_in_time, answered + abandoned),
            "f2": (answered_in_time, answered),
            "f3": (answered_in_time, answered + abandoned),
            "f4": (answered_in_time, answered + abandoned - abandoned_in_time),
            "f5": (answered_in_time + short, answered + abandoned),
            "f6": (answered_in_time, answered + abandoned - short),
        }


def rows_of(path: Path) -> list[dict[str, str]]:
    with gzip.open(path, "rt", encoding="ascii", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def day_of(row: dict[str, str]) -> date:
    text = row["date"]
    return date(1900 + int(text[:2]), int(text[2:4]), int(text[4:]))


@pytest.fixture(scope="module")
def rows(shared_data: Path) -> list[dict[str, str]]:
    """Every call of the five months."""
    return [row for name in FILES for row in rows_of(shared_data / "anonbank" / f"{name}.txt.gz")]


@pytest.fixture(scope="module")
def days(rows: list[dict[str, str]]) -> dict[date, Count]:
    """Every day, counted from the files."""
    counted: dict[date, Count] = defaultdict(Count)
    for row in rows:
        counted[day_of(row)].add(row)
    return counted


@pytest.fixture(scope="module")
def expected(shared_data: Path) -> dict[str, Any]:
    """The published answers."""
    return json.loads((shared_data / "anonbank" / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def anonbank(example: Example, shared_data: Path) -> Iterator[Settings]:
    """The warehouse after two runs over the five months, with February's file unpacked."""
    files = [shared_data / "anonbank" / f"{name}.txt.gz" for name in FILES]
    with example("anonbank", files) as settings:
        packed = settings.data_dir / "02_February.txt.gz"
        packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()
        run_warehouse(settings, date(1999, 1, 1), date(1999, 2, 28))
        run_warehouse(settings, date(1999, 3, 1), date(1999, 5, 31))  # holidays, after weeks of full days
        yield settings


def totals(settings: Settings, period: str) -> dict[date, tuple[Any, ...]]:
    """Period's first date → offered, answered, abandoned, left in the IVR, waits of both, talk."""
    found = query(
        settings,
        f"""
        with visits as (
            select
                date_trunc('{period}', business_date)::date as starts_on, sum(offered_count) as offered,
                sum(answered_count) as answered, sum(abandoned_count) as abandoned,
                sum(answered_wait_seconds) as waits, sum(abandoned_wait_seconds) as abandoned_waits,
                sum(talk_seconds) as talk
            from marts.fct_queue_intervals group by 1
        ),
        contacts as (
            select
                date_trunc('{period}', business_date)::date as starts_on,
                sum(left_in_ivr_count) as left_in_ivr
            from marts.fct_contacts group by 1
        )
        select starts_on, offered, answered, abandoned, left_in_ivr, waits, abandoned_waits, talk
        from contacts left join visits using (starts_on)
        """,
    )
    return {row[0]: tuple(int(value or 0) for value in row[1:]) for row in found}


def test_every_row_of_the_five_months_is_a_contact(anonbank: Settings, expected: dict[str, Any]) -> None:
    contacts = query(
        anonbank, "select to_char(business_date, 'YYYY-MM'), count(*) from marts.fct_contacts group by 1"
    )
    assert dict(contacts) == {month: figures["rows"] for month, figures in expected["by_month"].items()}
    voids = query(
        anonbank,
        "select to_char(business_date, 'YYYY-MM'), count(*) from marts.fct_contacts"
        " where outcome = 'void' group by 1",
    )
    assert dict(voids) == {month: figures["phantom"] for month, figures in expected["by_month"].items()}


@pytest.mark.parametrize("month", MONTHS, ids=lambda month: f"{month:%B}")
def test_a_months_figures_are_the_published_ones(
    anonbank: Settings, rows: list[dict[str, str]], expected: dict[str, Any], month: date
) -> None:
    answers = expected["by_month"][f"{month:%Y-%m}"]
    offered, answered, abandoned, left_in_ivr, waits, abandoned_waits, talk = totals(anonbank, "month")[month]
    assert (offered, answered, abandoned, left_in_ivr) == tuple(
        answers[name] for name in ("offered", "answered", "abandoned_queue", "vru_hang")
    )
    assert talk == answers["ser_time_sum"]
    assert round(talk / answered, 4) == answers["mean_ser_time_all_agent"]
    assert round(waits / answered, 4) == answers["mean_wait_answered_all"]
    assert round(abandoned_waits / abandoned, 4) == answers["mean_wait_abandoned"]
    # The published mean leaves out the one wait whose start at midnight sharp reads as "none".
    unstarted = sum(
        int(row["q_time"])
        for row in rows
        if day_of(row).replace(day=1) == month and row["q_start"] == "0:00:00" and row["outcome"] == "AGENT"
    )
    queued_waits = waits + abandoned_waits - unstarted
    assert round(queued_waits / answers["queued"], 4) == answers["mean_wait_queued"]

    def published(kpi_id: str) -> tuple[int, int, float]:
        return kpi(anonbank, kpi_id, "month", month)

    assert published("offered")[0] == offered
    assert published("left_in_ivr")[0] == left_in_ivr
    assert round(float(published("abandonment_rate")[2]), 6) == answers["abandon_rate_of_offered"]
    assert published("service_level_f3")[:2] == (answers["answered_within_20s"], offered)
    assert round(float(published("service_level_f3")[2]), 6) == answers["SL20_offered"]
    assert round(float(published("service_level_f2")[2]), 6) == answers["SL20_answered"]
    assert round(float(published("asa")[2]), 4) == answers["mean_wait_answered_all"]
    assert round(float(published("aht")[2]), 4) == answers["mean_ser_time_all_agent"]


def test_januarys_service_levels_are_those_worked_out_by_hand(anonbank: Settings) -> None:
    levels = [kpi(anonbank, f"service_level_f{number}", "month", JANUARY)[2] for number in range(1, 7)]
    assert [round(float(100 * level), 2) for level in levels] == [57.72, 60.61, 54.38, 56.26, 55.03, 54.74]
    assert round(float(kpi(anonbank, "asa", "month", JANUARY)[2]), 2) == 35.03
    assert round(float(kpi(anonbank, "aht", "month", JANUARY)[2]), 2) == 183.45
    assert round(float(100 * kpi(anonbank, "abandonment_rate", "month", JANUARY)[2]), 2) == 10.28
    assert round(float(100 * kpi(anonbank, "abandonment_rate_net", "month", JANUARY)[2]), 2) == 9.70
    all_valid = kpi(anonbank, "inbound_contacts", "month", JANUARY)[0]
    assert round(float(100 * kpi(anonbank, "abandoned", "month", JANUARY)[0] / all_valid), 2) == 9.89


def test_every_days_figures_are_those_counted_from_the_file(
    anonbank: Settings, days: dict[date, Count], expected: dict[str, Any]
) -> None:
    counted = {
        day: (
            len(count.answered_waits) + len(count.abandoned_waits),
            len(count.answered_waits),
            len(count.abandoned_waits),
            count.left_in_ivr,
            sum(count.answered_waits),
            sum(count.abandoned_waits),
            count.service_seconds,
        )
        for day, count in days.items()
    }
    assert totals(anonbank, "day") == counted
    rows = query(
        anonbank,
        "select business_date::text, count(*) from marts.fct_contacts"
        " where business_date < '1999-02-01' group by 1",
    )
    assert dict(rows) == expected["january_daily_rows"]


def test_every_days_service_levels_are_those_counted_from_the_file(
    anonbank: Settings, days: dict[date, Count]
) -> None:
    published = query(
        anonbank,
        """
        select period_start_date, right(kpi_id, 2), numerator, denominator from marts.kpi_values
        where kpi_id like 'service_level_f_' and period_type = 'day' and unit_key = 'centre'
        """,
    )
    counted = {
        (day, name): level for day, count in days.items() for name, level in count.service_levels().items()
    }
    figures = {(day, name): (top, bottom) for day, name, top, bottom in published}
    assert {key: figures.pop(key) for key in counted} == counted
    assert set(figures.values()) == {(0, 0)}, "11 and 12 January, when there were no calls"


def test_half_hours_by_the_start_of_the_contact_are_the_published_ones(
    anonbank: Settings, expected: dict[str, Any]
) -> None:
    starts = query(
        anonbank,
        "select started_at from marts.fct_contacts where business_date = '1999-02-14' and outcome <> 'void'",
    )
    local = [moment.astimezone(JERUSALEM) for (moment,) in starts]
    counted = Counter(f"{moment:%H}:{moment.minute // 30 * 30:02}" for moment in local)
    assert counted == expected["1999-02-14_half_hour_valid_calls_by_vru_entry"]


def test_half_hours_of_the_queues_are_those_counted_from_the_file(
    anonbank: Settings, rows: list[dict[str, str]]
) -> None:
    def entry(row: dict[str, str]) -> str:
        """The half-hour of a call's entry into its queue: without a wait, the moment it left the IVR."""
        if row["q_start"] != "0:00:00":
            clock = row["q_start"]
        else:
            start = datetime.strptime(row["vru_entry"], "%H:%M:%S")
            seconds = start.hour * 3600 + start.minute * 60 + start.second + max(int(row["vru_time"]), 0)
            if seconds >= 86400:  # the log gives one date per call
                return "23:30"
            clock = f"{seconds // 3600}:{seconds // 60 % 60}:0"
        hour, minute, _ = clock.split(":")
        return f"{int(hour):02}:{int(minute) // 30 * 30:02}"

    day = date(1999, 2, 14)
    counted: Counter[tuple[str, str]] = Counter()
    for row in rows:
        is_offered = row["outcome"] == "AGENT" or (row["outcome"] == "HANG" and row["q_start"] != "0:00:00")
        if day_of(row) == day and is_offered:
            counted[f"anonbank:{row['type']}", entry(row)] += 1
    published = query(
        anonbank,
        "select queue_key, interval_start_at, offered_count from marts.fct_queue_intervals"
        " where business_date = %s",
        day,
    )
    assert {(queue, f"{start.astimezone(JERUSALEM):%H:%M}"): n for queue, start, n in published} == counted


def test_calls_without_an_agent_and_damaged_names_are_reported_and_stay_as_logged(
    anonbank: Settings, rows: list[dict[str, str]]
) -> None:
    answered = [row["server"] for row in rows if row["outcome"] == "AGENT"]
    damaged = {name for name in answered if "NO_SERVER" in name}
    assert damaged == {"NO_SERVER", "NO_SERVERAMA"}
    violations = query(
        anonbank,
        """
        select rule, outcome, sum(checked_count), sum(violation_count) from marts.quality_latest
        where rule in ('agent_names_are_whole', 'answered_visits_have_an_agent') and outcome = 'fail'
        group by rule, outcome order by rule
        """,
    )
    count = sum("NO_SERVER" in name for name in answered)
    assert [(rule, outcome, found) for rule, outcome, _, found in violations] == [
        ("agent_names_are_whole", "fail", count),
        ("answered_visits_have_an_agent", "fail", count),
    ]
    names = query(anonbank, "select agent_id, agent_name from marts.dim_agent")
    assert {name for name, _ in names} == set(answered)
    assert all(name == agent_id for agent_id, name in names)
    assert query(anonbank, "select count(*) from marts.fct_queue_visits where agent_key = 'NO_SERVER'") == [
        (answered.count("NO_SERVER"),)
    ]


def test_a_second_copy_of_february_and_running_january_again_change_nothing(
    anonbank: Settings, shared_data: Path, expected: dict[str, Any]
) -> None:
    before = digests(anonbank)
    copy = shared_data / "anonbank" / "february_second_copy_crlf.txt.gz"
    shutil.copy(copy, anonbank.data_dir)
    run = run_warehouse(anonbank, JANUARY, date(1999, 1, 31))
    assert digests(anonbank) == before
    assert dates_published_by(anonbank, run)[-1] == date(1999, 1, 31), "no day of February has news"
    counts = "rows_in, rows_loaded, rows_rejected, rows_duplicate"
    loads = f"select {counts} from ops.loads order by load_id desc limit 1"
    rows = expected["by_month"]["1999-02"]["rows"]
    assert query(anonbank, loads) == [(rows, 0, 0, rows)]
