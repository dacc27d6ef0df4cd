"""Fixtures on a real PostgreSQL: one embedded server per test run, one database per test.

- ``settings``: a centre of its own (config, home and data folders below ``tmp_path``) whose warehouse is this
  test's database, cloned from a migrated template. The environment says the same, so that
  ``load_settings()`` and child processes see it too.
- ``connection``: the owner's autocommit connection to that database.
- ``make_settings``: the same with other config: ``make_settings(sources={...}, centre={...})``.
- `cloned` and `centre_in`: for fixtures that keep a database of their own, filled once and then cloned.
- ``s3``: a server that speaks S3, and the Airflow connection to it.
- ``mariadb``: a MariaDB server; skips the test where there is no program of it.
- ``embedded``: settings of a home with no server yet, for tests of the server itself.
- ``draw``: chance for a long sweep, which can be repeated.
- ``write_config``: writes config files into a folder.
"""

from __future__ import annotations

import os
import random
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from xdist.scheduler import LoadFileScheduling

from callhouse import postgres
from callhouse.postgres import Warehouse
from callhouse.settings import PROJECT, Settings

from .mariadb_server import MariaDB, mariadb_server
from .s3_server import S3, s3_server

CENTRE = {"name": "testcentre", "time_zone": "Asia/Shanghai"}
TEMPLATE = "callhouse_template"
_numbers = count(1)


class _Scheduling(LoadFileScheduling):
    """A file's tests go to one process, for what they share is made once; parts of a long sweep go to any."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if re.search(r"\[part [^]]+\]$", nodeid) else str(super()._split_scope(nodeid))


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _Scheduling:
    return _Scheduling(config, log)


def write_config(
    folder: Path,
    *,
    centre: dict[str, Any] | None = None,
    sources: dict[str, Any] | None = None,
    reports: dict[str, Any] | None = None,
) -> Path:
    """Write ``centre.yml``, ``sources.yml`` and ``reports.yml`` into a folder, made when missing.

    ``centre`` is laid over the project's own ``centre.yml`` and `CENTRE`; ``sources`` and ``reports`` replace
    the project's entries, None keeps them.
    """
    folder.mkdir(parents=True, exist_ok=True)

    def standard(name: str) -> dict[str, Any]:
        return yaml.safe_load((PROJECT / "config" / name).read_text(encoding="utf-8")) or {}

    contents = {
        "centre.yml": standard("centre.yml") | CENTRE | (centre or {}),
        "sources.yml": standard("sources.yml") if sources is None else {"sources": sources},
        "reports.yml": standard("reports.yml") if reports is None else {"reports": reports},
    }
    for name, content in contents.items():
        text = yaml.safe_dump(content, allow_unicode=True, sort_keys=False)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def draw(request: pytest.FixtureRequest) -> random.Random:
    """Other cases each time, for every test its own; a failed test shows the seed that repeats it."""
    seed = os.environ.get("CALLHOUSE_TEST_SEED") or str(random.randrange(2**32))
    print(f"again with CALLHOUSE_TEST_SEED={seed}")
    return random.Random(f"{seed}/{request.node.name}")


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """The test run's server, logged in to its database ``postgres``; it holds the migrated template."""
    home = tmp_path_factory.mktemp("server")
    settings = Settings(write_config(home / "config"), home, home / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("AIRFLOW_CONN_WAREHOUSE", raising=False)
        try:
            postgres.start(settings, durable=False)
            made = postgres.open_warehouse(settings)
            maintenance = Warehouse(
                made.host, made.port, made.user, made.password, "postgres", is_embedded=True
            )
            with psycopg.connect(made.conninfo(), autocommit=True) as connection:
                connection.execute("delete from ops.centre")  # a clone's first opener says whose it is
            with psycopg.connect(maintenance.conninfo(), autocommit=True) as connection:
                connection.execute(f"alter database {made.dbname} rename to {TEMPLATE}")
            yield maintenance
        finally:
            patch.delenv("AIRFLOW_CONN_WAREHOUSE", raising=False)
            postgres.destroy(settings)


@contextmanager
def cloned(server: Warehouse, template: str = TEMPLATE, name: str | None = None) -> Iterator[Warehouse]:
    """A database like ``template``, which nobody may be connected to; dropped at the end."""
    name = name or f"test_{next(_numbers)}"
    with psycopg.connect(server.conninfo(), autocommit=True) as connection:
        connection.execute(f"create database {name} template {template} strategy file_copy")
        try:
            yield Warehouse(server.host, server.port, server.user, server.password, name, is_embedded=False)
        finally:
            # Not by force: that fails where the server's own autovacuum is in the database.
            connection.execute(
                b"select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                b" where datname = %s and usename = current_user",
                (name,),
            )
            connection.execute(f"drop database if exists {name}")


def warehouse_uri(database: Warehouse) -> str:
    """What ``AIRFLOW_CONN_WAREHOUSE`` holds where the warehouse is this database."""
    return database.sqlalchemy_url().replace("postgresql+psycopg://", "postgres://")


def make_centre(patch: pytest.MonkeyPatch, folder: Path, database: Warehouse, **config: Any) -> Settings:
    """Settings of a centre in a folder (see `write_config`), and the environment saying the same."""
    settings = Settings(write_config(folder / "config", **config), folder / "home", folder / "data")
    settings.home.mkdir(exist_ok=True)
    settings.data_dir.mkdir(exist_ok=True)
    for key, value in settings.environment().items():
        patch.setenv(key, value)
    patch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_uri(database))
    return settings


@contextmanager
def centre_in(folder: Path, database: Warehouse, **config: Any) -> Iterator[Settings]:
    """`make_centre` for the time of a block; the project's own config but for what is given."""
    with pytest.MonkeyPatch.context() as patch:
        yield make_centre(patch, folder, database, **config)


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    """A server that speaks S3; one for all, for Airflow opens a connection once per process."""
    with s3_server("callhouse") as server:
        yield server


@pytest.fixture(scope="session")
def mariadb(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    """The test run's MariaDB server."""
    with mariadb_server(tmp_path_factory.mktemp("mariadb")) as server:
        yield server


@pytest.fixture
def database(server: Warehouse) -> Iterator[Warehouse]:
    """An empty migrated database of this test's own."""
    with cloned(server) as made:
        yield made


@pytest.fixture
def make_settings(
    database: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Settings]:
    """``make_settings(**config)``: as the fixture ``settings``, with `write_config`'s arguments."""

    def make(**config: Any) -> Settings:
        return make_centre(monkeypatch, tmp_path, database, **config)

    return make


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Settings with the project's own sources and reports, and this test's database as the warehouse."""
    return make_settings()


@pytest.fixture
def connection(settings: Settings) -> Iterator[psycopg.Connection]:
    """The owner's autocommit connection to this test's database."""
    with postgres.connect(settings, autocommit=True, name="test") as opened:
        yield opened


@pytest.fixture
def embedded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """Settings of a home of its own without a server; whatever server a test starts there is removed."""
    monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE", raising=False)
    settings = Settings(write_config(tmp_path / "config"), tmp_path / "home", tmp_path / "data")
    for key, value in settings.environment().items():
        monkeypatch.setenv(key, value)
    try:
        yield settings
    finally:
        monkeypatch.delenv("AIRFLOW_CONN_WAREHOUSE", raising=False)
        postgres.destroy(settings)
        shutil.rmtree(settings.home, ignore_errors=True)
