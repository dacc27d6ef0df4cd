"""`callhouse doctor`: is everything there that a run needs? Starts the database, changes nothing else."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from callhouse.errors import CallhouseError
from callhouse.settings import PROJECT, Settings, load_settings

GIGABYTE = 1024**3
WANTED_BYTES = 5 * GIGABYTE
NEEDED_BYTES = GIGABYTE


@dataclass(frozen=True)
class Check:
    """``outcome`` is ok, warn or fail; ``do`` says what to do about the latter two."""

    name: str
    outcome: str
    detail: str
    do: str = ""


def examine(load: Callable[[], Settings] = load_settings) -> Iterator[Check]:
    """Every check, one after the other; those that need settings only when these can be read."""
    yield _python()
    try:
        settings = load()
        _ = settings.centre, settings.sources, settings.reports
    except CallhouseError as error:
        yield _failed("configuration", error)
        return
    yield Check(
        "configuration",
        "ok" if settings.sources else "warn",
        f"{settings.config_dir}: {len(settings.sources)} sources, {len(settings.reports)} reports",
        "" if settings.sources else "declare a source in sources.yml",
    )
    for check in (_disk, _port, _sources, _database, _dbt_project, _dags, _airflow, _mail):
        try:
            yield from check(settings)
        except CallhouseError as error:
            yield _failed(check.__name__.strip("_").replace("_", " "), error)
        except Exception as error:
            name = check.__name__.strip("_").replace("_", " ")
            yield Check(name, "fail", f"{type(error).__name__}: {error}", "callhouse --debug doctor")


def _failed(name: str, error: CallhouseError) -> Check:
    where = f" [{error.where}]" if error.where else ""
    return Check(name, "fail", f"{error.what}{where}", error.do)


def _python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    good = (3, 11) <= sys.version_info[:2] <= (3, 13)
    return Check("python", "ok" if good else "fail", version, "" if good else "use Python 3.11 to 3.13")


def _disk(settings: Settings) -> Iterator[Check]:
    folder = next(path for path in (settings.home, *settings.home.parents) if path.exists())
    free = shutil.disk_usage(folder).free
    outcome = "ok" if free >= WANTED_BYTES else "warn" if free >= NEEDED_BYTES else "fail"
    detail = f"{free / GIGABYTE:.1f} GB free in {folder}"
    yield Check(
        "disk", outcome, detail, "" if outcome == "ok" else "make room: a year of calls takes a few GB"
    )


def _port(settings: Settings) -> Iterator[Check]:
    from callhouse import airflow_server
    from callhouse.orchestration import DEFAULT_PORT

    if airflow_server.status(settings).state != "stopped":
        return
    with socket.socket() as probe:
        probe.settimeout(1)
        taken = probe.connect_ex(("127.0.0.1", DEFAULT_PORT)) == 0
    detail = f"{DEFAULT_PORT} is taken" if taken else f"{DEFAULT_PORT} is free"
    do = "nothing: `callhouse up` takes the next free one and says so" if taken else ""
    yield Check("port", "warn" if taken else "ok", detail, do)


def _sources(settings: Settings) -> Iterator[Check]:
    for source in settings.sources.values():
        for stream, options in source.streams.items():
            patterns = [str(pattern) for pattern in options.get("files") or []]
            if not patterns:
                continue
            count = sum(1 for pattern in patterns for _ in settings.data_dir.glob(pattern))
            detail = f"{count} files for {', '.join(patterns)}"
            do = f"put files into {settings.data_dir}, or set --data / CALLHOUSE_DATA"
            name = f"source {source.name}.{stream}"
            yield Check(name, "ok" if count else "warn", detail, "" if count else do)


def _database(settings: Settings) -> Iterator[Check]:
    from callhouse.postgres import connect, open_warehouse

    warehouse = open_warehouse(settings)  # also brings the migrations to their head
    with connect(settings, "callhouse_audit") as connection:
        version = connection.execute("show server_version").fetchone()
    kind = "embedded" if warehouse.is_embedded else "external"
    place = f"{warehouse.host}:{warehouse.port}/{warehouse.dbname}"
    yield Check("database", "ok", f"PostgreSQL {version[0] if version else '?'}, {kind}, {place}, migrated")


def _dbt_project(settings: Settings) -> Iterator[Check]:
    from callhouse import transform

    transform.manifest(settings)
    yield Check("dbt project", "ok", str(PROJECT / "dbt_project"))


def _dags(settings: Settings) -> Iterator[Check]:
    from callhouse import orchestration

    yield Check("dags", "ok", f"{len(orchestration.import_dags(settings))} DAGs import")


def _airflow(settings: Settings) -> Iterator[Check]:
    from callhouse import airflow_server

    now = airflow_server.status(settings)
    outcome = "warn" if now.state == "starting" else "ok"
    do = "run `callhouse up` again: it replaces what is half dead" if outcome == "warn" else ""
    yield Check("airflow", outcome, f"{now.state}{f' at {now.url}' if now.url else ''}", do)


def _mail(settings: Settings) -> Iterator[Check]:
    from callhouse.reports import deliver

    connection = deliver.smtp_from_environment()
    if connection is None:
        yield Check("mail", "ok", f"no connection `smtp`: reports go to {settings.outbox_dir}")
        return
    server = deliver.smtp_channel(connection, settings.outbox_dir)
    place = f"{server.host}:{server.port}"
    try:
        with socket.create_connection((server.host, server.port), timeout=5):
            yield Check("mail", "ok", f"{place} answers ({server.security})")
    except OSError as error:
        yield Check("mail", "fail", f"{place}: {error}", "check AIRFLOW_CONN_SMTP and the mail server")
