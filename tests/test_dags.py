"""The DAGs as Airflow reads them: imports, schedule, form, business days, weight; and the plugin folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from callhouse import orchestration
from callhouse.reports import deliver
from callhouse.settings import PROJECT, Settings

HEAVY = ("pandas", "dbt", "great_expectations", "matplotlib", "duckdb", "numpy")
THREE_SOURCES = {
    name: {"kind": "delimited", "label": name.title(), "streams": {"calls": {"files": [f"{name}*.csv"]}}}
    for name in ("north", "south", "west")
}

DESCRIBE = """
import json, sys
from pathlib import Path
from airflow.dag_processing.dagbag import BundleDagBag
before = set(sys.modules)
folder = Path(sys.argv[1])
bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
loaded = sorted({name.split(".")[0] for name in set(sys.modules) - before})
from airflow.serialization.serialized_objects import DagSerialization
def describe(dag):
    DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
    return {
        "schedule": [dag.timetable._expression, str(dag.timetable._timezone.name)],
        "catchup": dag.catchup, "max_active_runs": dag.max_active_runs, "tags": sorted(dag.tags),
        "doc": dag.doc_md, "owner": dag.owner,
        "params": {key: dag.params.get_param(key).schema for key in dag.params},
        "tasks": {t.task_id: {"after": sorted(t.upstream_task_ids), "retries": t.retries,
                              "delay": t.retry_delay.total_seconds(),
                              "longest": t.max_retry_delay.total_seconds(),
                              "backoff": bool(t.retry_exponential_backoff),
                              "outlets": [o.name for o in t.outlets], "inlets": [i.name for i in t.inlets]}
                  for t in dag.tasks},
    }
print(json.dumps({"errors": bag.import_errors, "loaded": loaded,
                  "dags": {dag_id: describe(dag) for dag_id, dag in bag.dags.items()}}))
"""


def in_airflow(settings: Settings, script: str, *arguments: str) -> Any:
    """What a script prints as its last line, as JSON, run by an Airflow process of these settings."""
    environment = (
        os.environ | orchestration.environment(settings) | {"AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR"}
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.fixture
def describe(make_settings: Callable[..., Settings]) -> Callable[..., dict[str, Any]]:
    return lambda **config: in_airflow(make_settings(**config), DESCRIBE, str(PROJECT / "dags"))


@pytest.fixture(scope="module")
def business_days(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        from callhouse.scheduling import BusinessDays

        yield BusinessDays


def test_every_dag_of_the_example_config_imports_and_says_what_it_is(describe: Callable[..., Any]) -> None:
    found = describe()
    assert found["errors"] == {}
    assert set(found["dags"]) == {
        *("extract_pbx", "extract_crm", "extract_attendance"),
        "warehouse_daily",
        "report_daily",
    }
    for dag in found["dags"].values():
        assert dag["doc"].startswith("### ")
        assert {"callhouse", "testcentre"} < set(dag["tags"])
        assert dag["owner"] == "callhouse"
        assert (dag["catchup"], dag["max_active_runs"]) == (False, 1)
        assert dag["schedule"][1] == "Asia/Shanghai"
        for name in ("date_from", "date_to"):
            assert dag["params"][name]["format"] == "date"
            assert dag["params"][name]["type"] == ["null", "string"]
        for task_id, task in dag["tasks"].items():
            assert task["retries"] >= 3 or task_id == "account"
            assert task["backoff"] and task["delay"] == 60 and task["longest"] == 900


def test_each_source_of_another_config_gets_its_own_extract_dag(describe: Callable[..., Any]) -> None:
    found = describe(
        sources=THREE_SOURCES,
        reports={},
        centre={"schedule": {"extract": "15 2 * * *"}, "time_zone": "Europe/Berlin"},
    )
    assert found["errors"] == {}
    assert set(found["dags"]) == {"extract_north", "extract_south", "extract_west", "warehouse_daily"}
    assert found["dags"]["extract_west"]["schedule"] == ["15 2 * * *", "Europe/Berlin"]


def test_the_warehouse_is_one_chain_of_seven_tasks_after_the_extracts(describe: Callable[..., Any]) -> None:
    dags = describe()["dags"]
    tasks = dags["warehouse_daily"]["tasks"]
    order = ["load", "stage", "check_staging", "build", "check_build", "publish", "account"]
    assert set(tasks) == set(order)
    for earlier, later in pairwise(order):
        assert earlier in tasks[later]["after"]
    assert tasks["publish"]["outlets"] == ["marts"]
    assert set(tasks["load"]["inlets"]) == {"landing_pbx", "landing_crm", "landing_attendance"}
    assert dags["extract_pbx"]["tasks"]["extract"]["outlets"] == ["landing_pbx"]
    assert dags["report_daily"]["tasks"]["send"]["inlets"] == ["marts"]

    def hour(dag_id: str) -> int:
        return int(dags[dag_id]["schedule"][0].split()[1])

    assert hour("extract_pbx") < hour("warehouse_daily") < hour("report_daily")


def test_parsing_the_dags_imports_nothing_heavy(describe: Callable[..., Any]) -> None:
    assert not set(describe()["loaded"]) & set(HEAVY)


def test_airflow_loads_the_plugin_file_and_nothing_else_below_plugins(settings: Settings) -> None:
    script = """
import json, sys
from airflow import plugins_manager
plugins, errors = plugins_manager._get_plugins()
package = [m for m in ("settings", "errors", "raw", "publish", "postgres", "landing") if m in sys.modules]
ours = [p.name for p in plugins if str(getattr(p, "source", "")).find("callhouse") >= 0]
print(json.dumps({"ours": ours, "errors": errors, "package": package,
                  "timetables": list(plugins_manager.get_timetables_plugins())}))
"""
    found = in_airflow(settings, script)
    assert found == {
        "ours": ["callhouse"],
        "errors": {},
        "package": [],
        "timetables": ["callhouse.scheduling.BusinessDays"],
    }


@pytest.mark.parametrize("path", sorted((PROJECT / "dags").glob("*.py")), ids=lambda path: path.name)
def test_a_dag_file_is_a_table_of_contents(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len([line for line in text.splitlines() if line.strip()]) <= 60
    assert "select " not in text and "Variable" not in text


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC"])
def test_a_backfill_names_every_business_day_from_first_to_last(business_days: Any, zone: str) -> None:
    """Over both changes of the clocks in 2025: each interval is one local day, of 23, 24 or 25 hours."""
    for first, last in (
        (datetime(2025, 3, 28), datetime(2025, 4, 1)),
        (datetime(2025, 10, 24), datetime(2025, 11, 3)),
    ):
        days = [
            info.data_interval
            for info in backfill(business_days("0 4 * * *", timezone=zone), zone, first, last)
        ]
        starts = [interval.start.astimezone(ZoneInfo(zone)).replace(tzinfo=None) for interval in days]
        assert starts == [first + timedelta(days=n) for n in range((last - first).days + 1)]
        assert all(interval.end == following.start for interval, following in pairwise(days))


def test_a_run_starts_at_its_cron_time_after_its_day_has_ended(business_days: Any) -> None:
    zone = "Asia/Shanghai"
    (info,) = backfill(
        business_days("0 4 * * *", timezone=zone), zone, datetime(2025, 3, 3), datetime(2025, 3, 3)
    )
    assert info.run_after == datetime(2025, 3, 4, 4, tzinfo=ZoneInfo(zone))
    assert info.logical_date == info.data_interval.start == datetime(2025, 3, 3, tzinfo=ZoneInfo(zone))


def test_a_weekly_schedule_covers_the_week_from_monday_to_sunday(business_days: Any) -> None:
    zone = "Asia/Shanghai"
    timetable = business_days("30 6 * * 1", timezone=zone)
    infos = backfill(timetable, zone, datetime(2025, 3, 3), datetime(2025, 3, 10))
    local = [
        [bound.astimezone(ZoneInfo(zone)).date().isoformat() for bound in i.data_interval] for i in infos
    ]
    assert local == [["2025-03-03", "2025-03-10"], ["2025-03-10", "2025-03-17"]]


@pytest.mark.parametrize("clock", [(0, 0), (3, 59), (4, 0), (23, 59)])
def test_a_run_by_hand_is_for_the_day_its_logical_date_lies_in(
    business_days: Any, clock: tuple[int, int]
) -> None:
    import pendulum

    timetable = business_days("0 4 * * *", timezone="Asia/Shanghai")
    interval = timetable.infer_manual_data_interval(
        run_after=pendulum.datetime(2025, 3, 3, *clock, tz="Asia/Shanghai").in_timezone("UTC")
    )
    assert interval.start == datetime(2025, 3, 3, tzinfo=ZoneInfo("Asia/Shanghai"))
    assert interval.end == datetime(2025, 3, 4, tzinfo=ZoneInfo("Asia/Shanghai"))


def test_a_run_by_hand_now_is_for_yesterday(business_days: Any) -> None:
    import pendulum

    timetable = business_days("0 4 * * *", timezone="Asia/Shanghai")
    interval = timetable.infer_manual_data_interval(run_after=pendulum.now("UTC"))
    assert interval.start == pendulum.yesterday("Asia/Shanghai")


def backfill(timetable: Any, zone: str, first: datetime, last: datetime) -> list[Any]:
    """The runs Airflow's backfill makes of two dates, chosen as midnights in the centre's zone."""
    import pendulum
    from airflow.timetables.base import TimeRestriction

    restriction = TimeRestriction(pendulum.instance(first, tz=zone), pendulum.instance(last, tz=zone), True)
    infos, info = [], None
    while info := timetable.next_dagrun_info_v2(last_dagrun_info=info, restriction=restriction):
        infos.append(info)
    return infos


@pytest.mark.parametrize(
    "connection",
    [
        "smtp://robot:secret@mail.example:2525/?from_email=callhouse%40example.com&disable_ssl=true",
        json.dumps(
            {
                "conn_type": "smtp", "host": "mail.example", "port": 2525,
                "login": "robot", "password": "secret",
                "extra": {"from_email": "callhouse@example.com", "disable_ssl": True},
            }
        ),
    ],
    ids=["uri", "json"],
)  # fmt: skip
def test_a_report_uses_the_connection_smtp_as_airflow_knows_it(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, connection: str
) -> None:
    script = (
        "import json; from callhouse.scheduling import smtp_connection; print(json.dumps(smtp_connection()))"
    )
    assert in_airflow(settings, script) is None
    monkeypatch.setenv("AIRFLOW_CONN_SMTP", connection)
    server = deliver.smtp_channel(in_airflow(settings, script), settings.outbox_dir)
    assert (server.host, server.port, server.user, server.password) == (
        "mail.example",
        2525,
        "robot",
        "secret",
    )
    assert (server.security, server.sender) == ("starttls", "callhouse@example.com")
