"""What Asterisk writes of the simulated centre beside its queue_log: call detail records and channel events.

``asterisk/cdr-YYYYMMDD.csv`` and ``asterisk/cel-YYYYMMDD.csv`` have headers; a call is in the files of the
day it began on. Both know the caller's time in the menu, which the queue_log does not. The queue answers the
caller's channel, so records of abandoned calls say ANSWERED.
"""

from __future__ import annotations

from datetime import date
from itertools import count
from typing import TYPE_CHECKING

from callhouse.simulate.observers import Observer
from callhouse.simulate.output import DailyCsv, Outputs
from callhouse.simulate.plan import Clock, Plan

if TYPE_CHECKING:
    from callhouse.simulate.centre import Call, Visit

CDR_COLUMNS = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start",
    "answer", "end", "duration", "billsec", "disposition", "amaflags", "userfield", "uniqueid", "linkedid",
    "peeraccount", "sequence",
)  # fmt: skip
CEL_COLUMNS = (
    "eventtype", "eventtime", "cid_name", "cid_num", "exten", "context", "channame", "appname", "appdata",
    "uniqueid", "linkedid", "peer", "extra",
)  # fmt: skip
TRUNK = "PJSIP/provider"


class AsteriskCdr(Observer):
    """Writes a call's records and events once it is over."""

    def __init__(self, plan: Plan, clock: Clock, outputs: Outputs) -> None:
        self._clock = clock
        self._records = DailyCsv(outputs, "asterisk/cdr", CDR_COLUMNS)
        self._events = DailyCsv(outputs, "asterisk/cel", CEL_COLUMNS)
        self._sequence = count(1)
        self._channels = count(1)

    def begin_day(self, day: date) -> None:
        self._records.begin(day)
        self._events.begin(day)

    def end_day(self, day: date) -> None:
        self._records.end(day)
        self._events.end(day)

    def call_ended(self, call: Call) -> None:
        began_at = call.arrival.at - call.arrival.ivr_seconds
        day, trunk = self._clock.day(began_at), f"{TRUNK}-{next(self._channels):08x}"
        self._event(call, day, "CHAN_START", began_at, trunk)
        self._event(call, day, "ANSWER", began_at, trunk)
        for number, visit in enumerate(call.visits):
            self._visit(call, day, visit, trunk, began_at if number == 0 else visit.entered_at)
        for event in ("HANGUP", "CHAN_END", "LINKEDID_END"):
            self._event(call, day, event, call.ended_at, trunk)

    def _visit(self, call: Call, day: date, visit: Visit, trunk: str, from_at: int) -> None:
        """The records and events of one visit: each telephone that rang, and the caller's own."""
        assert visit.wait is not None
        app_data = visit.queue.queue_id
        self._event(call, day, "APP_START", visit.entered_at, trunk, app="Queue", app_data=app_data)
        for leg in visit.legs:
            phone = f"PJSIP/{leg.agent_id}-{next(self._channels):08x}"
            channel = f"{leg.offered_at}.{phone[-8:]}"
            self._event(call, day, "CHAN_START", leg.offered_at, phone, unique_id=channel)
            if not leg.is_answered:
                self._record(call, day, visit, trunk, phone, leg.offered_at, None, leg.offered_at + leg.ring)
                continue
            answered_at = leg.offered_at + leg.ring
            self._event(call, day, "ANSWER", answered_at, phone, app="AppQueue", unique_id=channel)
            self._event(call, day, "BRIDGE_ENTER", answered_at, phone, unique_id=channel, peer=trunk)
            assert leg.ended_at is not None
            self._event(call, day, "HANGUP", leg.ended_at, phone, unique_id=channel)
            self._record(call, day, visit, trunk, phone, from_at, from_at, leg.ended_at)
        if visit.outcome != "answered":
            self._record(call, day, visit, trunk, "", from_at, from_at, visit.entered_at + visit.wait)

    def _record(
        self,
        call: Call,
        day: date,
        visit: Visit,
        trunk: str,
        phone: str,
        start: int,
        answer: int | None,
        end: int,
    ) -> None:
        local, number = self._clock.local, call.arrival.phone
        self._records.write(day, (
            "", number, visit.queue.extension, "from-trunk", f'"Caller, {number}" <{number}>', trunk, phone,
            "Queue", visit.queue.queue_id, local(start), "" if answer is None else local(answer), local(end),
            end - start, 0 if answer is None else end - answer,
            "NO ANSWER" if answer is None else "ANSWERED", "DOCUMENTATION", "", call.contact_id,
            call.contact_id, "", next(self._sequence),
        ))  # fmt: skip

    def _event(
        self,
        call: Call,
        day: date,
        event: str,
        at: int,
        channel: str,
        *,
        app: str = "",
        app_data: str = "",
        unique_id: str = "",
        peer: str = "",
    ) -> None:
        self._events.write(day, (
            event, f"{at}.000000", "", call.arrival.phone, call.visits[0].queue.extension, "from-trunk",
            channel, app, app_data, unique_id or call.contact_id, call.contact_id, peer, "",
        ))  # fmt: skip
