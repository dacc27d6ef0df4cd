"""A local Airflow for real: up, asked, down; nothing is left."""

from __future__ import annotations

import json
import multiprocessing
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from typing import Any

import psutil

from callhouse import airflow_server, orchestration
from callhouse.settings import Settings

NORTH = {
    "kind": "delimited",
    "label": "North",
    "streams": {
        "calls": {
            "files": ["north*.csv"],
            "record": "call",
            "columns": ["call_id", "started"],
            "map": {"contact_id": "call_id", "started_at": {"time": "started"}},
        }
    },
}


def test_airflow_comes_up_backfills_business_days_and_leaves_no_process(
    make_settings: Callable[..., Settings],
) -> None:
    settings = make_settings(sources={"north": NORTH}, reports={})
    (settings.data_dir / "north.csv").write_text(
        "call_id,started\nn1,2025-03-01 09:00:00\n", encoding="utf-8"
    )
    try:
        began = started(settings)
        assert began.state == "running"
        assert set(began.services) == {"api-server", "scheduler", "dag-processor"}
        assert started(settings) == began, "up twice is one Airflow"

        family = [psutil.Process(pid) for pid in began.services.values()]
        family += [child for process in family for child in process.children(recursive=True)]
        for process in family:
            for connection in process.net_connections("inet"):
                assert connection.status != psutil.CONN_LISTEN or connection.laddr.ip == "127.0.0.1"

        eventually(lambda: len(api(settings, "/dags")["dags"]) == 2)
        airflow_server.backfill(settings, "extract_north", date(2025, 3, 1), date(2025, 3, 2))
        runs = eventually(lambda: finished_backfill_runs(settings, "extract_north", 2))
        assert [(run["state"], run["data_interval_start"], run["data_interval_end"]) for run in runs] == [
            ("success", "2025-02-28T16:00:00Z", "2025-03-01T16:00:00Z"),  # midnights of Shanghai
            ("success", "2025-03-01T16:00:00Z", "2025-03-02T16:00:00Z"),
        ]
        assert len(list(settings.landing_dir.rglob("*.csv*"))) >= 1
    finally:
        airflow_server.stop(settings)
    assert not [process for process in family if process.is_running() and process.status() != "zombie"]
    assert airflow_server.status(settings).state == "stopped"
    assert airflow_server.stop(settings) == 0, "down twice is fine"


def test_what_a_killed_up_left_behind_is_found_and_ended(settings: Settings) -> None:
    script = "from callhouse import airflow_server as a, settings as s; a.start(s.load_settings())"
    with subprocess.Popen([sys.executable, "-c", script], env=os.environ) as starting:
        try:
            deadline = time.monotonic() + 60
            while not airflow_server.status(settings).services and time.monotonic() < deadline:
                time.sleep(0.2)
            starting.kill()
            starting.wait()
            assert airflow_server.status(settings).state == "starting"
        finally:
            starting.kill()
            ended = airflow_server.stop(settings)
    assert ended >= 1
    assert airflow_server.status(settings).services == {}


def test_keys_and_password_are_made_once_for_the_owner_only(settings: Settings) -> None:
    first = orchestration.credentials(settings)
    assert orchestration.credentials(settings) == first
    environment = orchestration.environment(settings)
    for name in ("secrets.json", "passwords.json"):
        assert stat.S_IMODE((orchestration.airflow_home(settings) / name).stat().st_mode) == 0o600
    passwords = json.loads(
        (orchestration.airflow_home(settings) / "passwords.json").read_text(encoding="utf-8")
    )
    assert passwords == {"admin": first["admin_password"]}
    assert first["admin_password"] not in json.dumps(environment)


def started(settings: Settings) -> airflow_server.AirflowStatus:
    """`callhouse up` in a new process: Airflow keeps to the home it was first imported with."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(airflow_server.start, settings).result()


def api(settings: Settings, path: str) -> Any:
    return airflow_server._api(settings, "GET", path)


def finished_backfill_runs(settings: Settings, dag_id: str, count: int) -> list[dict[str, Any]]:
    runs = api(settings, f"/dags/{dag_id}/dagRuns?run_type=backfill&order_by=logical_date")["dag_runs"]
    ended = [run for run in runs if run["state"] in ("success", "failed")]
    return ended if len(ended) == count else []


def eventually(ask: Callable[[], Any], seconds: float = 90) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if answer := ask():
            return answer
        time.sleep(0.5)
    raise AssertionError("it did not come")
