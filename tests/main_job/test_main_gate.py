"""The gate: a date that breaks a critical rule keeps its published figures, the others go on."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
import yaml

from callhouse.errors import GateHeld
from callhouse.settings import Settings, load_settings

from .conftest import DAYS, FIRST
from .test_main_late_data import answered_call, at, write_log, write_rows
from .warehouse import dates_published_by, kpi, published_by, query, run_warehouse

MONTH = FIRST.replace(day=1)
LIST = {
    "pbx": {"kind": "asterisk_queue_log", "streams": {"queue_log": {"files": ["pbx/queue_log*"]}}},
    "list": {
        "kind": "delimited",
        "streams": {
            "calls": {
                "files": ["list/*.csv"],
                "record": "call",
                "columns": ["id", "day", "started", "answered"],
                "map": {
                    "call_id": "id",
                    "business_date": "day",
                    "started_at": "started",
                    "queue_id": "'list'",
                    "outcome": "case answered when 'y' then 'answered' else 'abandoned' end",
                    "wait_seconds": "'0'",
                },
            }
        },
    },
}


def offered(settings: Settings, period: str, *starts: Any) -> list[int | None]:
    rows = [kpi(settings, "offered", period, start) for start in starts]
    return [None if row is None else int(row[0]) for row in rows]


def states(settings: Settings) -> list[tuple[Any, ...]]:
    return query(settings, "select business_date, state from ops.affected_dates order by 1")


def test_a_date_with_too_many_rejects_keeps_its_old_figures_until_a_corrected_file_comes(
    published: Settings,
) -> None:
    day, other = DAYS[0], DAYS[2]
    old_day, old_other = offered(published, "day", day, other)
    (old_month,) = offered(published, "month", MONTH)
    first_run = published_by(published)[day]
    calls = [line for n in range(4) for line in answered_call(at(day, f"12:0{n}:00"), f"9.{n}")]
    broken = [f"12:{n:02}|8.{n}|sales|NONE|ENTERQUEUE||+12005550199|1" for n in range(60)]
    write_log(published, "queue_log-broken", calls + broken)
    write_log(published, "queue_log-late", answered_call(at(other, "12:00:00"), "7.1"))

    with pytest.raises(GateHeld) as held:
        run_warehouse(published, DAYS[0], DAYS[-1])

    assert (held.value.exit_code, str(day) in held.value.what, bool(held.value.do)) == (4, True, True)
    assert query(published, "select state from ops.runs order by run_id desc limit 1") == [("running",)]
    assert offered(published, "day", day, other) == [old_day, old_other + 1]
    assert offered(published, "month", MONTH) == [old_month + 1], "the held day counts as it is published"
    assert published_by(published)[day] == first_run < published_by(published)[other]
    assert states(published) == [(day, "held")]
    failed = (
        "select rule, business_date from marts.quality_latest"
        " where severity = 'critical' and outcome <> 'pass'"
    )
    assert query(published, failed) == [("rejects_stay_below_a_tenth", day)]
    assert query(published, "select count(*), min(reason) from ops.rejects") == [(60, "time: not a time")]

    with pytest.raises(GateHeld):  # nothing has changed
        run_warehouse(published, other)

    corrected = [line for n in range(4) for line in answered_call(at(day, f"13:0{n}:00"), f"8.{n}")]
    write_log(published, "queue_log-corrected", corrected)
    run = run_warehouse(published, other)
    assert dates_published_by(published, run) == [day, other]
    assert states(published) == []
    assert offered(published, "day", day) == [old_day + 8]
    assert offered(published, "month", MONTH) == [old_month + 9]
    assert query(published, failed) == []


def test_a_date_held_at_build_takes_the_next_along_where_a_call_goes_on_over_midnight(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(sources=LIST)
    path = settings.data_dir / "list" / "calls.csv"
    held_day, tied_day, free_day = DAYS
    entered = at(held_day, "23:59:30")
    over_midnight = answered_call(entered, "1.1", wait=5, talk=50) + answered_call(
        entered + 60, "1.1", queue="service"
    )
    others = [line for n, day in enumerate(DAYS) for line in answered_call(at(day, "12:00:00"), f"2.{n}")]
    write_log(settings, "queue_log-1", over_midnight + others)
    rows = [
        {"id": f"{n}", "day": f"{day}", "started": f"{day} 10:00:00", "answered": "y"}
        for n, day in enumerate(DAYS)
    ]
    write_rows(path, [{**rows[0], "started": "2099-01-01 10:00:00"}, *rows[1:]])

    with pytest.raises(GateHeld) as held:
        run_warehouse(settings, DAYS[0], DAYS[-1])

    assert all(str(day) in held.value.what for day in (held_day, tied_day))
    assert states(settings) == [(held_day, "held"), (tied_day, "held")]
    assert list(published_by(settings)) == [free_day]
    assert offered(settings, "day", *DAYS) == [None, None, 2]
    assert offered(settings, "month", MONTH) == [2], "only what is published"

    write_rows(path.with_name("corrected.csv"), rows[:1])
    run_warehouse(settings, DAYS[-1])
    assert states(settings) == []
    assert offered(settings, "day", *DAYS) == [3, 3, 2]
    assert offered(settings, "month", MONTH) == [8]


def test_when_every_date_is_held_nothing_is_published(published: Settings) -> None:
    day = DAYS[-1] + timedelta(days=1)
    broken = [f"noon|8.{n}|sales|NONE|ENTERQUEUE||+12005550199|1" for n in range(4)]
    write_log(published, "queue_log-broken", answered_call(at(day, "12:00:00"), "9.1") + broken)
    with pytest.raises(GateHeld) as held:
        run_warehouse(published, day)
    assert held.value.exit_code == 4
    assert sorted(published_by(published)) == DAYS
    assert query(published, "select count(*) from marts.fct_contacts where business_date = %s", day) == [(0,)]


def test_a_day_of_which_most_lines_are_missing_is_held_alone_until_somebody_accepts_it(
    fresh: Settings,
) -> None:
    mondays = [DAYS[0] + timedelta(days=7 * week) for week in range(5)]
    last, tuesday = mondays[-1], mondays[-1] + timedelta(days=1)

    def write_day(day: date, count: int) -> None:
        calls = (answered_call(at(day, f"12:{n:02}:00"), f"{day:%d%m}.{n}") for n in range(count))
        write_log(fresh, f"queue_log-{day}", [line for call in calls for line in call])

    for day in mondays[:-1]:
        write_day(day, 60)
    run_warehouse(fresh, mondays[0], mondays[-2])
    write_day(last, 12)
    write_day(tuesday, 60)
    with pytest.raises(GateHeld):
        run_warehouse(fresh, last, tuesday)

    latest = "select business_date, detail from marts.quality_latest where rule = %s and outcome = 'fail'"
    assert query(fresh, latest, "no_row_count_has_collapsed") == [
        (last, "pbx.queue_log: 36 rows, usually 180")
    ]
    assert kpi(fresh, "offered", "day", last) is None
    assert kpi(fresh, "offered", "day", tuesday)[0] == 60

    config = fresh.config_dir / "sources.yml"
    declared = yaml.safe_load(config.read_text(encoding="utf-8"))
    declared["sources"]["pbx"]["row_counts"] = {"accept": [{"date": last, "reason": "moved house"}]}
    config.write_text(yaml.safe_dump(declared, allow_unicode=True), encoding="utf-8")
    run_warehouse(load_settings(), last, tuesday)
    assert kpi(fresh, "offered", "day", last)[0] == 12
