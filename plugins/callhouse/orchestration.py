"""Airflow around the warehouse: its environment, its own database, and the DAGs run in this process.

`run` sends a range of business dates through the very DAGs the scheduler would run, without a scheduler:
every extract DAG, then ``warehouse_daily``, then the report DAGs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import sys
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from zoneinfo import ZoneInfo

from callhouse.errors import CallhouseError, ConfigError, GateHeld, SourceError, WarehouseError
from callhouse.settings import PROJECT, Settings

if TYPE_CHECKING:
    from airflow.sdk import DAG

DEFAULT_PORT = 8080
ADMIN = "admin"
WAREHOUSE_DAG = "warehouse_daily"
METADATA_VARIABLE = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"
KEPT_RUN_LOGS = 30

Progress = Callable[[str, str], None]
"""Called with a DAG's id and ``running``, then with its final state."""


@dataclass(frozen=True)
class DagOutcome:
    """How one DAG of a run ended; ``error`` is what its failed task raised."""

    dag_id: str
    state: str
    seconds: float
    task_id: str | None = None
    error: BaseException | None = field(default=None, compare=False)

    @property
    def failed(self) -> bool:
        return self.state != "success"

    @property
    def exit_code(self) -> int:
        """0, or the failed task's `CallhouseError.exit_code`, or 1."""
        return (self.error.exit_code if isinstance(self.error, CallhouseError) else 1) if self.failed else 0


@dataclass(frozen=True)
class RunSummary:
    """What `run` did; ``log`` holds everything the tasks said."""

    date_from: date
    date_to: date
    outcomes: tuple[DagOutcome, ...]
    log: Path

    @property
    def exit_code(self) -> int:
        """The warehouse's failure before a source's, a source's before a report's; 0 when all went well."""
        order = {WAREHOUSE_DAG: 0}
        failures = sorted((o for o in self.outcomes if o.failed), key=lambda o: order.get(o.dag_id, 1))
        return failures[0].exit_code if failures else 0


def airflow_home(settings: Settings) -> Path:
    """Airflow's folder inside the home of this centre."""
    return settings.home / "airflow"


def credentials(settings: Settings) -> dict[str, str]:
    """The keys and the administrator's password of this home's Airflow; made once, for the owner only."""
    path = airflow_home(settings) / "secrets.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    made = {
        "fernet_key": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "jwt_secret": secrets.token_urlsafe(48),
        "api_secret": secrets.token_urlsafe(32),
        "admin_password": secrets.token_urlsafe(12),
    }
    draft = path.with_suffix(f".{os.getpid()}")
    if not path.exists():
        _write_private(draft, json.dumps(made))
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)  # whoever links first wins; nobody ever reads half a file
        draft.unlink()
    return dict(json.loads(path.read_text(encoding="utf-8")))


def environment(settings: Settings, port: int = DEFAULT_PORT) -> dict[str, str]:
    """Every variable that makes a process, or its children, see this home's Airflow.

    ``port`` is the API server's. A metadata database set by the caller's environment is kept; otherwise it
    is database ``airflow`` on the embedded server, or a SQLite file where the warehouse is somebody else's.
    """
    home, keys = airflow_home(settings), credentials(settings)
    passwords = home / "passwords.json"
    if not passwords.exists():
        _write_private(passwords, json.dumps({ADMIN: keys["admin_password"]}))
    address = f"http://127.0.0.1:{port}"
    return settings.environment() | {
        "AIRFLOW_HOME": str(home),
        METADATA_VARIABLE: _metadata_url(settings),
        "AIRFLOW__CORE__DAGS_FOLDER": str(PROJECT / "dags"),
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(PROJECT / "plugins"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DEFAULT_TIMEZONE": settings.time_zone,
        "AIRFLOW__CORE__FERNET_KEY": keys["fernet_key"],
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{ADMIN}:admin",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{address}/execution/",
        "AIRFLOW__API__BASE_URL": address,
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": keys["api_secret"],
        "AIRFLOW__API__INSTANCE_NAME": f"Callhouse: {settings.centre_name}",
        "AIRFLOW__API_AUTH__JWT_SECRET": keys["jwt_secret"],
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__PARSING_PROCESSES": "1",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(settings.logs_dir / "airflow"),
        "AIRFLOW__LOGGING__DAG_PROCESSOR_CHILD_PROCESS_LOG_DIRECTORY": str(
            settings.logs_dir / "airflow" / "dag_processor"
        ),
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }


def prepare(settings: Settings, variables: dict[str, str]) -> None:
    """Set this process's `environment` and bring Airflow's database to this version's schema.

    Must come before the first ``import airflow`` of the process. Fast once it has been done.

    Raises:
        WarehouseError: Airflow's database cannot be created or migrated.
    """
    os.environ.update(variables)
    url = variables[METADATA_VARIABLE]
    marker = airflow_home(settings) / f"migrated-{hashlib.sha256(url.encode()).hexdigest()[:12]}"
    done = version("apache-airflow-core")
    if marker.exists() and marker.read_text(encoding="utf-8") == done and _sqlite_exists(url):
        return
    log = settings.logs_dir / "airflow-migrate.log"
    with _output_to(log):
        try:
            from airflow.utils.db import initdb

            initdb()
        except Exception as error:
            raise WarehouseError(
                f"Airflow's own database could not be prepared: {type(error).__name__}",
                where=str(log),
                do=f"read the log; {METADATA_VARIABLE} can name another database",
            ) from error
    marker.write_text(done, encoding="utf-8")


def run(
    settings: Settings,
    date_from: date,
    date_to: date,
    sources: list[str] | None = None,
    *,
    report: bool = True,
    progress: Progress = lambda dag_id, state: None,
) -> RunSummary:
    """Send business dates ``[date_from, date_to]`` through the DAGs, in this process and in one pass.

    A source that fails stops only itself; when all of them fail, or the warehouse does, the rest is left
    out. A held gate or a file that cannot be loaded is no such failure: the reports say what is
    published. No task is tried twice, and
    what the tasks log goes to one file. Airflow keeps the run's history, unless it is at work itself.

    Raises:
        ConfigError: a source is not declared, or a DAG file cannot be imported.
        WarehouseError: another run of this home does not end, or Airflow's database is out of reach.
    """
    if unknown := sorted(set(sources or []) - set(settings.sources)):
        raise ConfigError(
            f"unknown source {unknown[0]!r}",
            where=str(settings.config_dir / "sources.yml"),
            do=f"name one of: {', '.join(settings.sources)}",
        )
    log_path = _new_run_log(settings, date_from, date_to)
    outcomes: list[DagOutcome] = []
    with exclusive(settings):
        prepare(settings, environment(settings) | _metadata_beside(settings))
        with _output_to(log_path):
            dags = _import_dags()

            def run_dag(dag_id: str) -> DagOutcome:
                progress(dag_id, "running")
                outcomes.append(_test_dag(dags[dag_id], settings, date_from, date_to))
                progress(dag_id, outcomes[-1].state)
                return outcomes[-1]

            extracts = [run_dag(f"extract_{name}") for name in sources or settings.sources]
            if not extracts or not all(extract.failed for extract in extracts):
                warehouse = run_dag(WAREHOUSE_DAG)
                if report and (not warehouse.failed or isinstance(warehouse.error, (GateHeld, SourceError))):
                    for name in settings.reports:
                        run_dag(f"report_{name}")
    return RunSummary(date_from, date_to, tuple(outcomes), log_path)


@contextlib.contextmanager
def exclusive(settings: Settings, timeout: float = 600) -> Iterator[None]:
    """One process of this home at a time runs DAGs itself or starts Airflow.

    Raises:
        WarehouseError: the other one does not end within ``timeout`` seconds.
    """
    from filelock import FileLock, Timeout

    path = airflow_home(settings) / "lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(path, timeout=timeout):
            yield
    except Timeout:
        raise WarehouseError(
            f"another `callhouse run` or `up` has been at work for {timeout:.0f} s",
            where=str(path),
            do="wait for it to end, or end it, and try again",
        ) from None


def import_dags(settings: Settings) -> dict[str, DAG]:
    """The DAGs by id, as Airflow reads them.

    Raises:
        ConfigError: a DAG file cannot be imported.
    """
    prepare(settings, environment(settings))
    with _output_to(settings.logs_dir / "airflow-import.log"):
        return _import_dags()


def _import_dags() -> dict[str, DAG]:
    from airflow.dag_processing.dagbag import BundleDagBag

    folder = PROJECT / "dags"
    bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
    if bag.import_errors:
        path, error = next(iter(bag.import_errors.items()))
        raise ConfigError(
            f"a DAG file cannot be imported: {error.strip().splitlines()[-1]}",
            where=str(path),
            do="`callhouse doctor` checks the configuration",
        )
    return dict(bag.dags)


def _test_dag(dag: DAG, settings: Settings, date_from: date, date_to: date) -> DagOutcome:
    from callhouse import scheduling

    scheduling.failures.clear()
    for task in dag.tasks:
        task.retries = 0  # somebody waits
        task.on_kill = _interrupt  # what Airflow's handler of SIGTERM calls, and nothing else
    began = time.monotonic()
    zone = ZoneInfo(settings.time_zone)
    dag_run = dag.test(
        # A moment inside the business day that no other run has: `dag.test` replaces a run of the same.
        logical_date=datetime.combine(date_from, datetime.now(zone).time(), zone),
        run_conf={"date_from": date_from.isoformat(), "date_to": date_to.isoformat()},
    )
    task_id, error = scheduling.failures[0] if scheduling.failures else (None, None)
    if isinstance(error, KeyboardInterrupt):  # Airflow takes it for a failure of the task
        raise error
    return DagOutcome(dag.dag_id, str(dag_run.state), time.monotonic() - began, task_id, error)


def _interrupt() -> NoReturn:
    raise KeyboardInterrupt


def _metadata_url(settings: Settings) -> str:
    if url := os.environ.get(METADATA_VARIABLE):
        return url
    from callhouse import postgres

    return postgres.airflow_database_url(settings) or _sqlite_url(settings, "airflow")


def _metadata_beside(settings: Settings) -> dict[str, str]:
    """Another metadata database where a scheduler may be at work on ours: it would take the run's tasks."""
    from callhouse import airflow_server

    is_ours = os.environ.get("AIRFLOW_HOME") == str(airflow_home(settings))  # an earlier `prepare` here
    is_shared = METADATA_VARIABLE in os.environ and not is_ours
    if is_shared or airflow_server.status(settings).state != "stopped":
        return {METADATA_VARIABLE: _sqlite_url(settings, "beside")}
    return {}


def _sqlite_url(settings: Settings, name: str) -> str:
    return f"sqlite:///{airflow_home(settings) / name}.db"


def _sqlite_exists(url: str) -> bool:
    return not url.startswith("sqlite:///") or Path(url.removeprefix("sqlite:///")).exists()


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)


def _new_run_log(settings: Settings, date_from: date, date_to: date) -> Path:
    folder = settings.logs_dir / "runs"
    folder.mkdir(parents=True, exist_ok=True)
    for old in sorted(folder.glob("*.log"))[:-KEPT_RUN_LOGS]:
        old.unlink(missing_ok=True)
    return folder / f"{datetime.now():%Y%m%dT%H%M%S}_{date_from}_{date_to}.log"


@contextlib.contextmanager
def _output_to(path: Path) -> Iterator[None]:
    """Everything this process writes to stdout and stderr, whoever holds the stream, goes to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    kept = [(descriptor, os.dup(descriptor)) for descriptor in (1, 2)]
    with path.open("ab") as file:
        try:
            for descriptor, _ in kept:
                os.dup2(file.fileno(), descriptor)
            yield
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            for descriptor, copy in kept:
                os.dup2(copy, descriptor)
                os.close(copy)
