"""What Genesys Cloud tells of the simulated centre, as its analytics API answers.

``genesys_cloud/conversations-YYYYMMDD.json`` and ``genesys_cloud/user_details-YYYYMMDD.json``: for each day
one answer's body, with the conversations that began on it and the users' states that did. Ids are those of
the simulated centre, so that its CRM's references hold.
"""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from callhouse.simulate.observers import Observer
from callhouse.simulate.output import Outputs
from callhouse.simulate.plan import Clock, Plan

if TYPE_CHECKING:
    from callhouse.simulate.centre import Call, Leg, Visit

_PRESENCES = {"Break": "BREAK", "Lunch": "MEAL", "Training": "TRAINING"}
_DISCONNECTS = {"agent": "client", "customer": "peer"}


class GenesysCloud(Observer):
    """Keeps a day's conversations and states until no more of the day can come, then writes its answers."""

    def __init__(self, plan: Plan, clock: Clock, outputs: Outputs) -> None:
        self._clock, self._outputs = clock, outputs
        self._conversations: dict[date, list[dict[str, Any]]] = defaultdict(list)
        self._states: dict[date, list[tuple[str, str, int, int | None]]] = defaultdict(list)
        self._open: dict[str, tuple[str, int]] = {}  # agent → the presence that goes on, and since when
        self._days: list[date] = []

    def begin_day(self, day: date) -> None:
        self._days.append(day)

    def end_day(self, day: date) -> None:
        """Nothing more begins on this day: write it."""
        if day in self._days:
            self._days.remove(day)
            self._write("conversations", day, "conversations", self._conversations.pop(day, []))
            self._write("user_details", day, "userDetails", _user_details(self._states.pop(day, [])))

    def finish(self, last_at: int) -> None:
        """Write the days left, with the states that go on."""
        for agent_id, (presence, since) in self._open.items():
            self._states[self._clock.day(since)].append((agent_id, presence, since, None))
        for day in [*self._days]:
            self.end_day(day)

    def agent_changed(self, at: int, agent_id: str, state: str, reason: str) -> None:
        """An agent's presence from now on: ``available``, ``away`` or ``offline``."""
        if agent_id in self._open:
            presence, since = self._open.pop(agent_id)
            self._states[self._clock.day(since)].append((agent_id, presence, since, at))
        if state != "offline":
            presence = "ON_QUEUE" if state == "available" else _PRESENCES.get(reason, "AWAY")
            self._open[agent_id] = presence, at

    def call_ended(self, call: Call) -> None:
        start = call.visits[0].entered_at
        customer = [
            _session("customer-voice", "voice", call, [_segment("interact", start, call.ended_at)], [])
        ]
        participants: list[dict[str, Any]] = []
        for visit in call.visits:
            participants.append({"purpose": "acd", "sessions": [_acd_session(call, visit)]})
            if visit.outcome == "called_back":
                asked = _segment("callback", call.ended_at, None)
                customer.append(_session("customer-callback", "callback", call, [asked], []))
            for leg in visit.legs:
                session = _agent_session(call, visit, leg)
                participants.append({"purpose": "agent", "userId": leg.agent_id, "sessions": [session]})
        self._conversations[self._clock.day(start)].append({
            "conversationId": call.contact_id, "conversationStart": _time(start),
            "conversationEnd": _time(call.ended_at), "originatingDirection": "inbound",
            "participants": [{"purpose": "customer", "sessions": customer}, *participants],
        })  # fmt: skip

    def _write(self, stream: str, day: date, name: str, found: list[dict[str, Any]]) -> None:
        path = f"genesys_cloud/{stream}-{day:%Y%m%d}.json"
        json.dump({name: found, "totalHits": len(found)}, self._outputs.open(path), separators=(",", ":"))
        self._outputs.count(f"genesys_cloud/{stream}", len(found))
        self._outputs.close(path)


def _acd_session(call: Call, visit: Visit) -> dict[str, Any]:
    assert visit.wait is not None
    left_at = visit.entered_at + visit.wait
    metrics = [_metric("nOffered", 1, visit.entered_at, unit=1), _metric("tAcd", visit.wait, left_at)]
    if visit.outcome == "abandoned":
        metrics.append(_metric("tAbandon", visit.wait, left_at))
    elif visit.outcome == "flowed_out":
        metrics.append(_metric("tFlowOut", visit.wait, left_at))
    disconnect = "peer" if visit.outcome == "abandoned" else "transfer"
    segment = _segment("interact", visit.entered_at, left_at, visit.queue.queue_id, disconnectType=disconnect)
    return _session(f"acd-{visit.entered_at}", "voice", call, [segment], metrics)


def _agent_session(call: Call, visit: Visit, leg: Leg) -> dict[str, Any]:
    queue_id, answered_at = visit.queue.queue_id, leg.offered_at + leg.ring
    name = f"agent-{leg.agent_id}-{leg.offered_at}"
    metrics = [_metric("tAlert", leg.ring, answered_at)]
    if not leg.is_answered:
        metrics.append(_metric("tNotResponding", leg.ring, answered_at))
        alert = _segment("alert", leg.offered_at, answered_at, queue_id, disconnectType="client")
        return _session(name, "voice", call, [alert], metrics)
    assert visit.wait is not None and leg.talk is not None and leg.ended_at is not None
    metrics += [
        _metric("tAnswered", visit.wait, answered_at),
        _metric("tTalk", leg.talk, leg.ended_at),
        _metric("tTalkComplete", leg.talk, leg.ended_at),
        _metric("tHandle", leg.talk, leg.ended_at),
    ]
    disconnect = _DISCONNECTS.get(leg.hung_up_by, "transfer")
    segments = [
        _segment("alert", leg.offered_at, answered_at, queue_id),
        _segment("interact", answered_at, leg.ended_at, queue_id, disconnectType=disconnect),
    ]
    session = _session(name, "voice", call, segments, metrics)
    if leg.transfer_target:
        metrics += [_metric(f"n{kind}Transferred", 1, leg.ended_at, unit=1) for kind in ("", "Blind")]
        session["destinationAddresses"] = [leg.transfer_target]
    return session


def _session(
    name: str, media: str, call: Call, segments: list[dict[str, Any]], metrics: list[dict[str, Any]]
) -> dict[str, Any]:
    return {
        "sessionId": f"{call.contact_id}-{name}", "mediaType": media, "direction": "inbound",
        "ani": f"tel:{call.arrival.phone}", "segments": segments, "metrics": metrics,
    }  # fmt: skip


def _segment(kind: str, start: int, end: int | None, queue_id: str = "", **more: Any) -> dict[str, Any]:
    return {
        "segmentType": kind, "segmentStart": _time(start),
        **({} if end is None else {"segmentEnd": _time(end)}),
        **({"queueId": queue_id} if queue_id else {}), "conference": False, **more,
    }  # fmt: skip


def _metric(name: str, value: int, at: int, *, unit: int = 1000) -> dict[str, Any]:
    """A metric; times are told in milliseconds."""
    return {"name": name, "value": value * unit, "emitDate": _time(at)}


def _user_details(states: list[tuple[str, str, int, int | None]]) -> list[dict[str, Any]]:
    users: dict[str, list[dict[str, str]]] = defaultdict(list)
    for agent_id, presence, since, until in states:
        end = {} if until is None else {"endTime": _time(until)}
        users[agent_id].append({"startTime": _time(since), **end, "systemPresence": presence})
    return [{"userId": agent_id, "primaryPresence": spans} for agent_id, spans in users.items()]


def _time(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
