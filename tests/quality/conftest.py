"""A real database with a warehouse in which every rule holds, made anew for every test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from callhouse.postgres import connect, stop
from callhouse.settings import Settings, load_settings

HERE = Path(__file__).parent

SOURCES = """
sources:
  pbx:
    kind: asterisk_queue_log
    streams: {queue_log: {files: ["queue_log*"]}}
  crm:
    kind: delimited
    no_agent: NO_SERVER
    streams: {calls: {files: ["calls*.csv"], record: call}}
"""
CENTRE = """
name: gate
time_zone: Asia/Shanghai
opening_hours: {from: "09:00", to: "10:00"}
service_level:
  - {valid_from: 2000-01-01, threshold_seconds: 20, short_abandon_seconds: 5}
"""

Execute = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="session")
def gate_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    root = tmp_path_factory.mktemp("gate")
    (root / "config").mkdir()
    (root / "config" / "sources.yml").write_text(SOURCES)
    (root / "config" / "centre.yml").write_text(CENTRE)
    settings = load_settings(config=root / "config", home=root / "home")
    with connect(settings) as connection:
        connection.execute((HERE / "warehouse.sql").read_bytes())
    yield settings
    stop(settings)


@pytest.fixture
def settings(gate_settings: Settings) -> Settings:
    """Settings of a warehouse that holds the two clean days and nothing else."""
    with connect(gate_settings) as connection:
        tables = connection.execute(
            """
            select string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables
            where schemaname in ('staging', 'build', 'marts', 'intermediate')
              or (schemaname = 'ops' and tablename not in ('alembic_version', 'centre'))
            """
        ).fetchone()
        assert tables
        connection.execute(f"truncate {tables[0]} restart identity".encode())
        connection.execute((HERE / "clean_days.sql").read_bytes())
    return gate_settings


@pytest.fixture
def execute(settings: Settings) -> Execute:
    """Run a statement as the warehouse's owner; hands back its rows, if it has any."""

    def run(statement: str, *parameters: object) -> list[tuple[Any, ...]]:
        with connect(settings) as connection:
            cursor = connection.execute(statement.encode(), parameters or None)
            return cursor.fetchall() if isinstance(cursor, psycopg.Cursor) and cursor.description else []

    return run
