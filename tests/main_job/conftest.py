"""A simulated centre whose three days are published once; every test gets a copy of it.

- ``simulated``: its source files and the truth, not yet in any warehouse.
- ``published``: settings of a warehouse that has them all published; ``template.digests`` are its marts'.
- ``fresh``: settings of an empty warehouse and of an empty data folder.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import psycopg
import pytest

from callhouse.postgres import Warehouse
from callhouse.settings import Settings
from callhouse.simulate import Plan, simulate

from ..conftest import centre_in, cloned
from .warehouse import digests, run_warehouse

FIRST = date(2026, 3, 2)
DAYS = [FIRST + timedelta(days=number) for number in range(3)]
PLAN = Plan(FIRST, days=3, calls_per_day=400, seed=7)
# Always one name: dbt parses the whole project anew when the database is called otherwise.
DATABASE = "main_job"


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The source files of the three days, and the truth."""
    folder = tmp_path_factory.mktemp("simulated")
    simulate(PLAN, folder)
    return folder


@dataclass(frozen=True)
class Template:
    """The published centre: its config, home and data in a folder, its database, what its marts hold."""

    folder: Path
    database: str
    digests: dict[str, tuple[int, str]]


@contextmanager
def as_template(server: Warehouse, folder: Path, first: date, last: date) -> Iterator[Template]:
    """The centre whose source files lie in the folder's ``data``, after one pass over its dates."""
    with cloned(server, name=DATABASE) as database, centre_in(folder, database) as settings:
        run_warehouse(settings, first, last)
        published = digests(settings)
        name = f"{DATABASE}_{folder.name}"
        with psycopg.connect(server.conninfo(), autocommit=True) as connection:
            connection.execute(
                b"select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                b" where datname = %s and usename = current_user",  # the server's own it may not end
                (DATABASE,),
            )
            connection.execute(f"alter database {DATABASE} rename to {name}")
            yield Template(folder, name, published)
            connection.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def template(
    server: Warehouse, simulated: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Template]:
    """The centre after one pass over its three days."""
    folder = tmp_path_factory.mktemp("published")
    shutil.copytree(simulated, folder / "data")
    with as_template(server, folder, DAYS[0], DAYS[-1]) as made:
        yield made


@contextmanager
def published_centre(server: Warehouse, template: Template, folder: Path) -> Iterator[Settings]:
    """A copy of the published centre in a folder; there can be one at a time."""
    shutil.copytree(template.folder, folder, dirs_exist_ok=True)
    with cloned(server, template.database, DATABASE) as database, centre_in(folder, database) as settings:
        yield settings


@pytest.fixture
def published(server: Warehouse, template: Template, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a warehouse of this test's own with the three days published."""
    with published_centre(server, template, tmp_path) as settings:
        yield settings


@pytest.fixture
def fresh(server: Warehouse, template: Template, tmp_path: Path) -> Iterator[Settings]:
    """Settings of an empty warehouse and an empty data folder."""
    shutil.copytree(template.folder / "home" / "dbt", tmp_path / "home" / "dbt")
    with cloned(server, name=DATABASE) as database, centre_in(tmp_path, database) as settings:
        yield settings


@pytest.fixture(scope="session")
def forks() -> Any:
    """Starts processes that have the slow imports behind them."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["dbt.cli.main", "great_expectations", "tests.main_job.victims"])
    return context
