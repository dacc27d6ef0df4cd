"""Amazon Connect: contact records, agent events and evaluations, from their files to the canonical model."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from callhouse import landing, raw
from callhouse.errors import ConfigError, SourceError
from callhouse.postgres import Warehouse
from callhouse.settings import PROJECT, Settings, Source
from callhouse.sources import streams_of

from ..conftest import cloned, make_centre
from ..main_job.warehouse import MainJob, digests, query, run_warehouse
from ..s3_server import CONNECTION, S3

SHARED = Path(os.environ.get("CALLHOUSE_SHARED_DATA", PROJECT.parent / "shared" / "data")) / "amazon_connect"
DAY = date(2022, 1, 5)
INSTANCE = "arn:aws:connect:eu-central-1:000000000000:instance/x"
SOURCES = {
    "connect": {
        "kind": "amazon_connect",
        "exit_reason": "queue_exit",
        "streams": {
            name: {"files": [f"amazon_connect/{name}/*"], "required": False}
            for name in ("contact_records", "agent_events", "evaluations")
        },
    }
}


def at(clock: str | None, day: date = DAY) -> str | None:
    """A clock time in UTC as Amazon Connect writes it."""
    return None if clock is None else f"{day.isoformat()}T{clock}Z"


def record(
    number: str,
    started: str,
    *,
    queued: tuple[str, str] | None = None,
    agent: tuple[str, str, int, int, int] | None = None,
    ended: str | None = None,
    queue: str = "sales",
    **fields: Any,
) -> dict[str, Any]:
    """A contact record.

    Args:
        queued: when it entered and left the queue.
        agent: user name, when connected, seconds of interaction, hold, after-call work.
    """
    described: dict[str, Any] = {
        "ContactId": number, "InitialContactId": None, "PreviousContactId": None, "NextContactId": None,
        "Channel": "VOICE", "InitiationMethod": "INBOUND", "InitiationTimestamp": at(started),
        "ConnectedToSystemTimestamp": at(started), "DisconnectTimestamp": at(ended), "Queue": None,
        "DisconnectReason": "CUSTOMER_DISCONNECT", "Agent": None, "AgentConnectionAttempts": int(bool(agent)),
        "LastUpdateTimestamp": at("23:00:00"), "Attributes": {}, "SomethingNew": {"added": "later"},
        "CustomerEndpoint": {"Type": "TELEPHONE_NUMBER", "Address": "+12005550100"},
    }  # fmt: skip
    if queued:
        described["Queue"] = {
            "ARN": f"{INSTANCE}/queue/{queue}", "Name": queue, "EnqueueTimestamp": at(queued[0]),
            "DequeueTimestamp": at(queued[1]), "Duration": None,
        }  # fmt: skip
    if agent:
        name, answered, talk, hold, after_call = agent
        left = datetime.fromisoformat(f"{DAY}T{answered}") + timedelta(seconds=talk + hold)
        described["Agent"] = {
            "ARN": f"{INSTANCE}/agent/{name}", "Username": name, "ConnectedToAgentTimestamp": at(answered),
            "AgentInteractionDuration": talk, "CustomerHoldDuration": hold,
            "AfterContactWorkStartTimestamp": f"{left.isoformat()}Z", "AfterContactWorkDuration": after_call,
        }  # fmt: skip
    return described | fields


def event(
    number: str, agent: str, clock: str, kind: str = "STATE_CHANGE", status: str = "Available", *contacts: Any
) -> dict[str, Any]:
    """An agent event; each contact is (ContactId, State, clock time of its start)."""
    types = {"Available": "ROUTABLE", "Offline": "OFFLINE"}
    return {
        "EventId": number, "EventType": kind, "EventTimestamp": at(clock),
        "AgentARN": f"{INSTANCE}/agent/{agent}",
        "CurrentAgentSnapshot": {
            "AgentStatus": {"Name": status, "Type": types.get(status, "CUSTOM")},
            "Configuration": {"Username": agent, "FirstName": "x"},
            "Contacts": [
                {"ContactId": contact, "State": state, "StateStartTimestamp": at(since)}
                for contact, state, since in contacts
            ],
        },
    }  # fmt: skip


def deliver(settings: Settings, stream: str, documents: list[Any], name: str = "file.jsonl") -> None:
    path = settings.data_dir / "amazon_connect" / stream / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(document) + "\n" for document in documents), encoding="utf-8")


def build(settings: Settings, date_from: date = DAY, date_to: date = DAY) -> None:
    """The chain from the files to the schema ``build``, without the gate."""
    steps = dict(MainJob(settings, date_from, date_to).steps)
    for name in ("extract", "load", "stage", "build"):
        steps[name]()


# -- one day of calls, built once --------------------------------------------------------------------------

# A public worked example: 239 s of interaction, 221 s of hold, 5 s of after-call work; the customer stays
# with a third party for another 19 minutes. It comes three times.
O_8 = record(
    "o8", "17:13:00", queued=("17:14:46", "17:20:32"), agent=("1001", "17:20:32", 239, 221, 5),
    ended="17:47:28",
    TransferCompletedTimestamp=at("17:28:10"),
    TransferredToEndpoint={"Type": "TELEPHONE_NUMBER", "Address": "+12005550111"},
)  # fmt: skip
O_8_VERSIONS = [
    O_8 | {"LastUpdateTimestamp": "2022-01-11T04:09:47Z"},
    O_8
    | {"LastUpdateTimestamp": "2022-01-05T17:48:35Z", "Agent": O_8["Agent"] | {"CustomerHoldDuration": 1}},
    O_8
    | {"LastUpdateTimestamp": "2022-01-11T03:41:32Z", "Agent": O_8["Agent"] | {"CustomerHoldDuration": 2}},
]
HOSTILE = "'; drop table x; -- \\N \" {{ 1 }} \u2028 \u0000"
RECORDS = [
    *O_8_VERSIONS,
    # Entered at 7:28 and answered at 7:32: offered in one half-hour, answered in the next.
    record(
        "o9b", "07:27:50", queued=("07:28:00", "07:32:00"), agent=("1001", "07:32:00", 60, 0, 10),
        ended="07:33:00",
    ),
    record("gave-up", "09:00:00", queued=("09:00:10", "09:00:40"), ended="09:00:40"),
    record("in-menu", "09:00:00", ended="09:00:25"),
    record(
        "timed-out", "09:00:00", queued=("09:00:00", "09:02:00"), ended="09:02:05",
        DisconnectReason="CONTACT_FLOW_DISCONNECT", Attributes={"queue_exit": "timeout"},
    ),
    record(
        "flow-end", "09:00:00", queued=("09:00:00", "09:02:00"), ended="09:02:05",
        DisconnectReason="CONTACT_FLOW_DISCONNECT",
    ),
    # A flow moves the caller on to a second queue, where an agent answers.
    record("moved", "10:00:00", queued=("10:00:00", "10:01:00"), ended="10:01:00", NextContactId="moved-2",
           DisconnectReason="OTHER"),
    record(
        "moved-2", "10:01:00", queued=("10:01:00", "10:01:30"), agent=("1002", "10:01:30", 100, 0, 20),
        ended="10:03:10", queue="service", InitialContactId="moved", PreviousContactId="moved",
        InitiationMethod="QUEUE_TRANSFER",
    ),
    # Asked for a callback while waiting; it is made twenty minutes later.
    record("call-me", "10:00:00", queued=("10:00:00", "10:00:50"), ended="10:00:55",
           NextContactId="call-me-2",
           DisconnectReason="CONTACT_FLOW_DISCONNECT"),
    record(
        "call-me-2", "10:00:52", queued=("10:00:52", "10:20:00"), agent=("1002", "10:20:00", 80, 0, 5),
        ended="10:21:20", InitialContactId="call-me", PreviousContactId="call-me",
        InitiationMethod="CALLBACK",
    ),
    record("call-later", "10:00:00", ended="10:00:30", NextContactId="call-later-2"),
    record(
        "call-later-2", "10:00:30", queued=("10:00:30", "10:10:00"), agent=("1002", "10:10:00", 30, 0, 5),
        ended="10:10:30", InitialContactId="call-later", PreviousContactId="call-later",
        InitiationMethod="CALLBACK",
    ),
    # The first agent leaves before the second answers.
    record("blind", "11:00:00", queued=("11:00:00", "11:00:10"), agent=("1001", "11:00:10", 50, 0, 10),
           ended="11:01:00", NextContactId="blind-2", DisconnectReason="OTHER"),
    record(
        "blind-2", "11:01:00", queued=("11:01:00", "11:01:20"), agent=("1002", "11:01:20", 60, 0, 10),
        ended="11:02:20", queue="service", InitialContactId="blind", PreviousContactId="blind",
        InitiationMethod="TRANSFER",
    ),
    # The second agent is spoken to first, then left with the customer.
    record("attended", "11:00:00", queued=("11:00:00", "11:00:10"), agent=("1001", "11:00:10", 50, 40, 10),
           ended="11:05:00", NextContactId="attended-2"),
    record("attended-2", "11:01:00", agent=("1002", "11:01:10", 230, 0, 10), ended="11:05:00",
           InitialContactId="attended", PreviousContactId="attended", InitiationMethod="TRANSFER"),
    # The second agent only gives advice.
    record("asked", "11:00:00", queued=("11:00:00", "11:00:10"), agent=("1001", "11:00:10", 50, 40, 10),
           ended="11:01:40", NextContactId="asked-2"),
    record("asked-2", "11:00:30", agent=("1002", "11:00:35", 20, 0, 0), ended="11:00:55",
           InitialContactId="asked", PreviousContactId="asked", InitiationMethod="TRANSFER"),
    record("dialled", "12:00:00", agent=("1001", "12:00:05", 30, 0, 5), ended="12:00:40",
           InitiationMethod="OUTBOUND", DisconnectReason="AGENT_DISCONNECT"),
    record("colleague", "12:10:00", agent=("1002", "12:10:05", 30, 0, 0), ended="12:10:35",
           InitiationMethod="TRANSFER"),
    # Leaves a chat while waiting; the flow behind it asks how it was.
    record("chat-left", "12:20:00", queued=("12:20:00", "12:20:40"), ended="12:20:40", Channel="CHAT",
           InitiationMethod="API", NextContactId="chat-left-2"),
    record("chat-left-2", "12:20:41", ended="12:21:00", Channel="CHAT", InitiationMethod="DISCONNECT",
           InitialContactId="chat-left", PreviousContactId="chat-left"),
    # The agent leaves a chat, and the flow behind it brings the customer to another queue.
    record("chat-back", "12:30:00", queued=("12:30:00", "12:30:10"), agent=("1001", "12:30:10", 60, 0, 5),
           ended="12:31:10", Channel="CHAT", InitiationMethod="API", DisconnectReason="AGENT_DISCONNECT",
           NextContactId="chat-back-2"),
    record("chat-back-2", "12:31:12", queued=("12:31:15", "12:31:20"), agent=("1002", "12:31:20", 30, 0, 5),
           ended="12:31:50", Channel="CHAT", queue="service", InitiationMethod="DISCONNECT",
           InitialContactId="chat-back", PreviousContactId="chat-back"),
    # An agent calls somebody outside and leaves the customer with them; calls somebody outside for advice.
    record("outside", "12:40:00", queued=("12:40:00", "12:40:10"), agent=("1001", "12:40:10", 50, 40, 0),
           ended="12:45:00", NextContactId="outside-2"),
    record("outside-2", "12:41:00", ended="12:45:00", InitiationMethod="EXTERNAL_OUTBOUND",
           InitialContactId="outside", PreviousContactId="outside"),
    record("advice", "12:50:00", queued=("12:50:00", "12:50:10"), agent=("1001", "12:50:10", 50, 40, 0),
           ended="12:51:40", NextContactId="advice-2"),
    record("advice-2", "12:50:30", ended="12:51:00", InitiationMethod="EXTERNAL_OUTBOUND",
           InitialContactId="advice", PreviousContactId="advice"),
    record("mailed", "12:55:00", agent=("1002", "12:55:00", 30, 0, 0), ended="12:55:30", Channel="EMAIL",
           InitiationMethod="AGENT_REPLY", DisconnectReason="AGENT_DISCONNECT"),
    # Rang at 1001 (missed), at 1002 (rejected), at 1001 again: answered. A fourth attempt left no event.
    record(
        "rang", "13:00:00", queued=("13:00:00", "13:00:50"), agent=("1001", "13:00:50", 10, 0, 5),
        ended="13:01:00", AgentConnectionAttempts=4,
    ),
    record("rang-out", "13:10:00", queued=("13:10:00", "13:10:12"), ended="13:10:12",
           AgentConnectionAttempts=1),
    # Another program wrote the same times again.
    record("written-again", "13:20:00", queued=("13:20:00", "13:20:30"), ended="13:20:30")
    | {
        "InitiationTimestamp": f"{DAY}T13:20:00.000000+00:00",
        "DisconnectTimestamp": f"{DAY}T09:50:30.25-0330",
    },
    record("uncounted", "14:00:00", queued=("14:00:00", "14:01:00"), ended="14:01:00",
           AgentConnectionAttempts=2),
    record("open", "15:00:00", queued=("15:00:00", "15:00:05"), agent=("1001", "15:00:05", 0, 0, 0))
    | {"Agent": {"Username": "1001", "ConnectedToAgentTimestamp": at("15:00:05")}},
    record("waiting", "15:00:00", queued=("15:00:00", "15:00:05"))
    | {"Queue": {"Name": "sales", "EnqueueTimestamp": at("15:00:00")}},
    record("hostile", "16:00:00", queued=("16:00:00", "16:00:30"), ended="16:00:30", queue=HOSTILE,
           Attributes={HOSTILE: HOSTILE, "queue_exit": HOSTILE}),
    record("", "16:00:00"),
    record("clock", "16:00:00") | {"InitiationTimestamp": "1970-01-01T00:00:00Z"},
    record("text", "16:00:00") | {"DisconnectTimestamp": "yesterday"},
    record("zone", "16:00:00") | {"InitiationTimestamp": "2022-01-05T16:00:00"},
]  # fmt: skip
EVENTS = [
    event("e01", "1001", "12:59:00", "LOGIN"),
    event("e02", "1001", "13:00:00", "STATE_CHANGE", "Available", ("rang", "CONNECTING", "13:00:00")),
    event("e03", "1001", "13:00:15", "STATE_CHANGE", "Available", ("rang", "MISSED", "13:00:15")),
    event("e04", "1001", "13:00:25"),
    event("e05", "1002", "13:00:16", "LOGIN", "Available", ("rang", "INCOMING", "13:00:16")),
    event("e06", "1002", "13:00:20", "STATE_CHANGE", "Available", ("rang", "REJECTED", "13:00:20")),
    event("e07", "1002", "13:00:30", "STATE_CHANGE", "Lunch"),
    event("e08", "1001", "13:00:47", "STATE_CHANGE", "Available", ("rang", "CONNECTING", "13:00:47")),
    event("e09", "1001", "13:00:50", "STATE_CHANGE", "Available", ("rang", "CONNECTED", "13:00:50")),
    event("e10", "1001", "13:00:53", "STATE_CHANGE", "Available", ("rang", "CONNECTED_ONHOLD", "13:00:53")),
    event("e11", "1001", "13:00:57", "HEART_BEAT", "Available", ("rang", "CONNECTED_ONHOLD", "13:00:53")),
    event("e12", "1001", "13:01:00", "STATE_CHANGE", "Available", ("rang", "ENDED", "13:01:00")),
    event("e13", "1001", "13:01:05"),
    event("e14", "1001", "13:03:05", "HEART_BEAT"),
    # The customer hangs up in the same second in which the telephone stops ringing.
    event("e15", "1001", "13:10:02", "STATE_CHANGE", "Available", ("rang-out", "CONNECTING", "13:10:02")),
    event("e16", "1001", "13:10:12.345", "STATE_CHANGE", "Available", ("rang-out", "MISSED", "13:10:12.345")),
    event("e17", "1001", "13:10:20", "LOGOUT", "Offline"),
    # Logged in, and never heard of again; another agent's events show that the data go on.
    event("e18", "1003", "20:00:00", "LOGIN", "Offline"),
    event("e19", "1003", "20:01:00", "STATE_CHANGE", "Training"),
    event("e20", "1002", "21:00:00", "LOGOUT", "Offline"),
    # In the same instant: logged in and available, away and logged out.
    event("e32", "1004", "20:10:00", "LOGIN", "Offline"),
    event("e31", "1004", "20:10:00"),
    event("e33", "1004", "20:12:00", "LOGOUT", "Offline"),
    event("e34", "1004", "20:12:00", "STATE_CHANGE", "Lunch"),
    event("", "1002", "21:00:00"),
    event("e22", "1002", "21:00:00") | {"EventTimestamp": "noon"},
]  # fmt: skip

EVALUATION: dict[str, Any] = {
    "evaluationId": "v1",
    "metadata": {
        "contactId": "o8", "agentId": f"{INSTANCE}/agent/1001", "evaluator": f"{INSTANCE}/agent/9",
        "evaluationDefinitionTitle": "Politeness", "evaluationStartTimestamp": at("18:00:00"),
        "evaluationSubmitTimestamp": at("18:05:00"), "score": {"percentage": 87.5},
    },
    "sections": [{"sectionRefId": "s1"}],
    "questions": [{"questionRefId": "q1", "answer": {"notApplicable": True}}],
}  # fmt: skip
LATER = EVALUATION | {"metadata": EVALUATION["metadata"] | {"evaluationSubmitTimestamp": at("19:00:00")}}


@pytest.fixture(scope="module")
def template(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A centre in UTC whose only source is Amazon Connect, with the day's calls built."""
    folder = tmp_path_factory.mktemp("amazon_connect")
    with cloned(server) as database, pytest.MonkeyPatch.context() as patch:
        settings = make_centre(patch, folder, database, sources=SOURCES, centre={"time_zone": "UTC"})
        rng = random.Random(3)
        deliver(settings, "contact_records", RECORDS)
        deliver(settings, "evaluations", [LATER, EVALUATION, {"evaluationId": "v2", "metadata": {}}])
        # Anywhere in two files, and some of them in both.
        deliver(settings, "agent_events", rng.sample(EVENTS, 14), "one.jsonl")
        shuffled = rng.sample(EVENTS, len(EVENTS))
        path = settings.data_dir / "amazon_connect" / "agent_events" / "two.gz"
        path.write_bytes(gzip.compress("".join(map(json.dumps, shuffled)).encode()))
        build(settings)
        yield settings


def figures(settings: Settings, table: str, columns: str, like: str = "%") -> list[tuple[Any, ...]]:
    """Columns of the built rows of the contacts whose id is like a pattern, in order of their keys."""
    contact = f"contact_key like 'connect:{like}'"
    key = {"fct_contacts": "contact_key", "fct_queue_visits": "visit_key", "fct_agent_legs": "leg_key"}[table]
    return query(settings, f"select {columns} from build.{table} where {contact} order by {key}")


def test_the_last_of_three_versions_counts_and_a_customer_who_stays_costs_no_handling(
    template: Settings,
) -> None:
    visits = "wait_seconds, outcome, talk_seconds, hold_seconds, after_call_seconds"
    assert figures(template, "fct_queue_visits", visits, "o8") == [(346, "answered", 239, 221, 5)]
    ((answered_at, ended_at, transfer, target),) = figures(
        template, "fct_agent_legs", "answered_at, ended_at, transfer_kind, transfer_target", "o8"
    )
    assert (ended_at - answered_at).seconds == 460
    assert (transfer, target) == ("blind", "external")
    assert figures(template, "fct_contacts", "ended_at::time::text, after_call_seconds", "o8") == [
        ("17:47:28", 5)
    ]
    assert query(
        template, "select count(*) from staging.stg_amazon_connect__contact_records where record_key = 'o8'"
    ) == [(1,)]


def test_a_call_is_offered_in_the_half_hour_of_its_entry(template: Settings) -> None:
    columns = "interval_start_at::time::text, wait_seconds, left_at::time::text"
    assert figures(template, "fct_queue_visits", columns, "o9b") == [("07:00:00", 240, "07:32:00")]


@pytest.mark.parametrize(
    ("contact", "outcome", "visits"),
    [
        ("gave-up", "abandoned", [("abandoned", None, 30)]),
        ("in-menu", "left_in_ivr", []),
        ("timed-out", "flowed_out", [("flowed_out", "timeout", 120)]),
        ("flow-end", "flowed_out", [("flowed_out", "flow", 120)]),
        ("moved", "answered", [("flowed_out", "queue_transfer", 60), ("answered", None, 30)]),
        ("call-me", "answered", [("called_back", None, 50)]),
        ("call-later", "answered", [("called_back", None, 0)]),
        ("blind", "answered", [("answered", None, 10), ("answered", None, 20)]),
        ("attended", "answered", [("answered", None, 10)]),
        ("asked", "answered", [("answered", None, 10)]),
        ("dialled", "answered", []),
        ("chat-left", "abandoned", [("abandoned", None, 40)]),
        ("chat-back", "answered", [("answered", None, 10), ("answered", None, 5)]),
        ("mailed", "answered", []),
        ("colleague", "answered", []),
        ("open", "in_progress", [("answered", None, 5)]),
        ("waiting", "in_progress", [("in_progress", None, None)]),
        ("hostile", "abandoned", [("abandoned", None, 30)]),
        ("written-again", "abandoned", [("abandoned", None, 30)]),
    ],
)
def test_every_way_a_contact_can_go(
    template: Settings, contact: str, outcome: str, visits: list[tuple[Any, ...]]
) -> None:
    assert figures(template, "fct_contacts", "outcome, visit_count", contact) == [(outcome, len(visits))]
    assert figures(template, "fct_queue_visits", "outcome, outcome_reason, wait_seconds", contact) == visits


def test_an_offset_from_utc_is_believed(template: Settings) -> None:
    columns = "started_at::time::text, ended_at::time::text"
    assert figures(template, "fct_contacts", columns, "written-again") == [("13:20:00", "13:20:30.25")]


def test_talk_is_the_customers_and_not_the_advisers(template: Settings) -> None:
    columns = "talk_seconds, hold_seconds, after_call_seconds, first_agent_key, last_agent_key, leg_count"
    assert figures(template, "fct_contacts", columns, "attended") == [(280, 40, 20, "1001", "1002", 2)]
    assert figures(template, "fct_queue_visits", "talk_seconds, agent_key", "attended") == [(280, "1001")]
    assert figures(template, "fct_contacts", columns, "asked") == [(50, 40, 10, "1001", "1001", 2)]
    assert figures(template, "fct_contacts", columns, "call-me") == [(80, 0, 5, "1002", "1002", 1)]


def test_how_a_leg_ended_and_what_kind_it_was(template: Settings) -> None:
    legs = figures(
        template,
        "fct_agent_legs",
        "split_part(contact_key, ':', 2), agent_key, leg_kind, hung_up_by, transfer_kind, transfer_target",
    )
    for expected in [
        ("blind", "1001", "primary", None, "blind", "service"),
        ("blind", "1002", "primary", "customer", None, None),
        ("attended", "1001", "primary", None, "attended", "1002"),
        ("asked", "1001", "primary", "customer", None, None),
        ("asked", "1002", "consult", "customer", None, None),
        ("dialled", "1001", "outbound", "agent", None, None),
        ("call-me", "1002", "outbound", "customer", None, None),
        ("colleague", "1002", "internal", "customer", None, None),
        ("chat-back", "1002", "primary", "customer", None, None),
        ("outside", "1001", "primary", None, "attended", "external"),
        ("advice", "1001", "primary", "customer", None, None),
        ("mailed", "1002", "outbound", "agent", None, None),
    ]:
        assert expected in legs
    directions = dict(figures(template, "fct_contacts", "contact_id, direction"))
    assert (directions["dialled"], directions["colleague"], directions["call-me"]) == (
        "outbound", "internal", "inbound",
    )  # fmt: skip


def test_offers_that_rang_and_were_not_answered_are_missed_once_each(template: Settings) -> None:
    columns = "agent_key, outcome, offered_at::time(0)::text, ring_seconds"
    assert sorted(figures(template, "fct_agent_legs", columns, "rang"), key=str) == [
        ("1001", "answered", "13:00:47", 3),
        ("1001", "missed", "13:00:00", 15),
        ("1002", "missed", "13:00:16", 4),
        (None, "missed", "13:00:00", None),
    ]
    assert figures(template, "fct_agent_legs", columns, "rang-out") == []
    assert (
        figures(template, "fct_agent_legs", columns, "uncounted") == [(None, "missed", "14:00:00", None)] * 2
    )


def test_agents_time_is_told_by_their_snapshots(template: Settings) -> None:
    spans = query(
        template,
        """
        select agent_id, state, reason, started_at::time(0)::text, ended_at::time(0)::text, is_end_inferred
        from intermediate.int_amazon_connect__agent_spans order by agent_id, started_at, state, reason
        """,
    )
    assert [span[1:] for span in spans if span[0] == "1001"] == [
        # Silent from 13:03:05 to 13:10:02: longer than two heart beats.
        ("available", None, "12:59:00", "13:10:20", True),
        ("ringing", None, "13:00:00", "13:00:15", False),
        ("away", "Missed", "13:00:15", "13:00:25", False),
        ("ringing", None, "13:00:47", "13:00:50", False),
        ("talk", None, "13:00:50", "13:00:53", False),
        ("hold", None, "13:00:53", "13:01:00", False),
        ("after_call", None, "13:01:00", "13:01:05", False),
        ("ringing", None, "13:10:02", "13:10:12", False),
        ("away", "Missed", "13:10:12", "13:10:20", False),
    ]
    # Online but Offline is not logged in; nothing is heard after 20:01, and the data end at 21:00.
    assert [span[1:] for span in spans if span[0] == "1003"] == [
        ("available", None, "20:01:00", "21:00:00", True),
        ("away", "Training", "20:01:00", "21:00:00", True),
    ]
    assert ("1002", "away", "Lunch", "13:00:30", "21:00:00", True) in spans
    assert [span[1:] for span in spans if span[0] == "1004"] == [
        ("available", None, "20:10:00", "20:12:00", False)
    ]


def test_what_is_no_record_is_set_aside_with_its_reason(template: Settings) -> None:
    rejects = query(
        template, "select stream, reason, bytes <> '' from ops.rejects where stage = 'staging' order by 1, 2"
    )
    assert [row for row in rejects if row[0] == "contact_records"] == [
        ("contact_records", "ContactId: missing", True),
        ("contact_records", "DisconnectTimestamp: not a time in UTC", True),
        ("contact_records", "InitiationTimestamp: before 1990", True),
        ("contact_records", "InitiationTimestamp: not a time in UTC", True),
    ]
    assert {row[1] for row in rejects if row[0] == "agent_events"} == {
        "EventId: missing", "EventTimestamp: not a time in UTC",
    }  # fmt: skip
    assert query(
        template, "select bool_and(rows_in = rows_loaded + rows_rejected + rows_duplicate) from ops.loads"
    ) == [(True,)]


def test_evaluations_are_staged_and_touch_no_date(template: Settings) -> None:
    assert query(
        template,
        """
        select contact_id, agent_id, score_percentage, submitted_at::time::text
        from staging.stg_amazon_connect__evaluations
        """,
    ) == [("o8", "1001", 87.5, "19:00:00")]
    rejects = "select reason from ops.rejects where stream = 'evaluations'"
    assert query(template, rejects) == [("metadata.contactId: missing",)]
    touched = "select count(*) from ops.affected_dates where reason like '%evaluations'"
    assert query(template, touched) == [(0,)]


# -- news --------------------------------------------------------------------------------------------------


@pytest.fixture
def centre(template: Settings, make_settings: Callable[..., Settings]) -> Settings:
    """A centre in UTC with an empty warehouse, and dbt's parse of the same configuration to start from."""
    settings = make_settings(sources=SOURCES, centre={"time_zone": "UTC"})
    shutil.copytree(template.home / "dbt", settings.home / "dbt")
    return settings


def test_a_correction_restates_the_dates_of_its_chain_and_no_other(centre: Settings) -> None:
    tomorrow = DAY + timedelta(days=1)
    first = record("long", "23:50:00", queued=("23:50:00", "23:50:10"), agent=("1001", "23:50:10", 30, 0, 5),
                   ended="23:50:40", NextContactId="long-2", DisconnectReason="OTHER")  # fmt: skip
    second = record("long-2", "00:01:00", queued=("00:01:00", "00:02:00"), InitialContactId="long",
                    PreviousContactId="long", InitiationMethod="TRANSFER", queue="service")  # fmt: skip
    for name in ("InitiationTimestamp", "ConnectedToSystemTimestamp"):
        second[name] = at("00:01:00", tomorrow)
    second["Queue"] |= {
        "EnqueueTimestamp": at("00:01:00", tomorrow),
        "DequeueTimestamp": at("00:02:00", tomorrow),
    }
    second |= {
        "DisconnectTimestamp": at("00:02:00", tomorrow),
        "LastUpdateTimestamp": at("01:00:00", tomorrow),
    }
    other = record("other", "09:00:00", queued=("09:00:00", "09:00:30"), ended="09:00:30")
    for name in ("InitiationTimestamp", "DisconnectTimestamp"):
        other[name] = other[name].replace("-05T", "-02T")
    other["Queue"] |= {"EnqueueTimestamp": "2022-01-02T09:00:00Z", "DequeueTimestamp": "2022-01-02T09:00:30Z"}
    deliver(centre, "contact_records", [first, other])
    run_warehouse(centre, date(2022, 1, 2), tomorrow)
    contact = "select business_date, outcome, visit_count from marts.fct_contacts where contact_id = 'long'"
    assert query(centre, contact) == [(DAY, "answered", 1)]

    deliver(centre, "contact_records", [second], "late.jsonl")
    run = run_warehouse(centre, tomorrow)
    dates = "select business_date from ops.publications where run_id = %s order by 1"
    assert query(centre, dates, run) == [(DAY,), (tomorrow,)]
    assert query(centre, contact) == [(DAY, "answered", 2)]
    visits = """
        select business_date, outcome, wait_seconds
        from marts.fct_queue_visits where contact_key = 'connect:long' order by 1
    """
    assert query(centre, visits) == [(DAY, "answered", 10), (tomorrow, "abandoned", 60)]

    before = digests(centre)
    deliver(centre, "contact_records", [second, first, second], "again.jsonl")
    deliver(
        centre,
        "contact_records",
        [second | {"LastUpdateTimestamp": at("00:30:00", tomorrow), "Queue": None}],
        "old.jsonl",
    )
    run_warehouse(centre, DAY)
    assert digests(centre) == before


# -- configuration and object storage ----------------------------------------------------------------------


def test_a_customer_who_gets_a_callers_number_later_is_found_in_the_calls_of_then(
    make_settings: Callable[..., Settings],
) -> None:
    customers = {
        "files": ["crm/*.csv"], "required": False, "record": "customer", "columns": ["no", "phone"],
        "map": {"customer_id": "no", "phone_number": "phone"},
    }  # fmt: skip
    sources = SOURCES | {"crm": {"kind": "delimited", "streams": {"customers": customers}}}
    settings = make_settings(sources=sources, centre={"time_zone": "UTC"})
    tomorrow = DAY + timedelta(days=1)
    times = ("InitiationTimestamp", "ConnectedToSystemTimestamp", "DisconnectTimestamp")
    other = {name: at("10:00:00", tomorrow) for name in times} | {"CustomerEndpoint": {"Address": "+1"}}
    deliver(settings, "contact_records", [record("1", "10:00:00", ended="10:01:00"), record("2", "") | other])
    build(settings, DAY, tomorrow)
    query(settings, "delete from ops.affected_dates")
    (settings.data_dir / "crm").mkdir()
    (settings.data_dir / "crm" / "customers.csv").write_text("no,phone\nC1,+12005550100\n", encoding="utf-8")
    build(settings, DAY, tomorrow)
    assert query(settings, "select business_date from ops.affected_dates") == [(DAY,)]
    assert figures(settings, "fct_contacts", "contact_id, customer_id") == [("1", "C1"), ("2", None)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"streams": {}}, "no `streams`"),
        ({"streams": {"contact_record": {"files": ["x"]}}}, "did you mean `contact_records`"),
        ({"locaton": "s3://x"}, "did you mean `location`"),
        ({"location": "bucket/x"}, "names no scheme"),
        ({"exit_reason": 3}, "is no text"),
        ({"streams": {"agent_events": {}}}, "no `files`"),
    ],
)
def test_a_wrong_option_is_refused_with_its_name(options: dict[str, Any], message: str) -> None:
    given = {key: value for key, value in SOURCES["connect"].items() if key != "kind"} | options
    with pytest.raises(ConfigError) as caught:
        streams_of(Source("connect", "amazon_connect", "", "UTC", given))
    assert message in str(caught.value)


def test_objects_of_a_location_are_landed_and_those_of_other_dates_left(
    make_settings: Callable[..., Settings], tmp_path: Path
) -> None:
    bucket = tmp_path / "bucket"
    for day in ("2022/01/03", "2022/01/04", "2022/01/06", "2022/01/07"):
        (bucket / "ctr" / day / "07").mkdir(parents=True)
        (bucket / "ctr" / day / "07" / "firehose-1").write_text(json.dumps({"ContactId": day}))
    entry = {
        "kind": "amazon_connect",
        "location": f"file://{bucket}",
        "streams": {"contact_records": {"files": ["ctr/%Y/%m/%d/**/*"]}},
    }
    settings = make_settings(sources={"connect": entry})
    landed = landing.extract(settings, "connect", DAY, DAY)
    assert [file.original_name for file in landed] == ["firehose-1", "firehose-1"]
    assert [result.rows_loaded for result in raw.load(settings)] == [1, 1]
    found = "select document::json ->> 'ContactId' from raw.connect__contact_records order by 1"
    assert query(settings, found) == [("2022/01/04",), ("2022/01/06",)]
    again = landing.extract(settings, "connect", DAY, DAY)
    assert [file.is_new for file in again] == [False, False]


def test_objects_in_s3_are_landed_by_the_airflow_connection(
    make_settings: Callable[..., Settings], s3: S3
) -> None:
    for day in ("2022/01/03", "2022/01/04"):
        s3.put(f"export/ctr/{day}/07/firehose-1", json.dumps({"ContactId": day}).encode())
    entry = {
        "kind": "amazon_connect",
        "location": f"s3://{s3.bucket}/export",
        "connection": CONNECTION,
        "streams": {"contact_records": {"files": ["ctr/%Y/%m/%d/**/*"]}},
    }
    settings = make_settings(sources={"connect": entry})
    assert [file.is_new for file in landing.extract(settings, "connect", DAY, DAY)] == [True]
    assert [file.is_new for file in landing.extract(settings, "connect", DAY, DAY)] == [False]
    assert [result.rows_loaded for result in raw.load(settings)] == [1]

    entry |= {"location": "s3://no-such-bucket/x"}
    with pytest.raises(SourceError, match="s3://no-such-bucket/x") as refused:
        landing.extract(make_settings(sources={"connect": entry}), "connect", DAY, DAY)
    assert "no object matches" in str(refused.value) or "check `location`" in refused.value.do


@pytest.mark.parametrize("store", ["s3", "file"])
def test_archives_among_objects_are_unpacked_and_refused_as_in_a_folder(
    make_settings: Callable[..., Settings], request: pytest.FixtureRequest, tmp_path: Path, store: str
) -> None:
    def zipped(members: dict[str, bytes]) -> bytes:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in members.items():
                archive.writestr(name, content)
        return packed.getvalue()

    def document(number: int) -> bytes:
        return json.dumps({"ContactId": str(number)}).encode()

    corrupt = bytearray(zipped({"a.json": os.urandom(2000)}))
    corrupt[500] ^= 1
    objects = {
        "1": zipped({"day/one.json": document(1), "two.json.gz": gzip.compress(document(2)), ".x": b"{}"}),
        "2": zipped({"../out.json": document(9)}),
        "3": zipped({"a.json": document(9) + b" " * 2_000_000}),
        "4": bytes(corrupt),
        "5": document(5),
    }
    entry: dict[str, Any] = {"kind": "amazon_connect", "streams": {"contact_records": {"files": ["ctr/*"]}}}
    if store == "s3":
        s3: S3 = request.getfixturevalue("s3")
        for name, content in objects.items():
            s3.put(f"packed/ctr/{name}", content)
        entry |= {"location": f"s3://{s3.bucket}/packed", "connection": CONNECTION}
    else:
        (tmp_path / "bucket" / "ctr").mkdir(parents=True)
        for name, content in objects.items():
            (tmp_path / "bucket" / "ctr" / name).write_bytes(content)
        entry |= {"location": f"file://{tmp_path}/bucket"}
    entry["streams"]["contact_records"]["max_bytes"] = 1_000_000
    settings = make_settings(sources={"connect": entry})
    for _ in range(2):
        with pytest.raises(SourceError) as refused:
            landing.extract(settings, "connect", DAY, DAY)
        for message in (
            "3 failures",
            "names a file outside of itself",
            "unpacks to 2000018 bytes out of",
            "`a.json` in the zip archive cannot be unpacked: Bad CRC-32",
            "/ctr/2]",
            "/ctr/3]",
        ):
            assert message in str(refused.value)
        names = query(settings, "select original_name from ops.landing_files order by 1")
        assert names == [("1/day/one.json",), ("1/two.json.gz",), ("5",)]
    assert [result.rows_loaded for result in raw.load(settings)] == [1, 1, 1]


def test_a_location_that_cannot_be_read_says_why_and_what_to_do(
    make_settings: Callable[..., Settings],
) -> None:
    stream = {"contact_records": {"files": ["ctr/*"]}}
    for location, do in [
        ("gs://bucket/x", "install the fsspec package of gs"),
        ("file:///no/such", "correct `location`"),
    ]:
        entry = {"kind": "amazon_connect", "location": location, "streams": stream}
        settings = make_settings(sources={"connect": entry})
        with pytest.raises(SourceError) as caught:
            landing.extract(settings, "connect", DAY, DAY)
        assert location in str(caught.value) and do in str(caught.value)


# -- real samples and simulated days -----------------------------------------------------------------------


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the public test data is not at {SHARED}")
def test_the_vendors_own_samples_run_through(centre: Settings) -> None:
    folder = centre.data_dir / "amazon_connect"
    (folder / "contact_records").mkdir(parents=True)
    shutil.copy(SHARED / "contact_record.json", folder / "contact_records")
    events = [sample["event"] for sample in json.loads((SHARED / "agent_events.json").read_text())]
    deliver(centre, "agent_events", [event for event in events if "EventId" in event])
    deliver(centre, "agent_events", [event for event in events if "EventId" not in event], "part.json")
    build(centre, date(2022, 4, 8), date(2022, 4, 8))
    columns = "wait_seconds, talk_seconds, hold_seconds, after_call_seconds, agent_key, queue_key"
    assert query(centre, f"select {columns} from build.fct_queue_visits") == [
        (7, 33, 0, 32, "admin1", "connect:BasicQueue")
    ]
    assert query(centre, "select ivr_seconds, outcome, channel from build.fct_contacts") == [
        (64, "answered", "voice")
    ]
    assert query(
        centre,
        """
        select state, extract(epoch from ended_at - started_at)::float
        from intermediate.int_amazon_connect__agent_spans where state = 'after_call'
        """,
    ) == [("after_call", 5.005)]
    assert query(centre, "select count(*) from ops.rejects where reason like 'EventId: missing%'") == [(1,)]
