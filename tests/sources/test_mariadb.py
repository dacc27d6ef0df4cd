"""MySQL and MariaDB as sources: every type of column, time zones, answers that break off. A real server."""

from __future__ import annotations

import csv
import io
import json
import socket
import tracemalloc
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy
import yaml

from callhouse import landing
from callhouse.errors import SourceError
from callhouse.settings import PROJECT, Settings, Source
from callhouse.sources import databases

from ..main_job.warehouse import query, run_warehouse
from ..mariadb_server import MariaDB, cut_off
from .asterisk.test_queue_log_table import COLUMNS, LINES, ROWS

MONDAY = date(2025, 1, 6)
BERLIN = ZoneInfo("Europe/Berlin")


class Database:
    """An empty database of the server, and the Airflow connection ``pbx_db`` that leads to it."""

    def __init__(self, server: MariaDB, name: str, patch: pytest.MonkeyPatch) -> None:
        self.server, self.name, self._patch = server, name, patch
        self.connect_by(server.uri(name))

    def connect_by(self, uri: str) -> None:
        self._patch.setenv("AIRFLOW_CONN_PBX_DB", uri)

    def execute(self, *statements: str, many: list[tuple[Any, ...]] | None = None) -> None:
        with self.server.connect(self.name) as connection, connection.cursor() as cursor:
            for statement in statements:
                if many is None:
                    cursor.execute(statement)
                else:
                    cursor.executemany(statement, many)


@pytest.fixture(params=["mysql", "mariadb"])
def dialect(request: pytest.FixtureRequest) -> str:
    """Both names of the connection's type reach the server."""
    return str(request.param)


@pytest.fixture
def pbx(mariadb: MariaDB, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    with mariadb.database() as name:
        yield Database(mariadb, name, monkeypatch)


def source(kind: str = "sql", time_zone: str = "Asia/Shanghai", **stream: Any) -> dict[str, Any]:
    """One source `pbx` with one stream; of the kind sql it is called `rows` and declares the column `no`."""
    if kind == "sql":
        declared = {"columns": ["no"], "record": "agent", "map": {"agent_id": "no"}} | stream
        return {
            "pbx": {
                "kind": "sql",
                "time_zone": time_zone,
                "connection": "pbx_db",
                "streams": {"rows": declared},
            }
        }
    name = {"asterisk_queue_log": "queue_log", "asterisk_cdr": "cdr", "asterisk_cel": "cel"}[kind]
    streams = {name: {"connection": "pbx_db"} | stream}
    return {"pbx": {"kind": kind, "time_zone": time_zone, "streams": streams}}


def landed(settings: Settings, first: date = MONDAY, last: date | None = None) -> dict[str, str]:
    """The text of what extract lands, by its original name."""
    files = landing.extract(settings, "pbx", first, last or first)
    return {file.original_name: (settings.landing_dir / file.path).read_bytes().decode() for file in files}


def records(settings: Settings, first: date = MONDAY, last: date | None = None) -> list[list[str]]:
    (text,) = landed(settings, first, last).values()
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


# -- values --------------------------------------------------------------------------------------------------

TYPES = """
create table `Call Rows` (
    `no` int unsigned primary key, `Order` varchar(40), `key` char(8), latin varchar(20) charset latin1,
    long_text longtext, `at` datetime(3), seen timestamp null, day date, talk time, ago time,
    price decimal(9, 2), ratio double, small tinyint(1), flag bit(1), flags bit(12),
    kind enum('in', 'out'), tags set('b', 'a'), year_of year, data blob, doc json, epoch_ms bigint,
    answered datetime not null default 0, left_on date default 0, gone timestamp null
)
"""


@pytest.mark.parametrize("how", ["table", "query"])
def test_every_type_of_column_comes_as_text_alike_from_a_table_and_a_query(
    make_settings: Callable[..., Settings], pbx: Database, how: str, dialect: str
) -> None:
    pbx.connect_by(pbx.server.uri(pbx.name, dialect))
    pbx.execute(
        "set session sql_mode = ''",
        "set time_zone = '+08:00'",
        TYPES,
        """
        insert into `Call Rows` values
            (2, '客服 \U0001f600, "quoted"', 'NA', 'Müller', 'a\\r\\nb', '2025-01-06 09:00:00.125',
                '2025-01-06 09:00:00', '2025-01-06', '26:03:04', '-00:30:05', 1.50, 0.1, 1, b'1',
                b'100000000001', 'out', 'a,b', 2025, '客服', '{"b": 1, "a": [null]}', 1736125200123,
                default, default, 0),
            (1, null, '', null, null, null, null, null, null, null, null, null, null, null, null,
                null, null, null, null, null, null, '2025-01-06 09:00:01', '2025-01-06', null)
        """,
    )
    chosen = (
        {"table": "Call Rows"} if how == "table" else {"query": "select * from `Call Rows` order by `no`"}
    )
    found = records(make_settings(sources=source(**chosen)))
    assert [dict(zip(found[0], row, strict=True)) for row in found[1:]] == [
        dict.fromkeys(found[0], "")
        | {"no": "1", "answered": "2025-01-06 09:00:01", "left_on": "2025-01-06"},
        {
            "no": "2", "Order": '客服 \U0001f600, "quoted"', "key": "NA", "latin": "Müller",
            "long_text": "a\r\nb", "at": "2025-01-06 09:00:00.125000", "seen": "2025-01-06 09:00:00",
            "day": "2025-01-06", "talk": "26:03:04", "ago": "-0:30:05", "price": "1.50", "ratio": "0.1",
            "small": "1", "flag": "1", "flags": "2049", "kind": "out", "tags": "b,a", "year_of": "2025",
            "data": "客服", "doc": '{"b": 1, "a": [null]}', "epoch_ms": "1736125200123", "answered": "",
            "left_on": "", "gone": "",
        },
    ]  # fmt: skip


def test_an_answer_is_read_in_constant_memory(pbx: Database) -> None:
    entry = Source("pbx", "sql", "PBX", "UTC", {})
    with databases.opened(entry, "pbx_db", "here") as session:
        statement = sqlalchemy.text("select seq, repeat('x', 400) from seq_1_to_60000")
        tracemalloc.start()
        try:
            count = sum(1 for _ in databases.rows(session, statement, "here"))
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert count == 60_001
    assert peak < 5_000_000  # of 24 MB


@pytest.mark.timeout(60)
def test_the_rest_of_an_answer_that_nobody_wants_is_not_waited_for(pbx: Database) -> None:
    entry = Source("pbx", "sql", "PBX", "UTC", {})
    endless = "select seq, repeat('x', 400) from seq_1_to_1000000000"
    with databases.opened(entry, "pbx_db", "here") as session:
        found = databases.rows(session, sqlalchemy.text(endless), "here")
        assert [next(found)[0], next(found)[0], next(found)[0]] == ["seq", 1, 2]
        found.close()  # type: ignore[attr-defined]


# -- time zones ----------------------------------------------------------------------------------------------

CHANGES = [  # New York's clock goes back at 06:00 UTC, Berlin's at 01:00
    (1, "2025-03-09 06:59:59", "2025-03-09 01:59:59", "2025-03-09 07:59:59"),
    (2, "2025-03-09 07:00:00", "2025-03-09 03:00:00", "2025-03-09 08:00:00"),
    (3, "2025-11-02 05:30:00", "2025-11-02 01:30:00", "2025-11-02 06:30:00"),
    (4, "2025-11-02 06:30:00", "2025-11-02 01:30:00", "2025-11-02 07:30:00"),
]


@pytest.mark.parametrize(("zone", "place"), [("America/New_York", 2), ("Europe/Berlin", 3)])
def test_timestamps_are_told_in_the_sources_zone_by_its_name_or_because_the_server_is_in_it(
    make_settings: Callable[..., Settings], pbx: Database, zone: str, place: int
) -> None:
    pbx.execute("create table changes (no int primary key, at timestamp)")
    pbx.execute(
        "set time_zone = '+00:00'",
        *(f"insert into changes values ({row[0]}, '{row[1]}')" for row in CHANGES),
    )
    assert records(make_settings(sources=source(time_zone=zone, table="changes")))[1:] == [
        [str(row[0]), str(row[place])] for row in CHANGES
    ]


def test_a_query_is_asked_for_the_sources_days_and_a_zone_without_changes_is_an_offset(
    make_settings: Callable[..., Settings], pbx: Database
) -> None:
    pbx.execute(
        "set time_zone = '+00:00'",
        "create table moments (no int primary key, at timestamp)",
        "insert into moments values (1, '2025-01-05 15:59:59'), (2, '2025-01-05 16:00:00'),"
        " (3, '2025-01-06 15:59:59'), (4, '2025-01-06 16:00:00')",
    )
    query = (
        "select no, at, unix_timestamp(:from) as epoch from moments where at >= :from and at < :to order by 1"
    )
    assert records(make_settings(sources=source(query=query)))[1:] == [
        ["2", "2025-01-06 00:00:00", "1736092800"],
        ["3", "2025-01-06 23:59:59", "1736092800"],
    ]


def test_a_zone_that_the_server_cannot_tell_is_refused_where_it_matters(
    make_settings: Callable[..., Settings], pbx: Database
) -> None:
    pbx.execute("create table local (no int primary key, at datetime)")
    pbx.execute("insert into local values (1, '2025-07-01 12:00')")
    pbx.execute("create table zoned (no int primary key, at timestamp)")
    for stream in ({"table": "zoned"}, {"query": "select no from local"}):
        with pytest.raises(SourceError, match="does not know the time zone Europe/London"):
            landed(make_settings(sources=source(time_zone="Europe/London", **stream)))
    settings = make_settings(sources=source(time_zone="Europe/London", table="local"))
    assert records(settings)[1:] == [["1", "2025-07-01 12:00:00"]]


# -- sessions and errors -------------------------------------------------------------------------------------


def test_a_session_can_only_read(make_settings: Callable[..., Settings], pbx: Database) -> None:
    pbx.execute("create table numbers (no int)", "insert into numbers values (1)")
    pbx.execute(
        "create function count_up() returns int modifies sql data"
        " begin update numbers set no = no + 1; return 1; end"
    )
    with pytest.raises(SourceError, match="refuses: Cannot execute statement in a READ ONLY transaction"):
        landed(make_settings(sources=source(query="select count_up() as no")))


def test_an_error_in_the_middle_of_an_answer_lands_nothing(
    make_settings: Callable[..., Settings], pbx: Database
) -> None:
    query = (
        "select (select seq from seq_1_to_2 where seq = 1 or n.seq > 50000) as no from seq_1_to_60000 as n"
    )
    settings = make_settings(sources=source(query=query))
    with pytest.raises(SourceError, match="refuses: Subquery returns more than 1 row"):
        landed(settings)
    assert list(settings.landing_dir.rglob("*.csv*")) == []


@pytest.mark.parametrize("after", [0, 10_000, 200_000])
def test_a_connection_that_is_cut_lands_nothing_and_the_next_extract_brings_it_all(
    make_settings: Callable[..., Settings], pbx: Database, after: int, caplog: pytest.LogCaptureFixture
) -> None:
    settings = make_settings(
        sources=source(query="select seq as no, repeat('x', 90) as x from seq_1_to_5000")
    )
    with cut_off(pbx.server.port, after) as port:
        pbx.connect_by(pbx.server.uri(pbx.name, port=port))
        with pytest.raises(SourceError, match=r"the database refuses: .*[Ll]ost connection") as error:
            landed(settings)
        assert pbx.server.password not in str(error.value)
    assert list(settings.landing_dir.rglob("*.csv*")) == []
    assert caplog.text == ""  # the driver has nothing to add
    pbx.connect_by(pbx.server.uri(pbx.name))
    assert len(records(settings)) == 5001


def test_what_the_server_refuses_is_told_without_the_password(
    make_settings: Callable[..., Settings], pbx: Database
) -> None:
    settings = make_settings(sources=source(query="select 1 as no"))
    server = pbx.server
    with socket.create_server(("127.0.0.1", 0)) as taken:
        unused = taken.getsockname()[1]
    for uri, message in [
        (f"mysql://owner:s3cret-word@127.0.0.1:{server.port}/{pbx.name}", "refuses: Access denied for user"),
        (server.uri("nowhere"), "refuses: Unknown database 'nowhere'"),
        (server.uri(pbx.name, port=unused), "refuses: Can't connect to MySQL server"),
        (json.dumps({"conn_type": "mysql", "host": "127.0.0.1", "port": server.port, "login": "nobody",
                     "password": "s3cret-word", "schema": pbx.name}), "refuses: Access denied for user"),
    ]:  # fmt: skip
        pbx.connect_by(uri)
        with pytest.raises(SourceError, match=message) as error:
            landed(settings)
        said = str(error.value)
        assert "s3cret-word" not in said and server.password not in said
    pbx.connect_by(server.uri(pbx.name))
    with pytest.raises(SourceError, match="there is no table `Queue_Log`"):
        pbx.execute("create table queue_log (no int)")
        landed(make_settings(sources=source(table="Queue_Log")))


# -- the worked examples of docs/sources/sql.md --------------------------------------------------------------

CLOSER_LOG = """
create table vicidial_closer_log (
    closecallid int(9) unsigned auto_increment primary key, lead_id int(9) unsigned not null,
    campaign_id varchar(20), call_date datetime, start_epoch int(10) unsigned, end_epoch int(10) unsigned,
    length_in_sec int(10), status varchar(6), phone_number varchar(18), user varchar(20),
    queue_seconds decimal(7,2) default '0', term_reason enum('CALLER', 'AGENT', 'QUEUETIMEOUT', 'ABANDON',
    'AFTERHOURS', 'HOLDRECALLXFER', 'HOLDTIME', 'NOAGENT', 'NONE', 'MAXCALLS', 'ACFILTER', 'CLOSETIME')
    default 'NONE', uniqueid varchar(20) not null default '', index (call_date)
)
"""
CLOSED = [  # campaign, time, seconds in all, status, user, seconds in the queue, how it ended
    ("SALES", "2025-01-06 09:00:00", 70, "SALE", "6001", 10.40, "CALLER"),
    ("SALES", "2025-01-06 09:01:00", 120, "NI", "6002", 0, "AGENT"),
    ("SALES", "2025-01-06 09:02:00", 25, "DROP", "VDCL", 25, "ABANDON"),
    ("SALES", "2025-01-06 09:03:00", 60, "TIMEOT", "VDCL", 60, "QUEUETIMEOUT"),
    ("SALES", "2025-01-06 22:00:00", 1, "AFTHRS", "VDCL", 0, "AFTERHOURS"),
    ("HELP", "2025-01-06 23:59:59", None, "QUEUE", "VDCL", 0, "NONE"),
    ("HELP", "2025-01-07 00:00:00", 9, "DROP", "VDCL", 9, "ABANDON"),  # another day's
]
INBOUND_CDR = """
create table cc_inbound_cdr (
    id bigint auto_increment primary key, caller varchar(50) not null, callee varchar(50) not null,
    inbound_time bigint not null, group_id varchar(50) not null default '0',
    answered_time bigint not null default 0, extnum varchar(50) not null default '',
    opnum varchar(50) not null default '', hangup_time bigint not null default 0, chat_content text
) default charset utf8mb4
"""
NINE = 1736125200000  # 09:00 in Shanghai
INBOUND = [  # milliseconds since nine: came, answered, hung up; group, agent
    (0, 12_400, 72_400, "7", "1001"),
    (60_000, 60_300, 360_300, "7", "1002"),
    (120_000, 0, 150_000, "7", ""),
    (180_000, 0, 185_000, "0", ""),
    (240_000, 0, 0, "7", ""),
    (15 * 3_600_000, 0, 15 * 3_600_000 + 1, "7", ""),  # midnight
]
VISITS = """
    select split_part(queue_key, ':', 2), outcome, count(*), sum(wait_seconds), sum(talk_seconds)
    from marts.fct_queue_visits where contact_key like %s group by 1, 2 order by 1, 2
    """


def test_the_worked_examples_end_in_figures_counted_by_hand(
    make_settings: Callable[..., Settings], pbx: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    pbx.execute(CLOSER_LOG, INBOUND_CDR)
    pbx.execute(
        "insert into vicidial_closer_log (lead_id, campaign_id, call_date, length_in_sec, status, user,"
        " queue_seconds, term_reason) values (1, %s, %s, %s, %s, %s, %s, %s)",
        many=CLOSED,
    )
    pbx.execute(
        "insert into cc_inbound_cdr"
        " (caller, callee, inbound_time, answered_time, hangup_time, group_id, opnum)"
        " values ('2025550100', '600', %s, %s, %s, %s, %s)",
        many=[
            (NINE + came, answered and NINE + answered, over and NINE + over, group, agent)
            for came, answered, over, group, agent in INBOUND
        ],
    )
    text = (PROJECT / "docs" / "sources" / "sql.md").read_text(encoding="utf-8")
    examples = text.partition("## Worked examples")[2].split("```yaml\n")[1:]
    entries: dict[str, Any] = {}
    for example in examples:
        entries |= yaml.safe_load(example.partition("```")[0])
    for entry in entries.values():
        monkeypatch.setenv(f"AIRFLOW_CONN_{entry['connection'].upper()}", pbx.server.uri(pbx.name))
    settings = make_settings(sources=entries)
    run_warehouse(settings, MONDAY)
    assert query(settings, VISITS, "vicidial:%") == [
        ("HELP", "in_progress", 1, 0, None),
        ("SALES", "abandoned", 1, 25, None),
        ("SALES", "answered", 2, 10 + 0, 60 + 120),
        ("SALES", "blocked", 1, 0, None),
        ("SALES", "flowed_out", 1, 60, None),
    ]
    assert query(settings, VISITS, "easycallcenter:%") == [
        ("7", "abandoned", 1, 30, None),
        ("7", "answered", 2, 12 + 0, 60 + 300),
        ("7", "in_progress", 1, None, None),
    ]
    figures = (
        "select kpi_id, numerator from marts.kpi_values where period_type = 'day' and unit_type = 'centre'"
    )
    found = dict(query(settings, f"{figures} and period_start_date = '2025-01-06'"))
    assert {name: found[name] for name in ("offered", "answered", "abandoned", "asa")} == {
        "offered": 5 + 4,
        "answered": 2 + 2,
        "abandoned": 1 + 1,
        "asa": 10 + 12,
    }


# -- Asterisk's tables ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("time_type", ["datetime(6)", "timestamp(6)", "varchar(26)", "int", "varchar(10)"])
def test_every_form_of_a_queue_logs_times_gives_the_files_lines(
    make_settings: Callable[..., Settings], pbx: Database, time_type: str, dialect: str
) -> None:
    pbx.connect_by(pbx.server.uri(pbx.name, dialect))
    times = [str(row[0]) for row in ROWS]
    if time_type in ("int", "varchar(10)"):
        times = [*(line.split("|")[0] for line in LINES.splitlines()), "1736179200"]
    texts = ", ".join(f"{name} varchar(100)" for name in COLUMNS.split(", ")[1:])
    pbx.execute(
        "set time_zone = '+08:00'",
        f"create table Queue_Log (id int auto_increment primary key, time {time_type} not null, {texts})",
    )
    with pbx.server.connect(pbx.name) as connection, connection.cursor() as cursor:
        cursor.execute("set time_zone = '+08:00'")
        cursor.executemany(
            f"insert into Queue_Log ({COLUMNS}) values ({', '.join(['%s'] * 10)})",
            [(time, *row[1:]) for time, row in zip(times, ROWS, strict=True)],
        )
    settings = make_settings(sources=source("asterisk_queue_log", table=f"{pbx.name}.Queue_Log"))
    assert landed(settings) == {"queue_log-20250106": LINES}
    assert [file.is_new for file in landing.extract(settings, "pbx", MONDAY, MONDAY)] == [False]


def test_freepbx_tables_of_records_and_events_are_read_by_day(
    make_settings: Callable[..., Settings], pbx: Database
) -> None:
    pbx.execute(
        "set session sql_mode = ''",
        "create table cdr (calldate datetime not null default 0, clid varchar(80), src varchar(80),"
        " dst varchar(80), channel varchar(80), dstchannel varchar(80), duration int, billsec int,"
        " disposition varchar(45), uniqueid varchar(32), did varchar(50), answer datetime default 0,"
        " key (calldate)) default charset latin1",
        "insert into cdr (calldate, clid, src, dst, channel, duration, billsec, disposition, uniqueid) values"
        " ('2025-01-06 10:00', 'Müller', '2025550100', '600', 'SIP/a', 30, 20, 'ANSWERED', '2.1'),"
        " ('2025-01-06 09:00', '', '2025550100', '600', 'SIP/a', 5, 0, 'NO ANSWER', '1.1'),"
        " ('2025-01-07 00:00', '', '2025550100', '600', 'SIP/a', 5, 0, 'NO ANSWER', '3.1'),"
        " (default, '', '', '', '', 0, 0, '', '0')",
        "create table cel (id int auto_increment primary key, eventtype varchar(30), eventtime timestamp(6),"
        " channame varchar(80), uniqueid varchar(32), linkedid varchar(32), extra text)",
        "set time_zone = '+08:00'",
        "insert into cel values"
        " (1, 'CHAN_END', '2025-01-06 09:00:01', 'SIP/a', '1.1', '1.1', '{\"a\":\"客服\"}'),"
        " (2, 'CHAN_START', '2025-01-06 09:00:00.5', 'SIP/a', '1.1', '1.1', ''),"
        " (3, 'CHAN_START', '2025-01-07 00:00:00', 'SIP/a', '2.1', '2.1', '')",
    )
    cdr = make_settings(sources=source("asterisk_cdr", lag_days=0))
    assert {name: text.split("\r\n") for name, text in landed(cdr).items()} == {
        "cdr-20250106.csv": [
            "src,dst,clid,channel,dstchannel,answer,duration,billsec,disposition,uniqueid,calldate",
            "2025550100,600,,SIP/a,,,5,0,NO ANSWER,1.1,2025-01-06 09:00:00",
            "2025550100,600,Müller,SIP/a,,,30,20,ANSWERED,2.1,2025-01-06 10:00:00",
            "",
        ]
    }
    cel = make_settings(sources=source("asterisk_cel", lag_days=0))
    assert {name: text.split("\r\n") for name, text in landed(cel).items()} == {
        "cel-20250106.csv": [
            "eventtype,eventtime,channame,uniqueid,linkedid,extra",
            "CHAN_START,2025-01-06 09:00:00.500000,SIP/a,1.1,1.1,",
            'CHAN_END,2025-01-06 09:00:01,SIP/a,1.1,1.1,"{""a"":""客服""}"',
            "",
        ]
    }
