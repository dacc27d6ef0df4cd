"""A real database with two small days in which every rule holds, made anew for every test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callhouse.postgres import connect
from callhouse.settings import Settings

HERE = Path(__file__).parent

SOURCES = {
    "pbx": {"kind": "asterisk_queue_log", "streams": {"queue_log": {"files": ["queue_log*"]}}},
    "crm": {
        "kind": "delimited",
        "streams": {"calls": {"files": ["calls*.csv"], "record": "call", "no_agent": "NO_SERVER"}},
    },
    "directory": {"kind": "delimited", "streams": {"agents": {"files": ["agents*.csv"], "record": "agent"}}},
}
CENTRE = {
    "opening_hours": {"from": "09:00", "to": "10:00"},
    "service_level": [{"valid_from": "2000-01-01", "threshold_seconds": 20, "short_abandon_seconds": 5}],
}


@pytest.fixture
def settings(make_settings: Callable[..., Settings]) -> Settings:
    """Settings of a warehouse that holds the two clean days and nothing else."""
    made = make_settings(sources=SOURCES, centre=CENTRE)
    with connect(made) as connection:
        connection.execute((HERE / "warehouse.sql").read_bytes())
        connection.execute((HERE / "clean_days.sql").read_bytes())
    return made


@pytest.fixture
def execute(settings: Settings) -> Callable[[str], list[tuple[Any, ...]]]:
    """Runs statements as the warehouse's owner; hands back the rows of the last, if it has any."""

    def run(statements: str) -> list[tuple[Any, ...]]:
        with connect(settings) as connection:
            cursor = connection.execute(statements.encode())
            return cursor.fetchall() if cursor.description else []

    return run
