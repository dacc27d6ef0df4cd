"""What Genesys Cloud tells of the simulated centre, as its analytics API answers.

``genesys_cloud/conversations-YYYYMMDD.json`` and ``genesys_cloud/user_details-YYYYMMDD.json``: for each day
one answer's body, with the conversations that began on it and the users' presences and routing statuses that
did. What goes on when the data end has no end yet. Ids are those of the simulated centre, so that its CRM's
references hold.
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
    from callhouse.simulate.centre import Agent, Call, Leg, Visit

_PRESENCES = {"Break": "BREAK", "Lunch": "MEAL", "Training": "TRAINING"}
_PRESENCE, _ROUTING = "primaryPresence", "routingStatus"
_DISCONNECTS = {"agent": "client", "customer": "peer"}


class GenesysCloud(Observer):
    """Keeps a day's conversations and states until no more of the day can come, then writes its answers."""

    def __init__(self, plan: Plan, clock: Clock, outputs: Outputs) -> None:
        self._clock, self._outputs = clock, outputs
        self._conversations: dict[date, list[dict[str, Any]]] = defaultdict(list)
        self._states: dict[date, list[tuple[str, str, str, int, int | None]]] = defaultdict(list)
        self._open: dict[tuple[str, str], tuple[str, int]] = {}  # user and kind → what goes on, since when
        self._days: list[date] = []

    def begin_day(self, day: date) -> None:
        self._days.append(day)

    def end_day(self, day: date) -> None:
        """Nothing more begins on this day: write it."""
        if day in self._days:
            self._days.remove(day)
            self._write_day(day)

    def finish(self, last_at: int) -> None:
        """Write the days left, with the states that go on; also one that began with the last day's calls."""
        for user_id, kind in [*self._open]:
            self._end(user_id, kind, None)
        for day in sorted({*self._days, *self._conversations, *self._states}):
            self._write_day(day)

    def agent_changed(self, at: int, agent_id: str, state: str, reason: str) -> None:
        """An agent's presence from now on: ``available``, ``away`` or ``offline``."""
        self._end(agent_id, _PRESENCE, at)
        if state != "offline":
            presence = "ON_QUEUE" if state == "available" else _PRESENCES.get(reason, "AWAY")
            self._open[agent_id, _PRESENCE] = presence, at

    def stopped_ringing(self, at: int, agent: Agent, visit: Visit, *, is_missed: bool) -> None:
        """Whoever lets it ring gets no calls until they say that they are back."""
        if is_missed:
            self._open[agent.person.agent_id, _ROUTING] = "NOT_RESPONDING", at

    def agent_free(self, at: int, agent: Agent) -> None:
        self._end(agent.person.agent_id, _ROUTING, at)

    def _end(self, user_id: str, kind: str, at: int | None) -> None:
        """The user's state of a kind is over, or goes on when the data end (None)."""
        if (user_id, kind) in self._open:
            state, since = self._open.pop((user_id, kind))
            if at == since:
                return
            self._states[self._clock.day(since)].append((user_id, kind, state, since, at))

    def call_ended(self, call: Call) -> None:
        self._tell(call, call.ended_at)

    def call_open(self, call: Call) -> None:
        self._tell(call, None)

    def _tell(self, call: Call, ended_at: int | None) -> None:
        entered_at = call.visits[0].entered_at
        start = entered_at - call.arrival.ivr_seconds
        customer = [_session("customer-voice", "voice", call, [_segment("interact", start, ended_at)], [])]
        participants: list[dict[str, Any]] = []
        if call.arrival.ivr_seconds:
            menu = _segment("ivr", start, entered_at, disconnectType="transfer")
            heard = _metric("tIvr", call.arrival.ivr_seconds, entered_at)
            participants.append(
                {"purpose": "ivr", "sessions": [_session("ivr", "voice", call, [menu], [heard])]}
            )
        for visit in call.visits:
            participants.append({"purpose": "acd", "sessions": [_acd_session(call, visit)]})
            if visit.outcome == "called_back":
                asked = _segment("callback", call.ended_at, None)
                customer.append(_session("customer-callback", "callback", call, [asked], []))
            for leg in (*visit.legs, *visit.cancelled):
                session = _agent_session(call, visit, leg)
                participants.append({"purpose": "agent", "userId": leg.agent_id, "sessions": [session]})
            if visit.wait is None and visit.agent:
                agent_id, since = visit.agent.person.agent_id, visit.offered_at
                alert = _segment("alert", since, None, visit.queue.queue_id)
                session = _session(f"agent-{agent_id}-{since}", "voice", call, [alert], [])
                participants.append({"purpose": "agent", "userId": agent_id, "sessions": [session]})
        self._conversations[self._clock.day(start)].append({
            "conversationId": call.contact_id, "conversationStart": _time(start),
            **({} if ended_at is None else {"conversationEnd": _time(ended_at)}),
            "originatingDirection": "inbound",
            "participants": [{"purpose": "customer", "sessions": customer}, *participants],
        })  # fmt: skip

    def _write_day(self, day: date) -> None:
        self._write("conversations", day, "conversations", self._conversations.pop(day, []))
        self._write("user_details", day, "userDetails", _user_details(self._states.pop(day, [])))

    def _write(self, stream: str, day: date, name: str, found: list[dict[str, Any]]) -> None:
        path = f"genesys_cloud/{stream}-{day:%Y%m%d}.json"
        json.dump({name: found, "totalHits": len(found)}, self._outputs.open(path), separators=(",", ":"))
        self._outputs.count(f"genesys_cloud/{stream}", len(found))
        self._outputs.close(path)


def _acd_session(call: Call, visit: Visit) -> dict[str, Any]:
    metrics = [_metric("nOffered", 1, visit.entered_at, unit=1)]
    if visit.wait is None:
        segment = _segment("interact", visit.entered_at, None, visit.queue.queue_id)
        return _session(f"acd-{visit.entered_at}", "voice", call, [segment], metrics)
    left_at = visit.entered_at + visit.wait
    metrics.append(_metric("tAcd", visit.wait, left_at))
    if visit.outcome == "abandoned":
        metrics.append(_metric("tAbandon", visit.wait, left_at))
    elif visit.outcome == "flowed_out":
        metrics.append(_metric("tFlowOut", visit.wait, left_at))
    disconnect = {"abandoned": "peer", "flowed_out": "timeout" if visit.reason == "timeout" else "transfer"}
    segment = _segment(
        "interact", visit.entered_at, left_at, visit.queue.queue_id,
        disconnectType=disconnect.get(visit.outcome, "transfer"),
    )  # fmt: skip
    return _session(f"acd-{visit.entered_at}", "voice", call, [segment], metrics)


def _agent_session(call: Call, visit: Visit, leg: Leg) -> dict[str, Any]:
    """An agent's session; one that the caller's leaving ended (``peer``) has not been missed."""
    queue_id, answered_at = visit.queue.queue_id, leg.offered_at + leg.ring
    name = f"agent-{leg.agent_id}-{leg.offered_at}"
    metrics = [_metric("tAlert", leg.ring, answered_at)]
    if not leg.is_answered:
        disconnect = "peer"
        if leg not in visit.cancelled:
            metrics.append(_metric("tNotResponding", leg.ring, answered_at))
            disconnect = "client"
        alert = _segment("alert", leg.offered_at, answered_at, queue_id, disconnectType=disconnect)
        return _session(name, "voice", call, [alert], metrics)
    assert visit.wait is not None
    metrics.append(_metric("tAnswered", visit.wait, answered_at))
    segments = [_segment("alert", leg.offered_at, answered_at, queue_id)]
    session = _session(name, "voice", call, segments, metrics)
    if leg.talk is None or leg.ended_at is None:
        segments.append(_segment("interact", answered_at, None, queue_id))
        return session
    metrics += [_metric("tTalk", leg.talk, leg.ended_at), _metric("tTalkComplete", leg.talk, leg.ended_at)]
    disconnect = _DISCONNECTS.get(leg.hung_up_by, "transfer")
    segments.append(_segment("interact", answered_at, leg.ended_at, queue_id, disconnectType=disconnect))
    if leg.transfer_target:
        metrics += [_metric(f"n{kind}Transferred", 1, leg.ended_at, unit=1) for kind in ("", "Blind")]
        session["destinationAddresses"] = [leg.transfer_target]
    if leg.after_call is None:
        segments.append(_segment("wrapup", leg.ended_at, None, queue_id))
        return session
    free_at = leg.ended_at + leg.after_call
    if leg.after_call:
        segments.append(_segment("wrapup", leg.ended_at, free_at, queue_id))
        metrics.append(_metric("tAcw", leg.after_call, free_at))
    metrics.append(_metric("tHandle", leg.talk + leg.after_call, free_at))
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


def _user_details(states: list[tuple[str, str, str, int, int | None]]) -> list[dict[str, Any]]:
    users: dict[str, dict[str, list[dict[str, str]]]] = defaultdict(dict)
    for user_id, kind, state, since, until in states:
        end = {} if until is None else {"endTime": _time(until)}
        word = "systemPresence" if kind == _PRESENCE else "routingStatus"
        users[user_id].setdefault(kind, []).append({"startTime": _time(since), **end, word: state})
    return [{"userId": user_id, **kinds} for user_id, kinds in users.items()]


def _time(instant: int) -> str:
    return datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
