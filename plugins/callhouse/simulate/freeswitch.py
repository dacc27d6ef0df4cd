"""What FreeSWITCH writes of the simulated centre: FusionPBX's export of ``v_xml_cdr``, and agents' statuses.

``freeswitch/xml_cdr-YYYYMMDD.csv``: a row per channel, written when the call is over, in the file of the day
it began on. The caller's channel, from the menu on, has the variables of the last queue only, and keeps what
an earlier queue left in the others; agents' channels have the entry's epoch because the dialplan exports it
(``cc_export_vars``). ``freeswitch/agent_status-YYYYMMDD.csv``: a row per ``agent-status-change`` event.

Ids are those of the simulated centre, so that its CRM's references hold.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from callhouse.simulate.observers import Observer
from callhouse.simulate.output import DailyCsv, Outputs
from callhouse.simulate.plan import Clock, Plan

if TYPE_CHECKING:
    from callhouse.simulate.centre import Call, Leg, Visit

CDR_COLUMNS = (
    "xml_cdr_uuid", "domain_name", "direction", "leg", "caller_id_number", "destination_number",
    "start_epoch",
    "answer_epoch", "end_epoch", "duration", "billsec", "hold_accum_seconds", "bridge_uuid", "hangup_cause",
    "sip_hangup_disposition", "sip_refer_to", "cc_side", "cc_queue", "cc_agent", "cc_agent_uuid",
    "cc_agent_type",
    "cc_member_uuid", "cc_member_session_uuid", "cc_queue_joined_epoch", "cc_queue_answered_epoch",
    "cc_queue_terminated_epoch", "cc_queue_canceled_epoch", "cc_cause", "cc_cancel_reason", "cc_exit_key",
    "waitsec",
)  # fmt: skip
STATUS_COLUMNS = ("Event-Date-Timestamp", "CC-Action", "CC-Agent", "CC-Agent-Status")
_DOMAIN = "pbx.example"
_STATUSES = {"available": "Available", "away": "On Break", "offline": "Logged Out"}
_CANCEL_REASONS = {"": "BREAK_OUT", "timeout": "TIMEOUT", "empty": "NO_AGENT_TIMEOUT", "key": "EXIT_WITH_KEY"}


class FreeSwitch(Observer):
    """Writes calls once they are over and statuses as they change."""

    def __init__(self, plan: Plan, clock: Clock, outputs: Outputs) -> None:
        self._plan, self._clock = plan, clock
        self._calls = DailyCsv(outputs, "freeswitch/xml_cdr", CDR_COLUMNS)
        self._statuses = DailyCsv(outputs, "freeswitch/agent_status", STATUS_COLUMNS)

    def begin_day(self, day: date) -> None:
        self._calls.begin(day)
        self._statuses.begin(day)

    def end_day(self, day: date) -> None:
        self._calls.end(day)
        self._statuses.end(day)

    def finish(self, last_at: int) -> None:
        """Channels still up are not written: FreeSWITCH writes one when it ends."""

    def agent_changed(self, at: int, agent_id: str, state: str, reason: str) -> None:
        """An agent's status from now on: ``available``, ``away`` or ``offline``."""
        row = (at * 1_000_000, "agent-status-change", f"{agent_id}@{_DOMAIN}", _STATUSES[state])
        self._statuses.write(self._clock.day(at), row)

    def call_ended(self, call: Call) -> None:
        variables: dict[str, object] = {}
        for number, visit in enumerate(call.visits, 1):
            for leg_number, leg in enumerate(visit.legs, 1):
                self._write(self._agent_channel(call, visit, leg, f"m{number}", f"a{number}-{leg_number}"))
            for leg_number, leg in enumerate(visit.cancelled, 1):
                fields = self._agent_channel(call, visit, leg, f"m{number}", f"c{number}-{leg_number}")
                self._write(fields | {"hangup_cause": "ORIGINATOR_CANCEL"})
            variables |= self._member_variables(call, visit, number)
        first, last = call.visits[0].entered_at - call.arrival.ivr_seconds, call.visits[-1]
        hung_up_by = last.legs[-1].hung_up_by if last.outcome == "answered" else "customer"
        self._write(variables | {
            "xml_cdr_uuid": call.contact_id, "direction": "inbound", "leg": "a",
            "caller_id_number": call.arrival.phone, "destination_number": last.queue.extension,
            "start_epoch": first, "answer_epoch": first, "end_epoch": call.ended_at,
            "hangup_cause": "NORMAL_CLEARING",
            "sip_hangup_disposition": "recv_bye" if hung_up_by == "customer" else "send_bye",
            "cc_side": "member",
        })  # fmt: skip

    def _member_variables(self, call: Call, visit: Visit, number: int) -> dict[str, object]:
        """What a visit sets on the caller's channel; variables it does not set stay as they were."""
        assert visit.wait is not None
        left_at = visit.entered_at + visit.wait
        variables: dict[str, object] = {
            "cc_queue": f"{visit.queue.queue_id}@{_DOMAIN}", "cc_member_uuid": f"{call.contact_id}-m{number}",
            "cc_queue_joined_epoch": visit.entered_at,
        }  # fmt: skip
        if visit.outcome == "answered":
            leg = visit.legs[-1]
            channel = f"{call.contact_id}-a{number}-{len(visit.legs)}"
            return variables | {
                "cc_cause": "answered", "cc_agent": f"{leg.agent_id}@{_DOMAIN}", "cc_agent_uuid": channel,
                "bridge_uuid": channel, "cc_queue_answered_epoch": left_at,
                "cc_queue_terminated_epoch": leg.ended_at,
            }  # fmt: skip
        key = {"called_back": self._plan.callback_key, "flowed_out": "*" if visit.reason == "key" else None}
        return variables | {
            "cc_cause": "cancel", "cc_queue_canceled_epoch": left_at,
            "cc_cancel_reason": _CANCEL_REASONS["key" if visit.outcome == "called_back" else visit.reason],
            "cc_exit_key": key.get(visit.outcome) or "",
        }  # fmt: skip

    def _agent_channel(
        self, call: Call, visit: Visit, leg: Leg, member: str, channel: str
    ) -> dict[str, object]:
        answered = {"answer_epoch": leg.offered_at + leg.ring} if leg.is_answered else {}
        cause = "BLIND_TRANSFER" if leg.transfer_target else "NORMAL_CLEARING" if answered else "NO_ANSWER"
        bye = {"agent": "recv_bye", "customer": "send_bye"}.get(leg.hung_up_by, "")
        return answered | {
            "xml_cdr_uuid": f"{call.contact_id}-{channel}", "direction": "outbound", "leg": "b",
            "caller_id_number": call.arrival.phone, "destination_number": leg.agent_id,
            "start_epoch": leg.offered_at, "end_epoch": leg.ended_at, "hangup_cause": cause,
            "sip_hangup_disposition": bye,
            "sip_refer_to": f"<sip:{leg.transfer_target}@{_DOMAIN}>" if leg.transfer_target else "",
            "cc_side": "agent", "cc_queue": f"{visit.queue.queue_id}@{_DOMAIN}",
            "cc_agent": f"{leg.agent_id}@{_DOMAIN}", "cc_agent_type": "callback",
            "cc_member_uuid": f"{call.contact_id}-{member}", "cc_member_session_uuid": call.contact_id,
            "cc_queue_joined_epoch": visit.entered_at,
        }  # fmt: skip

    def _write(self, fields: dict[str, object]) -> None:
        """Write a channel's row, with what follows from its epochs."""
        start, answer, end = (
            int(str(fields.get(f"{name}_epoch") or 0)) for name in ("start", "answer", "end")
        )
        fields = fields | {
            "domain_name": _DOMAIN, "answer_epoch": answer, "duration": end - start,
            "billsec": end - answer if answer else 0, "hold_accum_seconds": 0,
        }  # fmt: skip
        self._calls.write(self._clock.day(start), [fields.get(name, "") for name in CDR_COLUMNS])
