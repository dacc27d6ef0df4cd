"""Call detail records and channel events: when calls began and ended, whence they came, what no queue saw."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from callhouse import landing, transform
from callhouse.errors import ConfigError
from callhouse.postgres import Warehouse
from callhouse.settings import PROJECT, Settings, Source
from callhouse.sources import streams_of

from ...conftest import warehouse_uri
from .conftest import MONDAY, affected, asterisk_centre, extract_and_load, log, query, stage_and_build

SHARED = Path(os.environ.get("CALLHOUSE_SHARED_DATA", PROJECT.parent / "shared" / "data")) / "asterisk"
TUESDAY = MONDAY + timedelta(days=1)

QUEUE_LOG = """
    09:00:00|1000.1|sales|NONE|ENTERQUEUE||2025550100|1
    09:00:10|1000.1|sales|SIP/701|CONNECT|10|1000.11|8
    09:01:00|1000.1|sales|SIP/701|COMPLETECALLER|10|50|1
    09:05:00|1000.2|sales|NONE|ENTERQUEUE||anonymous|1
    09:05:20|1000.2|sales|NONE|ABANDON|1|1|20
    09:06:00|1000.9|sales|NONE|ENTERQUEUE||2025550109|1
    09:06:05|1000.9|sales|NONE|ABANDON|1|1|5
    """
CDR_HEADER = (
    "accountcode,src,dst,dcontext,clid,channel,dstchannel,lastapp,lastdata,start,answer,end,duration,billsec,"
    "disposition,amaflags,userfield,uniqueid,linkedid,peeraccount,sequence"
)
TRUNK = "PJSIP/provider-00000001"
PHONE_701, PHONE_702, PHONE_703 = "SIP/701-0000000a", "SIP/702-0000000b", "SIP/703-0000000c"


def leg(
    call: str, start: str, answer: str, end: str, channel: str = TRUNK, target: str = "",
    src: str = "2025550100", dst: str = "600", app: str = "Queue", disposition: str = "ANSWERED",
    sequence: int = 1, day: date = MONDAY, end_day: date | None = None,
) -> str:  # fmt: skip
    """A call detail record as cdr_csv writes it, with header."""
    times = [f"{day} {start}", f"{day} {answer}" if answer else "", f"{end_day or day} {end}"]
    caller = f'"""Ann, O\'Hara"" <{src}>"'
    began, ended = (_seconds(time) for time in (start, end))
    billed = ended - _seconds(answer) if answer else 0
    seconds = [str(ended - began), str(billed)]
    fields = ["", src, dst, "from-x", caller, channel, target, app, "", *times, *seconds, disposition]
    return ",".join([*fields, "DOCUMENTATION", "", call, call, "", str(sequence)])


def _seconds(clock: str) -> int:
    hours, minutes, seconds = map(int, clock.split(":"))
    return hours * 3600 + minutes * 60 + seconds


CDR = [
    leg("1000.1", "08:59:30", "08:59:31", "09:01:00", target="SIP/701-0000000a"),
    leg("1000.2", "09:04:50", "09:04:50", "09:05:20", src="anonymous"),  # abandoned, yet ANSWERED
    leg("1000.3", "09:10:00", "09:10:00", "09:10:25", app="BackGround", src="2025550103"),
    leg(
        "1000.4", "09:20:00", "09:20:10", "09:21:10", PHONE_701, TRUNK, "701", "2025550104", "Dial",
    ),
    leg(
        "1000.5", "09:25:00", "", "09:25:30", PHONE_701, TRUNK, "701", "2025550104", "Dial", "NO ANSWER",
    ),
    # three of them talk: three records of one call
    leg("1000.6", "09:30:00", "09:30:05", "09:31:05", PHONE_701, PHONE_702, "701", "702", "Dial"),
    leg("1000.6", "09:30:20", "09:30:25", "09:31:05", PHONE_701, PHONE_703, "701", "703", "Dial", sequence=2),
    leg("1000.6", "09:30:20", "09:30:25", "09:31:00", PHONE_702, PHONE_703, "701", "703", "Dial", sequence=3),
]  # fmt: skip


def event(
    name: str, clock: str, call: str, channel: str, number: str = "", app: str = "", unique: str = ""
) -> str:
    """A channel event as the sample of cel_custom.conf writes it, without header."""
    at = datetime.fromisoformat(f"{MONDAY}T{clock}+00:00").timestamp()
    fields = [name, f"{at:.6f}", "", number, "", "", "", "600", "from-x", channel, app, "", "3", ""]
    return ",".join(f'"{field}"' for field in [*fields, unique or call, call, "", "", "", ""])


CEL = [
    event("CHAN_START", "08:59:30.2", "1000.1", TRUNK, "2025550100"),
    event("LINKEDID_END", "09:01:05.7", "1000.1", TRUNK),
    # only the events know these two; their lines are not in the order of time
    event("LINKEDID_END", "09:41:00.5", "1000.7", TRUNK),
    event("ANSWER", "09:40:10", "1000.7", "SIP/704-00000001", "", "AppDial", "1000.71"),
    event("CHAN_START", "09:40:02", "1000.7", "SIP/704-00000001", "", "", "1000.71"),
    event("CHAN_START", "09:40:00", "1000.7", TRUNK, "2025550107"),
    event("CHAN_START", "09:50:00", "1000.8", TRUNK, "2025550108"),
    event("HANGUP", "09:50:09", "1000.8", TRUNK),
]

SAMPLE_ORDER = [
    "clid", "src", "dst", "dcontext", "channel", "dstchannel", "lastapp", "lastdata", "start", "answer",
    "end", "duration", "billsec", "disposition", "amaflags", "accountcode", "uniqueid", "userfield",
    "sequence",
]  # fmt: skip
SOURCES: dict[str, Any] = {
    "pbx": {"kind": "asterisk_queue_log", "streams": {"queue_log": {"files": ["pbx/queue_log*"]}}},
    "pbx_cdr": {
        "kind": "asterisk_cdr",
        "queue_log_source": "pbx",
        "trunks": ["PJSIP/provider"],
        "streams": {"cdr": {"files": ["pbx/cdr*.csv"], "header": True}},
    },
    "pbx_cel": {
        "kind": "asterisk_cel",
        "queue_log_source": "pbx",
        "trunks": ["PJSIP/provider"],
        "streams": {"cel": {"files": ["pbx/cel*.csv"]}},
    },
}
SAMPLES: dict[str, Any] = {
    "kely": {
        "kind": "asterisk_cdr",
        "streams": {"cdr": {"files": ["samples/KelySaina_Master.csv"], "columns": SAMPLE_ORDER}},
    },
    "master": {
        "kind": "asterisk_cdr",
        "streams": {"cdr": {"files": ["samples/Master*.csv", "samples/cdrlib_good.csv"]}},
    },
    "cel": {"kind": "asterisk_cel", "streams": {"cel": {"files": ["samples/CELMaster*.csv"]}}},
}
SAMPLE_DATES = [date(2009, 1, 14), date(2010, 4, 2), date(2012, 4, 24), date(2023, 7, 26)]


@pytest.fixture(scope="module")
def built(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """The telephone system's three files, and the public samples where they are, staged and built."""
    folder = tmp_path_factory.mktemp("records")
    has_samples = SHARED.is_dir()
    with asterisk_centre(server, folder, sources=SOURCES | (SAMPLES if has_samples else {})) as settings:
        pbx = settings.data_dir / "pbx"
        pbx.mkdir()
        (pbx / "queue_log").write_text(log(QUEUE_LOG))
        (pbx / "cdr.csv").write_text("\n".join([CDR_HEADER, *CDR]) + "\n")
        (pbx / "cel.csv").write_text("\n".join(CEL) + "\n")
        if has_samples:
            shutil.copytree(SHARED, settings.data_dir / "samples")
        stage_and_build(
            settings, extract_and_load(settings), [*(SAMPLE_DATES if has_samples else []), MONDAY]
        )
        yield settings


def contacts(settings: Settings, source: str, columns: str) -> list[tuple[Any, ...]]:
    return query(
        settings, f"select {columns} from build.fct_contacts where source = %s order by contact_id", source
    )


def test_a_call_in_a_queue_gets_its_time_in_the_menu_and_its_direction_and_keeps_its_outcome(
    built: Settings,
) -> None:
    columns = "contact_id, direction, outcome, ivr_seconds, to_char(started_at, 'HH24:MI:SS'), visit_count"
    queued = [row for row in contacts(built, "pbx", columns) if row[5]]
    assert queued == [
        ("1000.1", "inbound", "answered", 30, "08:59:30", 1),
        ("1000.2", "inbound", "abandoned", 10, "09:04:50", 1),
        ("1000.9", "inbound", "abandoned", None, "09:06:00", 1),  # no record of it came
    ]


def test_calls_that_no_queue_saw_are_contacts_of_the_same_system(built: Settings) -> None:
    columns = "contact_id, direction, outcome, ivr_seconds, talk_seconds, last_agent_key"
    assert [
        row for row in contacts(built, "pbx", columns) if row[0] not in ("1000.1", "1000.2", "1000.9")
    ] == [
        ("1000.3", "inbound", "left_in_ivr", 25, None, None),
        ("1000.4", "outbound", "answered", None, 60, "701"),
        ("1000.5", "outbound", "void", None, None, None),
        ("1000.6", "internal", "answered", None, 60, "702"),
        ("1000.7", "inbound", "answered", None, 50, "704"),
        ("1000.8", "inbound", "in_progress", None, None, None),
    ]
    assert contacts(built, "pbx_cdr", "1") == contacts(built, "pbx_cel", "1") == []
    assert query(built, "select sum(offered_count) from build.fct_queue_visits where source = 'pbx'") == [
        (3,)
    ]


def test_a_call_is_over_at_its_last_event(built: Settings) -> None:
    ends = dict(contacts(built, "pbx", "contact_id, to_char(ended_at, 'HH24:MI:SS')"))
    assert (ends["1000.1"], ends["1000.7"], ends["1000.8"]) == ("09:01:05", "09:41:00", None)
    talk = "select talk_seconds from build.fct_queue_visits where contact_key = 'pbx:1000.1'"
    assert query(built, talk) == [(50,)]  # the caller stayed, the agent did not


def test_talks_that_no_queue_saw_are_the_agents_own(built: Settings) -> None:
    legs = """
        select agent_key, to_char(answered_at, 'HH24:MI:SS'), talk_seconds from build.fct_agent_legs
        where source = 'pbx' and visit_key is null order by answered_at
        """
    assert query(built, legs) == [("701", "09:20:10", 60), ("702", "09:30:05", 60), ("704", "09:40:10", 50)]


def test_records_with_quotes_and_commas_in_names_lose_none(built: Settings) -> None:
    assert query(
        built, "select rows_in, rows_loaded, rows_rejected from ops.loads where source = 'pbx_cdr'"
    ) == [(8, 8, 0)]
    names = "select distinct caller_name from staging.stg_asterisk_cdr__records where linked_id = '1000.3'"
    assert query(built, names) == [('"Ann, O\'Hara" <2025550103>',)]


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public samples (../shared/data/asterisk) are not here")
def test_public_samples_of_three_column_orders_run_through(built: Settings) -> None:
    loads = """
        select source, sum(rows_in), sum(rows_loaded), sum(rows_rejected), sum(rows_duplicate)
        from ops.loads where source in ('kely', 'master', 'cel') group by 1 order by 1
        """
    # Master2.csv repeats a line of Master.csv.
    assert query(built, loads) == [("cel", 30, 30, 0, 0), ("kely", 14, 14, 0, 0), ("master", 8, 7, 0, 1)]
    assert (
        query(
            built,
            "select direction, outcome, count(*), sum(talk_seconds) "
            "from build.fct_contacts where source = 'kely' "
            "group by 1, 2 order by 1, 2",
        )
        == kely()
    )
    columns = "contact_id, outcome, to_char(started_at, 'HH24:MI:SS'), to_char(ended_at, 'HH24:MI:SS')"
    assert contacts(built, "cel", columns) == [
        ("1335310195.0", "answered", "23:29:55", "23:30:13"),
        ("1335310697.0", "answered", "23:38:17", "23:38:35"),
    ]


def kely() -> list[tuple[Any, ...]]:
    """The sample's answer, counted from its lines with the csv module alone."""
    import csv

    found: dict[str, list[int]] = {"answered": [], "void": []}
    with (SHARED / "KelySaina_Master.csv").open(newline="") as file:
        for row in csv.DictReader(file, SAMPLE_ORDER):
            is_answered = row["disposition"] == "ANSWERED" and row["dstchannel"]
            found["answered" if is_answered else "void"].append(int(row["billsec"]))
    return [
        ("internal", "answered", len(found["answered"]), sum(found["answered"])),
        ("internal", "void", len(found["void"]), None),
    ]


# -- forms -------------------------------------------------------------------------------------------------

# cdr_csv: without and with uniqueid, userfield and the three columns behind them; the last is in doubt.
STANDARD = '''\
"","2025550100","600","in","""Ann"" <2025550100>","SIP/t-1","SIP/701-0000000a","Queue","q",\
"2025-01-06 08:00:00","2025-01-06 08:00:05","2025-01-06 08:01:00",60,55,"ANSWERED","3"
"","2025550101","600","in","""Ann"" <2025550101>","SIP/t-2","","Hangup","",\
"2025-01-06 08:10:00","2025-01-06 08:10:00","2025-01-06 08:10:20",20,20,"ANSWERED","3","1.1"
"","702","703","in","702 <702>","SIP/702-00000001","SIP/703-00000002","Dial","",\
"2025-01-06 08:20:00",,"2025-01-06 08:20:30",30,0,"BUSY","3","2.1",""
"","2025550103","ring","in","2025550103","Local/ring@x-00000001;2","SIP/704-0000000b","Dial","",\
"2025-01-06 08:30:00","2025-01-06 08:30:10","2025-01-06 08:30:10",10,0,"ANSWERED","3","3.5","","","3.3",7
"","2025550103","600","in","2025550103","SIP/t-3","Local/ring@x-00000001;1","Dial","",\
"2025-01-06 08:30:00","2025-01-06 08:30:10","2025-01-06 08:30:10",10,0,"ANSWERED","3","3.3","","","3.3",6
"","2025550103","600","in","2025550103","SIP/t-3","SIP/704-0000000b","Dial","",\
"2025-01-06 08:30:10","2025-01-06 08:30:10","2025-01-06 08:31:00",50,50,"ANSWERED","3","3.3","","","3.3",8
"","2025550104","600","in","2025550104","SIP/t-4","","Dial","",\
"2025-01-06 08:40:00",,"2025-01-06 08:40:09",9,0,"NO ANSWER","3","4.1","","4.1",9
'''
# The template of Asterisk 1.4: quotes that nobody doubled; and what the database writes as numbers.
OLD_ORDER = [
    "clid", "src", "dst", "channel", "dstchannel", "start", "duration", "billsec", "disposition", "uniqueid",
]  # fmt: skip
OLD = """\
""Lee, Ann" <2025550105>","2025550105","600","SIP/t-5","SIP/705-b7d03c98",\
"2025-01-06 09:00:00","60.9","50.25","8","5.1"
"","2025550106","600","SIP/t-6","SIP/705-b7d03c99",\
"2025-01-06 09:10:00+01:00","30.1","0.000","4","6.1"
"""
NUMBERED = """\
eventtype,eventtime,cid_num,exten,channame,appname,peer,uniqueid,linkedid
1,2025-01-06 10:00:00.5+00,2025550107,600,SIP/t-7,,,7.1,7.1
1,2025-01-06 10:00:01-00:00,,s,SIP/706-00000001,,,7.2,7.1
4,2025-01-06T10:00:05Z,,s,SIP/706-00000001,AppDial,,7.2,7.1
14,2025-01-06 10:01:00.25+00,,s,SIP/t-7,,,7.1,7.1
"""


def test_records_are_read_in_every_form_that_asterisk_and_its_databases_give_them(
    make_centre: Callable[..., Settings],
) -> None:
    settings = make_centre(
        sources={
            "standard": {"kind": "asterisk_cdr", "streams": {"cdr": {"files": ["standard.csv"]}}},
            "old": {"kind": "asterisk_cdr", "streams": {"cdr": {"files": ["old.csv"], "columns": OLD_ORDER}}},
            "numbered": {
                "kind": "asterisk_cel",
                "streams": {"cel": {"files": ["numbered.csv"], "header": True}},
            },
        }
    )
    for name, text in (("standard", STANDARD), ("old", OLD), ("numbered", NUMBERED)):
        (settings.data_dir / f"{name}.csv").write_text(text)
    stage_and_build(settings, extract_and_load(settings), [MONDAY])
    assert query(settings, "select source, reason, line from ops.rejects") == [
        (
            "standard",
            "columns: 19 or 20, of which it is not clear what they are; name them in sources.yml",
            7,
        ),
    ]
    columns = (
        "direction, outcome, to_char(started_at, 'HH24:MI:SS'), to_char(ended_at, 'HH24:MI:SS'), "
        "talk_seconds, last_agent_key"
    )
    order = "from build.fct_contacts where source = %s order by started_at"
    assert query(settings, f"select {columns} {order}", "standard") == [
        ("inbound", "answered", "08:00:00", "08:01:00", 55, "701"),
        ("inbound", "left_in_ivr", "08:10:00", "08:10:20", None, None),
        ("internal", "void", "08:20:00", "08:20:30", None, None),
        ("inbound", "answered", "08:30:00", "08:31:00", 50, "704"),
    ]
    assert query(settings, f"select {columns} {order}", "old") == [
        ("inbound", "left_in_ivr", "08:10:00", "08:10:30", None, None),
        ("inbound", "answered", "09:00:00", "09:01:00", 50, "705"),
    ]
    assert query(settings, f"select {columns} {order}", "numbered") == [
        ("inbound", "answered", "10:00:00", "10:01:00", 55, "706"),
    ]
    names = "select caller_name from staging.stg_asterisk_cdr__records where source = 'old' order by 1"
    assert query(settings, names) == [('"Lee, Ann" <2025550105>',), (None,)]


# -- tables, dates and declarations --------------------------------------------------------------------------


def test_a_table_of_records_is_read_by_day(
    make_settings: Callable[..., Settings],
    connection: psycopg.Connection,
    database: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = {"connection": "pbx_db", "table": "cdr", "lag_days": 0}
    settings = make_settings(sources={"pbx_cdr": {"kind": "asterisk_cdr", "streams": {"cdr": stream}}})
    monkeypatch.setenv("AIRFLOW_CONN_PBX_DB", warehouse_uri(database))
    connection.execute(
        "create table cdr (calldate timestamp, clid text, src text, dst text, channel text, dstchannel text,"
        " duration integer, billsec integer, disposition text, uniqueid text, did text)"
    )
    connection.execute(
        """
        insert into cdr values
            ('2025-01-06 10:00', 'x', '2025550100', '600', 'SIP/a', 'SIP/701-01', 30, 20, 'ANSWERED', '2.1',
                '1'),
            ('2025-01-06 09:00', 'x', '2025550100', '600', 'SIP/a', null, 5, 0, 'NO ANSWER', '1.1', null),
            ('2025-01-07 00:00', 'x', '2025550100', '600', 'SIP/a', null, 5, 0, 'NO ANSWER', '3.1', null)
        """
    )
    landed = landing.extract(settings, "pbx_cdr", MONDAY, MONDAY)
    assert [(file.original_name, file.is_new) for file in landed] == [("cdr-20250106.csv", True)]
    assert (settings.landing_dir / landed[0].path).read_text().splitlines() == [
        "src,dst,clid,channel,dstchannel,duration,billsec,disposition,uniqueid,calldate",
        "2025550100,600,x,SIP/a,,5,0,NO ANSWER,1.1,2025-01-06 09:00:00",
        "2025550100,600,x,SIP/a,SIP/701-01,30,20,ANSWERED,2.1,2025-01-06 10:00:00",
    ]
    assert [file.is_new for file in landing.extract(settings, "pbx_cdr", MONDAY, MONDAY)] == [False]
    transform.stage(settings, extract_and_load(settings))
    staged = """
        select linked_id, extract(epoch from answered_at - started_at)::integer,
            extract(epoch from ended_at - started_at)::integer
        from staging.stg_asterisk_cdr__records order by 1
        """
    assert query(settings, staged) == [("1.1", None, 5), ("2.1", 10, 30)]


def test_late_and_hostile_records_touch_the_days_of_their_calls_and_no_other(
    make_centre: Callable[..., Settings],
) -> None:
    settings = make_centre(sources=SOURCES)
    pbx = settings.data_dir / "pbx"
    pbx.mkdir()
    (pbx / "queue_log").write_text(log(QUEUE_LOG))
    (pbx / "cel.csv").write_text("\n".join(CEL) + "\n")
    (pbx / "cdr.csv").write_text("\n".join([CDR_HEADER, *CDR]) + "\n")
    transform.stage(settings, extract_and_load(settings))
    assert affected(settings) == [MONDAY]

    def news(*lines: str) -> list[date]:
        (pbx / "cdr-late.csv").write_text("\n".join([CDR_HEADER, *lines]) + "\n")
        transform.stage(settings, extract_and_load(settings))
        return affected(settings)

    assert news(*CDR[:3]) == []  # the same again
    assert news(leg("2000.1", "23:59:50", "23:59:51", "00:05:00", end_day=TUESDAY)) == [MONDAY, TUESDAY]
    assert news(leg("2000.2", "12:00:00", "", "12:01:00", day=TUESDAY)) == [TUESDAY]
    assert news(leg("1000.6", "09:32:00", "", "09:33:00", PHONE_702, sequence=4)) == [MONDAY]
    hostile = "'; drop table staging.stg_asterisk_cdr__records;--"
    assert news(
        leg("2000.3", "25:00:00", "", "12:01:00"),
        leg(hostile, "13:00:00", "", "13:01:00", hostile, hostile, hostile, hostile),
    ) == [MONDAY]
    reasons = "select reason from ops.rejects where stage = 'staging' and source = 'pbx_cdr'"
    assert query(settings, reasons) == [("start: not a time",)]


@pytest.mark.parametrize(
    ("kind", "options", "streams", "message"),
    [
        ("asterisk_cdr", {}, {}, "no `files`"),
        ("asterisk_cdr", {"trunks": "PJSIP"}, {}, "`trunks` is no list"),
        ("asterisk_cdr", {}, {"cel": {"files": ["x"]}}, "known options: cdr"),
        ("asterisk_cdr", {}, {"cdr": {"files": ["x"], "columns": ["src"]}}, "`columns` lacks `dst`"),
        ("asterisk_cel", {}, {"cel": {"files": ["x"], "connection": "pbx_db"}}, "both `files` and"),
        ("asterisk_cel", {"queue_log": "pbx"}, {}, "did you mean `queue_log_source`"),
    ],
)
def test_a_wrong_declaration_is_answered_with_what_to_do(
    kind: str, options: dict[str, Any], streams: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        streams_of(Source("pbx_x", kind, "PBX", "UTC", options | {"streams": streams}))
