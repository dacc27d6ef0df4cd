"""The centre at work: an event loop over calls and agents.

A heap of (instant, order, handler, subject) and plain objects, not simpy: a process per call costs five to
ten times the events' own work, and a million calls of one day have to be made in about a minute. Arrivals
never enter the heap; the loop merges their stream with it.

Time is whole seconds since the epoch. Choices that depend on how the day goes (ringing, transfers, wrap-up)
are drawn in the order of events, so whatever follows a day cannot change it.
"""

from __future__ import annotations

import math
import random
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from heapq import heappop, heappush
from itertools import chain, count
from pathlib import Path
from typing import Any

from callhouse.errors import ConfigError
from callhouse.simulate.amazon_connect import AmazonConnect
from callhouse.simulate.arrivals import Arrival, arrivals
from callhouse.simulate.asterisk_cdr import AsteriskCdr
from callhouse.simulate.freeswitch import FreeSwitch
from callhouse.simulate.genesys_cloud import GenesysCloud
from callhouse.simulate.knowledge import KNOWLEDGE
from callhouse.simulate.output import Outputs
from callhouse.simulate.people import Duty, Person, roster, staff
from callhouse.simulate.plan import Clock, Plan, Queue, head_count
from callhouse.simulate.systems import Attendance, Crm, QueueLog
from callhouse.simulate.truth import Truth

WRAP_UP_MEAN = 18
_RING_TIMEOUT = 15
_MISS_RATE = 0.025  # the agent lets it ring
_UNREACHABLE_RATE = 0.002  # the telephone could not be rung: RINGNOANSWER with 0 ms
_AFTER_MISS = 10  # seconds without offers after a missed one
_KEY_RATE = 0.04  # of those who would hang up, press a key instead
_AGENT_HANGS_UP_RATE = 0.35
_BETWEEN_BREAKS = 60
_ANSWERED_AT_ONCE = 0.985  # above: no ring at all before the answer
_MOST_VISITS = 3
# Telephone systems beside Asterisk, by their kind: each writes the same calls and agents in its own form.
_OTHER_SYSTEMS: dict[str, type[AmazonConnect | AsteriskCdr | FreeSwitch | GenesysCloud]] = {
    "amazon_connect": AmazonConnect,
    "asterisk_cdr": AsteriskCdr,
    "freeswitch": FreeSwitch,
    "genesys_cloud": GenesysCloud,
}
_LEAVE_EVENTS = {
    "abandon": "ABANDON",
    "timeout": "EXITWITHTIMEOUT",
    "empty": "EXITEMPTY",
    "key": "EXITWITHKEY",
}


@dataclass(frozen=True)
class Summary:
    """What was written: calls that reached a queue, head count, files, rows (or lines) per stream."""

    calls: int
    agents: int
    files: int
    rows: dict[str, int]


class Leg:
    """An offer that rang, to one agent. ``talk`` is None while the parties talk, ``after_call`` until what
    follows is over.
    """

    __slots__ = (
        "after_call",
        "agent_id",
        "ended_at",
        "hung_up_by",
        "is_answered",
        "offered_at",
        "ring",
        "talk",
        "transfer_target",
    )

    def __init__(self, agent_id: str, offered_at: int, ring: int, is_answered: bool) -> None:
        self.agent_id, self.offered_at, self.ring, self.is_answered = agent_id, offered_at, ring, is_answered
        self.talk: int | None = None if is_answered else 0
        self.after_call = self.talk
        self.ended_at: int | None = None if is_answered else offered_at + ring
        self.hung_up_by = self.transfer_target = ""


class Call:
    """A contact: a caller and the queues they enter, one visit after the other."""

    __slots__ = ("arrival", "contact_id", "customer_id", "ended_at", "visits")

    def __init__(self, contact_id: str, arrival: Arrival) -> None:
        self.contact_id, self.arrival, self.customer_id = contact_id, arrival, arrival.customer_id
        self.visits: list[Visit] = []
        self.ended_at = 0


class Visit:
    """One entry of a call into one queue. ``outcome`` is ``in_progress`` until the wait is over."""

    __slots__ = (
        "agent", "call", "cancelled", "channel", "entered_at", "index", "leave_at", "leave_is_due",
        "leave_kind", "legs", "offered_at", "origin", "outcome", "queue", "reason", "ring_ends", "talk",
        "wait",
    )  # fmt: skip

    def __init__(self, call: Call, index: int, queue: Queue, entered_at: int, origin: int, talk: int) -> None:
        self.call, self.index, self.queue, self.entered_at = call, index, queue, entered_at
        self.origin, self.talk = origin, talk
        self.outcome, self.reason = "in_progress", ""
        self.wait: int | None = None
        self.legs: list[Leg] = []
        self.cancelled: list[Leg] = []  # offers that the caller's leaving took back while they rang
        self.agent: Agent | None = None  # who is being rung, or talks
        self.leave_is_due = False  # the departure stands in the heap
        self.leave_at = self.offered_at = self.ring_ends = 0
        self.leave_kind = self.channel = ""


class Agent:
    """A person at work: one duty at a time."""

    __slots__ = (
        "breaks",
        "duty",
        "label",
        "login",
        "login_channel",
        "login_id",
        "paused_for",
        "paused_since",
        "person",
        "state",
        "ticket",
    )

    def __init__(self, person: Person) -> None:
        self.person = person
        self.label = f"Agent/{person.agent_id}"
        self.state = "off"  # off, idle, busy, paused
        self.ticket = 0  # place in the line of idle agents; smaller has waited longer
        self.duty: Duty | None = None
        self.login = self.paused_since = 0
        self.login_id = self.login_channel = self.paused_for = ""
        self.breaks: list[tuple[int, int, str]] = []


def simulate(plan: Plan, out: Path, *, truth: bool = True) -> Summary:
    """Write the plan's source files below ``out``, and with ``truth`` what happened below ``out/truth``.

    The same plan writes the same bytes, and the files of a day do not depend on how many days follow it.
    Older files of the same names are replaced at the end, each at once; on an error none is touched.
    Calls and agents of the last day are followed until all have left, in the next day's ``queue_log`` if
    they cross midnight; CRM and attendance exports end with the last day.

    Raises:
        ConfigError: the folder cannot be written.
    """
    try:
        with Outputs(out) as outputs:
            centre = _Centre(plan, outputs, truth)
            centre.run()
    except OSError as error:
        raise ConfigError(
            f"the simulation's files cannot be written: {error.strerror}",
            where=str(error.filename or out),
            do="give a folder that can be written, with enough room",
        ) from error
    rows = {**outputs.row_counts, "pbx/queue_log": centre.log.line_count}
    return Summary(centre.call_count, len(centre.agents), outputs.file_count, rows)


class _Centre:
    def __init__(self, plan: Plan, outputs: Outputs, with_truth: bool) -> None:
        self.plan, self.clock = plan, Clock(plan.time_zone)
        self.cut_off = self._cut_off_instant()
        end_of_exports = self.clock.at(plan.dates[-1] + timedelta(days=1))
        end_of_data = end_of_exports if self.cut_off is None else min(self.cut_off, end_of_exports)
        self.end = math.inf if self.cut_off is None else self.cut_off
        self.truth = Truth(plan, self.clock, outputs, KNOWLEDGE[plan.systems[-1]]) if with_truth else None
        self.log = QueueLog(self.clock, outputs, plan.start)
        self.other_systems = [_OTHER_SYSTEMS[name](plan, self.clock, outputs) for name in plan.other_systems]
        self.crm = Crm(plan, self.clock, outputs, self.truth, end_of_data)
        self.attendance = Attendance(self.clock, outputs, self.truth, end_of_data)
        self.draw = random.Random(f"{plan.seed}/events")
        self.people = staff(plan, head_count(plan, WRAP_UP_MEAN))
        self.agents = [Agent(person) for person in self.people]
        self.events: list[tuple[int, int, Callable[[int, Any], None], Any]] = []
        self.order = count()
        self.tickets = count(1)
        self.channels = count(1)
        self.call_count = 0
        self.duties: dict[tuple[str, date], Duty] = {}  # whose end is not recorded yet
        self.open_calls: dict[str, Call] = {}
        queues = range(len(plan.queues))
        self.queue_index = {queue.queue_id: index for index, queue in enumerate(plan.queues)}
        # In the queue (ringing included, for positions), and those of them whom nobody rings yet.
        self.inside: list[OrderedDict[Visit, None]] = [OrderedDict() for _ in queues]
        self.waiting: list[OrderedDict[Visit, None]] = [OrderedDict() for _ in queues]
        self.logged_in = [0 for _ in queues]
        skills = sorted({person.queues for person in self.people})
        self.idle: dict[tuple[int, ...], deque[tuple[int, Agent]]] = {skill: deque() for skill in skills}
        self.idle_for = [[self.idle[skill] for skill in skills if index in skill] for index in queues]

    def _cut_off_instant(self) -> int | None:
        cut_off = self.plan.cut_off
        if cut_off is None:
            return None
        return int((cut_off if cut_off.tzinfo else cut_off.replace(tzinfo=self.clock.zone)).timestamp())

    def run(self) -> None:
        """The loop: events and arrivals in order of time; at the same second events come first."""
        calls = chain.from_iterable(arrivals(self.plan, self.clock, day) for day in self.plan.dates)
        events, arrival = self.events, next(calls, None)
        self._schedule(self.clock.at(self.plan.start), self._begin_day, self.plan.start)
        while events or arrival:
            if arrival is None or (events and events[0][0] <= arrival.at):
                at, _, handle, subject = heappop(events)
                if at >= self.end:
                    break
                handle(at, subject)
            elif arrival.at < self.end:
                self._call_arrives(arrival)
                arrival = next(calls, None)
            else:
                break
        self._record_what_is_open()

    def _schedule(self, at: int, handle: Callable[[int, Any], None], subject: object) -> None:
        heappush(self.events, (at, next(self.order), handle, subject))

    def _begin_day(self, at: int, day: date) -> None:
        if day == self.plan.start:
            self.log.write(at, "NONE|NONE|NONE|QUEUESTART|")
        self.log.rotate(day)
        duties = roster(self.plan, self.clock, self.people, day)
        for system in self.other_systems:
            system.begin_day(day)
            system.end_day(day - timedelta(days=2))
        self.crm.begin_day(day)
        self.attendance.begin_day(day, duties)
        for duty in duties:
            if duty.login is not None:
                self.duties[duty.person.agent_id, day] = duty
                self._schedule(duty.login, self._log_in, duty)
        # Rows of a day end with the calls that began on it, hours into the next day at most.
        self.crm.end_day(day - timedelta(days=2))
        self.attendance.end_day(day - timedelta(days=2))
        tomorrow = day + timedelta(days=1)
        if tomorrow <= self.plan.dates[-1]:
            self._schedule(self.clock.at(tomorrow), self._begin_day, tomorrow)

    # Calls

    def _call_arrives(self, arrival: Arrival) -> None:
        call = Call(f"{arrival.at - arrival.ivr_seconds}.{next(self.channels)}", arrival)
        self.call_count += 1
        self.open_calls[call.contact_id] = call
        queue = self.plan.queues[arrival.queue]
        self.log.write(arrival.at, f"{call.contact_id}|{queue.queue_id}|NONE|DID|55501{arrival.queue:02d}")
        self._enter(arrival.at, call, arrival.queue, arrival.patience, arrival.talk)

    def _transfer_arrives(self, at: int, transfer: tuple[Call, int]) -> None:
        call, index = transfer
        queue = self.plan.queues[index]
        patience = max(1, round(self.draw.expovariate(1 / queue.patience_mean)))
        talk = max(1, round(self.draw.lognormvariate(math.log(queue.talk_median), queue.talk_sigma)))
        self._enter(at, call, index, patience, talk)

    def _enter(self, at: int, call: Call, index: int, patience: int, talk: int) -> None:
        queue, inside = self.plan.queues[index], self.inside[index]
        visit = Visit(call, index, queue, at, len(inside) + 1, talk)
        inside[visit] = None
        call.visits.append(visit)
        self.log.write(
            at, f"{call.contact_id}|{queue.queue_id}|NONE|ENTERQUEUE||{call.arrival.phone}|{visit.origin}"
        )
        visit.leave_at = at + min(patience, queue.timeout)
        if patience >= queue.timeout:
            visit.leave_kind = "timeout"
        else:
            visit.leave_kind = "key" if self.draw.random() < _KEY_RATE else "abandon"
        if not self.logged_in[index]:
            self._leave(at, visit, "empty")
        else:
            self._offer_or_wait(at, visit)

    def _offer_or_wait(self, at: int, visit: Visit) -> None:
        agent = self._longest_idle(visit.index)
        if agent is not None:
            self._offer(at, visit, agent)
            return
        waiting = self.waiting[visit.index]
        waiting[visit] = None
        if visit.entered_at < at:  # back from an agent who did not answer: to the head of the line
            waiting.move_to_end(visit, last=False)
        self._schedule_departure(visit)

    def _schedule_departure(self, visit: Visit) -> None:
        if not visit.leave_is_due:
            visit.leave_is_due = True
            self._schedule(visit.leave_at, self._depart, visit)

    def _offer(self, at: int, visit: Visit, agent: Agent) -> None:
        agent.state = "busy"
        chance = self.draw.random()
        if chance < _UNREACHABLE_RATE:
            self._log(at, visit, agent.label, "RINGNOANSWER|0")
            for system in self.other_systems:
                system.unreachable(at, agent, visit)
            self._free_later(at, _AFTER_MISS, agent, "unreachable")
            self._offer_again(at, visit)
            return
        is_missed = chance < _UNREACHABLE_RATE + _MISS_RATE
        if is_missed:
            ring = _RING_TIMEOUT
        else:
            ring = (
                0
                if chance > _ANSWERED_AT_ONCE
                else min(_RING_TIMEOUT - 1, 1 + int(self.draw.expovariate(0.3)))
            )
        visit.agent, visit.offered_at, visit.ring_ends = agent, at, at + ring
        visit.channel = f"{at}.{next(self.channels)}"
        for system in self.other_systems:
            system.ringing(at, agent, visit)
        if visit.leave_at < visit.ring_ends:
            self._schedule_departure(visit)
        else:
            self._schedule(visit.ring_ends, self._miss if is_missed else self._connect, visit)

    def _offer_again(self, at: int, visit: Visit) -> None:
        if visit.leave_at <= at:
            self._leave(at, visit, visit.leave_kind)
        else:
            self._offer_or_wait(at, visit)

    def _connect(self, at: int, visit: Visit) -> None:
        assert visit.agent is not None
        ring = at - visit.offered_at
        del self.inside[visit.index][visit]
        visit.wait, visit.outcome = at - visit.entered_at, "answered"
        visit.legs.append(Leg(visit.agent.person.agent_id, visit.offered_at, ring, is_answered=True))
        self._log(at, visit, visit.agent.label, f"CONNECT|{visit.wait}|{visit.channel}|{ring}")
        for system in self.other_systems:
            system.connected(at, visit.agent, visit)
        self._schedule(at + visit.talk, self._hang_up, visit)

    def _miss(self, at: int, visit: Visit) -> None:
        self._stop_ringing(at, visit, "RINGNOANSWER")
        self._offer_again(at, visit)

    def _stop_ringing(self, at: int, visit: Visit, event: str) -> None:
        agent, ring = visit.agent, at - visit.offered_at
        assert agent is not None
        visit.agent = None
        self._log(at, visit, agent.label, f"{event}|{ring * 1000}")
        if event == "RINGNOANSWER" and ring:
            visit.legs.append(Leg(agent.person.agent_id, visit.offered_at, ring, is_answered=False))
        elif ring:
            visit.cancelled.append(Leg(agent.person.agent_id, visit.offered_at, ring, is_answered=False))
        for system in self.other_systems:
            system.stopped_ringing(at, agent, visit, is_missed=event == "RINGNOANSWER")
        if event == "RINGNOANSWER":
            self._free_later(at, _AFTER_MISS, agent, "missed")
        else:
            self._free_later(at, 1, agent, "abandoned" if visit.leave_kind == "abandon" else "")

    def _free_later(self, at: int, seconds: int, agent: Agent, cause: str) -> None:
        """No offers for some seconds, for the telephone rang in vain."""
        self._schedule(at + seconds, self._free, agent)
        if self.truth:
            until = at + seconds if at + seconds < self.end else None
            self.truth.not_ready(agent.person.agent_id, at, until, cause)

    def _depart(self, at: int, visit: Visit) -> None:
        """The caller's patience or the queue's time is over, unless the wait ended before."""
        if visit.wait is not None:
            return
        if visit.agent is None:
            del self.waiting[visit.index][visit]
        elif visit.ring_ends <= at:
            return  # the ring ends in this same second, and decides
        else:
            self._stop_ringing(at, visit, "RINGNOANSWER" if visit.leave_kind == "timeout" else "RINGCANCELED")
        self._leave(at, visit, visit.leave_kind)

    def _leave(self, at: int, visit: Visit, kind: str) -> None:
        """Out of the queue without an agent: ``abandon``, ``timeout``, ``empty`` or ``key``."""
        inside = self.inside[visit.index]
        position = next(place for place, other in enumerate(inside, 1) if other is visit)
        del inside[visit]
        visit.wait = at - visit.entered_at
        visit.outcome, visit.reason = ("abandoned", "") if kind == "abandon" else ("flowed_out", kind)
        event = _LEAVE_EVENTS[kind]
        if kind == "key":
            key = "*"
            if self.plan.callback_key and self.draw.random() < 0.5:
                key, visit.outcome, visit.reason = self.plan.callback_key, "called_back", ""
            event += f"|{key}"
        self._log(at, visit, "NONE", f"{event}|{position}|{visit.origin}|{visit.wait}")
        self._end_call(at, visit.call)

    def _hang_up(self, at: int, visit: Visit) -> None:
        agent, leg, queue, call = visit.agent, visit.legs[-1], visit.queue, visit.call
        assert agent is not None
        visit.agent, leg.talk, leg.ended_at = None, visit.talk, at
        figures = f"{visit.wait}|{visit.talk}|{visit.origin}"
        is_over = not (
            queue.transfer_to and len(call.visits) < _MOST_VISITS and self.draw.random() < queue.transfer_rate
        )
        if not is_over:
            assert queue.transfer_to is not None
            index = self.queue_index[queue.transfer_to]
            leg.transfer_target = self.plan.queues[index].extension
            self._log(at, visit, agent.label, f"BLINDTRANSFER|{leg.transfer_target}|from-queue|{figures}")
            # At least a second later: within one second a log has no order.
            self._schedule(at + self.draw.randint(1, 3), self._transfer_arrives, (call, index))
        else:
            leg.hung_up_by = "agent" if self.draw.random() < _AGENT_HANGS_UP_RATE else "customer"
            event = "COMPLETEAGENT" if leg.hung_up_by == "agent" else "COMPLETECALLER"
            self._log(at, visit, agent.label, f"{event}|{figures}")
        free_at = at + 1 + int(self.draw.expovariate(1 / WRAP_UP_MEAN))
        leg.after_call = free_at - at if free_at < self.end else None
        for system in self.other_systems:
            system.hung_up(at, agent, visit, free_at)
        if is_over:
            self._end_call(at, call)
        self._schedule(free_at, self._free, agent)

    def _end_call(self, at: int, call: Call) -> None:
        call.ended_at = at
        del self.open_calls[call.contact_id]
        for system in self.other_systems:
            system.call_ended(call)
        self.crm.call_ended(call, at)
        if self.truth:
            self.truth.contact(call, at)

    def _log(self, at: int, visit: Visit, agent: str, event: str) -> None:
        self.log.write(at, f"{visit.call.contact_id}|{visit.queue.queue_id}|{agent}|{event}")

    # Agents

    def _longest_idle(self, index: int) -> Agent | None:
        best = None
        for line in self.idle_for[index]:
            while line and (line[0][1].state != "idle" or line[0][1].ticket != line[0][0]):
                line.popleft()
            if line and (best is None or line[0][0] < best[0][0]):
                best = line
        return best.popleft()[1] if best else None

    def _log_in(self, at: int, duty: Duty) -> None:
        agent = self.agents[duty.person.number]
        if agent.state != "off":  # yesterday's last call is not over
            self._schedule(at + _BETWEEN_BREAKS, self._log_in, duty)
            return
        number = next(self.channels)
        agent.duty, agent.login, agent.breaks = duty, at, list(duty.breaks)
        agent.login_id, agent.login_channel = f"{at}.{number}", f"PJSIP/{agent.person.agent_id}-{number:08x}"
        self.log.write(at, f"{agent.login_id}|NONE|{agent.label}|AGENTLOGIN|{agent.login_channel}")
        self._agent_changed(at, agent, "available")
        for index in agent.person.queues:
            self.logged_in[index] += 1
        for not_before, _, _ in agent.breaks:
            self._schedule(max(at, not_before), self._duty_calls, agent)
        self._schedule(max(at, duty.logoff_from), self._duty_calls, agent)
        self._free(at, agent)

    def _duty_calls(self, at: int, agent: Agent) -> None:
        """A break or the end of the shift: at once for an idle agent, else when they are free."""
        if agent.state == "idle":
            self._free(at, agent)

    def _free(self, at: int, agent: Agent) -> None:
        """Nothing to do for the last thing done: go home, pause, take a waiting call or become idle."""
        assert agent.duty is not None
        for system in self.other_systems:
            system.agent_free(at, agent)
        if at >= agent.duty.logoff_from:
            self._log_off(at, agent)
            return
        while agent.breaks and agent.breaks[0][0] <= at:
            _, seconds, reason = agent.breaks.pop(0)
            if at + seconds + _BETWEEN_BREAKS <= agent.duty.logoff_from:
                self._pause(at, agent, seconds, reason)
                return
        heads = [next(iter(self.waiting[index])) for index in agent.person.queues if self.waiting[index]]
        if heads:
            visit = min(heads, key=lambda head: head.entered_at)
            del self.waiting[visit.index][visit]
            self._offer(at, visit, agent)
        else:
            agent.state, agent.ticket = "idle", next(self.tickets)
            self.idle[agent.person.queues].append((agent.ticket, agent))

    def _pause(self, at: int, agent: Agent, seconds: int, reason: str) -> None:
        agent.state, agent.paused_since, agent.paused_for = "paused", at, reason
        self._log_pause(at, agent, "PAUSE", reason)
        self._agent_changed(at, agent, "away", reason)
        self._schedule(at + seconds, self._resume, (agent, reason))

    def _resume(self, at: int, pause: tuple[Agent, str]) -> None:
        agent, reason = pause
        self._log_pause(at, agent, "UNPAUSE", reason)
        self._agent_changed(at, agent, "available")
        if self.truth:
            self.truth.paused(agent.person.agent_id, agent.paused_since, at, reason)
        agent.breaks = [pause for pause in agent.breaks if pause[0] > at + _BETWEEN_BREAKS]
        agent.state = "busy"
        self._free(at, agent)

    def _log_pause(self, at: int, agent: Agent, event: str, reason: str) -> None:
        """Asterisk writes one line for all queues, without a reason, and one for each queue, with it."""
        self.log.write(at, f"NONE|NONE|{agent.label}|{event}ALL|")
        for index in agent.person.queues:
            self.log.write(at, f"NONE|{self.plan.queues[index].queue_id}|{agent.label}|{event}|{reason}")

    def _log_off(self, at: int, agent: Agent) -> None:
        assert agent.duty is not None
        seconds = at - agent.login
        self.log.write(at, f"{agent.login_id}|NONE|{agent.label}|AGENTLOGOFF|{agent.login_channel}|{seconds}")
        self._agent_changed(at, agent, "offline")
        agent.state = "off"
        if self.truth:
            self.truth.logged_in(agent.person.agent_id, agent.login, at)
        self.attendance.went_home(self.duties.pop((agent.person.agent_id, agent.duty.day)), at)
        for index in agent.person.queues:
            self.logged_in[index] -= 1
            if not self.logged_in[index]:
                waiting = self.waiting[index]
                while waiting:
                    self._leave(at, waiting.popitem(last=False)[0], "empty")

    def _agent_changed(self, at: int, agent: Agent, state: str, reason: str = "") -> None:
        for system in self.other_systems:
            system.agent_changed(at, agent.person.agent_id, state, reason)

    def _record_what_is_open(self) -> None:
        """At the cut-off: open calls, agents still logged in, shifts that have not ended."""
        for call in self.open_calls.values():
            for system in self.other_systems:
                system.call_open(call)
        if self.truth and self.cut_off is not None:
            for call in self.open_calls.values():
                self.truth.contact(call, None)
            for agent in self.agents:
                if agent.state != "off":
                    self.truth.logged_in(agent.person.agent_id, agent.login, self.log.last_at)
                if agent.state == "paused":
                    since = agent.paused_since
                    self.truth.paused(agent.person.agent_id, since, self.log.last_at, agent.paused_for)
        for duty in self.duties.values():
            self.attendance.went_home(duty, None)
        for system in self.other_systems:
            system.finish(self.log.last_at)
        if self.truth:
            self.truth.finish()
