"""Kind ``genesys_cloud``: the API's answers land unchanged whatever goes wrong on the way; conversations
become visits, legs and spans; what goes on is asked for again."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from callhouse import landing
from callhouse.errors import ConfigError, SourceError
from callhouse.postgres import Warehouse
from callhouse.settings import PROJECT, Settings, Source
from callhouse.simulate import Plan, simulate
from callhouse.sources import streams_of

from ..conftest import centre_in, cloned
from ..main_job.warehouse import (
    MainJob,
    cut_after_a_change,
    differences_from_truth,
    query,
    run_warehouse,
)
from .genesys_server import LOGIN, SECRET, GenesysServer, serving

DAY = date(2025, 1, 6)
TOMORROW = DAY + timedelta(days=1)
ASKED = {
    "pbx": {
        "kind": "genesys_cloud",
        "connection": "genesys",
        "look_back_days": 0,
        "streams": {"conversations": {}, "user_details": {}},
    }
}
FILES = {
    "pbx": {
        "kind": "genesys_cloud",
        "streams": {
            "conversations": {"files": ["genesys/conversations*.json"]},
            "user_details": {"files": ["genesys/users*.json"], "required": False},
        },
    }
}


def at(clock: str, day: date = DAY) -> str:
    return f"{day.isoformat()}T{clock if '.' in clock else clock + '.000'}Z"


# -- asking ------------------------------------------------------------------------------------------------


def connect(patch: pytest.MonkeyPatch, url: str, secret: str = SECRET) -> None:
    """Airflow's connection ``genesys``, as the environment sets it."""
    fields = {
        "conn_type": "http",
        "host": url,
        "login": LOGIN,
        "password": secret,
        "extra": {"login_url": url},
    }
    patch.setenv("AIRFLOW_CONN_GENESYS", json.dumps(fields))
    patch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[GenesysServer]:
    """A server with 250 conversations on `DAY` and one agent."""
    conversations = [
        {
            "conversationId": f"c{number:03d}",
            "conversationStart": at(f"10:{number // 60:02d}:{number % 60:02d}"),
        }
        for number in range(250)
    ]
    users = [{"userId": "1001", "primaryPresence": []}]
    with serving(records={"conversations": conversations, "userDetails": users}) as server:
        connect(monkeypatch, server.url)
        yield server


@pytest.fixture
def centre(make_settings: Callable[..., Settings]) -> Settings:
    return make_settings(sources=ASKED, centre={"time_zone": "UTC"})


def landed(settings: Settings, stream: str = "conversations") -> list[bytes]:
    """The contents of a stream's landing files, in the order they came."""
    rows = query(settings, "select path from ops.landing_files where stream = %s order by landing_id", stream)
    return [(settings.landing_dir / path).read_bytes() for (path,) in rows]


def test_every_page_lands_as_it_was_answered_with_one_token(centre: Settings, api: GenesysServer) -> None:
    files = landing.extract(centre, "pbx", DAY, DAY)
    assert landed(centre) == [b"".join(body + b"\n" for body in api.bodies[:3])]
    assert api.queries == [(1, 200), (2, 200), (3, 200), (1, 200)]
    assert [len(json.loads(body)["conversations"]) for body in api.bodies[:3]] == [100, 100, 50]
    assert (len(api.tokens), api.strangers) == (2, 0)  # one for each stream
    assert [(file.stream, file.original_name, file.is_new) for file in files] == [
        ("conversations", "conversations-2025-01-06.json", True),
        ("user_details", "user_details-2025-01-06.json", True),
    ]
    again = landing.extract(centre, "pbx", DAY, DAY)
    assert [file.is_new for file in again] == [False, False]


def test_whatever_goes_wrong_on_the_way_the_same_bytes_land(centre: Settings, api: GenesysServer) -> None:
    api.faults = {1: [429, 429, 503], 2: ["cut", "expire", "garbage"], 3: ["expire", 429, "cut"]}
    landing.extract(centre, "pbx", DAY, DAY)
    assert landed(centre) == [b"".join(body + b"\n" for body in api.bodies[:3])]
    # A page is asked for again alone; those before it are not.
    assert [page for page, _ in api.queries] == [1] * 4 + [2] * 4 + [3] * 4 + [1]
    assert [answer for page, answer in api.queries if page == 2] == ["cut", 401, "garbage", 200]
    assert api.tokens.count("ended") == 2


def test_a_retry_after_that_is_a_date_is_waited_for(centre: Settings, api: GenesysServer) -> None:
    begun = datetime.now(UTC)
    api.retry_after = format_datetime(begun + timedelta(seconds=3), usegmt=True)
    api.faults = {1: [429]}
    landing.extract(centre, "pbx", DAY, DAY)
    assert timedelta(seconds=1) < datetime.now(UTC) - begun < timedelta(seconds=30)
    assert landed(centre) == [b"".join(body + b"\n" for body in api.bodies[:3])]


@pytest.mark.parametrize(
    ("faults", "what", "do"),
    [
        ({2: [403]}, r"403 \(some.code\)", "role"),
        ({1: [400]}, r"400 \(some.code\)", "not accepted"),
        ({1: ["http://127.0.0.2:9"]}, "307", "are not followed"),
        ({1: ["expire", "expire"]}, "401", "id and secret"),
    ],
)
def test_a_refusal_names_what_to_do_and_leaves_nothing_half(
    centre: Settings,
    api: GenesysServer,
    caplog: pytest.LogCaptureFixture,
    faults: dict[int, list[int | str]],
    what: str,
    do: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    api.faults = faults
    with pytest.raises(SourceError, match=what) as refusal:
        landing.extract(centre, "pbx", DAY, DAY)
    assert do in str(refusal.value)
    assert landed(centre) == [] and len(landed(centre, "user_details")) == 1
    assert [
        path for path in centre.landing_dir.rglob("*") if "conversations" in path.name and path.is_file()
    ] == []
    said = caplog.text + str(refusal.value)
    assert not any(word in said for word in (SECRET, "token-", "Jane", "0100"))


def test_an_answer_cut_again_and_again_fails_its_date_and_keeps_the_dates_before(
    centre: Settings, api: GenesysServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("callhouse.sources.genesys_cloud.ATTEMPTS", 2)
    api.faults = {2: ["cut"] * 9}
    with pytest.raises(SourceError, match="does not answer: RemoteProtocolError"):
        landing.extract(centre, "pbx", DAY - timedelta(days=1), DAY)
    assert landed(centre) == [b'{"totalHits": 0}\n']


def test_a_wrong_secret_or_an_unknown_connection_is_said_without_the_secret(
    centre: Settings, api: GenesysServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, api.url, secret="wrong-secret")
    with pytest.raises(SourceError, match=r"401 \(invalid_client\).*id and secret") as refusal:
        landing.extract(centre, "pbx", DAY, DAY)
    assert "wrong-secret" not in str(refusal.value)
    monkeypatch.delenv("AIRFLOW_CONN_GENESYS")
    with pytest.raises(ConfigError, match="no connection `genesys`"):
        landing.extract(centre, "pbx", DAY, DAY)


@pytest.mark.parametrize("url", ["http://api.example.org", "https://api.example.org/path", "ftp://127.0.0.1"])
def test_a_secret_is_sent_over_https_to_the_bare_host_alone(
    centre: Settings, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    connect(monkeypatch, url)
    with pytest.raises(ConfigError, match="no usable address"):
        landing.extract(centre, "pbx", DAY, DAY)


def test_dates_are_asked_for_from_midnight_to_midnight_of_the_sources_zone(
    make_settings: Callable[..., Settings], api: GenesysServer
) -> None:
    asked = make_settings(sources={"pbx": ASKED["pbx"] | {"time_zone": "America/New_York"}})
    api.records["conversations"] = [
        {"conversationId": name, "conversationStart": start}
        for name, start in [
            ("before", "2025-03-09T04:59:59.999Z"),
            ("first", "2025-03-09T05:00:00.000Z"),
            ("last", "2025-03-10T03:59:59.999Z"),  # a day of 23 hours
            ("after", "2025-03-10T04:00:00.000Z"),
        ]
    ]
    landing.extract(asked, "pbx", date(2025, 3, 9), date(2025, 3, 9))
    (content,) = landed(asked)
    assert [found["conversationId"] for found in json.loads(content)["conversations"]] == ["first", "last"]


def test_streams_need_files_or_a_connection() -> None:
    with pytest.raises(ConfigError, match="no `files`"):
        streams_of(Source("pbx", "genesys_cloud", "", "UTC", {"streams": {"conversations": {}}}))
    with pytest.raises(ConfigError, match="did you mean `user_details`"):
        streams_of(Source("pbx", "genesys_cloud", "", "UTC", {"streams": {"users_details": {}}}))


# -- one day of conversations, built once ------------------------------------------------------------------


def segment(kind: str, start: str, end: str | None, **more: Any) -> dict[str, Any]:
    made = {"segmentType": kind, "segmentStart": at(start), "queueId": "sales", "conference": False}
    return made | ({} if end is None else {"segmentEnd": at(end)}) | more


def metric(name: str, value: float, clock: str) -> dict[str, Any]:
    return {"name": name, "value": value, "emitDate": at(clock)}


def party(purpose: str, *segments: dict[str, Any], metrics: Any = (), **more: Any) -> dict[str, Any]:
    """A participant with one session."""
    user = {"userId": more.pop("user")} if "user" in more else {}
    session = {"mediaType": "voice", "direction": "inbound", "segments": [*segments], "metrics": [*metrics]}
    return {"purpose": purpose, "sessions": [session | more]} | user


def conversation(
    name: str, start: str, end: str | None, *parties: dict[str, Any], **more: Any
) -> dict[str, Any]:
    made = {"conversationId": name, "conversationStart": at(start), "originatingDirection": "inbound"}
    return made | ({} if end is None else {"conversationEnd": at(end)}) | {"participants": [*parties]} | more


def caller(start: str, end: str | None, **more: Any) -> dict[str, Any]:
    return party("customer", segment("interact", start, end), ani="tel:+12025550100", **more)


def queued(start: str, end: str | None, *metrics: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The queue's participant; ``more`` goes to its segment, but for what belongs to a session."""
    session = {key: more.pop(key) for key in ("mediaType", "flowOutType") if key in more}
    offered = metric("nOffered", 1, start)
    return party("acd", segment("interact", start, end, **more), metrics=(offered, *metrics), **session)


HOSTILE = "'; drop table x; -- {{ 1 }} \\N \u2028 \U0001f600 \" $.a ? (@ > 1)"
CALLS = [
    # Enqueued 7:28, answered 7:32, talked 210 s, held 60 s, wrapped up 10 s, after an alert of 3 s.
    conversation(
        "handled", "07:27:00", "07:36:40",
        caller("07:27:00", "07:36:30"),
        party("ivr", segment("ivr", "07:27:00", "07:28:00"), metrics=[metric("tIvr", 60_000, "07:28:00")]),
        queued("07:28:00", "07:32:00", metric("tAcd", 240_000, "07:32:00"), disconnectType="transfer"),
        party(
            "agent",
            segment("alert", "07:31:57", "07:32:00"),
            segment("interact", "07:32:00", "07:34:00"),
            segment("hold", "07:34:00", "07:35:00"),
            segment("interact", "07:35:00", "07:36:30", disconnectType="peer"),
            segment("wrapup", "07:36:30", "07:36:40", wrapUpCode="sold"),
            metrics=[
                metric("tAlert", 3_000, "07:32:00"), metric("tAnswered", 240_000, "07:32:00"),
                metric("tTalk", 120_000, "07:34:00"), metric("tTalk", 90_000, "07:36:30"),
                metric("tTalkComplete", 210_000, "07:36:30"), metric("tHeld", 60_000, "07:35:00"),
                metric("tAcw", 10_000, "07:36:40"), metric("tHandle", 280_000, "07:36:40"),
            ],
            user="1001",
        ),
    ),
    # The same without a single metric: segments tell it.
    conversation(
        "bare", "08:00:00", "08:04:50", caller("08:00:00", "08:04:40"),
        party("acd", segment("interact", "08:00:00", "08:00:10")),
        party(
            "agent", segment("alert", "08:00:07", "08:00:10"), segment("interact", "08:00:10", "08:02:10"),
            segment("hold", "08:02:10", "08:03:10"),
            segment("interact", "08:03:10", "08:04:40", disconnectType="client"),
            segment("wrapup", "08:04:40", "08:04:50"), user="1001",
        ),
    ),
    # Nobody for 20 s, declined by 1002, passed on by 1001 to service, where the caller gives up.
    conversation(
        "passed-on", "09:00:00", "09:03:00", caller("09:00:00", "09:03:00"),
        queued("09:00:00", "09:00:40", disconnectType="transfer"),
        party(
            "agent", segment("alert", "09:00:10", "09:00:20", disconnectType="client"),
            metrics=[metric("tNotResponding", 10_000, "09:00:20")], user="1002",
        ),
        party(
            "agent", segment("alert", "09:00:36", "09:00:40"),
            segment("interact", "09:00:40", "09:01:40", disconnectType="transfer"),
            metrics=[
                metric("tAnswered", 40_000, "09:00:40"), metric("tTalk", 60_000, "09:01:40"),
                metric("nTransferred", 1, "09:01:40"), metric("nBlindTransferred", 1, "09:01:40"),
            ],
            user="1001",
        ),
        party(
            "acd", segment("interact", "09:01:42", "09:03:00", queueId="service", disconnectType="peer"),
            metrics=[metric("nOffered", 1, "09:01:42"), metric("tAbandon", 78_000, "09:03:00")],
        ),
        # It was ringing when the caller left: no missed offer.
        party(
            "agent", segment("alert", "09:02:58", "09:03:00", queueId="service", disconnectType="peer"),
            user="1003",
        ),
    ),
    conversation(
        "out-flow", "09:00:00", "09:00:31", caller("09:00:00", "09:00:31"),
        queued(
            "09:00:00", "09:00:30.499", metric("tFlowOut", 30_499, "09:00:30.499"), disconnectType="transfer"
        ),
    ),
    conversation(
        "out-short", "09:00:00", "09:00:05", caller("09:00:00", "09:00:05"),
        queued("09:00:00", "09:00:05", metric("tAbandon", 5_000, "09:00:05"), disconnectType="peer"),
    ),
    conversation(
        "out-callback", "09:00:00", "09:00:31", caller("09:00:00", "09:00:30"),
        party("customer", segment("callback", "09:00:30", None), mediaType="callback"),
        queued("09:00:00", "09:00:30", metric("tFlowOut", 30_000, "09:00:30"), disconnectType="transfer"),
    ),
    conversation("open-waiting", "23:59:50", None, caller("23:59:50", None), queued("23:59:50", None)),
    conversation(
        "open-talking", "23:50:00", None, caller("23:50:00", None), queued("23:50:00", "23:50:04"),
        party(
            "agent", segment("alert", "23:50:01", "23:50:04"), segment("interact", "23:50:04", None),
            metrics=[metric("tAnswered", 4_000, "23:50:04")], user="1001",
        ),
    ),
    # Talked 60 s and wrapped up 8 s for sales, waits for service now.
    conversation(
        "open-passed-on", "23:40:00", None, caller("23:40:00", None), queued("23:40:00", "23:40:04"),
        party(
            "agent", segment("interact", "23:40:04", "23:41:04", disconnectType="transfer"),
            segment("wrapup", "23:41:04", "23:41:12"), user="1001",
        ),
        queued("23:41:04", None, queueId="service"),
    ),
    conversation(
        "open-sent-on", "23:40:00", None, caller("23:40:00", None),
        queued("23:40:00", "23:40:30", metric("tFlowOut", 30_000, "23:40:30"), disconnectType="transfer"),
        queued("23:40:30", None, queueId="service"),
    ),
    # Sent on by sales after its time, called back by service.
    conversation(
        "moved-callback", "09:00:00", "09:01:10", caller("09:00:00", "09:01:10"),
        party("customer", segment("callback", "09:01:10", None), mediaType="callback"),
        queued("09:00:00", "09:00:30", metric("tFlowOut", 30_000, "09:00:30"), disconnectType="transfer"),
        queued(
            "09:00:31", "09:01:10", metric("tFlowOut", 39_000, "09:01:10"), disconnectType="transfer",
            queueId="service",
        ),
    ),
    conversation("plain-menu", "09:00:00", "09:00:20", caller("09:00:00", "09:00:20"),
                 party("ivr", segment("ivr", "09:00:00", "09:00:20"))),
    conversation("plain-out", "09:00:00", "09:02:00",
                 party("user", segment("interact", "09:00:20", "09:02:00"), user="1001"),
                 party("external", segment("interact", "09:00:20", "09:02:00"), dnis="tel:+12025550100"),
                 originatingDirection="outbound"),
    conversation("plain-no-reply", "09:00:00", "09:00:20",
                 party("user", segment("contacting", "09:00:00", "09:00:20"), user="1001"),
                 party("external", segment("dialing", "09:00:00", "09:00:20")),
                 originatingDirection="outbound"),
    conversation("plain-colleague", "09:00:00", "09:00:20",
                 party("user", segment("interact", "09:00:00", "09:00:20"), user="1001"),
                 party("user", segment("interact", "09:00:00", "09:00:20"), user="1002")),
    # Handed from one agent to the next, no queue between them: one answer, two who handle it.
    conversation(
        "hand-over", "11:00:00", "11:04:10", caller("11:00:00", "11:04:00"),
        queued("11:00:00", "11:00:10", metric("tAcd", 10_000, "11:00:10"), disconnectType="transfer"),
        party(
            "agent", segment("alert", "11:00:05", "11:00:10"),
            segment("interact", "11:00:10", "11:01:10", disconnectType="transfer"),
            segment("wrapup", "11:01:10", "11:01:30", disconnectType="transfer"),
            metrics=[
                metric("tAnswered", 10_000, "11:00:10"), metric("tTalk", 60_000, "11:01:10"),
                metric("nTransferred", 1, "11:01:10"), metric("nBlindTransferred", 1, "11:01:10"),
                metric("tAcw", 20_000, "11:01:30"),
            ],
            user="1001", destinationAddresses=["sip:jane%40example.org@localhost"],
        ),
        party(
            "agent", segment("alert", "11:01:10", "11:01:15", queueId=None),
            segment("interact", "11:01:15", "11:04:00", queueId=None, disconnectType="peer"),
            segment("wrapup", "11:04:00", "11:04:10", queueId=None),
            metrics=[metric("tTalk", 165_000, "11:04:00"), metric("tAcw", 10_000, "11:04:10")], user="1002",
        ),
    ),
    # 1001 calls 1002 while the caller holds; 1003 is on the line with both. None of them stays.
    conversation(
        "hand-advice", "12:00:00", "12:05:00", caller("12:00:00", "12:05:00"),
        queued("12:00:00", "12:00:10", disconnectType="transfer"),
        {
            "purpose": "agent", "userId": "1001",
            "sessions": [
                *party(
                    "agent", segment("interact", "12:00:10", "12:01:00"),
                    segment("parked", "12:01:00", "12:02:00"),
                    segment("interact", "12:02:00", "12:05:00", disconnectType="client"),
                    metrics=[
                        metric("tAnswered", 10_000, "12:00:10"), metric("tTalk", 50_000, "12:01:00"),
                        metric("tHeld", 60_000, "12:02:00"), metric("tTalk", 180_000, "12:05:00"),
                    ],
                )["sessions"],
                *party(
                    "agent", segment("dialing", "12:01:00", "12:01:05"),
                    segment("interact", "12:01:05", "12:02:00", disconnectType="client"),
                    direction="outbound",
                )["sessions"],
            ],
        },
        party("agent", segment("interact", "12:01:05", "12:02:00", disconnectType="peer"), user="1002"),
        party(
            "agent", segment("interact", "12:03:00", "12:04:00", conference=True, disconnectType="client"),
            user="1003",
        ),
    ),
    # Two hand-overs that only the disconnect types tell of, the second one to the world outside.
    conversation(
        "hand-on", "13:00:00", "13:05:00", caller("13:00:00", "13:05:00"),
        party("acd", segment("interact", "13:00:00", "13:00:10", disconnectType="consultTransfer")),
        party("acd", segment("interact", "13:00:10", "13:00:20", queueId="service")),
        party(
            "agent", segment("interact", "13:00:20", "13:02:00", queueId="service",
                             disconnectType="consultTransfer"),
            user="1001", destinationAddresses=["tel:7003"],
        ),
        party("agent", segment("interact", "13:01:40", "13:03:00", queueId="service",
                               disconnectType="forwardTransfer"), user="1002"),
    ),
    # Asked for a callback while waiting: offered to 1001 an hour later, who dials.
    conversation(
        "back-made", "09:00:00", "10:02:00", caller("09:00:00", "09:00:30"),
        party("customer", segment("callback", "09:00:30", "10:00:00"),
              segment("interact", "10:00:00", "10:02:00"), mediaType="callback"),
        queued("09:00:00", "09:00:30", metric("tFlowOut", 30_000, "09:00:30"), disconnectType="transfer"),
        queued("09:00:30", "10:00:00", mediaType="callback", disconnectType="transfer"),
        {
            "purpose": "agent", "userId": "1001",
            "sessions": [
                *party(
                    "agent", segment("alert", "09:59:56", "10:00:00"),
                    segment("interact", "10:00:00", "10:02:00", disconnectType="client"),
                    metrics=[
                        metric("tAnswered", 3_570_000, "10:00:00"), metric("tTalk", 120_000, "10:02:00"),
                    ],
                    mediaType="callback",
                )["sessions"],
                *party(
                    "agent", segment("dialing", "10:00:10", "10:00:20"),
                    segment("interact", "10:00:20", "10:02:00", disconnectType="peer"), direction="outbound",
                )["sessions"],
            ],
        },
    ),
    conversation(
        "back-asked", "09:00:00", "09:30:00",
        party("customer", segment("callback", "09:00:00", "09:30:00"), mediaType="callback"),
        queued("09:00:00", "09:30:00", mediaType="callback", disconnectType="client"),
    ),
    # Too short for tAbandon; a reason, and a campaign that says nothing of its direction.
    conversation(
        "out-tiny", "09:00:00", "09:00:02", caller("09:00:00", "09:00:02"),
        queued("09:00:00", "09:00:02", metric("tShortAbandon", 2_000, "09:00:02")),
    ),
    conversation(
        "out-voicemail", "09:00:00", "09:00:31", caller("09:00:00", "09:00:31"),
        queued("09:00:00", "09:00:30", metric("tFlowOut", 30_000, "09:00:30"), flowOutType="VOICEMAIL"),
    ),
    conversation(
        "plain-campaign", "09:00:00", "09:02:00",
        party("customer", segment("interact", "09:00:10", "09:02:00"), outboundCampaignId="x",
              direction=None),
        party("agent", segment("dialing", "09:00:00", "09:00:10"),
              segment("interact", "09:00:10", "09:02:00"), user="1004"),
        originatingDirection=None,
    ),
    conversation(HOSTILE, "09:00:00", "09:00:09", caller("09:00:00", "09:00:09"),
                 queued("09:00:00", "09:00:09", queueId=HOSTILE, disconnectType=HOSTILE),
                 divisionIds=[HOSTILE]),
    {"conversationId": "shapeless", "conversationStart": at("09:00:00"), "participants": {"sessions": [7]}},
    {"conversationStart": at("09:00:00")},
    {"conversationId": "when", "conversationStart": "yesterday"},
    {"conversationId": "until", "conversationStart": at("09:00:00"), "conversationEnd": "later"},
    {"conversationId": "zero", "conversationStart": "1970-01-01T00:00:00.000Z"},
    "no object",
]  # fmt: skip
USERS = [
    {
        "userId": "1001",
        "primaryPresence": [
            {"startTime": at("07:00:00"), "endTime": at("08:00:00"), "systemPresence": "ON_QUEUE"},
            {"startTime": at("08:00:00"), "endTime": at("08:30:00"), "systemPresence": "MEAL"},
            {"startTime": at("08:30:00"), "endTime": at("10:00:00"), "systemPresence": "AVAILABLE"},
            {"startTime": at("10:00:00"), "endTime": at("22:00:00"), "systemPresence": "OFFLINE"},
            {"startTime": at("22:00:00"), "systemPresence": "ON_QUEUE"},  # goes on
        ],
        "routingStatus": [
            {"startTime": at("07:00:00"), "endTime": at("07:10:00"), "routingStatus": "INTERACTING"},
            {"startTime": at("07:10:00"), "endTime": at("07:12:00"), "routingStatus": "NOT_RESPONDING"},
            {"startTime": at("07:12:00"), "endTime": at("07:14:00"), "routingStatus": "COMMUNICATING"},
            {"startTime": at("09:30:00"), "endTime": at("23:00:00"), "routingStatus": "OFF_QUEUE"},
        ],
    },
    {"userId": "1002", "primaryPresence": [{"startTime": "soon", "systemPresence": "BUSY"}]},
]


def write(path: Path, *bodies: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(json.dumps(body) for body in bodies), encoding="utf-8")


def build(settings: Settings, date_from: date, date_to: date) -> None:
    """The chain from the files to the schema ``build``, without the gate."""
    steps = dict(MainJob(settings, date_from, date_to).steps)
    for name in ("extract", "load", "stage", "build"):
        steps[name]()


def figures(settings: Settings, table: str, columns: str, like: str) -> list[tuple[Any, ...]]:
    """Columns of the built rows of the contacts whose id is like a pattern, in order."""
    column = "contact_id" if table == "fct_contacts" else "substr(contact_key, 5)"
    return query(settings, f"select {columns} from build.{table} where {column} like %s order by 1, 2", like)


@pytest.fixture(scope="module")
def day(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A centre in UTC whose only source is a folder of answers, with the day's conversations built."""
    folder = tmp_path_factory.mktemp("genesys")
    with (
        cloned(server) as database,
        centre_in(folder, database, sources=FILES, centre={"time_zone": "UTC"}) as settings,
    ):
        # An answer, two of which nothing is left (the other of a job), and a conversation by itself.
        nothing = [{"totalHits": 0}, {"cursor": "x", "dataAvailabilityDate": at("10:00:00")}]
        answers = [{"conversations": CALLS[1:], "totalHits": len(CALLS)}, *nothing, CALLS[0]]
        write(settings.data_dir / "genesys" / "conversations.json", *answers)
        write(settings.data_dir / "genesys" / "users.json", {"userDetails": USERS, "totalHits": 2})
        build(settings, DAY, DAY)
        yield settings


VISIT = "visit_number, queue_key, outcome, outcome_reason, wait_seconds, talk_seconds, agent_key"
LEG = "agent_key, outcome, ring_seconds, talk_seconds, hold_seconds, after_call_seconds, hung_up_by"


def test_a_call_is_offered_in_the_half_hour_of_its_entry_and_handled_without_its_alert(day: Settings) -> None:
    visits = f"{VISIT}, interval_start_at, answered_in_threshold_count"
    half_past_seven = datetime(2025, 1, 6, 7, 0, tzinfo=UTC)
    assert figures(day, "fct_queue_visits", visits, "handled") == [
        (1, "pbx:sales", "answered", None, 240, 210, "1001", half_past_seven, 0)
    ]
    legs = f"{LEG}, answered_at, talk_seconds + hold_seconds + after_call_seconds"
    assert figures(day, "fct_agent_legs", legs, "handled") == [
        ("1001", "answered", 3, 210, 60, 10, "customer", datetime(2025, 1, 6, 7, 32, tzinfo=UTC), 280)
    ]
    contact = "outcome, ivr_seconds, started_at, ended_at"
    assert figures(day, "fct_contacts", contact, "handled") == [
        ("answered", 60, datetime(2025, 1, 6, 7, 27, tzinfo=UTC), datetime(2025, 1, 6, 7, 36, 30, tzinfo=UTC))
    ]


def test_segments_tell_what_an_export_without_metrics_leaves_out(day: Settings) -> None:
    assert figures(day, "fct_queue_visits", VISIT, "bare") == [
        (1, "pbx:sales", "answered", None, 10, 210, "1001")
    ]
    assert figures(day, "fct_agent_legs", LEG, "bare") == [("1001", "answered", 3, 210, 60, 10, "agent")]


def test_a_call_passed_on_is_a_contact_of_two_visits_and_only_who_let_it_ring_missed_it(
    day: Settings,
) -> None:
    assert figures(day, "fct_queue_visits", VISIT, "passed-on") == [
        (1, "pbx:sales", "answered", None, 40, 60, "1001"),
        (2, "pbx:service", "abandoned", None, 78, 0, None),
    ]
    assert figures(day, "fct_agent_legs", f"{LEG}, transfer_kind, transfer_target", "passed-on") == [
        ("1001", "answered", 4, 60, 0, 0, None, "blind", "service"),
        ("1002", "missed", 10, 0, 0, 0, None, None, None),
    ]
    assert figures(day, "fct_contacts", "outcome, visit_count", "passed-on") == [("answered", 2)]


def test_every_way_out_of_a_queue_has_its_outcome(day: Settings) -> None:
    columns = "substr(contact_key, 9), outcome, outcome_reason, wait_seconds, short_abandoned_count"
    assert figures(day, "fct_queue_visits", columns, "out-%") == [
        ("callback", "called_back", None, 30, 0),
        ("flow", "flowed_out", None, 30, 0),
        ("short", "abandoned", None, 5, 1),
        ("tiny", "abandoned", None, 2, 1),
        ("voicemail", "flowed_out", "voicemail", 30, 0),
    ]
    assert figures(day, "fct_contacts", "channel, 1", "out-callback") == [("voice", 1)]
    assert figures(day, "fct_queue_visits", "visit_number, queue_key, outcome", "moved-%") == [
        (1, "pbx:sales", "flowed_out"),
        (2, "pbx:service", "called_back"),
    ]


def test_what_goes_on_is_in_progress_with_unknown_talk(day: Settings) -> None:
    columns = "contact_key, outcome, wait_seconds, talk_seconds, after_call_seconds"
    assert figures(day, "fct_queue_visits", columns, "open-%") == [
        ("pbx:open-passed-on", "answered", 4, 60, 8),
        ("pbx:open-passed-on", "in_progress", None, None, None),
        ("pbx:open-sent-on", "flowed_out", 30, 0, 0),
        ("pbx:open-sent-on", "in_progress", None, None, None),
        ("pbx:open-talking", "answered", 4, None, None),
        ("pbx:open-waiting", "in_progress", None, None, None),
    ]
    columns = "contact_id, outcome, ended_at, talk_seconds, after_call_seconds"
    assert figures(day, "fct_contacts", columns, "open-%") == [
        ("open-passed-on", "in_progress", None, 60, 8),
        ("open-sent-on", "in_progress", None, 0, 0),
        ("open-talking", "in_progress", None, None, None),
        ("open-waiting", "in_progress", None, None, None),
    ]


def test_conversations_no_queue_saw_are_contacts_by_their_direction(day: Settings) -> None:
    columns = "contact_id, direction, outcome, talk_seconds, visit_count"
    assert figures(day, "fct_contacts", columns, "plain-%") == [
        ("plain-campaign", "outbound", "answered", 110, 0),
        ("plain-colleague", "internal", "answered", 40, 0),
        ("plain-menu", "inbound", "left_in_ivr", None, 0),
        ("plain-no-reply", "outbound", "void", None, 0),
        ("plain-out", "outbound", "answered", 100, 0),
    ]


HANDLED = "agent_key, leg_kind, visit_number, talk_seconds, hold_seconds, after_call_seconds"


def test_whoever_handles_a_customer_has_a_leg_and_only_the_first_of_a_queue_answers(day: Settings) -> None:
    assert figures(day, "fct_agent_legs", f"{HANDLED}, transfer_kind, transfer_target", "hand-over") == [
        ("1001", "primary", 1, 60, 0, 20, "blind", "1002"),
        ("1002", "primary", 1, 165, 0, 10, None, None),
    ]
    visits = f"{VISIT}, after_call_seconds, answered_count"
    assert figures(day, "fct_queue_visits", visits, "hand-over") == [
        (1, "pbx:sales", "answered", None, 10, 225, "1001", 30, 1)
    ]
    contact = "first_agent_key, last_agent_key, talk_seconds, leg_count"
    assert figures(day, "fct_contacts", contact, "hand-over") == [("1001", "1002", 225, 2)]


def test_who_only_advises_is_a_leg_and_no_talk_of_the_customers(day: Settings) -> None:
    assert figures(day, "fct_agent_legs", HANDLED, "hand-advice") == [
        ("1001", "primary", 1, 230, 60, 0),
        ("1002", "consult", None, 55, 0, 0),
        ("1003", "conference", None, 60, 0, 0),
    ]
    assert figures(day, "fct_queue_visits", VISIT, "hand-advice") == [
        (1, "pbx:sales", "answered", None, 10, 230, "1001")
    ]
    contact = "first_agent_key, last_agent_key, talk_seconds, leg_count"
    assert figures(day, "fct_contacts", contact, "hand-advice") == [("1001", "1001", 230, 3)]


def test_disconnect_types_tell_of_transfers_and_no_address_goes_further(day: Settings) -> None:
    columns = "agent_key, leg_kind, hung_up_by, transfer_kind, transfer_target"
    assert figures(day, "fct_agent_legs", columns, "hand-on") == [
        ("1001", "primary", None, "attended", "7003"),
        ("1002", "primary", None, "blind", "external"),
    ]
    assert figures(day, "fct_queue_visits", "visit_number, outcome, talk_seconds", "hand-on") == [
        (1, "flowed_out", 0),
        (2, "answered", 180),
    ]
    assert query(day, "select count(*) from build.fct_agent_legs where transfer_target like '%@%'") == [(0,)]


def test_a_callback_is_one_contact_with_the_call_that_asked_for_it(day: Settings) -> None:
    columns = "substr(contact_key, 10), outcome, wait_seconds, agent_key, talk_seconds"
    assert figures(day, "fct_queue_visits", columns, "back-%") == [
        ("asked", "called_back", 0, None, 0),
        ("made", "called_back", 30, None, 0),
    ]
    assert figures(day, "fct_agent_legs", f"{HANDLED}, ring_seconds", "back-%") == [
        ("1001", "outbound", None, 120, 0, 0, 4)
    ]
    contacts = "contact_id, channel, outcome, visit_count, wait_seconds, talk_seconds"
    assert figures(day, "fct_contacts", contacts, "back-%") == [
        ("back-asked", "voice", "called_back", 1, 0, 0),
        ("back-made", "voice", "answered", 1, 30, 120),
    ]


def test_calls_without_a_queue_are_legs_of_their_direction(day: Settings) -> None:
    columns = "substr(contact_key, 11), agent_key, leg_kind, talk_seconds, visit_number"
    assert figures(day, "fct_agent_legs", columns, "plain-%") == [
        ("campaign", "1004", "outbound", 110, None),
        ("colleague", "1001", "internal", 20, None),
        ("colleague", "1002", "internal", 20, None),
        ("out", "1001", "outbound", 100, None),
    ]


def test_dialling_is_no_talk_and_a_parked_call_is_on_hold(day: Settings) -> None:
    spans = """
        select state, to_char(started_at, 'HH24:MI:SS'), to_char(ended_at, 'HH24:MI:SS')
        from intermediate.int_genesys_cloud__agent_spans
        where agent_id = %s and started_at between %s and %s and state <> 'available' order by 2, 1
    """
    assert query(day, spans, "1004", at("09:00:00"), at("09:30:00")) == [
        ("ringing", "09:00:00", "09:00:10"),
        ("talk", "09:00:10", "09:02:00"),
    ]
    assert ("hold", "12:01:00", "12:02:00") in query(day, spans, "1001", at("12:00:00"), at("12:30:00"))


def test_unusable_conversations_are_set_aside_and_hostile_or_shapeless_ones_harm_nothing(
    day: Settings,
) -> None:
    assert query(day, "select stream, reason from ops.rejects order by 1, 2") == [
        ("conversations", "conversationEnd: not a time"),
        ("conversations", "conversationId: missing"),
        ("conversations", "conversationId: missing"),
        ("conversations", "conversationStart: before 1990, the clock was not set"),
        ("conversations", "conversationStart: not a time"),
        ("user_details", "startTime: not a time"),
    ]
    # Of four documents one is rejected in part, of one the other.
    loads = "select stream, rows_in, rows_loaded, rows_rejected, rows_duplicate from ops.loads order by 1"
    assert query(day, loads) == [("conversations", 4, 3, 1, 0), ("user_details", 1, 0, 1, 0)]
    assert query(
        day, "select outcome from build.fct_queue_visits where queue_key = %s", f"pbx:{HOSTILE}"
    ) == [("abandoned",)]
    assert figures(day, "fct_contacts", "outcome, visit_count", "shapeless") == [("in_progress", 0)]


def test_presences_routing_and_segments_are_spans_that_overlap_freely(day: Settings) -> None:
    spans = query(
        day,
        """
        select state, reason, to_char(started_at, 'HH24:MI:SS'), to_char(ended_at, 'HH24:MI:SS'),
        is_end_inferred
        from intermediate.int_genesys_cloud__agent_spans
        where agent_id = '1001' and (started_at < '2025-01-06 07:40Z' or state in ('available', 'away'))
        order by started_at, state
        """,
    )
    assert spans == [
        ("available", None, "07:00:00", "08:00:00", False),
        ("away", "NOT_RESPONDING", "07:10:00", "07:12:00", False),
        ("talk", "COMMUNICATING", "07:12:00", "07:14:00", False),
        ("ringing", None, "07:31:57", "07:32:00", False),
        ("talk", None, "07:32:00", "07:34:00", False),
        ("hold", None, "07:34:00", "07:35:00", False),
        ("talk", None, "07:35:00", "07:36:30", False),
        ("after_call", None, "07:36:30", "07:36:40", False),
        ("available", None, "08:00:00", "08:30:00", False),
        ("away", "MEAL", "08:00:00", "08:30:00", False),
        ("available", None, "08:30:00", "10:00:00", False),
        ("away", "OFF_QUEUE", "09:30:00", "10:00:00", False),
        ("available", None, "22:00:00", "23:59:50", True),  # until the end of the data
    ]


# -- restating ---------------------------------------------------------------------------------------------


def test_a_later_answer_restates_only_the_dates_of_what_it_knows_more_of(
    make_settings: Callable[..., Settings],
) -> None:
    centre, folder = make_settings(sources=FILES, centre={"time_zone": "UTC"}), "genesys"
    whole = conversation(
        "quiet", "09:00:00", "09:00:05", caller("09:00:00", "09:00:05"),
        queued("09:00:00", "09:00:05", metric("tAbandon", 5_000, "09:00:05"), disconnectType="peer"),
    )  # fmt: skip
    write(
        centre.data_dir / folder / "conversations-1.json",
        {"conversations": [whole, CALLS[6]], "totalHits": 2},
    )
    build(centre, DAY, TOMORROW)
    assert figures(centre, "fct_queue_visits", "outcome, wait_seconds", "open-waiting") == [
        ("in_progress", None)
    ]
    query(centre, "delete from ops.affected_dates")

    answered = conversation(
        "open-waiting", "23:59:50", None, caller("23:59:50", None), queued("23:59:50", None)
    ) | {"conversationEnd": at("00:01:10", TOMORROW)}  # fmt: skip
    end = {"segmentEnd": at("00:00:10", TOMORROW)}
    answered["participants"][1]["sessions"][0]["segments"][0] |= end
    answered["participants"].append(party("agent", segment("interact", "00:00:10", "00:01:10"), user="1001"))
    for times in answered["participants"][2]["sessions"][0]["segments"]:
        times |= {"segmentStart": at("00:00:10", TOMORROW), "segmentEnd": at("00:01:10", TOMORROW)}
    body = {"conversations": [whole, answered], "totalHits": 2}
    write(centre.data_dir / folder / "conversations-2.json", body, {"conversations": [whole], "totalHits": 1})
    write(
        centre.data_dir / folder / "conversations-0-old.json", {"conversations": [CALLS[6]], "totalHits": 1}
    )
    build(centre, DAY, TOMORROW)
    assert query(
        centre, "select array_agg(business_date order by business_date) from ops.affected_dates"
    ) == [([DAY, TOMORROW],)]
    loads = "select rows_in, rows_loaded, rows_duplicate from ops.loads order by load_id"
    # Of the new file's two answers one brings something; the old one is a version beside a newer.
    assert query(centre, loads) == [(1, 1, 0), (1, 1, 0), (2, 1, 1)]
    assert figures(centre, "fct_queue_visits", "business_date, outcome, wait_seconds", "open-waiting") == [
        (DAY, "answered", 20)
    ]
    assert figures(centre, "fct_agent_legs", "business_date, talk_seconds", "open-waiting") == [
        (TOMORROW, 60)
    ]


def test_a_talk_over_midnight_counts_on_both_days_each_built_alone(
    make_settings: Callable[..., Settings],
) -> None:
    centre = make_settings(sources=FILES, centre={"time_zone": "UTC"})
    over_midnight = {"segmentStart": at("23:59:30"), "segmentEnd": at("00:02:00", TOMORROW)}
    talk = party("agent", segment("interact", "23:59:30", None) | over_midnight, user="1001")
    told = conversation("late", "23:59:00", None, queued("23:59:00", "23:59:30"), talk)
    told |= {"conversationEnd": at("00:02:00", TOMORROW)}
    write(centre.data_dir / "genesys" / "conversations-1.json", {"conversations": [told], "totalHits": 1})
    seconds = {}
    for day in (DAY, TOMORROW):
        build(centre, day, day)
        query(centre, "delete from ops.affected_dates")
        talked = "select sum(talk_seconds) from build.fct_agent_days where business_date = %s"
        ((seconds[day],),) = query(centre, talked, day)
    assert seconds == {DAY: 30, TOMORROW: 120}


# -- what goes on ------------------------------------------------------------------------------------------


def simulated_records(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """What the simulated Genesys Cloud answers, by the list it is in."""
    found: dict[str, list[dict[str, Any]]] = {"conversations": [], "userDetails": []}
    for path in sorted((folder / "genesys_cloud").glob("*.json")):
        for name, records in json.loads(path.read_text(encoding="utf-8")).items():
            if name in found:
                found[name] += records
    return found


def test_conversations_that_go_on_are_asked_for_again_and_restated_when_they_are_over(
    make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = date(2026, 3, 2)
    plan = Plan(
        first, days=1, calls_per_day=300, seed=11, callback_key="1", systems=("genesys_cloud",),
        cut_off=datetime(2026, 3, 2, 12),
    )  # fmt: skip
    asked = {name: option for name, option in ASKED["pbx"].items() if name != "look_back_days"}
    sources = yaml.safe_load((PROJECT / "config" / "sources.yml").read_text(encoding="utf-8"))["sources"]
    settings = make_settings(sources=sources | {"pbx": asked})
    in_progress = "select count(*) > 0 from marts.fct_contacts where is_in_progress"
    with serving(faults={2: ["cut", 429]}) as api:
        connect(monkeypatch, api.url)
        simulate(cut_after_a_change(plan, tmp_path / "cut"), settings.data_dir)
        api.records = simulated_records(settings.data_dir)
        run_warehouse(settings, first)
        assert differences_from_truth(settings) == []
        assert query(settings, in_progress) == [(True,)]

        simulate(replace(plan, cut_off=None), settings.data_dir)
        api.records = simulated_records(settings.data_dir)
        run_warehouse(settings, first + timedelta(days=1))
        assert differences_from_truth(settings) == []
        assert query(settings, in_progress) == [(False,)]


@pytest.mark.parametrize("days", [-1, 32, True, "two"])
def test_looking_back_is_a_number_of_days(days: object) -> None:
    options = {"connection": "genesys", "look_back_days": days, "streams": {"conversations": {}}}
    with pytest.raises(ConfigError, match="look_back_days"):
        streams_of(Source("pbx", "genesys_cloud", "", "UTC", options))
