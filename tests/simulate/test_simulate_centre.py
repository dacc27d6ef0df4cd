"""The simulated centre: its files are real, agree with each other, and the truth agrees with them.

The figures are counted here from the written files by a small reader of its own, which knows the grammar
of the files and nothing of the simulation.
"""

from __future__ import annotations

import csv
import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from callhouse.errors import ConfigError
from callhouse.simulate import Plan, Queue, Summary, simulate

SHANGHAI = ZoneInfo("Asia/Shanghai")
WEEK = Plan(date(2026, 3, 2), days=4, calls_per_day=400, seed=11)
NIGHT = Plan(date(2026, 3, 2), 2, 300, 3, open_from="14:00", open_to="24:00")

_CALL = r"\d+\|\d+\.\d+\|[a-z]+\|"
_AGENT = r"Agent/\d{4}\|"
GRAMMAR = re.compile(
    "|".join([
        r"\d+\|NONE\|NONE\|NONE\|QUEUESTART\|",
        _CALL + r"NONE\|DID\|\d+",
        _CALL + r"NONE\|ENTERQUEUE\|\|(\+1\d{3}55501\d\d|anonymous)\|\d+",
        _CALL + _AGENT + r"CONNECT\|\d+\|\d+\.\d+\|\d+",
        _CALL + _AGENT + r"COMPLETE(AGENT|CALLER)\|\d+\|\d+\|\d+",
        _CALL + _AGENT + r"BLINDTRANSFER\|\d+\|from-queue\|\d+\|\d+\|\d+",
        _CALL + _AGENT + r"(RINGNOANSWER|RINGCANCELED)\|\d+",
        _CALL + r"NONE\|(ABANDON|EXITWITHTIMEOUT|EXITEMPTY)\|\d+\|\d+\|\d+",
        _CALL + r"NONE\|EXITWITHKEY\|[*0-9]\|\d+\|\d+\|\d+",
        r"\d+\|\d+\.\d+\|NONE\|" + _AGENT + r"AGENTLOGIN\|PJSIP/\d{4}-[0-9a-f]{8}",
        r"\d+\|\d+\.\d+\|NONE\|" + _AGENT + r"AGENTLOGOFF\|PJSIP/\d{4}-[0-9a-f]{8}\|\d+",
        r"\d+\|NONE\|NONE\|" + _AGENT + r"(UN)?PAUSEALL\|",
        r"\d+\|NONE\|[a-z]+\|" + _AGENT + r"(UN)?PAUSE\|[A-Z][a-z]+",
    ])
)  # fmt: skip


@dataclass
class Visit:
    """A visit as the log tells it."""

    call_id: str
    queue: str
    entered: int
    outcome: str = "in_progress"
    wait: int = 0
    talk: int = 0
    agent: str = ""
    answered: int = 0
    missed: list[tuple[str, int, int]] = field(default_factory=list)  # (agent, offered, ring seconds)


def lines_of(out: Path) -> list[list[str]]:
    files = sorted((out / "pbx").glob("queue_log*"))
    return [line.split("|") for file in files for line in file.read_text().splitlines()]


def visits_of(out: Path) -> list[Visit]:
    visits: list[Visit] = []
    last: dict[str, Visit] = {}
    for time, call_id, queue, agent, event, *data in lines_of(out):
        at, agent = int(time), agent.removeprefix("Agent/")
        visit = last.get(call_id)
        if event == "ENTERQUEUE":
            last[call_id] = Visit(call_id, queue, at)
            visits.append(last[call_id])
        elif visit is None:
            continue
        elif event == "CONNECT":
            visit.outcome, visit.wait, visit.agent, visit.answered = "answered", int(data[0]), agent, at
            assert at - visit.entered == visit.wait
        elif event in ("COMPLETEAGENT", "COMPLETECALLER"):
            visit.talk = int(data[1])
            assert visit.answered + visit.talk == at
        elif event == "BLINDTRANSFER":
            visit.talk = int(data[3])
        elif event == "RINGNOANSWER" and data[0] != "0":
            visit.missed.append((agent, at - int(data[0]) // 1000, int(data[0]) // 1000))
        elif event in ("ABANDON", "EXITWITHTIMEOUT", "EXITEMPTY"):
            visit.outcome, visit.wait = "abandoned" if event == "ABANDON" else "flowed_out", int(data[2])
            assert at - visit.entered == visit.wait
        elif event == "EXITWITHKEY":
            visit.outcome, visit.wait = "flowed_out" if data[0] == "*" else "called_back", int(data[3])
    return visits


def truth_of(out: Path, mart: str) -> list[dict[str, str]]:
    return rows_of(out / "truth" / f"{mart}.csv")


def rows_of(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def files_of(out: Path) -> dict[str, bytes]:
    return {str(file.relative_to(out)): file.read_bytes() for file in out.rglob("*") if file.is_file()}


def utc(instant: int) -> str:
    return datetime.fromtimestamp(instant, ZoneInfo("UTC")).strftime("%Y-%m-%dT%H:%M:%SZ")


def epoch(written: str) -> int:
    """A wall-clock time of Shanghai as an instant."""
    return int(datetime.fromisoformat(written).replace(tzinfo=SHANGHAI).timestamp())


def half_hour(instant: int) -> str:
    return utc(instant - instant % 1800)


def local_date(instant: int) -> str:
    return datetime.fromtimestamp(instant, SHANGHAI).date().isoformat()


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("week")
    simulate(WEEK, out)
    return out


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("night")
    simulate(NIGHT, out)
    return out


# The files


def test_the_same_plan_writes_the_same_bytes(week: Path, tmp_path: Path) -> None:
    simulate(WEEK, tmp_path)
    assert files_of(tmp_path) == files_of(week)


def test_another_seed_writes_another_log(week: Path, tmp_path: Path) -> None:
    simulate(replace(WEEK, seed=8), tmp_path)
    log = "pbx/queue_log-20260302"
    assert (tmp_path / log).read_bytes() != (week / log).read_bytes()


@pytest.mark.parametrize("plan", [WEEK, NIGHT])
def test_the_files_of_a_day_do_not_depend_on_the_days_that_follow(plan: Plan, tmp_path: Path) -> None:
    simulate(plan, tmp_path / "long")
    simulate(replace(plan, days=plan.days - 1), tmp_path / "short")
    long = files_of(tmp_path / "long")
    last_day = f"{plan.dates[-1]:%Y%m%d}"
    compared = 0
    for name, content in files_of(tmp_path / "short").items():
        if not name.startswith("truth/") and last_day not in name:
            assert content == long[name], name
            compared += 1
    assert compared == 5 * (plan.days - 1) + 1


def test_every_line_of_the_log_is_in_the_grammar_of_asterisk(week: Path, night: Path) -> None:
    for line in lines_of(week) + lines_of(night):
        assert GRAMMAR.fullmatch("|".join(line)), line


def test_the_lines_stand_in_order_of_time_in_the_file_of_their_day(week: Path, night: Path) -> None:
    for file in [*week.glob("pbx/*"), *night.glob("pbx/*")]:
        times = [int(line.split("|", 1)[0]) for line in file.read_text().splitlines()]
        assert times == sorted(times)
        assert {local_date(time).replace("-", "") for time in times} == {file.name[-8:]}


def test_equal_lines_never_occur(week: Path) -> None:
    assert max(Counter("|".join(line) for line in lines_of(week)).values()) == 1


def test_the_log_begins_with_one_start_of_the_telephone_system(week: Path) -> None:
    first, *others = lines_of(week)
    assert first == [str(epoch("2026-03-02 00:00:00")), "NONE", "NONE", "NONE", "QUEUESTART", ""]
    assert all(line[4] != "QUEUESTART" for line in others)


def test_the_files_have_the_columns_and_places_that_the_sources_declare(week: Path) -> None:
    declared = yaml.safe_load(
        (Path(__file__).parents[2] / "config" / "sources.yml").read_text(encoding="utf-8")
    )
    matched = set()
    for source in declared["sources"].values():
        for stream in source["streams"].values():
            files = [file for pattern in stream["files"] for file in week.glob(pattern)]
            assert files
            matched.update(files)
            for file in files:
                if "columns" in stream:
                    assert file.read_text(encoding="utf-8").splitlines()[0].split(",") == stream["columns"]
    assert matched == {
        file for file in week.rglob("*.*") if file.is_file() and "truth" not in file.parts
    } | set(week.glob("pbx/*"))


def test_a_day_without_calls_still_has_all_its_files(tmp_path: Path) -> None:
    summary = simulate(Plan(date(2026, 3, 2), 2, 0, 1, agents=0), tmp_path)
    assert summary == Summary(0, 0, summary.files, summary.rows)
    assert (tmp_path / "pbx/queue_log-20260303").read_bytes() == b""
    assert len((tmp_path / "crm/cases-20260303.csv").read_text().splitlines()) == 1
    assert len((tmp_path / "attendance/punches-20260303.csv").read_text().splitlines()) == 1


def test_older_files_are_replaced_and_no_other_file_is_left(tmp_path: Path) -> None:
    small = Plan(date(2026, 3, 2), 1, 20, 1)
    simulate(replace(small, seed=2), tmp_path)
    simulate(small, tmp_path)
    simulate(small, tmp_path / "fresh")
    fresh = files_of(tmp_path / "fresh")
    assert {name: content for name, content in files_of(tmp_path).items() if "fresh" not in name} == fresh


def test_a_simulation_that_fails_leaves_the_older_files_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = Plan(date(2026, 3, 2), 1, 20, 1)
    simulate(plan, tmp_path)
    before = files_of(tmp_path)

    def break_down(*_: object) -> None:
        raise RuntimeError("no more")

    monkeypatch.setattr("callhouse.simulate.systems.Crm.call_ended", break_down)
    with pytest.raises(RuntimeError):
        simulate(replace(plan, seed=2), tmp_path)
    assert files_of(tmp_path) == before


def test_a_folder_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(ConfigError, match="cannot be written"):
        simulate(Plan(date(2026, 3, 2), 1, 20, 1), tmp_path / "taken")


def test_without_truth_the_same_source_files_are_written(week: Path, tmp_path: Path) -> None:
    simulate(WEEK, tmp_path, truth=False)
    expected = {name: content for name, content in files_of(week).items() if not name.startswith("truth/")}
    assert files_of(tmp_path) == expected


@pytest.mark.parametrize(
    "wrong",
    [
        {"days": 0}, {"calls_per_day": -1}, {"seed": -1}, {"agents": -1}, {"time_zone": "Mars/Base"},
        {"open_from": "8"}, {"open_to": "25:00"}, {"queues": ()},
        {"queues": (Queue("sales", "1", 1, 60, 0.5, 60, 60, transfer_to="nowhere"),)},
    ],
)  # fmt: skip
def test_a_plan_that_contradicts_itself_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        replace(WEEK, **wrong)


# Calls


def test_offered_is_the_sum_of_the_outcomes_in_every_half_hour(week: Path, night: Path) -> None:
    outcomes = ("answered", "abandoned", "flowed_out", "called_back", "in_progress")
    for row in truth_of(week, "fct_queue_intervals") + truth_of(night, "fct_queue_intervals"):
        assert int(row["offered_count"]) == sum(int(row[f"{outcome}_count"]) for outcome in outcomes)


@pytest.mark.parametrize("name", ["week", "night"])
def test_the_truth_of_the_half_hours_is_what_the_log_says(name: str, request: pytest.FixtureRequest) -> None:
    out = request.getfixturevalue(name)
    counted: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for visit in visits_of(out):
        is_answered, is_abandoned = visit.outcome == "answered", visit.outcome == "abandoned"
        counted[visit.queue, half_hour(visit.entered)] += Counter({
            "offered_count": 1,
            f"{visit.outcome}_count": 1,
            "answered_in_threshold_count": int(is_answered and visit.wait <= 20),
            "abandoned_in_threshold_count": int(is_abandoned and visit.wait <= 20),
            "short_abandoned_count": int(is_abandoned and visit.wait <= 5),
            "wait_seconds": visit.wait,
            "answered_wait_seconds": visit.wait * is_answered,
            "abandoned_wait_seconds": visit.wait * is_abandoned,
            "talk_seconds": visit.talk,
        })  # fmt: skip
    told = {}
    for row in truth_of(out, "fct_queue_intervals"):
        queue, interval = row.pop("queue_id"), row.pop("interval_start_at")
        row.pop("business_date")
        told[queue, interval] = +Counter({measure: int(figure or 0) for measure, figure in row.items()})
    assert told == {key: +counts for key, counts in counted.items()}


@pytest.mark.parametrize("name", ["week", "night"])
def test_the_truth_of_visits_and_contacts_is_what_the_log_says(
    name: str, request: pytest.FixtureRequest
) -> None:
    out = request.getfixturevalue(name)
    by_call: dict[str, list[Visit]] = defaultdict(list)
    for visit in visits_of(out):
        by_call[visit.call_id].append(visit)
    told = {(row["contact_id"], row["visit_number"]): row for row in truth_of(out, "fct_queue_visits")}
    assert len(told) == sum(map(len, by_call.values()))
    for call_id, visits in by_call.items():
        for number, visit in enumerate(visits, 1):
            row = told[call_id, str(number)]
            assert (row["queue_id"], row["agent_id"], row["outcome"]) == (
                visit.queue,
                visit.agent,
                visit.outcome,
            )
            assert (row["wait_seconds"], row["talk_seconds"]) == (str(visit.wait), str(visit.talk))
            assert (row["entered_at"], row["business_date"]) == (
                utc(visit.entered),
                local_date(visit.entered),
            )
    contacts = {row["contact_id"]: row for row in truth_of(out, "fct_contacts")}
    assert contacts.keys() == by_call.keys()
    for call_id, visits in by_call.items():
        row = contacts[call_id]
        assert row["visit_count"] == str(len(visits))
        assert row["business_date"] == local_date(visits[0].entered)
        assert row["wait_seconds"] == str(sum(visit.wait for visit in visits))
        assert row["talk_seconds"] == str(sum(visit.talk for visit in visits))
        assert row["leg_count"] == str(sum(len(visit.missed) + bool(visit.agent) for visit in visits))
        assert row["outcome"] == ("answered" if any(visit.agent for visit in visits) else visits[-1].outcome)


def test_all_ordinary_endings_of_a_visit_occur(week: Path) -> None:
    events = Counter(line[4] for line in lines_of(week))
    endings = (
        "COMPLETEAGENT",
        "COMPLETECALLER",
        "BLINDTRANSFER",
        "ABANDON",
        "EXITWITHTIMEOUT",
        "EXITWITHKEY",
    )
    assert all(events[event] for event in (*endings, "RINGNOANSWER", "RINGCANCELED")), events
    abandoned = Counter(visit.wait for visit in visits_of(week) if visit.outcome == "abandoned")
    assert all(abandoned[wait] for wait in (5, 6, 20, 21))


def test_no_agent_is_on_two_calls_at_the_same_second(week: Path, night: Path) -> None:
    for out in (week, night):
        busy: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for visit in visits_of(out):
            for agent, offered, ring in visit.missed:
                busy[agent].append((offered, offered + ring))
            if visit.agent:
                busy[visit.agent].append((visit.answered, visit.answered + visit.talk))
        for spans in busy.values():
            spans.sort()
            assert all(end < begin for (_, end), (begin, _) in pairwise(spans))


def test_one_agent_serves_patient_callers_in_the_order_they_came(tmp_path: Path) -> None:
    sales = Queue("sales", "7001", 1.0, talk_median=60, talk_sigma=0.0, patience_mean=10**6, timeout=10**6)
    plan = Plan(date(2026, 3, 2), 1, 30, 5, agents=1, queues=(sales,), open_from="09:00", open_to="11:00")
    simulate(plan, tmp_path)
    answered = [visit for visit in visits_of(tmp_path) if visit.outcome == "answered"]
    answered.sort(key=lambda visit: visit.answered)
    assert len(answered) > 20
    assert {visit.talk for visit in answered} == {60}
    for before, after in pairwise(answered):
        assert after.entered >= before.entered
        assert after.answered > before.answered + before.talk
    (agent_day,) = truth_of(tmp_path, "fct_agent_days")
    assert agent_day["talk_seconds"] == str(60 * len(answered))
    assert agent_day["answered_count"] == str(len(answered))
    assert agent_day["scheduled_seconds"] == "7200"


def test_a_centre_without_agents_answers_nobody(tmp_path: Path) -> None:
    simulate(Plan(date(2026, 3, 2), 1, 50, 1, agents=0), tmp_path)
    visits = visits_of(tmp_path)
    assert visits
    assert {(visit.outcome, visit.wait) for visit in visits} == {("flowed_out", 0)}
    assert {row["outcome_reason"] for row in truth_of(tmp_path, "fct_queue_visits")} == {"empty"}


def test_callers_still_waiting_when_the_last_agent_leaves_flow_out(tmp_path: Path) -> None:
    patient = Queue("sales", "7001", 1.0, 400, 0.5, patience_mean=100_000, timeout=100_000)
    simulate(Plan(date(2026, 3, 2), 1, 200, 1, agents=2, queues=(patient,)), tmp_path)
    left = [line for line in lines_of(tmp_path) if line[4] == "EXITEMPTY" and line[7] != "0"]
    logoffs = [line for line in lines_of(tmp_path) if line[4] == "AGENTLOGOFF"]
    assert left
    assert {line[0] for line in left} == {logoffs[-1][0]}


def test_a_callback_key_is_a_request_to_be_called_back(tmp_path: Path) -> None:
    simulate(Plan(date(2026, 3, 2), 3, 400, 1, agents=9, callback_key="1"), tmp_path)
    pressed = Counter(line[5] for line in lines_of(tmp_path) if line[4] == "EXITWITHKEY")
    told = Counter(row["outcome"] for row in truth_of(tmp_path, "fct_queue_visits"))
    assert pressed["1"] == told["called_back"] > 0
    assert pressed["*"] > 0


def test_calls_cross_midnight_and_end_in_the_next_days_file(night: Path) -> None:
    midnight = epoch("2026-03-04 00:00:00")
    crossing = [
        visit for visit in visits_of(night) if visit.answered < midnight < visit.answered + visit.talk
    ]
    assert crossing
    assert (night / "pbx/queue_log-20260304").exists()
    contacts = {row["contact_id"]: row for row in truth_of(night, "fct_contacts")}
    assert {contacts[visit.call_id]["business_date"] for visit in crossing} == {"2026-03-03"}


def test_the_opening_hours_are_local_on_a_day_of_twenty_three_hours(tmp_path: Path) -> None:
    plan = Plan(date(2026, 3, 29), 1, 300, 1, time_zone="Europe/London", open_from="00:00", open_to="24:00")
    simulate(plan, tmp_path)
    entered = [visit.entered for visit in visits_of(tmp_path)]
    begin = int(datetime(2026, 3, 29, tzinfo=ZoneInfo("UTC")).timestamp())
    assert begin <= min(entered)
    assert begin + 22 * 3600 < max(entered) < begin + 23 * 3600


# The cut-off


def test_a_cut_off_ends_the_log_and_leaves_calls_in_progress(tmp_path: Path) -> None:
    plan = replace(WEEK, agents=6)
    simulate(plan, tmp_path / "whole")
    second_day = epoch("2026-03-03 11:00:00")
    long_wait = next(
        visit for visit in visits_of(tmp_path / "whole") if visit.entered > second_day and visit.wait > 9
    )
    instant = long_wait.entered + 5
    cut_off = datetime.fromtimestamp(instant, SHANGHAI)
    simulate(replace(plan, cut_off=cut_off), tmp_path / "cut")
    simulate(replace(plan, cut_off=cut_off.replace(tzinfo=None)), tmp_path / "local")
    assert files_of(tmp_path / "cut") == files_of(tmp_path / "local")
    assert lines_of(tmp_path / "cut") == [
        line for line in lines_of(tmp_path / "whole") if int(line[0]) < instant
    ]
    visits = visits_of(tmp_path / "cut")
    told = truth_of(tmp_path / "cut", "fct_queue_visits")
    assert Counter(row["outcome"] for row in told) == Counter(visit.outcome for visit in visits)
    waiting = {row["contact_id"] for row in told if row["outcome"] == "in_progress"}
    assert long_wait.call_id in waiting
    talking = {
        row["contact_id"] for row in told if row["outcome"] == "answered" and row["talk_seconds"] == ""
    }
    assert talking
    contacts = truth_of(tmp_path / "cut", "fct_contacts")
    is_open = {row["contact_id"] for row in contacts if row["is_in_progress"] == "true"}
    assert is_open == waiting | talking
    assert {row["outcome"] for row in contacts if row["contact_id"] in is_open} == {"in_progress"}
    assert not list(tmp_path.glob("cut/*/*20260304*"))
    for name, column in (
        ("crm/surveys", "answered_at"), ("crm/cases", "updated_at"), ("attendance/punches", "punched_at"),
    ):  # fmt: skip
        for row in rows_of(tmp_path / "cut" / f"{name}-20260303.csv"):
            assert epoch(row[column]) < instant


# Agents and attendance


def spans_of(out: Path, begin: str, end: str) -> list[tuple[str, int, int]]:
    """(agent, from, to) between pairs of events of one agent."""
    since: dict[str, int] = {}
    spans = []
    for time, _, _, agent, event, *_ in lines_of(out):
        if event == begin:
            assert agent not in since
            since[agent] = int(time)
        elif event == end:
            spans.append((agent.removeprefix("Agent/"), since.pop(agent), int(time)))
    assert not since
    return spans


@pytest.mark.parametrize("name", ["week", "night"])
def test_the_truth_of_the_agents_days_is_what_the_files_say(
    name: str, request: pytest.FixtureRequest
) -> None:
    out = request.getfixturevalue(name)
    counted: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for visit in visits_of(out):
        for agent, offered, ring in visit.missed:
            counted[agent, local_date(offered + ring)]["missed_count"] += 1
        if visit.agent:
            counted[visit.agent, local_date(visit.answered)]["answered_count"] += 1
            for second in range(visit.answered, visit.answered + visit.talk):
                counted[visit.agent, local_date(second)]["talk_seconds"] += 1
    answered = Counter(visit.agent for visit in visits_of(out) if visit.agent)
    assert answered == Counter(
        r["agent_id"] for r in truth_of(out, "fct_agent_legs") if r["outcome"] == "answered"
    )
    for measure, begin, end in (
        ("logged_in_seconds", "AGENTLOGIN", "AGENTLOGOFF"), ("paused_seconds", "PAUSEALL", "UNPAUSEALL"),
    ):  # fmt: skip
        for agent, since, until in spans_of(out, begin, end):
            for second in range(since, until, 1):
                counted[agent, local_date(second) if name == "night" else local_date(since)][measure] += 1
    for time, _, _, agent, event, *data in lines_of(out):
        if event in ("CONNECT", "RINGNOANSWER", "RINGCANCELED"):
            ring = int(data[2]) if event == "CONNECT" else int(data[0]) // 1000
            for second in range(int(time) - ring, int(time)):
                counted[agent.removeprefix("Agent/"), local_date(second)]["ringing_seconds"] += 1
    for day in counted.values():
        day["away_seconds"] = day["paused_seconds"]
        busy = day["away_seconds"] + day["talk_seconds"] + day["ringing_seconds"]
        day["available_seconds"] = day["logged_in_seconds"] - busy
    for row in truth_of(out, "fct_attendance"):
        day = counted[row["agent_id"], row["business_date"]]
        day.update({measure: int(row[measure]) for measure in ("scheduled_seconds", "present_seconds")})
    told = {}
    for row in truth_of(out, "fct_agent_days"):
        key = row.pop("agent_id"), row.pop("business_date")
        told[key] = +Counter({measure: int(figure or 0) for measure, figure in row.items()})
    assert told == {key: +counts for key, counts in counted.items()}


@pytest.mark.parametrize("name", ["week", "night"])
def test_the_truth_of_the_agents_half_hours_is_their_states_second_by_second(
    name: str, request: pytest.FixtureRequest
) -> None:
    out = request.getfixturevalue(name)
    by_number: dict[tuple[str, int], Counter[str]] = defaultdict(Counter)
    for row in truth_of(out, "fct_agent_states"):
        begin, end = (int(datetime.fromisoformat(row[at]).timestamp()) for at in ("started_at", "ended_at"))
        assert int(row["state_seconds"]) == end - begin
        for second in range(begin, end):
            by_number[row["agent_id"], second // 1800][f"{row['state']}_seconds"] += 1
    counted = {
        (agent_id, half_hour(number * 1800)): seconds + Counter(logged_in_seconds=seconds.total())
        for (agent_id, number), seconds in by_number.items()
    }
    told, totals = {}, Counter[str]()
    for row in truth_of(out, "fct_agent_intervals"):
        key = row.pop("agent_id"), row.pop("interval_start_at")
        totals += Counter({name: int(row.pop(name) or 0) for name in [*row] if name.endswith("_count")})
        totals += Counter(staffed=int(row.pop("staffed_interval_seconds")))
        row.pop("business_date")
        told[key] = +Counter({measure: int(figure or 0) for measure, figure in row.items()})
    assert told == counted
    visits = visits_of(out)
    answered, missed = sum(bool(visit.agent) for visit in visits), sum(len(visit.missed) for visit in visits)
    assert totals == {
        "offered_count": answered + missed, "answered_count": answered, "missed_count": missed,
        "handled_count": answered, "staffed": 1800 * len({interval for _, interval in counted}),
    }  # fmt: skip


def test_a_logoff_carries_the_seconds_since_the_login(week: Path) -> None:
    carried = sorted(int(line[6]) for line in lines_of(week) if line[4] == "AGENTLOGOFF")
    assert carried == sorted(until - since for _, since, until in spans_of(week, "AGENTLOGIN", "AGENTLOGOFF"))


def test_the_truth_of_attendance_is_what_shifts_and_punches_say(week: Path) -> None:
    punches = defaultdict(list)
    for file in week.glob("attendance/punches-*.csv"):
        for row in rows_of(file):
            punches[row["employee_no"]].append((epoch(row["punched_at"]), row["direction"]))
    told = {(row["agent_id"], row["business_date"]): row for row in truth_of(week, "fct_attendance")}
    shifts = [row for file in week.glob("attendance/shifts-*.csv") for row in rows_of(file)]
    assert len(shifts) == len(told)
    absent = late = 0
    for shift in shifts:
        start, end = epoch(shift["planned_start"]), epoch(shift["planned_end"])
        near = [at for at, _ in punches[shift["employee_no"]] if start - 7200 <= at <= end + 7200]
        row = told[shift["employee_no"], shift["date"]]
        present = max(0, min(end, max(near)) - max(start, min(near))) if near else 0
        assert row["attended_count"] == str(int(bool(near)))
        assert row["first_in_at"] == (utc(min(near)) if near else "")
        assert row["last_out_at"] == (utc(max(near)) if near else "")
        assert row["present_seconds"] == str(present)
        assert row["late_seconds"] == (str(max(0, min(near) - start)) if near else "")
        absent += not near
        late += row["late_seconds"] not in ("", "0")
    assert absent
    assert late


def test_who_logs_in_has_punched_in_before_and_punches_out_after(week: Path) -> None:
    told = {(row["agent_id"], row["business_date"]): row for row in truth_of(week, "fct_attendance")}
    logins = spans_of(week, "AGENTLOGIN", "AGENTLOGOFF")
    assert len(logins) == sum(row["attended_count"] == "1" for row in told.values())
    for agent, since, until in logins:
        row = told[agent, local_date(since)]
        assert row["first_in_at"] < utc(since) < utc(until) < row["last_out_at"]


# CRM


def test_the_newest_version_of_every_case_is_the_truth(week: Path) -> None:
    newest: dict[str, dict[str, str]] = {}
    for file in sorted(week.glob("crm/cases-*.csv")):
        for row in rows_of(file):
            assert row["updated_at"][:10].replace("-", "") == file.stem[-8:]
            newest[row["case_no"]] = row
    told = {row["case_id"]: row for row in truth_of(week, "fct_cases")}
    assert newest.keys() == told.keys()
    answered = {visit.call_id for visit in visits_of(week) if visit.agent}
    for case_id, row in told.items():
        exported = newest[case_id]
        assert row["contact_id"] == exported["call_id"]
        assert row["contact_id"] in answered
        assert (row["customer_id"], row["topic"], row["status"]) == (
            exported["customer_no"], exported["topic"], exported["status"],
        )  # fmt: skip
        for instant in ("opened_at", "due_at", "closed_at"):
            assert row[instant] == (utc(epoch(exported[instant])) if exported[instant] else "")
        in_time = bool(exported["closed_at"]) and exported["closed_at"] <= exported["due_at"]
        assert row["closed_in_time_count"] == str(int(in_time))
        assert row["closed_count"] == str(int(bool(exported["closed_at"])))
        assert row["business_date"] == exported["opened_at"][:10]
    assert {row["status"] for row in told.values()} == {"open", "closed"}
    assert {row["closed_in_time_count"] for row in told.values() if row["status"] == "closed"} == {"0", "1"}


def test_the_truth_of_surveys_is_what_the_crm_exports(week: Path) -> None:
    exported = [row for file in sorted(week.glob("crm/surveys-*.csv")) for row in rows_of(file)]
    told = {row["survey_id"]: row for row in truth_of(week, "fct_surveys")}
    contacts = {row["contact_id"]: row for row in truth_of(week, "fct_contacts")}
    assert len(exported) == len(told) > 0
    for row in exported:
        truth = told[row["survey_no"]]
        assert (truth["contact_id"], truth["question"], truth["score"], truth["answered_at"]) == (
            row["call_id"], row["question"], row["score"], utc(epoch(row["answered_at"])),
        )  # fmt: skip
        assert truth["satisfied_count"] == str(int(int(row["score"]) >= 4))
        assert truth["business_date"] == contacts[row["call_id"]]["business_date"]
        assert contacts[row["call_id"]]["outcome"] == "answered"
    assert {row["score"] for row in exported} == {"1", "2", "3", "4", "5"}
    assert 1 in Counter(row["call_id"] for row in exported).values(), "a blank answer is not exported"


def test_callers_are_the_customers_with_their_number_and_one_in_twenty_is_unknown(week: Path) -> None:
    customers = {row["phone"]: row["customer_no"] for row in rows_of(week / "crm/customers.csv")}
    contacts = {row["contact_id"]: row["customer_id"] for row in truth_of(week, "fct_contacts")}
    entered = {line[1]: line[6] for line in lines_of(week) if line[4] == "ENTERQUEUE"}
    assert contacts == {call_id: customers.get(phone, "") for call_id, phone in entered.items()}
    unknown = sum(not customer_id for customer_id in contacts.values())
    assert 0.02 < unknown / len(contacts) < 0.08


def test_csv_fields_hold_commas_quotes_and_chinese(week: Path) -> None:
    topics = {row["topic"] for file in week.glob("crm/cases-*.csv") for row in rows_of(file)}
    names = {row["name"] for row in rows_of(week / "crm/customers.csv")}
    for texts in (topics, names):
        assert any("," in text for text in texts)
        assert any('"' in text for text in texts)
        assert any("一" <= letter <= "鿿" for text in texts for letter in text)


def test_dates_cover_the_plan() -> None:
    assert WEEK.dates == [date(2026, 3, 2) + timedelta(days=number) for number in range(4)]
