"""Kind ``sql``: what a database answers becomes the same records as a file of it."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest

from callhouse import landing, raw, runs, transform
from callhouse.errors import ConfigError, SourceError
from callhouse.settings import Settings, Source
from callhouse.sources import streams_of

from ..conftest import warehouse_uri

MONDAY, TUESDAY = date(2025, 1, 6), date(2025, 1, 7)
CASES: dict[str, Any] = {
    "query": "select * from crm.cases where updated_at >= :from and updated_at < :to order by case_no",
    "columns": ["case_no", "topic", "opened_at", "updated_at"],
    "record": "case",
    "map": {"case_id": "case_no", "topic": "topic", "opened_at": "opened_at", "updated_at": "updated_at"},
}


def crm(**streams: dict[str, Any]) -> dict[str, Any]:
    return {"crm": {"kind": "sql", "connection": "crm_db", "streams": streams}}


@pytest.fixture
def crm_db(
    connection: psycopg.Connection, database: Any, monkeypatch: pytest.MonkeyPatch
) -> psycopg.Connection:
    """A CRM's database: four cases, times with a zone."""
    connection.execute("set time zone 'Asia/Shanghai'")
    connection.execute("create schema crm")
    connection.execute(
        "create table crm.cases (case_no integer primary key, topic text, opened_at timestamptz,"
        " updated_at timestamptz, price numeric(9, 2), is_open boolean, notes jsonb, secret bytea)"
    )
    connection.execute(
        """
        insert into crm.cases values
            (2, 'a "quoted", topic' || e'\\r\\n' || 'of two lines', '2025-01-05 10:00', '2025-01-06 00:00',
                1.50, true, '{"b": 1, "a": [null]}', '\\x00ff'),
            (1, null, '2025-01-05 11:00', '2025-01-06 23:59:59.5', null, null, null, null),
            (3, '=1+1', '2025-01-05 12:00', '2025-01-07 00:00', 0, false, null, null),
            (4, '客服', '2025-01-04 12:00', '2025-01-05 23:59:59', 0, false, null, null)
        """
    )
    monkeypatch.setenv("AIRFLOW_CONN_CRM_DB", warehouse_uri(database))
    return connection


def extract(settings: Settings, day: date = MONDAY) -> list[landing.LandedFile]:
    return landing.extract(settings, "crm", day, day)


def records(settings: Settings, file: landing.LandedFile) -> list[list[str]]:
    with (settings.landing_dir / file.path).open(newline="") as text:
        return list(csv.reader(text))


def test_a_query_is_asked_for_the_window_in_the_sources_zone(
    make_settings: Callable[..., Settings], crm_db: psycopg.Connection
) -> None:
    settings = make_settings(sources=crm(cases=CASES))
    (file,) = extract(settings)
    assert file.original_name == "cases-20250106-20250106.csv"
    assert records(settings, file) == [
        ["case_no", "topic", "opened_at", "updated_at", "price", "is_open", "notes", "secret"],
        ["1", "", "2025-01-05 11:00:00", "2025-01-06 23:59:59.500000", "", "", "", ""],
        [
            "2", 'a "quoted", topic\r\nof two lines', "2025-01-05 10:00:00", "2025-01-06 00:00:00",
            "1.50", "true", '{"a": [null], "b": 1}', "�",
        ],
    ]  # fmt: skip
    assert [file.is_new for file in extract(settings)] == [False]


def test_lag_days_move_the_beginning_of_the_window(
    make_settings: Callable[..., Settings], crm_db: psycopg.Connection
) -> None:
    settings = make_settings(sources=crm(cases=CASES | {"lag_days": 1}))
    (file,) = extract(settings)
    assert [record[0] for record in records(settings, file)] == ["case_no", "1", "2", "4"]


def test_its_records_are_staged_like_those_of_a_file(
    make_settings: Callable[..., Settings], crm_db: psycopg.Connection
) -> None:
    settings = make_settings(sources=crm(cases=CASES))
    extract(settings)
    run_id = runs.begin(settings, MONDAY, MONDAY, "test")
    raw.raise_failures(raw.load(settings, run_id))
    transform.stage(settings, run_id)
    staged = (
        "select case_id, topic, opened_at at time zone 'Asia/Shanghai' "
        "from staging.stg_delimited__cases order by 1"
    )
    assert crm_db.execute(staged.encode()).fetchall() == [
        ("1", None, datetime(2025, 1, 5, 11)),
        ("2", 'a "quoted", topic\r\nof two lines', datetime(2025, 1, 5, 10)),
    ]


def test_a_table_comes_whole_in_the_order_of_its_key(
    make_settings: Callable[..., Settings], crm_db: psycopg.Connection
) -> None:
    stream = {"table": "crm.cases", "columns": ["case_no"], "record": "case", "map": {"case_id": "case_no"}}
    settings = make_settings(sources=crm(cases=stream))
    (file,) = extract(settings)
    assert [record[0] for record in records(settings, file)] == ["case_no", "1", "2", "3", "4"]


def test_a_session_can_only_read(make_settings: Callable[..., Settings], crm_db: psycopg.Connection) -> None:
    crm_db.execute("create sequence crm.numbers")
    query = "select nextval('crm.numbers') as case_no"
    settings = make_settings(sources=crm(cases=CASES | {"query": query}))
    with pytest.raises(SourceError, match="read-only transaction"):
        extract(settings)


def test_other_databases_answer_too(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with sqlite3.connect(tmp_path / "crm.db") as db:
        db.execute("create table people (no text, name text)")
        db.executemany("insert into people values (?, ?)", [("007", "Ann"), ("0042", "NA")])
    db.close()
    monkeypatch.setenv("AIRFLOW_CONN_CRM_DB", f"sqlite:///{tmp_path / 'crm.db'}")
    stream = {"table": "people", "columns": ["no", "name"], "record": "agent", "map": {"agent_id": "no"}}
    settings = make_settings(sources=crm(people=stream))
    (file,) = extract(settings)
    assert records(settings, file) == [["no", "name"], ["0042", "NA"], ["007", "Ann"]]


def test_an_answer_that_breaks_off_lands_nothing(
    make_settings: Callable[..., Settings], crm_db: psycopg.Connection
) -> None:
    query = "select 1 / (5000 - n) as case_no from generate_series(1, 6000) as n"
    settings = make_settings(sources=crm(cases=CASES | {"query": query}))
    with pytest.raises(SourceError, match="the database refuses: division by zero"):
        extract(settings)
    assert list(settings.landing_dir.rglob("*.csv*")) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": ["no"]}, "neither or both"),
        ({"query": "select 1", "table": "t", "columns": ["no"]}, "neither or both"),
        ({"query": " ", "columns": ["no"]}, "`query` is empty"),
        ({"query": "select 1"}, "no list of `columns`"),
        ({"query": "select 1", "columns": ["no"], "files": ["x"]}, "unknown option `files`"),
    ],
)
def test_a_wrong_stream_is_answered_with_what_to_do(options: dict[str, Any], message: str) -> None:
    entry = Source("crm", "sql", "CRM", "UTC", {"connection": "crm_db", "streams": {"cases": options}})
    with pytest.raises(ConfigError, match=message):
        streams_of(entry)


def test_an_unknown_parameter_and_a_missing_connection_are_named(
    make_settings: Callable[..., Settings], crm_db: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(sources=crm(cases=CASES | {"query": "select 1 as case_no where 1 = :since"}))
    with pytest.raises(ConfigError, match="asks for the parameter `:since`"):
        extract(settings)
    monkeypatch.delenv("AIRFLOW_CONN_CRM_DB")
    with pytest.raises(ConfigError, match="AIRFLOW_CONN_CRM_DB"):
        extract(settings)
