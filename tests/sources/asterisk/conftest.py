"""A centre in UTC whose telephone systems' files a test writes by hand."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callhouse import landing, postgres, raw, runs, transform
from callhouse.postgres import Warehouse
from callhouse.settings import Settings

from ...conftest import cloned, warehouse_uri, write_config

MONDAY = date(2025, 1, 6)
DATABASE = "asterisk"  # always one name: dbt parses the whole project anew when it is called otherwise


def log(text: str, day: date = MONDAY) -> str:
    """Lines of a queue_log from lines that begin with a clock time (UTC), or a day from Monday on and one.

    ``08:00:00|NONE|…`` is on ``day``; ``-1 23:00:00|…`` on the day before.
    """
    lines = []
    for line in filter(None, map(str.strip, text.splitlines())):
        clock, _, rest = line.partition("|")
        offset, _, at = clock.rpartition(" ")
        moment = datetime.fromisoformat(f"{day + timedelta(days=int(offset or 0))}T{at}").replace(tzinfo=UTC)
        lines.append(f"{int(moment.timestamp())}|{rest}\n")
    return "".join(lines)


def extract_and_load(settings: Settings, first: date = MONDAY, last: date = MONDAY) -> int:
    """Extract every source, load what landed; returns the run's id."""
    for source in settings.sources:
        landing.extract(settings, source, first, last)
    run_id = runs.begin(settings, first, last, "test")
    raw.raise_failures(raw.load(settings, run_id))
    return run_id


def stage_and_build(settings: Settings, run_id: int, dates: list[date] | None = None) -> None:
    transform.stage(settings, run_id)
    transform.build(settings, run_id, dates)


def query(settings: Settings, statement: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a statement, times as text of UTC's wall clock."""
    with postgres.connect(settings, autocommit=True, name="test") as connection:
        cursor = connection.execute(statement.encode(), parameters or None)
        return cursor.fetchall() if cursor.description else []


def affected(settings: Settings) -> list[date]:
    """The dates that wait to be built again; they are taken off the list."""
    rows = query(settings, "delete from ops.affected_dates returning business_date")
    return sorted(row[0] for row in rows)


@contextmanager
def asterisk_centre(
    server: Warehouse, folder: Path, name: str = DATABASE, **config: Any
) -> Iterator[Settings]:
    """Settings of a centre with a database of its own; the environment says the same meanwhile."""
    with cloned(server, name=name) as database, pytest.MonkeyPatch.context() as patch:
        centre = {"time_zone": "UTC"}
        settings = Settings(
            write_config(folder / "config", centre=centre, **config), folder / "home", folder / "data"
        )
        settings.home.mkdir()
        settings.data_dir.mkdir()
        for key, value in settings.environment().items():
            patch.setenv(key, value)
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", warehouse_uri(database))
        yield settings


@pytest.fixture
def make_centre(server: Warehouse, tmp_path: Path) -> Iterator[Callable[..., Settings]]:
    """``make_centre(sources={…})``: a centre for one test."""
    made = []

    def make(**config: Any) -> Settings:
        made.append(asterisk_centre(server, tmp_path, name=f"{DATABASE}_one", **config))
        return made[-1].__enter__()

    yield make
    for context in made:
        context.__exit__(None, None, None)


def postgres_uri(settings: Settings) -> str:
    """The test's own database as the Airflow connection of a source system."""
    return os.environ["AIRFLOW_CONN_WAREHOUSE"]
