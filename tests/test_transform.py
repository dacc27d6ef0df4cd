"""What dbt is told of the configuration, and what a failing model or mapping says."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest

from callhouse import landing, postgres, raw, runs, transform
from callhouse.errors import CallhouseError
from callhouse.settings import Settings

DAY = date(2026, 3, 2)


def test_the_variables_are_plain_json_and_the_same_text_every_time(settings: Settings) -> None:
    found = transform.variables(settings)
    assert json.loads(json.dumps(found)) == found == transform.variables(settings)
    assert found["time_zone"] == "Asia/Shanghai"
    assert found["sources"]["crm"]["streams"]["cases"]["map"]["case_id"] == "case_no"
    assert found["targets"] == [
        {"kpi": "service_level_f3", "valid_from": "2000-01-01", "target": 0.8},
        {"kpi": "answered_in_promise_rate", "valid_from": "2000-01-01", "target": 0.9},
    ]


def test_a_target_of_the_configuration_stands_beside_the_official_service_level_and_the_promise(
    make_settings: Callable[..., Settings],
) -> None:
    aht = {"kpi": "aht", "valid_from": date(2026, 1, 1), "target": 240}
    targets = transform.variables(make_settings(centre={"targets": [aht]}))["targets"]
    assert targets[2] == {"kpi": "aht", "valid_from": "2026-01-01", "target": 240}


def test_a_queue_has_the_centres_service_level_but_for_what_it_sets_itself(
    make_settings: Callable[..., Settings],
) -> None:
    queues = {"vip": [{"valid_from": date(2026, 1, 1), "threshold_seconds": 10, "official": "F1"}]}
    found = transform.variables(make_settings(centre={"queues": queues}))
    assert found["queue_service_levels"]["vip"] == [
        {
            "valid_from": "2026-01-01",
            "threshold_seconds": 10,
            "short_abandon_seconds": 5,
            "official": "F1",
            "target": 0.8,
            "promise_threshold_seconds": 10,
            "promise_target": 0.9,
        }
    ]
    assert {"kpi": "service_level_f1", "valid_from": "2026-01-01", "target": 0.8, "unit_key": "vip"} in found[
        "targets"
    ]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"case_id": "id", "opened_at": "id", "colour": "id"}, "map names colour; the record has case_id"),
        ({"case_id": "id"}, "map lacks opened_at; name a column"),
    ],
)
def test_a_mapping_with_a_field_too_many_or_too_few_is_refused_by_name(
    make_settings: Callable[..., Settings], fields: dict[str, str], said: str
) -> None:
    calls = {
        "files": ["c.csv"],
        "record": "case",
        "columns": ["id"],
        "map": fields,
    }
    settings = make_settings(sources={"crm": {"kind": "delimited", "streams": {"cases": calls}}})
    (settings.data_dir / "c.csv").write_text("id\n1\n", encoding="utf-8")
    landing.extract(settings, "crm", DAY, DAY)
    raw.load(settings)
    with pytest.raises(CallhouseError, match=rf"crm\.cases: {said}") as refused:
        transform.stage(settings, runs.begin(settings, DAY, DAY, "t"))
    assert refused.value.where.endswith("dbt.log")


def test_dates_are_noted_in_their_order_so_that_models_side_by_side_do_not_block_each_other(
    make_settings: Callable[..., Settings], connection: psycopg.Connection
) -> None:
    options = {
        "files": ["c.csv"],
        "record": "case",
        "columns": ["id", "day"],
        "map": {"case_id": "id", "opened_at": "day"},
    }
    settings = make_settings(sources={"crm": {"kind": "delimited", "streams": {"cases": options}}})
    days = [DAY - timedelta(days=n * 37 % 100) for n in range(100)]
    lines = "".join(f"{n},{day} 09:00:00\n" for n, day in enumerate(days))
    (settings.data_dir / "c.csv").write_text(f"id,day\n{lines}", encoding="utf-8")
    landing.extract(settings, "crm", DAY, DAY)
    raw.load(settings)
    transform.stage(settings, runs.begin(settings, DAY, DAY, "t"))
    noted = connection.execute("select business_date from ops.affected_dates order by ctid").fetchall()
    assert [row[0] for row in noted] == sorted(days)


def test_a_model_that_fails_names_itself_and_leaves_the_build_state_to_no_other_run(
    settings: Settings, connection: psycopg.Connection
) -> None:
    run = runs.begin(settings, DAY, DAY, "t")
    transform.stage(settings, run)
    assert transform.build(settings, run) == [DAY]
    connection.execute("drop table staging.stg_delimited__shifts cascade")
    again = runs.begin(settings, DAY, DAY, "t")
    with pytest.raises(CallhouseError, match="stg_delimited__shifts") as failed:
        transform.build(settings, again)
    assert "stg_delimited__shifts" in Path(failed.value.where).read_text(encoding="utf-8")
    assert connection.execute("select run_id, dates, checked_at from ops.build_state").fetchall() == [
        (again, [DAY], None)
    ]


def test_staging_again_without_new_loads_touches_nothing(
    settings: Settings, connection: psycopg.Connection
) -> None:
    run = runs.begin(settings, DAY, DAY, "t")
    transform.stage(settings, run)
    transform.stage(settings, run)
    assert connection.execute("select count(*) from ops.affected_dates").fetchone() == (0,)
    assert connection.execute("select count(*) from ops.staged_mappings").fetchone() == (6,)


def test_a_call_whose_mapped_number_is_empty_is_set_aside_and_stops_nothing(
    make_settings: Callable[..., Settings],
) -> None:
    columns = {"call_id": "no", "started_at": "started", "outcome": "outcome"}
    stream = {"files": ["calls.csv"], "record": "call", "columns": [*columns.values()], "map": columns}
    settings = make_settings(sources={"pbx": {"kind": "delimited", "streams": {"calls": stream}}})
    rows = ["no,started,outcome", "1,2026-03-02 10:00:00,answered", " ,2026-03-02 11:00:00,answered"]
    (settings.data_dir / "calls.csv").write_text("\n".join(rows))
    landing.extract(settings, "pbx", DAY, DAY)
    run = runs.begin(settings, DAY, DAY, "t")
    raw.load(settings, run)
    transform.stage(settings, run)
    transform.build(settings, run)
    with postgres.connect(settings) as connection:
        assert connection.execute("select contact_id from build.fct_contacts").fetchall() == [("1",)]
        rejects = "select line, reason from ops.rejects"
        assert connection.execute(rejects.encode()).fetchall() == [(3, "call_id: missing")]
