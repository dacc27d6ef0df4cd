"""The published marts of simulated days are what the simulation says happened, whoever tells it."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cache
from typing import Any

import pytest
import yaml

from callhouse.postgres import Warehouse
from callhouse.settings import PROJECT, Settings
from callhouse.simulate import Plan, simulate
from callhouse.simulate.amazon_connect import EXIT_ATTRIBUTE
from callhouse.simulate.knowledge import KNOWLEDGE, OPEN
from callhouse.simulate.truth import COLUMNS

from ..conftest import centre_in, cloned
from .conftest import DATABASE, DAYS, Template
from .warehouse import Row, cut_after_a_change, differences, differences_from_truth, query, run_warehouse
from .warehouse import published as published_rows

# The telephone systems, each as the source `pbx`.
SYSTEMS: dict[str, dict[str, Any]] = {
    "asterisk_queue_log": {"callback_keys": ["1"], "streams": {"queue_log": {"files": ["pbx/queue_log*"]}}},
    "amazon_connect": {
        "exit_reason": EXIT_ATTRIBUTE,
        "streams": {
            stream: {"files": [f"amazon_connect/{stream}/*"]}
            for stream in ("contact_records", "agent_events")
        },
    },
    "freeswitch": {
        "callback_keys": ["1"],
        "streams": {stream: {"files": [f"freeswitch/{stream}*"]} for stream in ("xml_cdr", "agent_status")},
    },
    "genesys_cloud": {
        "streams": {
            stream: {"files": [f"genesys_cloud/{stream}*"]} for stream in ("conversations", "user_details")
        },
    },
}
WORKDAYS = Plan(date(2026, 3, 2), days=2, calls_per_day=300, seed=11, callback_key="1")
NIGHT = Plan(
    date(2026, 5, 1), days=4, calls_per_day=500, seed=20260501,
    open_from="14:00", open_to="03:00", callback_key="1", cut_off=datetime(2026, 5, 4, 21, 17),
)  # fmt: skip
WAYS_OUT = frozenset.intersection(
    *(known.ways_out for known in KNOWLEDGE.values() if known.ways_out is not None)
)
NOT_READY = {word for known in KNOWLEDGE.values() for word in known.not_ready.values()}
EXTENSIONS = {queue.extension: queue.queue_id for queue in NIGHT.queues}


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


# -- four telephone systems --------------------------------------------------------------------------------


@dataclass
class Outcome:
    """What one telephone system's files of simulated days became.

    Attributes:
        found: differences from the truth; of days that are cut off, and then of the same days whole.
        open_count: contacts in progress while the days were cut off.
        marts: the rows published in the end, by mart, in the columns of the truth.
    """

    found: list[list[str]] = field(default_factory=list)
    open_count: int = 0
    marts: dict[str, list[dict[str, str]]] = field(default_factory=dict)


Tell = Callable[[Plan, str], Outcome]


@pytest.fixture(scope="module")
def tell(server: Warehouse, template: Template, tmp_path_factory: pytest.TempPathFactory) -> Tell:
    """``tell(plan, system)``: the days of a plan as a telephone system tells them, through the main job."""

    @cache
    def outcome(plan: Plan, system: str) -> Outcome:
        folder, told = tmp_path_factory.mktemp(system), Outcome()
        sources = yaml.safe_load((PROJECT / "config" / "sources.yml").read_text(encoding="utf-8"))["sources"]
        sources["pbx"] = {"kind": system, **SYSTEMS[system]}
        hours = {"opening_hours": {"from": plan.open_from, "to": plan.open_to}}
        plan = replace(plan, systems=("asterisk_queue_log", system))
        parts = [replace(plan, cut_off=None)]
        if plan.cut_off is not None:
            parts = [cut_after_a_change(plan, folder / "cut"), *parts]
        shutil.copytree(template.folder / "home" / "dbt", folder / "home" / "dbt")
        with (
            cloned(server, name=DATABASE) as database,
            centre_in(folder, database, sources=sources, centre=hours) as settings,
        ):
            for number, part in enumerate(parts):
                simulate(part, settings.data_dir)
                run_warehouse(settings, plan.dates[-1 if number else 0], plan.dates[-1] + timedelta(days=1))
                told.found.append(differences_from_truth(settings))
                in_progress = "select count(*)::int from marts.fct_contacts where is_in_progress"
                told.open_count += query(settings, in_progress)[0][0]
            told.marts = {mart: published_rows(settings, mart) for mart in COLUMNS}
        return told

    return outcome


def test_what_a_telephone_system_cannot_tell_has_a_reason() -> None:
    assert KNOWLEDGE.keys() >= SYSTEMS.keys()
    reasons = [reason for known in KNOWLEDGE.values() for reason in known.unknown.values()]
    assert all(len(reason.split()) > 3 for reason in reasons), reasons


EXTRA_SEEDS = [pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 6)]
# Of the two that tell of calls still going on every time; the others' midnights are in tests/acceptance too.
NIGHTLY = [
    system if KNOWLEDGE[system].knows(OPEN) else pytest.param(system, marks=pytest.mark.long)
    for system in SYSTEMS
]


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_marts_of_each_telephone_systems_files_equal_the_truth(tell: Tell, system: str) -> None:
    told = tell(WORKDAYS, system)
    assert told.found == [[]]
    assert sum(row["transfer_kind"] == "blind" for row in told.marts["fct_agent_legs"]) > 5
    assert sum(int(row["called_back_count"]) for row in told.marts["fct_queue_visits"]) > 0


@pytest.mark.parametrize("system", NIGHTLY)
@pytest.mark.parametrize("seed", [NIGHT.seed, *EXTRA_SEEDS])
def test_a_centre_open_over_midnight_equals_its_truth_while_calls_go_on_and_when_they_are_over(
    tell: Tell, system: str, seed: int
) -> None:
    told = tell(replace(NIGHT, seed=seed), system)
    assert told.found == [[], []]
    assert (told.open_count > 0) == KNOWLEDGE[system].knows(OPEN)
    assert sum(int(row["called_back_count"]) for row in told.marts["fct_queue_visits"]) > 0


@pytest.mark.parametrize(
    "plan", [WORKDAYS, pytest.param(NIGHT, marks=pytest.mark.long)], ids=["days", "night"]
)
def test_four_telephone_systems_tell_the_same_days_in_the_same_marts(tell: Tell, plan: Plan) -> None:
    first, *others = SYSTEMS
    expected = {mart: _common(mart, rows) for mart, rows in tell(plan, first).marts.items()}
    found = {
        system: [
            text
            for mart, (columns, rows) in expected.items()
            for text in differences(mart, columns, rows, _common(mart, tell(plan, system).marts[mart])[1])
        ]
        for system in others
    }
    assert found == {system: [] for system in others}
    assert all(rows for _, rows in expected.values())


# What not all of them tell, in columns; one that tells no after-call work says that the agent is available.
_NOT_ALL_KNOW = {"ivr_seconds", "after_call_seconds", "paused_seconds"}
_NOT_IN_CONTACT = ("available_seconds", "after_call_seconds", "away_seconds")


def _common(mart: str, rows: list[dict[str, str]]) -> tuple[list[str], Counter[Row]]:
    """What all of them tell of a mart: its columns, and its rows."""
    if mart == "fct_agent_states":
        rows = _common_states(rows)
    common = [_common_row(mart, row) for row in rows]
    return [*common[0]], Counter(tuple(row.values()) for row in common)


def _common_row(mart: str, row: dict[str, str]) -> dict[str, str]:
    common = {name: text for name, text in row.items() if name not in _NOT_ALL_KNOW}
    if mart == "fct_contacts":
        del common["started_at"]
    if "outcome_reason" in row and row["outcome_reason"] not in WAYS_OUT:
        common["outcome_reason"] = ""
    if "transfer_target" in row:
        common["transfer_target"] = EXTENSIONS.get(row["transfer_target"], row["transfer_target"])
    if "away_seconds" in row:
        seconds = [int(row[name] or 0) for name in _NOT_IN_CONTACT]
        common |= {"available_seconds": str(sum(seconds)), "away_seconds": ""}
    return common


def _common_states(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """States without after-call work and without what follows a missed offer: the agent is available."""
    found: list[dict[str, str]] = []
    for row in sorted(rows, key=lambda row: (row["agent_id"], row["started_at"])):
        is_told = row["state"] != "after_call" and row["reason"] not in NOT_READY
        row = row | {"reason": ""} | ({} if is_told else {"state": "available"})
        last = found[-1] if found else row
        touches = last["ended_at"] == row["started_at"] and last["business_date"] == row["business_date"]
        if touches and last["agent_id"] == row["agent_id"] and last["state"] == row["state"] == "available":
            seconds = int(last["state_seconds"]) + int(row["state_seconds"])
            found[-1] = last | {"ended_at": row["ended_at"], "state_seconds": str(seconds)}
        else:
            found.append(row)
    return found
