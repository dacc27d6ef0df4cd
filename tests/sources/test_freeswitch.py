"""Kind ``freeswitch``: channels of mod_callcenter → visits, legs, spans; simulated days equal the truth."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from callhouse.errors import ConfigError
from callhouse.postgres import Warehouse
from callhouse.settings import Settings, Source
from callhouse.sources import streams_of

from ..conftest import centre_in, cloned, warehouse_uri
from ..main_job.warehouse import (
    MainJob,
    query,
)

DAY = date(2025, 1, 6)
SOURCES = {
    "pbx": {
        "kind": "freeswitch",
        "callback_keys": ["1"],
        "streams": {
            "xml_cdr": {"files": ["freeswitch/xml_cdr*.csv"]},
            "agent_status": {"files": ["freeswitch/agent_status*.csv"], "required": False},
        },
    }
}
COLUMNS = (
    "xml_cdr_uuid", "direction", "leg", "caller_id_number", "destination_number", "start_epoch",
    "answer_epoch",
    "end_epoch", "hold_accum_seconds", "bridge_uuid", "hangup_cause", "sip_hangup_disposition",
    "sip_refer_to",
    "cc_side", "cc_queue", "cc_agent", "cc_agent_uuid", "cc_agent_type", "cc_member_uuid",
    "cc_member_session_uuid",
    "cc_queue_joined_epoch", "cc_queue_answered_epoch", "cc_queue_terminated_epoch",
    "cc_queue_canceled_epoch",
    "cc_cancel_reason", "cc_exit_key",
)  # fmt: skip


def at(clock: str, day: date = DAY) -> str:
    """Epoch seconds of a clock time in UTC."""
    return str(int(datetime.fromisoformat(f"{day.isoformat()}T{clock}+00:00").timestamp()))


def caller(number: str, start: str, joined: str, end: str, **fields: str) -> dict[str, str]:
    """The channel of a caller who entered the queue sales."""
    return {
        "xml_cdr_uuid": number, "direction": "inbound", "leg": "a", "start_epoch": at(start),
        "answer_epoch": at(start), "end_epoch": at(end), "cc_side": "member", "cc_queue": "sales@pbx.example",
        "cc_member_uuid": f"{number}-m1", "cc_queue_joined_epoch": at(joined),
        "hangup_cause": "NORMAL_CLEARING",
    } | fields  # fmt: skip


def agent(
    number: str, call: str, agent_id: str, start: str, answer: str, end: str, **fields: str
) -> dict[str, str]:
    """A channel to an agent; ``answer`` empty: nobody picked up."""
    return {
        "xml_cdr_uuid": number, "direction": "outbound", "leg": "b", "start_epoch": at(start),
        "answer_epoch": at(answer) if answer else "0", "end_epoch": at(end), "cc_side": "agent",
        "cc_queue": "sales@pbx.example", "cc_agent": f"{agent_id}@pbx.example",
        "cc_member_uuid": f"{call}-m1",
        "cc_member_session_uuid": call, "hangup_cause": "NORMAL_CLEARING" if answer else "NO_ANSWER",
    } | fields  # fmt: skip


def write(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def export(settings: Settings, rows: list[dict[str, str]], name: str = "xml_cdr.csv") -> None:
    write(settings.data_dir / "freeswitch" / name, COLUMNS, rows)


def build(settings: Settings, date_from: date, date_to: date) -> None:
    """The chain from the files to the schema ``build``, without the gate."""
    steps = dict(MainJob(settings, date_from, date_to).steps)
    for name in ("extract", "load", "stage", "build"):
        steps[name]()


def figures(settings: Settings, table: str, columns: str, like: str = "%") -> list[tuple[Any, ...]]:
    """Columns of the built rows of the contacts whose id is like a pattern, in order."""
    column = "contact_id" if table == "fct_contacts" else "split_part(contact_key, ':', 2)"
    return query(settings, f"select {columns} from build.{table} where {column} like '{like}' order by 1, 2")


# -- one day of calls, built once --------------------------------------------------------------------------


def given_up(number: str, **fields: str) -> dict[str, str]:
    """A caller who left the queue after thirty seconds."""
    return caller(
        number, "09:00:00", "09:00:00", "09:00:31", cc_queue_canceled_epoch=at("09:00:30"), **fields
    )


def plain(number: str, direction: str, **fields: str) -> dict[str, str]:
    """A channel that no queue saw."""
    row = caller(number, "09:00:00", "09:00:00", "09:01:00", direction=direction) | fields
    return row | {"cc_side": "", "cc_queue": "", "cc_member_uuid": "", "cc_queue_joined_epoch": ""}


PASSED_ON = {"hangup_cause": "BLIND_TRANSFER"}
HOSTILE = '\'; drop table x; -- \\N "" {{ 1 }} \u2028'
CALLS = [
    # Into the line at 9:00:00, menu until 9:00:50, agent at 9:01:05: 15 s of wait, not 65.
    caller(
        "menu-first", "09:00:00", "09:00:50", "09:05:05", cc_queue_answered_epoch=at("09:01:05"),
        cc_agent="1001",
        cc_agent_uuid="menu-first-2", cc_queue_terminated_epoch=at("09:05:05"),
    ),
    agent("menu-first-1", "menu-first", "1002", "09:00:50", "", "09:01:00"),  # ten seconds unanswered
    agent(
        "menu-first-2", "menu-first", "1001", "09:01:01", "09:01:05", "09:05:05", hold_accum_seconds="40",
        sip_hangup_disposition="send_bye",
    ),
    given_up("out-hung-up", cc_cancel_reason="BREAK_OUT"),
    given_up("out-none", cc_cancel_reason="NONE"),
    given_up("out-timeout", cc_cancel_reason="TIMEOUT"),
    given_up("out-nobody", cc_cancel_reason="NO_AGENT_TIMEOUT"),
    given_up("out-key", cc_cancel_reason="EXIT_WITH_KEY", cc_exit_key="*"),
    given_up("out-callback", cc_cancel_reason="EXIT_WITH_KEY", cc_exit_key="1"),
    caller("out-lost", "09:00:00", "09:00:00", "09:00:20"),  # the switch wrote neither
    # Answered in sales at 9:00:10, passed on at 9:01:10, given up in service: one row, the last queue's.
    caller(
        "passed-on", "09:00:00", "09:01:12", "09:01:42", cc_queue="service@pbx.example",
        cc_member_uuid="passed-on-m2", cc_queue_answered_epoch=at("09:00:10"), cc_agent="1001",
        cc_queue_terminated_epoch=at("09:01:10"), cc_queue_canceled_epoch=at("09:01:42"),
        cc_cancel_reason="BREAK_OUT", destination_number="7002",
    ),
    agent(
        "passed-on-1", "passed-on", "1001", "09:00:06", "09:00:10", "09:01:10",
        cc_queue_joined_epoch=at("09:00:00"), hangup_cause="BLIND_TRANSFER",
        sip_refer_to="<sip:7002@pbx.example>",
    ),
    # No entry exported, and the caller's channel is not over.
    agent("elsewhere-1", "elsewhere", "1001", "09:29:58", "09:30:02", "09:31:02", **PASSED_ON),
    caller(
        "ring-all", "09:00:00", "09:00:00", "09:01:06", cc_queue_answered_epoch=at("09:00:06"),
        cc_agent="1002", cc_agent_uuid="ring-all-2",
    ),
    agent("ring-all-1", "ring-all", "1001", "09:00:00", "09:00:06", "09:00:07"),  # picked up too late
    agent("ring-all-2", "ring-all", "1002", "09:00:00", "09:00:06", "09:01:06"),
    agent("ring-all-3", "ring-all", "1003", "09:00:00", "", "09:00:06", hangup_cause="ORIGINATOR_CANCEL"),
    agent("ring-all-4", "ring-all", "1004", "09:00:00", "", "09:00:00", hangup_cause="USER_NOT_REGISTERED"),
    agent("ring-all-5", "ring-all", "1005", "09:00:00", "", "09:00:04", hangup_cause="CALL_REJECTED"),
    caller(
        "caller-only", "09:00:00", "09:00:00", "09:02:15", cc_queue_answered_epoch=at("09:00:10"),
        cc_queue_terminated_epoch=at("09:02:10"), cc_agent="1001@pbx.example", hold_accum_seconds="20",
        sip_hangup_disposition="recv_bye",
    ),
    plain("plain-menu", "inbound"),
    plain("plain-out", "outbound", bridge_uuid="b", answer_epoch=at("09:00:20")),
    plain("plain-out-unanswered", "outbound", answer_epoch="0"),
    plain("plain-colleague", "local", bridge_uuid="b"),
    plain("plain-other-end", "outbound", leg="b", bridge_uuid="b"),
    given_up("hostile", cc_queue=f"{HOSTILE}@pbx", caller_id_number=HOSTILE),
    caller("", "09:00:00", "09:00:00", "09:00:09"),
    caller("clock", "09:00:00", "09:00:00", "09:00:09") | {"start_epoch": "0"},
    caller("text", "09:00:00", "09:00:00", "09:00:09") | {"start_epoch": "Monday"},
    caller("dumped", "09:00:00", "09:00:00", "09:00:09", cc_queue_answered_epoch=r"\N"),
    # A data frame writes a column of seconds with gaps as decimal numbers.
    caller("framed", "09:00:00", "09:00:00", "09:01:15", cc_agent="1001")
    | {"cc_queue_answered_epoch": at("09:00:15") + ".0", "cc_queue_canceled_epoch": "0.0"}
    | {"start_epoch": at("09:00:00") + ".0", "cc_queue_joined_epoch": at("09:00:00") + ".0"},
    agent("nobody", "", "1001", "09:00:00", "", "09:00:09") | {"cc_member_uuid": ""},
]  # fmt: skip
TOMORROW = DAY + timedelta(days=1)
STATUSES = [
    ("1001", at("08:00:00"), "Available"),
    ("1001", at("10:00:00"), "On Break"),
    ("1001", at("10:15:00"), "Available (On Demand)"),
    ("1001", at("12:00:00"), "Logged Out"),
    ("1002", at("22:00:00"), "Available"),  # a night shift
    ("1002", at("06:00:00", TOMORROW), "Logged Out"),
    ("1003", at("09:00:00"), "Available"),  # never logged out
]


@pytest.fixture(scope="module")
def day(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A centre in UTC whose only source is the FreeSWITCH export, with the day's calls built."""
    folder = tmp_path_factory.mktemp("freeswitch")
    with (
        cloned(server) as database,
        centre_in(folder, database, sources=SOURCES, centre={"time_zone": "UTC"}) as settings,
    ):
        export(settings, CALLS)
        rows = [
            {
                "Event-Date-Timestamp": f"{time}000000",
                "CC-Agent": f"{who}@pbx.example",
                "CC-Agent-Status": status,
            }
            for who, time, status in STATUSES
        ]
        write(settings.data_dir / "freeswitch" / "agent_status.csv", tuple(rows[0]), rows)
        build(settings, DAY, DAY)
        yield settings


VISIT = """
    contact_key || '/' || visit_number, queue_key, outcome, outcome_reason, wait_seconds, talk_seconds,
    agent_key
"""
LEG = (
    "agent_key, outcome, ring_seconds, talk_seconds, hold_seconds, hung_up_by, transfer_kind, transfer_target"
)


def test_a_call_is_waited_for_from_its_entry_not_from_the_answer_of_the_line(day: Settings) -> None:
    assert figures(day, "fct_queue_visits", VISIT, "menu-first") == [
        ("pbx:menu-first/1", "pbx:sales", "answered", None, 15, 200, "1001")
    ]
    assert figures(day, "fct_queue_visits", "answered_in_threshold_count, 1", "menu-first") == [(1, 1)]
    assert figures(day, "fct_contacts", "outcome, ivr_seconds, hold_seconds, ended_at", "menu-first") == [
        ("answered", 50, 40, datetime(2025, 1, 6, 9, 5, 5, tzinfo=UTC))
    ]
    assert figures(day, "fct_agent_legs", LEG, "menu-first") == [
        ("1001", "answered", 4, 200, 40, "customer", None, None),
        ("1002", "missed", 10, 0, 0, None, None, None),
    ]


def test_every_way_out_of_a_queue_has_its_outcome(day: Settings) -> None:
    rows = figures(day, "fct_queue_visits", "contact_key, outcome, outcome_reason, wait_seconds", "out-%")
    assert [(row[0].removeprefix("pbx:out-"), *row[1:]) for row in rows] == [
        ("callback", "called_back", None, 30),
        ("hung-up", "abandoned", None, 30),
        ("key", "flowed_out", "key", 30),
        ("lost", "abandoned", None, 20),
        ("nobody", "flowed_out", "empty", 30),
        ("none", "abandoned", None, 30),
        ("timeout", "flowed_out", "timeout", 30),
    ]


def test_what_an_earlier_queue_left_on_the_channel_does_not_answer_the_next_one(day: Settings) -> None:
    assert figures(day, "fct_queue_visits", VISIT, "passed-on") == [
        ("pbx:passed-on/1", "pbx:sales", "answered", None, 10, 60, "1001"),
        ("pbx:passed-on/2", "pbx:service", "abandoned", None, 30, 0, None),
    ]
    assert figures(day, "fct_agent_legs", LEG, "passed-on") == [
        ("1001", "answered", 4, 60, 0, None, "blind", "7002")
    ]
    assert figures(day, "fct_contacts", "outcome, visit_count, first_agent_key", "passed-on") == [
        ("answered", 2, "1001")
    ]


def test_without_an_exported_entry_an_earlier_visit_begins_with_its_offer(day: Settings) -> None:
    assert figures(day, "fct_queue_visits", f"{VISIT}, interval_start_at", "elsewhere") == [
        (
            "pbx:elsewhere/1", "pbx:sales", "answered", None, 4, 60, "1001",
            datetime(2025, 1, 6, 9, 0, tzinfo=UTC),
        )
    ]  # fmt: skip


def test_a_caller_who_was_passed_on_and_has_no_row_yet_is_in_progress(day: Settings) -> None:
    assert figures(day, "fct_contacts", "outcome, ended_at", "elsewhere") == [("in_progress", None)]


def test_in_a_ring_all_queue_only_who_got_the_call_answered_and_nobody_missed_what_was_taken_back(
    day: Settings,
) -> None:
    assert figures(day, "fct_agent_legs", "agent_key, outcome, talk_seconds", "ring-all") == [
        ("1002", "answered", 60),
        ("1005", "missed", 0),
    ]


def test_an_export_of_callers_only_still_gives_the_agents_their_calls(day: Settings) -> None:
    assert figures(day, "fct_agent_legs", LEG, "caller-only") == [
        ("1001", "answered", None, 100, 20, "customer", None, None)
    ]


def test_an_answer_written_as_a_decimal_number_is_an_answer(day: Settings) -> None:
    assert figures(day, "fct_queue_visits", VISIT, "framed") == [
        ("pbx:framed/1", "pbx:sales", "answered", None, 15, 60, "1001")
    ]


def test_calls_no_queue_saw_are_contacts_by_their_direction(day: Settings) -> None:
    assert figures(
        day, "fct_contacts", "contact_id, direction, outcome, talk_seconds, visit_count", "plain-%"
    ) == [
        ("plain-colleague", "internal", "answered", 60, 0),
        ("plain-menu", "inbound", "left_in_ivr", None, 0),
        ("plain-out", "outbound", "answered", 40, 0),
        ("plain-out-unanswered", "outbound", "void", None, 0),
    ]
    assert figures(day, "fct_queue_visits", "1, 2", "plain-%") == []


def test_unusable_channels_are_set_aside_with_a_reason_and_hostile_text_harms_nothing(day: Settings) -> None:
    assert [row[0] for row in query(day, "select reason from ops.rejects order by 1")] == [
        "cc_queue_answered_epoch: not seconds since 1970",
        "cc_side agent: neither cc_member_uuid nor cc_member_session_uuid",
        "start_epoch: before 1990, the clock was not set",
        "start_epoch: not seconds since 1970",
        "xml_cdr_uuid: empty",
    ]
    assert figures(day, "fct_queue_visits", "outcome, queue_key", "hostile") == [
        ("abandoned", f"pbx:{HOSTILE}")
    ]


def test_a_status_lasts_until_the_next_and_a_forgotten_one_until_midnight_at_most(day: Settings) -> None:
    def time(clock: str, on: date = DAY) -> datetime:
        return datetime.fromisoformat(f"{on.isoformat()}T{clock}+00:00")

    spans = query(
        day,
        """
        select agent_id, state, reason, started_at, ended_at, is_end_inferred
        from intermediate.int_freeswitch__agent_spans
        where state in ('available', 'away') order by 1, 4, 2
        """,
    )
    assert spans == [
        ("1001", "available", None, time("08:00:00"), time("10:00:00"), False),
        ("1001", "available", None, time("10:00:00"), time("10:15:00"), False),
        ("1001", "away", "On Break", time("10:00:00"), time("10:15:00"), False),
        ("1001", "available", None, time("10:15:00"), time("12:00:00"), False),
        ("1002", "available", None, time("22:00:00"), time("06:00:00", TOMORROW), False),
        ("1003", "available", None, time("09:00:00"), time("00:00:00", TOMORROW), True),
    ]
    # Of a hold of 40 s only the length is known: it stands at the end.
    held = """
        select state, started_at, ended_at, is_end_inferred from intermediate.int_freeswitch__agent_spans
        where agent_id = '1001' and state in ('talk', 'hold')
            and started_at >= '2025-01-06 09:01:05Z' and ended_at <= '2025-01-06 09:05:05Z'
            and ended_at > '2025-01-06 09:03Z'
        order by 2
    """
    assert query(day, held) == [
        ("talk", time("09:01:05"), time("09:04:25"), True),
        ("hold", time("09:04:25"), time("09:05:05"), False),
    ]
    ringing = """
        select agent_id, started_at, ended_at from intermediate.int_freeswitch__agent_spans
        where state = 'ringing' and started_at between '2025-01-06 09:00:50Z' and '2025-01-06 09:02Z'
        order by 1
    """
    assert query(day, ringing) == [
        ("1001", time("09:01:01"), time("09:01:05")),
        ("1002", time("09:00:50"), time("09:01:00")),
    ]


# -- the table ---------------------------------------------------------------------------------------------


def test_the_table_of_fusionpbx_gives_what_its_export_gives(
    day: Settings,
    make_settings: Callable[..., Settings],
    database: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    contact = "contact_id, outcome, started_at, ended_at, talk_seconds"
    compared = (("fct_queue_visits", VISIT), ("fct_agent_legs", LEG), ("fct_contacts", contact))
    exported = {table: sorted(figures(day, table, columns), key=str) for table, columns in compared}
    stream = {"connection": "fusionpbx_db", "table": "fusionpbx.v_xml_cdr"}
    sources = {"pbx": SOURCES["pbx"] | {"streams": {"xml_cdr": stream}}}
    settings = make_settings(sources=sources, centre={"time_zone": "UTC"})
    monkeypatch.setenv("AIRFLOW_CONN_FUSIONPBX_DB", warehouse_uri(database))
    forms = ", ".join(f"{name} {'numeric' if name.endswith('_epoch') else 'text'}" for name in COLUMNS)
    broken = ("clock", "text", "dumped")
    before = plain("evening-before", "inbound") | {"start_epoch": str(int(at("00:00:00")) - 1)}
    calls = [before, *(row for row in CALLS if row["xml_cdr_uuid"] not in broken)]
    rows = [[row.get(name) or None for name in COLUMNS] for row in calls]
    with psycopg.connect(warehouse_uri(database)) as fusionpbx:
        fusionpbx.execute("create schema fusionpbx")
        fusionpbx.execute(f"create table fusionpbx.v_xml_cdr (domain_uuid uuid, {forms})".encode())
        statement = f"copy fusionpbx.v_xml_cdr ({', '.join(COLUMNS)}) from stdin".encode()
        with fusionpbx.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    build(settings, DAY, DAY)
    names = "select original_name from ops.landing_files order by 1"
    assert query(settings, names) == [("xml_cdr-20250105.csv",), ("xml_cdr-20250106.csv",)]
    for table, columns in compared:
        found = sorted(figures(settings, table, columns), key=str)
        assert [row for row in found if "evening-before" not in str(row)] == exported[table]


# -- restating ---------------------------------------------------------------------------------------------


def test_late_and_corrected_channels_restate_exactly_the_days_of_their_call(
    make_settings: Callable[..., Settings],
) -> None:
    centre, before = make_settings(sources=SOURCES, centre={"time_zone": "UTC"}), DAY - timedelta(days=1)
    quiet = caller("quiet", "10:00:00", "10:00:00", "10:00:05") | {"start_epoch": at("10:00:00", TOMORROW)}
    quiet |= {"cc_queue_joined_epoch": at("10:00:00", TOMORROW), "end_epoch": at("10:00:05", TOMORROW)}
    long = caller(
        "long", "00:00:05", "00:00:05", "00:00:50", cc_queue_answered_epoch=at("00:00:10"), cc_agent="1001",
        cc_member_uuid="long-m2",
    ) | {"start_epoch": at("23:58:00", before)}  # fmt: skip
    export(centre, [long, quiet])
    build(centre, before, TOMORROW)
    assert figures(centre, "fct_contacts", "business_date, ivr_seconds", "long") == [(DAY, 125)]
    query(centre, "delete from ops.affected_dates")

    late = agent("long-1", "long", "1002", "00:00:00", "", "00:00:00") | {
        "cc_queue_joined_epoch": at("23:58:30", before), "start_epoch": at("23:58:31", before),
        "answer_epoch": at("23:58:40", before),
    }  # fmt: skip
    corrected = long | {"end_epoch": at("00:00:55")}
    export(centre, [late, corrected, quiet], "xml_cdr-late.csv")
    build(centre, before, TOMORROW)
    assert query(
        centre, "select array_agg(business_date order by business_date) from ops.affected_dates"
    ) == [([before, DAY],)]
    assert query(centre, "select sum(rows_duplicate) from ops.loads") == [(1,)]
    visits = "visit_number, business_date, wait_seconds, talk_seconds"
    assert figures(centre, "fct_queue_visits", visits, "long") == [(1, before, 10, 80), (2, DAY, 5, 45)]
    contact = "business_date, ivr_seconds, visit_count"
    assert figures(centre, "fct_contacts", contact, "long") == [(before, 30, 2)]


def test_a_customer_who_gets_a_callers_number_later_is_found_on_the_day_of_the_first_queue(
    make_settings: Callable[..., Settings],
) -> None:
    customers = {
        "files": ["crm/*.csv"], "required": False, "record": "customer", "columns": ["no", "phone"],
        "map": {"customer_id": "no", "phone_number": "phone"},
    }  # fmt: skip
    sources = SOURCES | {"crm": {"kind": "delimited", "streams": {"customers": customers}}}
    centre, before = make_settings(sources=sources, centre={"time_zone": "UTC"}), DAY - timedelta(days=1)
    long = caller("long", "00:00:05", "00:00:05", "00:00:50", cc_member_uuid="m2", caller_id_number="+1200")
    first = agent("long-1", "long", "1002", "00:00:00", "", "00:00:00") | {
        "cc_queue_joined_epoch": at("23:58:30", before), "start_epoch": at("23:58:31", before),
        "answer_epoch": at("23:58:40", before),
    }  # fmt: skip
    export(centre, [long | {"start_epoch": at("23:58:00", before)}, first])
    build(centre, before, DAY)
    query(centre, "delete from ops.affected_dates")
    write(centre.data_dir / "crm" / "customers.csv", ("no", "phone"), [{"no": "C1", "phone": "+1200"}])
    build(centre, before, DAY)
    assert query(centre, "select business_date from ops.affected_dates order by 1") == [(before,), (DAY,)]
    assert figures(centre, "fct_contacts", "business_date, customer_id", "long") == [(before, "C1")]


def test_an_option_of_another_kind_is_refused_by_name() -> None:
    source = Source(
        "pbx", "freeswitch", "", "UTC", {"streams": {"xml_cdr": {"files": ["x"], "record": "call"}}}
    )
    with pytest.raises(ConfigError, match="record"):
        streams_of(source)
    table = {"streams": {"xml_cdr": {"files": ["x"], "connection": "fusionpbx_db"}}}
    with pytest.raises(ConfigError, match="both `files` and `connection`"):
        streams_of(Source("pbx", "freeswitch", "", "UTC", table))
    with pytest.raises(ConfigError, match="did you mean `xml_cdr`"):
        streams_of(Source("pbx", "freeswitch", "", "UTC", {"streams": {"xmlcdr": {"files": ["x"]}}}))
