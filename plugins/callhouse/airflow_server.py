"""A local Airflow of this home: API server, scheduler and DAG processor, started and ended without orphans.

Every process carries `SERVICE` and ``CALLHOUSE_HOME`` in its environment, and so does every child it ever
makes. Who belongs to us is read from the process table, so nothing is lost when `start` itself is killed.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psutil

from callhouse import orchestration
from callhouse.errors import ConfigError, WarehouseError
from callhouse.orchestration import DEFAULT_PORT, airflow_home
from callhouse.settings import Settings

SERVICE = "CALLHOUSE_SERVICE"
START_SECONDS = 180
STOP_SECONDS = 20
POLL_SECONDS = 0.5


@dataclass(frozen=True)
class AirflowStatus:
    """``state`` is ``running`` (all answer), ``starting`` (or partly dead) or ``stopped``.

    ``services`` maps a service's name to the process id of its main process.
    """

    state: str
    url: str | None
    services: dict[str, int]


def start(settings: Settings, progress: Callable[[str], None] = lambda message: None) -> AirflowStatus:
    """Start what is missing and wait until every service answers; a running Airflow is left as it is.

    Waits for a `orchestration.run` of this home to end: both write Airflow's database.

    Raises:
        WarehouseError: a service ended or did not answer in time. Nothing of ours is left running then.
    """
    with orchestration.exclusive(settings):
        if (now := status(settings)).state == "running":
            _check_config(settings)
            return now
        stop(settings)
        port = _free_port()
        progress("Airflow's database")
        orchestration.prepare(settings, orchestration.environment(settings, port))
        state = {"port": port, "config": str(settings.config_dir)}
        _state_file(settings).write_text(json.dumps(state), encoding="utf-8")
        environment = os.environ | orchestration.environment(settings, port)
        try:
            processes = {
                name: _spawn(settings, name, arguments, environment)
                for name, arguments in _commands(port).items()
            }
            progress("Airflow's services")
            _wait_until_healthy(settings, port, processes)
        except BaseException:
            stop(settings)
            raise
    return status(settings)


def stop(settings: Settings) -> int:
    """End every process of this home's Airflow and all their children; the number that was ended.

    Raises:
        WarehouseError: one of them cannot be ended.
    """
    ended = 0
    for send in (psutil.Process.terminate, psutil.Process.kill):
        processes = _processes(settings)
        ended = max(ended, len(processes))
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                send(process)
        psutil.wait_procs(processes, timeout=STOP_SECONDS)
    if left := _processes(settings):
        raise WarehouseError(
            f"{len(left)} of Airflow's processes cannot be ended",
            where=", ".join(str(process.pid) for process in left),
            do="end them by hand",
        )
    _state_file(settings).unlink(missing_ok=True)
    return ended


def status(settings: Settings) -> AirflowStatus:
    """What runs, from the process table and the health page; starts and changes nothing."""
    services: dict[str, int] = {}
    for process in sorted(_processes(settings), key=lambda process: process.pid):
        with suppress(psutil.Error):
            services.setdefault(process.environ()[SERVICE], process.pid)
    if not services:
        return AirflowStatus("stopped", None, {})
    port = _port(settings)
    complete = port is not None and set(services) == set(_commands(port)) and not _unhealthy(port)
    return AirflowStatus("running" if complete else "starting", _url(port) if port else None, services)


def backfill(settings: Settings, dag_id: str, date_from: date, date_to: date) -> int:
    """Create a backfill in the running Airflow, one run per business day, also for days that ran before.

    Switches the DAG's schedule on: Airflow runs nothing of a paused DAG.

    Returns:
        The backfill's id.
    """
    body = {
        "dag_id": dag_id,
        "from_date": _midnight(settings, date_from),
        "to_date": _midnight(settings, date_to),
        "reprocess_behavior": "completed",
        "max_active_runs": 1,
    }
    _unpause(settings, dag_id)
    return int(_api(settings, "POST", "/backfills", body)["id"])


def unpause_all(settings: Settings) -> None:
    """Switch every DAG's schedule on."""
    for dag in _api(settings, "GET", "/dags?limit=100")["dags"]:
        _unpause(settings, dag["dag_id"])


def _midnight(settings: Settings, day: date) -> str:
    return datetime.combine(day, datetime.min.time(), ZoneInfo(settings.time_zone)).isoformat()


def _commands(port: int) -> dict[str, list[str]]:
    return {
        "api-server": ["api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"],
        # Their log servers would listen on every interface; the API server reads the same folder.
        "scheduler": ["scheduler", "--skip-serve-logs"],
        "dag-processor": ["dag-processor"],
    }


def _spawn(
    settings: Settings, name: str, arguments: list[str], environment: dict[str, str]
) -> subprocess.Popen[bytes]:
    with _log_path(settings, name).open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "airflow", *arguments],
            # SPT_NOENV: process titles must not be written over the environment that says whose they are.
            env=environment | {SERVICE: name, "SPT_NOENV": "1"},
            cwd=airflow_home(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_until_healthy(settings: Settings, port: int, processes: dict[str, subprocess.Popen[bytes]]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while unhealthy := _unhealthy(port):
        for name, process in processes.items():
            if process.poll() is not None:
                raise WarehouseError(
                    f"Airflow's {name} ended with code {process.returncode}",
                    where=str(_log_path(settings, name)),
                    do="read the end of that log",
                )
        if time.monotonic() > deadline:
            raise WarehouseError(
                f"Airflow's {', '.join(unhealthy)} did not answer within {START_SECONDS} s",
                where=str(settings.logs_dir),
                do="read the logs of the services there",
            )
        time.sleep(POLL_SECONDS)


def _unhealthy(port: int) -> list[str]:
    try:
        with urllib.request.urlopen(f"{_url(port)}/api/v2/monitor/health", timeout=5) as answer:  # noqa: S310
            health = json.load(answer)
    except (OSError, ValueError):
        return ["api-server"]
    parts = ("metadatabase", "scheduler", "dag_processor")
    return [part for part in parts if (health.get(part) or {}).get("status") != "healthy"]


def _processes(settings: Settings) -> list[psutil.Process]:
    """Every process of this home's Airflow; not the embedded database, which one of them may have started."""
    own = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            environment = process.environ()
            if (
                SERVICE in environment
                and environment.get("CALLHOUSE_HOME") == str(settings.home)
                and process.status() != psutil.STATUS_ZOMBIE
                and not process.name().startswith("postgres")
                and process.pid != os.getpid()
            ):
                own.append(process)
    return own


def _unpause(settings: Settings, dag_id: str) -> None:
    _api(settings, "PATCH", f"/dags/{dag_id}?update_mask=is_paused", {"is_paused": False})


def _api(settings: Settings, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
    """One call of Airflow's REST API as the administrator.

    Raises:
        ConfigError: Airflow refuses what was asked for.
        WarehouseError: no Airflow of this home answers.
    """
    if (port := _port(settings)) is None:
        raise WarehouseError(
            "Airflow does not run here", where=str(settings.home), do="start it with `callhouse up`"
        )
    _check_config(settings)
    password = orchestration.credentials(settings)["admin_password"]
    login = {"username": orchestration.ADMIN, "password": password}
    token = _request("POST", f"{_url(port)}/auth/token", login, {})["access_token"]
    return _request(method, f"{_url(port)}/api/v2{path}", body, {"Authorization": f"Bearer {token}"})


def _request(
    method: str, url: str, body: dict[str, Any] | None, headers: dict[str, str], patience: int = 20
) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(  # noqa: S310 - only ever our own loopback address
        url, data, headers | {"Content-Type": "application/json"}, method=method
    )
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)
    except urllib.error.HTTPError as error:
        if error.code == 503 and patience > 0:  # nothing was done: SQLite was somebody else's for a moment
            time.sleep(POLL_SECONDS)
            return _request(method, url, body, headers, patience - 1)
        detail = error.read().decode(errors="replace")[:300]
        raise ConfigError(
            f"Airflow refused: {error.code} {detail}", where=url, do="see the message"
        ) from None
    except OSError as error:
        raise WarehouseError(
            f"Airflow does not answer: {error}", where=url, do="`callhouse status` says what runs"
        ) from None


def _free_port() -> int:
    """8080, or the next port nobody listens on."""
    for port in range(DEFAULT_PORT, DEFAULT_PORT + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise WarehouseError("no free port from 8080 to 8279", where="127.0.0.1", do="end what listens there")


def _port(settings: Settings) -> int | None:
    return _state(settings).get("port")


def _state(settings: Settings) -> dict[str, Any]:
    try:
        return dict(json.loads(_state_file(settings).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def _check_config(settings: Settings) -> None:
    served = _state(settings).get("config")
    if served != str(settings.config_dir):
        raise ConfigError(
            f"this home's Airflow serves another config folder: {served}",
            where=str(settings.home),
            do="choose another --home for each centre, or stop it with `callhouse down`",
        )


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _state_file(settings: Settings) -> Path:
    return airflow_home(settings) / "server.json"


def _log_path(settings: Settings, name: str) -> Path:
    settings.logs_dir.mkdir(parents=True, exist_ok=True)
    return settings.logs_dir / f"airflow-{name}.log"
