"""Late, corrected and returning records restate the dates they belong to, and only those."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from callhouse.errors import GateHeld
from callhouse.settings import PROJECT, Settings

from .conftest import DAYS, FIRST
from .warehouse import dates_published_by, digests, kpi, query, run_warehouse

MONTH = FIRST.replace(day=1)
ZONE = ZoneInfo("Asia/Shanghai")


def at(day: date, clock: str) -> int:
    """Seconds since 1970 of a wall-clock time in the centre."""
    return int(datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=ZONE).timestamp())


def answered_call(
    entered: int,
    call_id: str,
    wait: int = 10,
    talk: int = 60,
    agent: str = "Agent/1001",
    queue: str = "sales",
) -> list[str]:
    """The lines of a call that one agent answers."""
    return [
        f"{entered}|{call_id}|{queue}|NONE|ENTERQUEUE||+12005550199|1",
        f"{entered + wait}|{call_id}|{queue}|{agent}|CONNECT|{wait}|{call_id}9|5",
        f"{entered + wait + talk}|{call_id}|{queue}|{agent}|COMPLETECALLER|{wait}|{talk}|1",
    ]


def write_log(settings: Settings, name: str, lines: list[str]) -> Path:
    """A further file of the telephone log."""
    path = settings.data_dir / "pbx" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def write_rows(path: Path, rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# -- late files --------------------------------------------------------------------------------------------


def test_a_file_of_an_old_day_restates_that_day_alone_and_its_month(published: Settings) -> None:
    before = {day: kpi(published, "offered", "day", day)[0] for day in DAYS}
    month = kpi(published, "offered", "month", MONTH)[0]
    visits = dict(query(published, "select visit_key, fct_queue_visits::text from marts.fct_queue_visits"))
    late = at(DAYS[0], "12:00:00")
    write_log(
        published, "queue_log-late", answered_call(late, f"{late}.1") + answered_call(late + 5, f"{late}.2")
    )
    tomorrow = DAYS[-1] + timedelta(days=1)
    run = run_warehouse(published, tomorrow)
    assert dates_published_by(published, run) == [DAYS[0], tomorrow]
    after = {day: kpi(published, "offered", "day", day)[0] for day in DAYS}
    assert after == {**before, DAYS[0]: before[DAYS[0]] + 2}
    assert kpi(published, "offered", "month", MONTH)[0] == month + 2
    now = dict(query(published, "select visit_key, fct_queue_visits::text from marts.fct_queue_visits"))
    assert {key: text for key, text in now.items() if key in visits} == visits
    assert sorted(now.keys() - visits.keys()) == [f"pbx:{late}.1:1", f"pbx:{late}.2:1"]


def test_news_of_a_later_date_waits_for_a_run_that_covers_it(published: Settings) -> None:
    before = digests(published)
    late = at(DAYS[2], "12:00:00")
    write_log(published, "queue_log-late", answered_call(late, f"{late}.1"))
    run = run_warehouse(published, DAYS[0])
    assert dates_published_by(published, run) == [DAYS[0]]
    assert digests(published) == before
    assert query(published, "select business_date, state from ops.affected_dates") == [(DAYS[2], "pending")]
    assert dates_published_by(published, run_warehouse(published, DAYS[2])) == [DAYS[2]]


def test_a_call_whose_end_is_in_the_next_days_file_is_in_progress_and_then_restated(fresh: Settings) -> None:
    today, tomorrow = DAYS[0], DAYS[1]
    entered = at(today, "23:58:00")
    lines = answered_call(entered, f"{entered}.1", wait=30, talk=300)
    write_log(fresh, "queue_log-1", lines[:2])
    run_warehouse(fresh, today)
    state = "select business_date, outcome, is_in_progress, talk_seconds from marts.fct_contacts"
    assert query(fresh, state) == [(today, "in_progress", True, None)]
    write_log(fresh, "queue_log-2", lines[2:])
    run = run_warehouse(fresh, tomorrow)
    assert dates_published_by(fresh, run) == [today, tomorrow]
    assert query(fresh, state) == [(today, "answered", False, 300)]
    assert kpi(fresh, "aht", "day", today)[:2] == (300, 1)


def test_a_call_whose_beginning_arrives_last_moves_to_the_day_it_began(fresh: Settings) -> None:
    today, tomorrow = DAYS[0], DAYS[1]
    entered = at(today, "23:59:00")
    lines = answered_call(entered, f"{entered}.1", wait=90, talk=100)
    second = answered_call(entered + 200, f"{entered}.1", queue="service")
    write_log(fresh, "queue_log-2", second)
    run_warehouse(fresh, tomorrow)
    dates = "select visit_key, queue_key, business_date from marts.fct_queue_visits order by 1"
    assert query(fresh, dates) == [(f"pbx:{entered}.1:1", "pbx:service", tomorrow)]
    write_log(fresh, "queue_log-1", lines)
    run_warehouse(fresh, today)  # does not cover tomorrow, where the call is published so far
    run_warehouse(fresh, tomorrow)
    assert query(fresh, dates) == [
        (f"pbx:{entered}.1:1", "pbx:sales", today),
        (f"pbx:{entered}.1:2", "pbx:service", tomorrow),
    ]
    assert query(fresh, "select business_date, visit_count from marts.fct_contacts") == [(today, 2)]


def test_a_log_off_in_the_next_days_file_ends_the_session_that_began_the_day_before(fresh: Settings) -> None:
    today, tomorrow = DAYS[0], DAYS[1]
    login, pause, logoff = at(today, "22:00:00"), at(today, "23:50:00"), at(tomorrow, "06:00:00")
    agent = "NONE|NONE|Agent/1001"
    lines = [
        f"{login}|{agent}|AGENTLOGIN|PJSIP/1",
        f"{pause}|{agent}|PAUSEALL|",
        *answered_call(login + 60, "7.1"),
    ]
    write_log(fresh, "queue_log-1", lines)
    run_warehouse(fresh, today)
    lines = [f"{pause + 1200}|{agent}|UNPAUSEALL|", f"{logoff}|{agent}|AGENTLOGOFF|PJSIP/1|28800"]
    write_log(fresh, "queue_log-2", lines)
    run = run_warehouse(fresh, tomorrow)
    seconds = (
        "select business_date, logged_in_seconds, paused_seconds from marts.fct_agent_days"
        " where agent_key = '1001' order by 1"
    )
    assert query(fresh, seconds) == [(today, 7200, 600), (tomorrow, 21600, 600)]
    assert dates_published_by(fresh, run) == [today, tomorrow]
    before = digests(fresh)
    run_warehouse(fresh, today)
    run_warehouse(fresh, today, tomorrow)
    assert digests(fresh) == before


def test_a_lost_log_off_ends_at_the_same_moment_whatever_days_are_run_together(fresh: Settings) -> None:
    agent = "1.1|NONE|Agent/1001"
    for number, day in enumerate([DAYS[0], DAYS[1], DAYS[0] + timedelta(days=5)]):
        login = at(day, "09:00:00")
        lines = [f"{login}|{agent}|AGENTLOGIN|PJSIP/1", *answered_call(at(day, "15:00:00"), f"{number}.1")]
        write_log(fresh, f"queue_log-{number}", lines)
        run_warehouse(fresh, day)
    before = digests(fresh)
    run_warehouse(fresh, DAYS[0])
    assert digests(fresh) == before
    run_warehouse(fresh, DAYS[0], DAYS[0] + timedelta(days=5))
    added = ("dim_interval", "kpi_values")  # the days between, which have nothing
    assert {k: v for k, v in digests(fresh).items() if k not in added} == {
        k: v for k, v in before.items() if k not in added
    }


# -- corrected records -------------------------------------------------------------------------------------


def test_a_corrected_case_takes_its_newest_version_and_leaves_the_day_it_was_on(published: Settings) -> None:
    path = next(iter(sorted((published.data_dir / "crm").glob("cases-*.csv"))))
    case = read_rows(path)[0]
    key = f"crm:{case['case_no']}"
    assert query(published, "select business_date from marts.fct_cases where case_key = %s", key) == [
        (DAYS[0],)
    ]
    moved = {
        **case,
        "opened_at": f"{DAYS[1]} 09:30:00",
        "topic": "corrected",
        "updated_at": f"{DAYS[2]} 10:00:00",
    }
    write_rows(path.with_name("cases-corrected.csv"), [moved])
    run = run_warehouse(published, DAYS[2])
    assert query(published, "select business_date, topic from marts.fct_cases where case_key = %s", key) == [
        (DAYS[1], "corrected")
    ]
    assert dates_published_by(published, run) == DAYS
    older = {**case, "topic": "older", "updated_at": f"{DAYS[0]} 00:00:00"}
    write_rows(path.with_name("cases-older.csv"), [older])
    run_warehouse(published, DAYS[2])
    assert query(published, "select topic from marts.fct_cases where case_key = %s", key) == [("corrected",)]


def test_a_case_that_moves_to_an_earlier_day_can_be_published_before_its_old_day_is(
    published: Settings,
) -> None:
    path = next(iter(sorted((published.data_dir / "crm").glob("cases-*.csv"), reverse=True)))
    case = read_rows(path)[-1]
    key = f"crm:{case['case_no']}"
    assert query(published, "select business_date from marts.fct_cases where case_key = %s", key) == [
        (DAYS[2],)
    ]
    moved = {**case, "opened_at": f"{DAYS[0]} 09:30:00", "updated_at": f"{DAYS[2]} 23:59:59"}
    write_rows(path.with_name("cases-corrected.csv"), [moved])
    assert dates_published_by(published, run_warehouse(published, DAYS[0])) == [DAYS[0]]
    assert query(published, "select business_date from marts.fct_cases where case_key = %s", key) == [
        (DAYS[0],)
    ]
    assert dates_published_by(published, run_warehouse(published, DAYS[2])) == [DAYS[2]]
    assert query(published, "select business_date from marts.fct_cases where case_key = %s", key) == [
        (DAYS[0],)
    ]


def test_a_survey_answered_two_days_later_counts_on_the_day_of_its_contact(published: Settings) -> None:
    (contact,) = query(
        published,
        "select contact_id, customer_id, last_queue_key from marts.fct_contacts"
        " where business_date = %s and outcome = 'answered' order by 1 limit 1",
        DAYS[0],
    )
    count = kpi(published, "satisfaction", "day", DAYS[0])[1]
    answer = {
        "survey_no": "S-late", "call_id": contact[0], "customer_no": contact[1] or "", "question": "overall",
        "score": "5", "max_score": "5", "answered_at": f"{DAYS[2]} 09:00:00",
    }  # fmt: skip
    write_rows(published.data_dir / "crm" / "surveys-late.csv", [answer])
    run = run_warehouse(published, DAYS[2] + timedelta(days=1))
    assert dates_published_by(published, run) == [DAYS[0], DAYS[2] + timedelta(days=1)]
    assert query(
        published, "select business_date, queue_key from marts.fct_surveys where survey_id = 'S-late'"
    ) == [(DAYS[0], contact[2])]
    assert kpi(published, "satisfaction", "day", DAYS[0])[1] == count + 1


def test_a_survey_whose_call_arrives_later_moves_to_the_day_of_the_call(fresh: Settings) -> None:
    entered = at(DAYS[0], "10:00:00")
    answer = {
        "survey_no": "S-1", "call_id": f"{entered}.1", "customer_no": "", "question": "overall",
        "score": "5", "max_score": "5", "answered_at": f"{DAYS[2]} 09:00:00",
    }  # fmt: skip
    write_rows(fresh.data_dir / "crm" / "surveys-1.csv", [answer])
    write_log(fresh, "queue_log-0", answered_call(at(DAYS[2], "10:00:00"), "3.1"))
    run_warehouse(fresh, DAYS[2])
    where = "select business_date, is_contact_known from marts.fct_surveys"
    assert query(fresh, where) == [(DAYS[2], False)]
    write_log(fresh, "queue_log-1", answered_call(entered, f"{entered}.1"))
    run_warehouse(fresh, DAYS[2] + timedelta(days=1))
    assert query(fresh, where) == [(DAYS[0], True)]
    assert kpi(fresh, "satisfaction", "day", DAYS[2])[1] == 0
    assert kpi(fresh, "satisfaction", "month", MONTH)[1] == 1


def test_a_customer_who_gets_a_callers_number_later_is_found_in_the_calls_of_then(fresh: Settings) -> None:
    entered = at(DAYS[0], "10:00:00")
    write_log(fresh, "queue_log-1", answered_call(entered, f"{entered}.1"))
    run_warehouse(fresh, DAYS[0])
    assert query(fresh, "select customer_id from marts.fct_contacts") == [(None,)]
    customer = {
        "customer_no": "C1", "name": "N", "phone": "+12005550199", "segment": "a", "since": "2020-01-01",
        "updated_at": "2026-03-05 00:00:00",
    }  # fmt: skip
    write_rows(fresh.data_dir / "crm" / "customers.csv", [customer])
    run_warehouse(fresh, DAYS[1])
    assert query(fresh, "select customer_id from marts.fct_contacts") == [("C1",)]


def test_a_punch_before_midnight_restates_the_night_shift_that_begins_behind_it(fresh: Settings) -> None:
    shift = {
        "employee_no": "1001", "name": "N", "date": str(DAYS[1]), "shift_code": "night",
        "planned_start": f"{DAYS[1]} 00:30:00", "planned_end": f"{DAYS[1]} 08:00:00",
    }  # fmt: skip
    write_rows(fresh.data_dir / "attendance" / "shifts.csv", [shift])
    write_log(fresh, "queue_log-1", answered_call(at(DAYS[1], "10:00:00"), "1.1"))
    run_warehouse(fresh, DAYS[0], DAYS[2])
    attended = "select business_date, attended_count, late_seconds from marts.fct_attendance"
    assert query(fresh, attended) == [(DAYS[1], 0, None)]
    punches = [
        {"employee_no": "1001", "punched_at": f"{day} {clock}", "direction": "", "device": ""}
        for day, clock in ((DAYS[0], "23:50:00"), (DAYS[2], "12:00:00"))
    ]
    write_rows(fresh.data_dir / "attendance" / "punches.csv", punches[:1])
    run = run_warehouse(fresh, DAYS[2] + timedelta(days=1))
    assert query(fresh, attended) == [(DAYS[1], 1, 0)]
    assert dates_published_by(fresh, run) == [DAYS[0], DAYS[1], DAYS[2] + timedelta(days=1)]
    write_rows(fresh.data_dir / "attendance" / "punches-2.csv", punches[1:])  # of no shift
    run = run_warehouse(fresh, DAYS[2] + timedelta(days=2))
    assert dates_published_by(fresh, run) == [DAYS[2], DAYS[2] + timedelta(days=2)]


def test_an_answer_leaves_the_day_it_was_on_alone_when_the_held_day_of_its_call_is_released(
    fresh: Settings,
) -> None:
    entered = at(DAYS[0], "10:00:00")
    answer = {
        "survey_no": "S-1", "call_id": f"{entered}.1", "customer_no": "", "question": "overall",
        "score": "5", "max_score": "5", "answered_at": f"{DAYS[2]} 09:00:00",
    }  # fmt: skip
    write_rows(fresh.data_dir / "crm" / "surveys-1.csv", [answer])
    write_log(fresh, "queue_log-0", answered_call(entered, f"{entered}.1"))
    write_log(fresh, "queue_log-2", answered_call(at(DAYS[2], "10:00:00"), "3.1"))
    wrong = answered_call(entered, "1.9", wait=-30)
    write_log(fresh, "queue_log-wrong", wrong)
    with pytest.raises(GateHeld):
        run_warehouse(fresh, DAYS[0], DAYS[2])
    where = "select business_date, is_contact_known from marts.fct_surveys"
    assert query(fresh, where) == [(DAYS[2], False)]
    query(fresh, "delete from staging.stg_asterisk_queue_log__events where call_id = '1.9'")
    run_warehouse(fresh, DAYS[0])
    assert query(fresh, where) == [(DAYS[0], True)]
    assert query(fresh, "select business_date from ops.affected_dates") == [(DAYS[2],)]
    run_warehouse(fresh, DAYS[2])
    assert kpi(fresh, "satisfaction", "day", DAYS[2])[1] == 0


def test_a_queue_that_has_no_calls_any_more_gets_its_name_too(make_settings: Callable[..., Settings]) -> None:
    sources = yaml.safe_load((PROJECT / "config" / "sources.yml").read_text(encoding="utf-8"))["sources"]
    sources["crm"]["streams"]["queues"] = {
        "files": ["crm/queues*.csv"], "record": "queue", "columns": ["id", "name"], "required": False,
        "map": {"queue_id": "id", "queue_name": "name"},
    }  # fmt: skip
    settings = make_settings(sources=sources)
    write_log(settings, "queue_log-1", answered_call(at(DAYS[0], "10:00:00"), "1.1", queue="old"))
    run_warehouse(settings, DAYS[0])
    write_rows(settings.data_dir / "crm" / "queues.csv", [{"id": "old", "name": "Old sales"}])
    week_after = DAYS[0] + timedelta(days=7)
    write_log(settings, "queue_log-2", answered_call(at(week_after, "10:00:00"), "2.1", queue="new"))
    run_warehouse(settings, week_after)
    assert query(settings, "select queue_id, queue_name from marts.dim_queue order by 1") == [
        ("new", "new"), ("old", "Old sales"),
    ]  # fmt: skip


# -- an edited mapping -------------------------------------------------------------------------------------


def edit(settings: Settings, change: Callable[[dict[str, Any]], None]) -> Settings:
    """The settings after an edit of sources.yml."""
    path = settings.config_dir / "sources.yml"
    content = yaml.safe_load(path.read_text(encoding="utf-8"))
    change(content["sources"])
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return Settings(settings.config_dir, settings.home, settings.data_dir)


def test_an_edited_mapping_restages_and_restates_what_it_maps(published: Settings) -> None:
    before = digests(published)
    loads = query(
        published,
        "select load_id, rows_in, rows_loaded, rows_rejected, rows_duplicate from ops.loads order by 1",
    )

    def edited(sources: dict[str, Any]) -> None:
        sources["crm"]["streams"]["cases"]["map"]["topic"] = "'all alike'"

    changed = edit(published, edited)
    run_warehouse(changed, DAYS[2])
    after = digests(changed)
    assert {mart for mart in before if before[mart] != after[mart]} == {"fct_cases"}
    assert query(changed, "select distinct topic from marts.fct_cases") == [("all alike",)]
    assert (
        query(
            changed,
            "select load_id, rows_in, rows_loaded, rows_rejected, rows_duplicate from ops.loads order by 1",
        )
        == loads
    )

    def edited_back(sources: dict[str, Any]) -> None:
        sources["crm"]["streams"]["cases"]["map"]["topic"] = "topic"

    run_warehouse(edit(changed, edited_back), DAYS[2])
    assert digests(changed) == before


def test_a_mapping_that_no_longer_gives_the_number_takes_the_customers_from_the_calls(
    published: Settings,
) -> None:
    def edited(sources: dict[str, Any]) -> None:
        del sources["crm"]["streams"]["customers"]["map"]["phone_number"]

    known = "select count(customer_id) > 0 from marts.fct_contacts"
    assert query(published, known) == [(True,)]
    changed = edit(published, edited)
    run_warehouse(changed, DAYS[2])
    assert query(changed, known) == [(False,)]


@pytest.mark.parametrize("mapping", ["no_such_field", "opened_at"])
def test_a_mapping_that_cannot_work_says_so_and_leaves_the_marts(published: Settings, mapping: str) -> None:
    from callhouse.errors import CallhouseError

    before = digests(published)

    def edited(sources: dict[str, Any]) -> None:
        sources["crm"]["streams"]["cases"]["map"][mapping] = '"no such column"'

    with pytest.raises(CallhouseError, match=r"no such column|no_such_field"):
        run_warehouse(edit(published, edited), DAYS[2])
    assert digests(published) == before
    shutil.rmtree(published.home / "dbt")
