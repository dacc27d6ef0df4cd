"""What Amazon Connect writes of the simulated centre: contact records and agent events, as JSON Lines.

::

    amazon_connect/contact_records/records-YYYYMMDD.jsonl    by the local date of the record's last update
    amazon_connect/agent_events/events-YYYYMMDD.jsonl        by the local date of the event

Each queue visit is a contact record; the visits of one call are a chain. A chain's first ContactId is the
call's id in the other systems' files, so that CRM exports refer to it. Delivery is like the vendor's: at
least once, with earlier versions of some records, and agent events not in order of time.
"""

from __future__ import annotations

import json
import random
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TextIO

from callhouse.simulate.observers import Observer
from callhouse.simulate.output import Outputs
from callhouse.simulate.plan import Clock, Plan, utc

if TYPE_CHECKING:
    from callhouse.simulate.centre import Agent, Call, Visit

INSTANCE = "arn:aws:connect:eu-central-1:000000000000:instance/00000000-0000-0000-0000-000000000000"
EXIT_ATTRIBUTE = "queue_exit"

_HEART_BEAT = 120
_TWICE_RATE = 0.03
_EARLY_RATE = 0.05


class AmazonConnect(Observer):
    """One instance of Amazon Connect."""

    def __init__(self, plan: Plan, clock: Clock, outputs: Outputs) -> None:
        self._clock, self._outputs = clock, outputs
        self._draw = random.Random(f"{plan.seed}/amazon_connect")
        self._files: dict[str, TextIO] = {}
        self._desks: dict[str, _Desk] = {}
        self._free_at: dict[Visit, int] = {}
        self._attempts: dict[Visit, int] = {}

    # Agents

    def agent_changed(self, at: int, agent_id: str, state: str, reason: str) -> None:
        desk = self._desks.get(agent_id)
        if desk is None:
            desk = self._desks[agent_id] = _Desk(agent_id, at)
            self._tell(at, desk, "LOGIN")
            return
        name, kind = {
            "available": ("Available", "ROUTABLE"),
            "away": (reason, "CUSTOM"),
            "offline": ("Offline", "OFFLINE"),
        }[state]
        self._beat(at, desk)
        desk.status = {"Name": name, "Type": kind, "StartTimestamp": desk.stamp(at)}
        self._tell(at, desk, "LOGOUT" if state == "offline" else "STATE_CHANGE")
        if state == "offline":
            del self._desks[agent_id]

    def agent_free(self, at: int, agent: Agent) -> None:
        desk = self._desks[agent.person.agent_id]
        if desk.contact:
            self._set_contact(at, agent, None)

    def ringing(self, at: int, agent: Agent, visit: Visit) -> None:
        self._attempts[visit] = self._attempts.get(visit, 0) + 1
        self._set_contact(at, agent, "CONNECTING", visit)

    def unreachable(self, at: int, agent: Agent, visit: Visit) -> None:
        self._attempts[visit] = self._attempts.get(visit, 0) + 1
        self._set_contact(at, agent, "ERROR", visit)

    def stopped_ringing(self, at: int, agent: Agent, visit: Visit, *, is_missed: bool) -> None:
        """A caller who hangs up looks like a missed call; one whom a flow takes away is just gone."""
        if is_missed or visit.leave_kind == "abandon":
            self._set_contact(at, agent, "MISSED")
        else:
            self._set_contact(at, agent, None)

    def connected(self, at: int, agent: Agent, visit: Visit) -> None:
        self._set_contact(at, agent, "CONNECTED")

    def hung_up(self, at: int, agent: Agent, visit: Visit, free_at: int) -> None:
        self._free_at[visit] = free_at
        self._set_contact(at, agent, "ENDED")

    def _set_contact(self, at: int, agent: Agent, state: str | None, visit: Visit | None = None) -> None:
        desk = self._desks[agent.person.agent_id]
        self._beat(at, desk)
        if state is None:
            desk.contact = None
        else:
            known = {"ContactId": _id(visit), "Channel": "VOICE"} if visit else desk.contact
            desk.contact = {**(known or {}), "State": state, "StateStartTimestamp": desk.stamp(at)}
        self._tell(at, desk, "STATE_CHANGE")

    def _beat(self, until: int, desk: _Desk) -> None:
        """The heart beats since the agent's last event."""
        for at in range(desk.last_at + _HEART_BEAT, until, _HEART_BEAT):
            self._tell(at, desk, "HEART_BEAT")

    def _tell(self, at: int, desk: _Desk, event: str) -> None:
        stamp = desk.stamp(at)
        desk.told(at)
        contacts = [] if desk.contact is None else [desk.contact]
        self._write("agent_events/events", at, {
            "AWSAccountId": "000000000000",
            "AgentARN": f"{INSTANCE}/agent/{desk.agent_id}",
            "CurrentAgentSnapshot": {
                "AgentStatus": desk.status,
                "Configuration": {"Username": desk.agent_id},
                "Contacts": contacts,
            },
            "EventId": str(uuid.UUID(int=self._draw.getrandbits(128))),
            "EventTimestamp": stamp,
            "EventType": event,
            "InstanceARN": INSTANCE,
            "Version": "2017-10-01",
        })  # fmt: skip

    # Contacts

    def call_ended(self, call: Call) -> None:
        """Write a call's records, unless the data end before its after-call work does."""
        if any(leg.after_call is None for visit in call.visits for leg in visit.legs):
            return
        for number, visit in enumerate(call.visits):
            record, updated_at = self._record(call, number, visit)
            if self._draw.random() < _EARLY_RATE:
                early = {**record, "DisconnectReason": None, "LastUpdateTimestamp": utc(updated_at - 30)}
                self._write("contact_records/records", updated_at, early)
            self._write("contact_records/records", updated_at, record)
            if self._draw.random() < _TWICE_RATE:
                self._write("contact_records/records", updated_at, record)

    def _record(self, call: Call, number: int, visit: Visit) -> tuple[dict[str, Any], int]:
        """A visit's contact record and the instant of its last update."""
        assert visit.wait is not None
        before = call.visits[number - 1] if number else None
        leg = visit.legs[-1] if visit.outcome == "answered" else None
        ended_at = left_at = visit.entered_at + visit.wait
        free_at = self._free_at.pop(visit, left_at)
        agent, reason = None, "CUSTOMER_DISCONNECT"
        if leg is not None:
            assert leg.ended_at is not None
            ended_at = leg.ended_at
            reason = {"agent": "AGENT_DISCONNECT", "customer": reason}.get(leg.hung_up_by, "OTHER")
            agent = {
                "ARN": f"{INSTANCE}/agent/{leg.agent_id}",
                "Username": leg.agent_id,
                "ConnectedToAgentTimestamp": utc(left_at),
                "AgentInteractionDuration": leg.talk,
                "CustomerHoldDuration": 0,
                "LongestHoldDuration": 0,
                "NumberOfHolds": 0,
                "AfterContactWorkStartTimestamp": utc(ended_at),
                "AfterContactWorkEndTimestamp": utc(free_at),
                "AfterContactWorkDuration": free_at - ended_at,
            }
        elif visit.outcome != "abandoned":
            reason = "CONTACT_FLOW_DISCONNECT"
        exit_reason = "callback" if visit.outcome == "called_back" else visit.reason
        method, started_at = "INBOUND", visit.entered_at - call.arrival.ivr_seconds
        if before is not None:
            method = "TRANSFER" if before.outcome == "answered" else "QUEUE_TRANSFER"
            talked_until = before.legs[-1].ended_at if method == "TRANSFER" else None
            started_at = talked_until or visit.entered_at
        follower = call.visits[number + 1] if number + 1 < len(call.visits) else None
        updated_at = max(free_at, ended_at) + 60
        return {
            "AWSAccountId": "000000000000",
            "AWSContactTraceRecordFormatVersion": "2017-03-10",
            "Agent": agent,
            "AgentConnectionAttempts": self._attempts.pop(visit, 0),
            "Attributes": {EXIT_ATTRIBUTE: exit_reason} if exit_reason else {},
            "Channel": "VOICE",
            "ConnectedToSystemTimestamp": utc(started_at),
            "ContactId": _id(visit),
            "CustomerEndpoint": {"Address": call.arrival.phone, "Type": "TELEPHONE_NUMBER"},
            "DisconnectReason": reason,
            "DisconnectTimestamp": utc(ended_at),
            "InitialContactId": call.contact_id if before else None,
            "InitiationMethod": method,
            "InitiationTimestamp": utc(started_at),
            "InstanceARN": INSTANCE,
            "LastUpdateTimestamp": utc(updated_at),
            "NextContactId": _id(follower) if follower else None,
            "PreviousContactId": _id(before) if before else None,
            "Queue": {
                "ARN": f"{INSTANCE}/queue/{visit.queue.queue_id}",
                "Name": visit.queue.queue_id,
                "EnqueueTimestamp": utc(visit.entered_at),
                "DequeueTimestamp": utc(left_at),
                "Duration": visit.wait,
            },
            "TransferCompletedTimestamp": None,
            "TransferredToEndpoint": None,
        }, updated_at  # fmt: skip

    def finish(self, last_at: int) -> None:
        for desk in self._desks.values():  # still logged in at a cut-off
            self._beat(last_at, desk)

    def _write(self, stem: str, at: int, document: dict[str, Any]) -> None:
        name = f"amazon_connect/{stem}-{self._clock.day(at):%Y%m%d}.jsonl"
        if name not in self._files:
            self._files[name] = self._outputs.open(name)
        self._files[name].write(json.dumps(document, separators=(",", ":"), ensure_ascii=False) + "\n")
        self._outputs.count(f"amazon_connect/{stem.partition('/')[0]}")


class _Desk:
    """An agent's snapshot: status and the one contact on the list."""

    def __init__(self, agent_id: str, at: int) -> None:
        self.agent_id = agent_id
        self.status = {"Name": "Available", "Type": "ROUTABLE", "StartTimestamp": _millis(at, 0)}
        self.contact: dict[str, Any] | None = None
        self.last_at = at
        self._in_second = 0

    def stamp(self, at: int) -> str:
        """The instant in milliseconds: events of one second come one after the other."""
        return _millis(at, self._in_second if at == self.last_at else 0)

    def told(self, at: int) -> None:
        self._in_second = self._in_second + 1 if at == self.last_at else 1
        self.last_at = at


def _id(visit: Visit) -> str:
    """The visit's ContactId: the call's own id for its first one."""
    contact_id, number = visit.call.contact_id, visit.call.visits.index(visit) + 1
    return contact_id if number == 1 else f"{contact_id}-{number}"


def _millis(at: int, millis: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{millis:03d}Z"
