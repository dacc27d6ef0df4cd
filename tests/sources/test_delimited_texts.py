"""Kind ``delimited``: times, dates, durations, yes and no in the forms that other programs write them."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from callhouse import landing, raw, runs, transform
from callhouse.postgres import Warehouse
from callhouse.settings import Settings

DAY = dt.date(2025, 3, 3)
UTC = dt.UTC


def utc(hour: int, minute: int = 0, second: float = 0, day: int = 3) -> dt.datetime:
    whole, fraction = divmod(round(second * 1_000_000), 1_000_000)
    return dt.datetime(2025, 3, day, hour, minute, whole, fraction, UTC)


# Europe/Berlin, an hour ahead of UTC in March.
INSTANTS: list[tuple[str, str, dt.datetime | None]] = [
    ("ymd", "2025-03-03 10:00:00", utc(9)),
    ("ymd", "2025-03-31 10:00:00", dt.datetime(2025, 3, 31, 8, tzinfo=UTC)),  # a day of the months' ends
    ("ymd", "2025-03-03 10:00:00.250", utc(9, 0, 0.25)),
    ("ymd", "2025-03-03 10:00:00,250", utc(9, 0, 0.25)),
    ("ymd", "2025-03-03T10:00:00", utc(9)),
    # A zone that stands behind the time is the time's.
    ("ymd", "2025-03-03T10:00:00Z", utc(10)),
    ("ymd", "2025-03-03T10:00Z", utc(10)),
    ("ymd", "2025-03-03T10:00:00.1234567Z", utc(10, 0, 0.123457)),
    ("ymd", "2025-03-03T10:00:00+08:00", utc(2)),
    ("ymd", "2025-03-03 10:00:00 +0800", utc(2)),
    ("ymd", "2025-03-03 10:00:00-05", utc(15)),
    ("ymd", "2025-03-03 10:00:00 UTC", utc(10)),
    ("ymd", "2025-03-03 10:00:00 CST", None),  # in Chicago or in Shanghai
    ("ymd", "2025-03-03T10:00:00+99:00", None),
    # Four digits in front are the year, whatever the order of the rest.
    ("mdy", "2025-03-04 10:00:00", utc(9, day=4)),
    ("dmy", "2025/3/4 10:00", utc(9, day=4)),
    ("mdy", "3/4/2025, 2:05:06 PM", utc(13, 5, 6, day=4)),
    ("dmy", "4/3/2025 2:05 p.m.", utc(13, 5, day=4)),
    ("mdy", "31/3/2025 10:00", None),
    ("ymd", "2025/3/3 下午2:05", utc(13, 5)),
    ("ymd", "2025/3/3 上午12:05", utc(23, 5, day=2)),
    ("mdy", "2025年3月3日 9时5分6秒", utc(8, 5, 6)),
    ("ymd", "２０２５－０３－０３　１０：００：００", utc(9)),
    ("mdy", "Mon, 03 Mar 2025 10:00:00 GMT", utc(10)),
    ("ymd", "03-MAR-25 02.05.06.000000 PM", utc(13, 5, 6)),
    ("ymd", "Mar 3, 2025 10:00:00 AM", utc(9)),
    ("ymd", "03-Foo-2025 10:00", None),
    ("ymd", "20250303T100000Z", utc(10)),
    ("ymd", "20250303100000", utc(9)),
    # Seconds since 1970, and finer.
    ("ymd", "1741000000", utc(11, 6, 40)),
    ("ymd", "1741000000123", utc(11, 6, 40.123)),
    ("ymd", "1741000000123456", utc(11, 6, 40.123456)),
    ("ymd", "2741000000", None),
    ("ymd", "2025-03-03 24:00:00", utc(23)),
    ("ymd", "2025-03-03 24:00:01", None),
    ("ymd", "2025-03-03 23:59:60", None),
    ("ymd", "2025-03-03 10:75", None),
    ("ymd", "2025-02-30 10:00:00", None),
    ("ymd", "2025-03-03", None),  # midnight would be a guess
    ("ymd", "infinity", None),
    ("ymd", "now", None),
    ("ymd", "10000-01-01 00:00:00", None),
    ("ymd", "0044-03-15 00:00:00 BC", None),
]


@pytest.mark.parametrize(("day_order", "text", "expected"), INSTANTS)
def test_a_time_is_the_instant_it_says(
    server: Warehouse, day_order: str, text: str, expected: dt.datetime | None
) -> None:
    with psycopg.connect(server.conninfo(dbname="callhouse_template")) as opened:
        query = "select ops.try_instant(%s, %s, 'Europe/Berlin')"
        assert opened.execute(query, (text, day_order)).fetchone() == (expected,)


@pytest.mark.parametrize("text", [text for order, text, _ in INSTANTS if order == "ymd"])
def test_servers_that_cannot_try_a_cast_read_the_same(connection: psycopg.Connection, text: str) -> None:
    # What migration 0008 gives PostgreSQL 15: surer of less.
    before = connection.execute("select ops.try_instant(%s, 'ymd', 'Europe/Berlin')", (text,)).fetchone()
    connection.execute(
        "create or replace function ops.is_timestamp(value text) returns boolean language sql return false"
    )
    assert (
        connection.execute("select ops.try_instant(%s, 'ymd', 'Europe/Berlin')", (text,)).fetchone() == before
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45.5", 46),
        ("0.4", 0),
        ("45,5", None),  # a decimal comma or a thousand's
        ("00:03:45.5", 226),
        ("3:45.2", 225),
        ("0 days 00:03:45", 225),
        ("1 day, 2:03:04", 93784),
        ("PT3M45S", 225),
        ("PT1H", 3600),
        ("P1DT2H", 93600),
        ("PT", None),
        ("225 sec", 225),
        ("1h 2m 3s", 3723),
        ("3分45秒", 225),
        ("1小时2分3秒", 3723),
        ("12:03:45 AM", 225),
        ("1899-12-30 00:03:45", 225),
        ("-0:05", -5),
        ("+7", 7),
        ("１２", 12),
        ("1234567890", None),
        ("1e5", None),
    ],
)
def test_a_duration_is_the_seconds_it_says(server: Warehouse, text: str, expected: int | None) -> None:
    with psycopg.connect(server.conninfo(dbname="callhouse_template")) as opened:
        assert opened.execute("select ops.try_seconds(%s)", (text,)).fetchone() == (expected,)


CALLS: dict[str, Any] = {
    "files": ["calls.csv"],
    "record": "call",
    "columns": ["no", "day", "began", "entered", "agent", 'Talk "s"', "result", "solved"],
    "map": {
        "call_id": "no",
        "business_date": "day",
        "started_at": "began",
        "queue_entered_at": "entered",
        "agent_id": "agent",
        "talk_seconds": 'Talk "s"',
        "outcome": "result",
        "is_resolved": "solved",
    },
}


def staged(
    make_settings: Callable[..., Settings],
    connection: psycopg.Connection,
    stream: dict[str, Any],
    rows: list[tuple[str, ...]],
) -> tuple[list[tuple[Any, ...]], list[tuple[Any, ...]]]:
    """What becomes of a file's rows: staging's, and the lines and reasons of those set aside."""
    settings = make_settings(sources={"pbx": {"kind": "delimited", "streams": {"calls": stream}}})
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    with (settings.data_dir / "calls.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([CALLS["columns"], *rows])
    landing.extract(settings, "pbx", DAY, DAY)
    run_id = runs.begin(settings, DAY, DAY, "test")
    raw.raise_failures(raw.load(settings, run_id))
    transform.stage(settings, run_id)
    columns = (
        "call_id, business_date, started_at, queue_entered_at, agent_id, talk_seconds, outcome, is_resolved"
    )
    return (
        connection.execute(
            f"select {columns} from staging.stg_delimited__calls order by call_id".encode()
        ).fetchall(),
        connection.execute("select line, reason from ops.rejects order by line").fetchall(),
    )


def test_blanks_around_a_text_do_not_belong_to_it(
    make_settings: Callable[..., Settings], connection: psycopg.Connection
) -> None:
    rows = [
        ("1", "2025-03-03 0:10", "2025-03-03 10:00:00", "0000-00-00", "1001\t", "", "answered\u00a0", "√"),
        ("2", "\u3000", "\t1741000000\u00a0", " ", "NA", "\u00a05 ", "answered", " "),
        ("3", "", "0000-00-00 00:00:00", "", "1001", "5", "answered", ""),
        ("4", "", "2025-03-03 10:00:00", "NULL", "1001", "-", "answered", ""),
    ]  # fmt: skip
    assert staged(make_settings, connection, CALLS, rows) == (
        [
            ("1", DAY, utc(2), None, "1001", None, "answered", True),
            ("2", DAY, utc(11, 6, 40), None, "NA", 5, "answered", None),
        ],
        [
            (4, "started_at: missing"),
            (5, "queue_entered_at: not a time; talk_seconds: not a duration"),
        ],
    )


def test_words_for_nothing_are_nothing_where_a_stream_declares_them(
    make_settings: Callable[..., Settings], connection: psycopg.Connection
) -> None:
    rows = [
        ("1", "NULL", "2025-03-03 10:00:00", "it's nothing", "NULL ", "NULL", "abandoned", "NULL"),
        ("2", "", "2025-03-03 10:00:00", "", "NA", "-", "abandoned", "0.0"),
        ("3", "", "NULL", "", "", "", "abandoned", ""),
    ]
    assert staged(make_settings, connection, CALLS | {"missing": ["NULL", "it's nothing"]}, rows) == (
        [("1", DAY, utc(2), None, None, None, "abandoned", None)],
        [(3, "talk_seconds: not a duration"), (4, "started_at: missing")],
    )
