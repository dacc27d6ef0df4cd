"""The table queue_log, in PostgreSQL and in SQLite, gives what the file gives."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from callhouse import landing
from callhouse.errors import ConfigError, SourceError
from callhouse.settings import Settings, Source
from callhouse.sources import streams_of

from ...conftest import warehouse_uri
from .conftest import MONDAY

SHANGHAI = ZoneInfo("Asia/Shanghai")
ID = "1736125200.1"
ROWS = [
    ("2025-01-06 09:00:00.100001", ID, "sales", "NONE", "ENTERQUEUE", "", "2025550100", "1", "", ""),
    ("2025-01-06 09:00:05.999999", ID, "sales", "SIP/1", "CONNECT", "5", "x", "4", None, None),
    ("2025-01-06 09:01:35.000000", ID, "sales", "SIP/1", "ATTENDEDTRANSFER", "LINK", "a", "b", "5", "90|1"),
    ("2025-01-06 23:59:59.999999", "NONE", "NONE", "Ann\nLee", "AGENTLOGIN", "SIP/1", None, None, None, None),
    ("2025-01-07 00:00:00.000000", "NONE", "NONE", "NONE", "QUEUESTART", "", "", "", "", ""),
]  # fmt: skip
LINES = """\
1736125200|1736125200.1|sales|NONE|ENTERQUEUE||2025550100|1
1736125205|1736125200.1|sales|SIP/1|CONNECT|5|x|4
1736125295|1736125200.1|sales|SIP/1|ATTENDEDTRANSFER|LINK|a|b|5|90|1
1736179199|NONE|NONE|Ann Lee|AGENTLOGIN|SIP/1
"""
COLUMNS = "time, callid, queuename, agent, event, data1, data2, data3, data4, data5"


def sources(**options: Any) -> dict[str, Any]:
    stream = {"connection": "pbx_db"} | options
    return {"pbx": {"kind": "asterisk_queue_log", "streams": {"queue_log": stream}}}


def landed(settings: Settings, day: date = MONDAY) -> list[tuple[str, bool, str]]:
    """What extract lands: original name, whether it is new, its text."""
    return [
        (file.original_name, file.is_new, (settings.landing_dir / file.path).read_text())
        for file in landing.extract(settings, "pbx", day, day)
    ]


def in_postgres(connection: psycopg.Connection, time_type: str, times: list[Any]) -> None:
    connection.execute("create schema old_pbx")
    texts = ", ".join(f"{name} text" for name in COLUMNS.split(", ")[1:])
    connection.execute(
        f"create table old_pbx.queue_log (id serial primary key, time {time_type}, {texts})".encode()
    )
    for time, row in zip(times, ROWS, strict=True):
        connection.execute(
            f"insert into old_pbx.queue_log ({COLUMNS}) values ({', '.join(['%s'] * 10)})".encode(),
            (time, *row[1:]),
        )


@pytest.mark.parametrize("time_type", ["timestamp", "timestamptz", "varchar(26)", "bigint", "varchar(10)"])
def test_every_form_of_its_times_gives_the_files_lines(
    make_settings: Callable[..., Settings],
    connection: psycopg.Connection,
    database: Any,
    monkeypatch: pytest.MonkeyPatch,
    time_type: str,
) -> None:
    settings = make_settings(sources=sources(table="old_pbx.queue_log"))
    monkeypatch.setenv("AIRFLOW_CONN_PBX_DB", warehouse_uri(database))
    connection.execute("set time zone 'Asia/Shanghai'")
    texts = [row[0] for row in ROWS]
    if time_type in ("bigint", "varchar(10)"):
        seconds = [*[int(line.split("|")[0]) for line in LINES.splitlines()], 1736179200]
        texts = [str(second) for second in seconds]
    in_postgres(connection, time_type, texts)
    assert landed(settings) == [("queue_log-20250106", True, LINES)]
    assert landed(settings) == [("queue_log-20250106", False, LINES)]  # the same rows, the same bytes
    assert [name for name, *_ in landed(settings, MONDAY + timedelta(days=1))] == [
        "queue_log-20250106", "queue_log-20250107",
    ]  # fmt: skip


def test_an_old_table_with_one_data_column_in_sqlite(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(sources=sources(lag_days=0))
    monkeypatch.setenv("AIRFLOW_CONN_PBX_DB", f"sqlite:///{tmp_path / 'pbx.db'}")
    with sqlite3.connect(tmp_path / "pbx.db") as db:
        db.execute(
            "create table queue_log "
            "(time text, callid text, queuename text, agent text, event text, data text)"
        )
        for row in ROWS:
            data = "|".join(field or "" for field in row[5:]).rstrip("|")
            db.execute("insert into queue_log values (?, ?, ?, ?, ?, ?)", (*row[:5], data))
    db.close()
    assert landed(settings) == [("queue_log-20250106", True, LINES)]


def test_a_database_that_cannot_be_reached_and_a_missing_table_say_what_to_do(
    make_settings: Callable[..., Settings], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_settings(sources=sources())
    with pytest.raises(ConfigError, match="there is no connection `pbx_db`"):
        landed(settings)
    monkeypatch.setenv("AIRFLOW_CONN_PBX_DB", f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(SourceError, match="there is no table `queue_log`"):
        landed(settings)
    monkeypatch.setenv("AIRFLOW_CONN_PBX_DB", "postgres://reader:s3cret@127.0.0.1:9/pbx?connect_timeout=2")
    with pytest.raises(SourceError, match="the database refuses") as error:
        landed(settings)
    assert "s3cret" not in str(error.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"connection": "pbx_db", "files": ["x"]}, "both `files` and `connection`"),
        ({"connection": "pbx db"}, "no `connection`"),
        ({"connection": "pbx_db", "lag_days": -1}, "is not a number of days"),
        ({"connection": "pbx_db", "table": "a.b.c"}, "no `table`"),
        ({"connection": "pbx_db", "agents": ["1"]}, "`agents` is no mapping"),
    ],
)
def test_a_wrong_declaration_of_a_table_is_answered_with_what_to_do(
    options: dict[str, Any], message: str
) -> None:
    entry = Source("pbx", "asterisk_queue_log", "PBX", "UTC", {"streams": {"queue_log": options}})
    with pytest.raises(ConfigError, match=message):
        streams_of(entry)
