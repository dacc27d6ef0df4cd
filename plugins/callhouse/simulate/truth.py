"""The truth: what happened, recorded by the simulation as it happened, in the columns of the marts.

One CSV file per mart below ``truth/``, with natural ids in place of keys (``contact_id``, ``queue_id``,
``agent_id``; a visit is named by ``contact_id`` and ``visit_number``). Instants are ISO 8601 in UTC, whole
seconds; an empty field is unknown or does not apply. Nothing here reads the files the source systems write.
What a telephone system does not know is left out of the truth written for it (`knowledge`).

What the figures mean (KPI conventions; T and S from the plan):

- a visit's wait includes ringing; ``left_at`` is when the wait ended; a visit counts in the local half-hour
  and on the local date of its entry, a contact on the date of its first one, however long the menu before it;
- a leg is an offer that rang: an answered one, or a missed one (a member that could not be rung at all, and a
  ring cut short by the caller, are no missed offers); it stands whole on the local date of the offer;
- a contact is ``answered`` when any of its visits was, else it has its last visit's outcome; while it is
  open it is ``in_progress``;
- an agent is in one state each second from log-in to log-off: ringing, talk, after-call work, away (on a
  break, or not ready after a missed offer), else available; spans are cut at local midnight, and the time
  between two log-ins of one date is offline;
- an agent's half-hour has the seconds of these states clipped to it, and offers, answers, misses and ends of
  talks where they happened; a day is the sum of its half-hours. A half-hour in which anybody is logged in
  stands once for the centre, on the first of its agents;
- at ``cut_off`` a visit still waiting is ``in_progress``, one still talking is ``answered`` with unknown talk
  time, after-call work that goes on has an unknown length; whatever an agent is doing then lasts until the
  last event, for nothing is known beyond it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from callhouse.simulate.knowledge import (
    AFTER_CALL,
    BETWEEN,
    LAST_MISS,
    MENU,
    OPEN,
    OPEN_MENU,
    OPEN_RING,
    OPEN_WORK,
    RING,
    Knowledge,
)
from callhouse.simulate.output import CsvFile, Outputs
from callhouse.simulate.people import Duty
from callhouse.simulate.plan import HALF_HOUR, Clock, Plan, utc

if TYPE_CHECKING:
    from callhouse.simulate.centre import Call, Leg, Visit
    from callhouse.simulate.systems import Case

SOURCE = "pbx"
OUTCOMES = ("answered", "abandoned", "flowed_out", "called_back", "in_progress", "blocked")
_COUNTS = (
    "offered_count", *(f"{outcome}_count" for outcome in OUTCOMES),
    "answered_in_threshold_count", "abandoned_in_threshold_count", "short_abandoned_count",
)  # fmt: skip
_DURATIONS = ("talk_seconds", "hold_seconds", "after_call_seconds")
_WAITS = ("wait_seconds", "answered_wait_seconds", "abandoned_wait_seconds")
_OF_LOG_INS = ("logged_in_seconds", "available_seconds")  # empty where nobody was logged in
_OF_AGENTS = (
    *(f"{moment}_count" for moment in ("offered", "answered", "missed", "handled")), *_OF_LOG_INS,
    "ringing_seconds", *_DURATIONS, "away_seconds", "staffed_interval_seconds",
)  # fmt: skip
_OF_AGENT_DAYS = tuple(
    name for name in _OF_AGENTS if name not in ("offered_count", "handled_count", "staffed_interval_seconds")
)

COLUMNS: dict[str, tuple[str, ...]] = {
    "fct_contacts": (
        "source", "contact_id", "business_date", "channel", "direction", "customer_id", "started_at",
        "ended_at", "ivr_seconds", "first_queue_id", "last_queue_id", "first_agent_id", "last_agent_id",
        "visit_count", "leg_count", "outcome", "is_in_progress", "wait_seconds", *_DURATIONS,
        "topic", "is_resolved",
    ),
    "fct_queue_visits": (
        "source", "contact_id", "business_date", "interval_start_at", "queue_id", "agent_id", "visit_number",
        "entered_at", "left_at", "wait_seconds", "outcome", "outcome_reason", *_COUNTS, *_DURATIONS,
    ),
    "fct_agent_legs": (
        "source", "contact_id", "visit_number", "business_date", "queue_id", "agent_id", "leg_number",
        "offered_at", "ring_seconds", "outcome", "answered_at", "ended_at", *_DURATIONS, "hung_up_by",
        "transfer_kind", "transfer_target",
    ),
    "fct_queue_intervals": ("queue_id", "interval_start_at", "business_date", *_COUNTS, *_WAITS, *_DURATIONS),
    "fct_agent_intervals": ("agent_id", "interval_start_at", "business_date", *_OF_AGENTS),
    "fct_agent_days": (
        "agent_id", "business_date", *_OF_AGENT_DAYS, "paused_seconds", "scheduled_seconds",
        "present_seconds",
    ),
    "fct_agent_states": (
        "agent_id", "started_at", "ended_at", "business_date", "state", "reason", "state_seconds",
    ),
    "fct_surveys": (
        "source", "survey_id", "contact_id", "customer_id", "business_date", "question", "score", "max_score",
        "answered_at", "valid_count", "satisfied_count",
    ),
    "fct_cases": (
        "source", "case_id", "customer_id", "contact_id", "business_date", "topic", "status", "opened_at",
        "due_at", "closed_at", "is_open", "closed_in_time_count", "closed_count",
    ),
    "fct_attendance": (
        "agent_id", "business_date", "shift_code", "planned_start_at", "planned_end_at", "first_in_at",
        "last_out_at", "scheduled_count", "attended_count", "scheduled_seconds", "present_seconds",
        "late_seconds",
    ),
}  # fmt: skip
_INTERVAL_INDEX = {name: index for index, name in enumerate((*_COUNTS, *_WAITS, *_DURATIONS))}
_AGENT_INDEX = {name: index for index, name in enumerate(_OF_AGENTS)}


class _Span(NamedTuple):
    """What an agent did; ``end`` is None while it goes on."""

    begin: int
    end: int | None
    state: str
    reason: str = ""


class Truth:
    """Writes what a telephone system knows of what it is told. Rows stream to disk; half-hours are summed in
    memory.
    """

    def __init__(self, plan: Plan, clock: Clock, outputs: Outputs, knowledge: Knowledge) -> None:
        self._plan, self._clock, self._known = plan, clock, knowledge
        self._files = {
            mart: CsvFile(outputs, f"truth/{mart}.csv", columns, f"truth/{mart}")
            for mart, columns in COLUMNS.items()
        }
        self._queues = {queue.extension: queue.queue_id for queue in plan.queues}
        self._intervals: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0] * len(_INTERVAL_INDEX))
        self._log_ins: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._spans: dict[str, list[_Span]] = defaultdict(list)
        self._shifts: dict[tuple[date, str], tuple[int, int]] = {}
        self._of_agents: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0] * len(_AGENT_INDEX))

    def contact(self, call: Call, ended_at: int | None) -> None:
        """A contact with all its visits and legs, once it is over (or cut off: ``ended_at`` None)."""
        visits = call.visits
        legs = [leg for visit in visits for leg in self._told_legs(visit)]
        answered = [leg for leg in legs if leg.is_answered]
        if ended_at is None and visits[-1].outcome == "answered" and not self._known.knows(BETWEEN):
            ended_at = answered[-1].ended_at
        is_open = ended_at is None
        goes_on = is_open or (
            self._known.knows(AFTER_CALL) and any(leg.after_call is None for leg in answered)
        )
        is_told = self._known.knows(OPEN) or not goes_on
        if is_told or self._known.knows(OPEN_WORK):
            for visit in visits:
                self._work(visit, is_open)
        if not is_told:
            return
        for number, visit in enumerate(visits, 1):
            self._visit(call, visit, number)
        agents = [leg.agent_id for leg in answered]
        outcome = "in_progress" if is_open else "answered" if agents else visits[-1].outcome
        knows_menu = self._known.knows(MENU) and (self._known.knows(OPEN_MENU) or not is_open)
        menu = call.arrival.ivr_seconds if knows_menu else None
        durations = (self._durations(visit) for visit in visits)
        self._files["fct_contacts"].write((
            SOURCE, call.contact_id, self._clock.day(visits[0].entered_at).isoformat(), "voice", "inbound",
            call.customer_id, utc(visits[0].entered_at - (menu or 0)), utc(ended_at), _text(menu),
            visits[0].queue.queue_id, visits[-1].queue.queue_id, agents[0] if agents else "",
            agents[-1] if agents else "", len(visits), len(legs), outcome, "true" if is_open else "false",
            _text(_sum_of_known(visit.wait for visit in visits)),
            *(_text(_sum_of_known(figures)) for figures in zip(*durations, strict=True)), "", "",
        ))  # fmt: skip

    def _visit(self, call: Call, visit: Visit, number: int) -> None:
        wait, outcome, agent_id = visit.wait, visit.outcome, ""
        for leg_number, leg in enumerate(self._told_legs(visit), 1):
            answered_at = leg.offered_at + leg.ring
            self._files["fct_agent_legs"].write((
                SOURCE, call.contact_id, number, self._clock.day(leg.offered_at).isoformat(),
                visit.queue.queue_id, leg.agent_id, leg_number, utc(leg.offered_at), leg.ring,
                "answered" if leg.is_answered else "missed", utc(answered_at) if leg.is_answered else "",
                utc(leg.ended_at), *map(_text, self._of_leg(leg)), leg.hung_up_by,
                "blind" if leg.transfer_target else "", self._target(leg),
            ))  # fmt: skip
            if self._known.knows(RING):
                self._count(leg.agent_id, leg.offered_at, "offered_count")
            self._count(leg.agent_id, answered_at, "answered_count" if leg.is_answered else "missed_count")
            if leg.is_answered:
                agent_id = leg.agent_id
                if leg.ended_at is not None:
                    self._count(agent_id, leg.ended_at, "handled_count")
        in_threshold = wait is not None and wait <= self._plan.threshold_seconds
        is_short = wait is not None and wait <= self._plan.short_abandon_seconds
        counts = (
            1, *(int(outcome == name) for name in OUTCOMES), int(outcome == "answered" and in_threshold),
            int(outcome == "abandoned" and in_threshold), int(outcome == "abandoned" and is_short),
        )  # fmt: skip
        interval, durations = self._clock.half_hour(visit.entered_at), self._durations(visit)
        is_known = self._known.ways_out is None or visit.reason in self._known.ways_out
        self._files["fct_queue_visits"].write((
            SOURCE, call.contact_id, self._clock.day(visit.entered_at).isoformat(), utc(interval),
            visit.queue.queue_id, agent_id, number, utc(visit.entered_at),
            utc(None if wait is None else visit.entered_at + wait), _text(wait), outcome,
            visit.reason if is_known else "", *counts, *map(_text, durations),
        ))  # fmt: skip
        known = wait or 0
        measures = (
            *counts, known, known * int(outcome == "answered"), known * int(outcome == "abandoned"),
            *(figure or 0 for figure in durations),
        )  # fmt: skip
        totals = self._intervals[interval, visit.queue.queue_id]
        for index, measure in enumerate(measures):
            totals[index] += measure

    def _told_legs(self, visit: Visit) -> list[Leg]:
        """A visit's offers without the one that the system takes for a ring cut short by the caller."""
        if self._known.knows(LAST_MISS) or visit.outcome != "abandoned" or visit.wait is None:
            return visit.legs
        left_at = visit.entered_at + visit.wait
        return [leg for leg in visit.legs if leg.offered_at + leg.ring < left_at]

    def _work(self, visit: Visit, is_open: bool) -> None:
        """What agents did for a visit."""
        for leg in (*visit.legs, *visit.cancelled):
            answered_at = leg.offered_at + leg.ring
            if self._known.knows(RING):
                self._spans[leg.agent_id].append(_Span(leg.offered_at, answered_at, "ringing"))
            if leg.is_answered:
                self._spans[leg.agent_id].append(_Span(answered_at, leg.ended_at, "talk"))
            if leg.is_answered and leg.ended_at is not None and self._known.knows(AFTER_CALL):
                free_at = None if leg.after_call is None else leg.ended_at + leg.after_call
                self._spans[leg.agent_id].append(_Span(leg.ended_at, free_at, "after_call"))
        if is_open and visit.wait is None and visit.agent and self._known.knows(OPEN_RING):
            self._spans[visit.agent.person.agent_id].append(_Span(visit.offered_at, None, "ringing"))

    def _durations(self, visit: Visit) -> tuple[int | None, int | None, int | None]:
        """Talk, hold and after-call seconds of a visit, None where they are not known yet."""
        if visit.outcome == "answered":
            return self._of_leg(visit.legs[-1])
        return (None, None, None) if visit.outcome == "in_progress" else (0, 0, 0)

    def _of_leg(self, leg: Leg) -> tuple[int | None, int | None, int | None]:
        if leg.talk is None:
            return None, None, None
        return leg.talk, 0, leg.after_call if self._known.knows(AFTER_CALL) else 0

    def _target(self, leg: Leg) -> str:
        if self._known.names_queues:
            return self._queues.get(leg.transfer_target, leg.transfer_target)
        return leg.transfer_target

    def logged_in(self, agent_id: str, begin: int, end: int) -> None:
        """From log-in to log-off; whatever goes on ends with it."""
        self._log_ins[agent_id].append((begin, end))

    def paused(self, agent_id: str, begin: int, end: int, reason: str) -> None:
        self._spans[agent_id].append(_Span(begin, end, "away", self._known.breaks.get(reason, reason)))

    def not_ready(self, agent_id: str, begin: int, end: int | None, cause: str) -> None:
        """No offers for a while (``end`` None: it goes on), for a telephone rang in vain."""
        if cause in self._known.not_ready:
            self._spans[agent_id].append(_Span(begin, end, "away", self._known.not_ready[cause]))

    def case(self, case: Case, call: Call) -> None:
        is_closed = case.closed_at is not None
        self._files["fct_cases"].write((
            "crm", case.case_id, call.customer_id, call.contact_id,
            self._clock.day(case.opened_at).isoformat(), case.topic,
            "closed" if is_closed else "open", utc(case.opened_at), utc(case.due_at),
            utc(case.closed_at), "false" if is_closed else "true",
            int(case.closed_at is not None and case.closed_at <= case.due_at), int(is_closed),
        ))  # fmt: skip

    def survey(
        self, survey_id: str, call: Call, question: str, score: int, max_score: int, answered_at: int
    ) -> None:
        self._files["fct_surveys"].write((
            "crm", survey_id, call.contact_id, call.customer_id,
            self._clock.day(call.visits[0].entered_at).isoformat(), question, score, max_score,
            utc(answered_at), int(1 <= score <= max_score), int(score / max_score >= 0.8),
        ))  # fmt: skip

    def attendance(self, duty: Duty, first_in: int | None, last_out: int | None) -> None:
        """One planned shift, with its first and last punch (``None`` for an absent agent)."""
        start, end, agent_id = duty.planned_start, duty.planned_end, duty.person.agent_id
        present, late = 0, ""
        if first_in is not None and last_out is not None:
            present = max(0, min(end, last_out) - max(start, first_in))
            late = str(max(0, first_in - start))
        self._files["fct_attendance"].write((
            agent_id, duty.day.isoformat(), duty.person.shift_code, utc(start), utc(end), utc(first_in),
            utc(last_out), 1, int(first_in is not None), end - start, present, late,
        ))  # fmt: skip
        scheduled_before, present_before = self._shifts.get((duty.day, agent_id), (0, 0))
        self._shifts[duty.day, agent_id] = scheduled_before + end - start, present_before + present

    def finish(self) -> None:
        for agent_id in sorted({*self._log_ins, *self._spans}):
            self._states(agent_id)
        for (interval, queue_id), totals in sorted(self._intervals.items()):
            local_date = self._clock.day(interval).isoformat()
            self._files["fct_queue_intervals"].write((queue_id, utc(interval), local_date, *totals))
        days: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0] * len(_AGENT_INDEX))
        staffed_at = None
        for (interval, agent_id), totals in sorted(self._of_agents.items()):
            if interval != staffed_at and totals[_AGENT_INDEX["logged_in_seconds"]]:
                staffed_at, totals[_AGENT_INDEX["staffed_interval_seconds"]] = interval, HALF_HOUR
            day = self._clock.day(interval)
            of_day = days[day, agent_id]
            for index, measure in enumerate(totals):
                of_day[index] += measure
            row: list[int | str] = [*totals]
            if not totals[_AGENT_INDEX["logged_in_seconds"]]:
                for name in _OF_LOG_INS:
                    row[_AGENT_INDEX[name]] = ""
            self._files["fct_agent_intervals"].write((agent_id, utc(interval), day.isoformat(), *row))
        for day, agent_id in sorted({*days, *self._shifts}):
            of_day, shift = days[day, agent_id], self._shifts.get((day, agent_id))
            self._files["fct_agent_days"].write((
                agent_id, day.isoformat(), *(of_day[_AGENT_INDEX[name]] for name in _OF_AGENT_DAYS),
                of_day[_AGENT_INDEX["away_seconds"]], *(shift or ("", "")),
            ))  # fmt: skip

    def _states(self, agent_id: str) -> None:
        """An agent's spans, one after the other; what fills the time logged in is available."""
        log_ins = sorted((begin, end) for begin, end in self._log_ins[agent_id] if begin < end)
        last = log_ins[-1][1] if log_ins else 0
        spans = sorted(
            span._replace(end=last) if span.end is None else span for span in self._spans[agent_id]
        )
        busy = [(span.begin, span.end or 0, span) for span in spans if span.begin < (span.end or 0)]
        if not log_ins:  # no log-in tells when they were there
            log_ins = [(begin, end) for begin, end, _ in busy]
        filling = "available" if self._log_ins[agent_id] else "unknown"
        between = "offline" if self._log_ins[agent_id] else "unknown"
        waiting = iter(busy)
        span = next(waiting, None)
        logged_off: int | None = None
        for log_in, log_off in log_ins:
            if logged_off is not None and self._clock.day(logged_off) == self._clock.day(log_in):
                self._state(agent_id, logged_off, log_in, between)
            now = log_in
            while span is not None and span[0] < log_off:
                self._state(agent_id, now, span[0], filling)
                self._state(agent_id, span[0], span[1], span[2].state, span[2].reason)
                now, span = span[1], next(waiting, None)
            self._state(agent_id, now, log_off, filling)
            logged_off = log_off

    def _state(self, agent_id: str, begin: int, end: int, state: str, reason: str = "") -> None:
        for day, seconds in self._clock.by_day(begin, end):
            until = begin + seconds
            self._files["fct_agent_states"].write(
                (agent_id, utc(begin), utc(until), day.isoformat(), state, reason, seconds)
            )
            while begin < until:
                interval = self._clock.half_hour(begin)
                piece = min(until, interval + HALF_HOUR) - begin
                if state not in ("offline", "unknown"):
                    of_agent = self._of_agents[interval, agent_id]
                    of_agent[_AGENT_INDEX[f"{state}_seconds"]] += piece
                    if self._log_ins[agent_id]:
                        of_agent[_AGENT_INDEX["logged_in_seconds"]] += piece
                begin += piece

    def _count(self, agent_id: str, at: int, what: str) -> None:
        self._of_agents[self._clock.half_hour(at), agent_id][_AGENT_INDEX[what]] += 1


def _sum_of_known(figures: Iterable[int | None]) -> int | None:
    """The sum of what is known, None when nothing is."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else None


def _text(figure: int | None) -> str:
    return "" if figure is None else str(figure)
