"""The truth: what happened, recorded by the simulation as it happened, in the columns of the marts.

One CSV file per mart below ``truth/``, with natural ids in place of keys (``contact_id``, ``queue_id``,
``agent_id``; a visit is named by ``contact_id`` and ``visit_number``). Instants are ISO 8601 in UTC, whole
seconds; an empty field is unknown or does not apply. Nothing here reads the files the source systems write.

What the figures mean (KPI conventions; T and S from the plan):

- a visit's wait includes ringing; ``left_at`` is when the wait ended; a visit counts in the local half-hour
  and on the local date of its entry, a contact on the local date of its start;
- a leg is an offer that rang: an answered one, or a missed one (a member that could not be rung at all, and a
  ring cut short by the caller, are no missed offers); it stands whole on the local date of the offer;
- a contact is ``answered`` when any of its visits was, else it has its last visit's outcome; while it is
  open it is ``in_progress``;
- an agent's day has the offers answered or given up on it; its seconds of talk, log-in and pause are clipped
  at local midnight;
- an agent is in one state each second from log-in to log-off: ringing, talk, away, else available (a log
  without after-call work shows that as available); spans are cut at local midnight, and the time between two
  log-ins of one date is offline;
- at ``cut_off`` a visit still waiting is ``in_progress``, one still talking is ``answered`` with unknown talk
  time; agents talk, are logged in and paused until the log's last line, for nothing is known beyond it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING

from callhouse.simulate.output import CsvFile, Outputs
from callhouse.simulate.people import Duty
from callhouse.simulate.plan import Clock, Plan, utc

if TYPE_CHECKING:
    from callhouse.simulate.centre import Call, Visit
    from callhouse.simulate.systems import Case

SOURCE = "pbx"
OUTCOMES = ("answered", "abandoned", "flowed_out", "called_back", "in_progress", "blocked")
_COUNTS = (
    "offered_count", *(f"{outcome}_count" for outcome in OUTCOMES),
    "answered_in_threshold_count", "abandoned_in_threshold_count", "short_abandoned_count",
)  # fmt: skip
_DURATIONS = ("talk_seconds", "hold_seconds", "after_call_seconds")
_WAITS = ("wait_seconds", "answered_wait_seconds", "abandoned_wait_seconds")
_OF_SHIFT = ("scheduled_seconds", "present_seconds")  # empty on a day without a shift
_AGENT_DAY = (
    "answered_count", "missed_count", *_DURATIONS, "logged_in_seconds", "paused_seconds", *_OF_SHIFT,
)  # fmt: skip

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
    "fct_agent_days": ("agent_id", "business_date", *_AGENT_DAY),
    "fct_agent_states": ("agent_id", "started_at", "ended_at", "business_date", "state", "state_seconds"),
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
_AGENT_DAY_INDEX = {name: index for index, name in enumerate(_AGENT_DAY)}


class Truth:
    """Writes what it is told. Rows stream to disk; half-hours and agent days are summed in memory."""

    def __init__(self, plan: Plan, clock: Clock, outputs: Outputs) -> None:
        self._plan, self._clock = plan, clock
        self._files = {
            mart: CsvFile(outputs, f"truth/{mart}.csv", columns, f"truth/{mart}")
            for mart, columns in COLUMNS.items()
        }
        self._intervals: dict[tuple[int, str], list[int]] = defaultdict(lambda: [0] * len(_INTERVAL_INDEX))
        self._open_talks: dict[str, int] = {}
        self._log_ins: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._busy: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
        self._shifts: set[tuple[date, str]] = set()
        self._agent_days: dict[tuple[date, str], list[int]] = defaultdict(lambda: [0] * len(_AGENT_DAY))

    def contact(self, call: Call, ended_at: int | None) -> None:
        """A contact with all its visits and legs, once it is over (or cut off: ``ended_at`` None)."""
        visits = call.visits
        for number, visit in enumerate(visits, 1):
            self._visit(call, visit, number)
        legs = [leg for visit in visits for leg in visit.legs]
        agents = [leg.agent_id for leg in legs if leg.is_answered]
        is_open = ended_at is None
        outcome = "in_progress" if is_open else "answered" if agents else visits[-1].outcome
        self._files["fct_contacts"].write((
            SOURCE, call.contact_id, self._clock.day(visits[0].entered_at).isoformat(), "voice", "inbound",
            call.customer_id, utc(visits[0].entered_at), utc(ended_at), "", visits[0].queue.queue_id,
            visits[-1].queue.queue_id, agents[0] if agents else "", agents[-1] if agents else "", len(visits),
            len(legs), outcome, "true" if is_open else "false", _sum_of_known(visit.wait for visit in visits),
            *_durations(_sum_of_known(visit.talk_seconds for visit in visits)), "", "",
        ))  # fmt: skip

    def _visit(self, call: Call, visit: Visit, number: int) -> None:
        wait, outcome, agent_id = visit.wait, visit.outcome, ""
        for leg_number, leg in enumerate(visit.legs, 1):
            day = self._clock.day(leg.offered_at)
            self._files["fct_agent_legs"].write((
                SOURCE, call.contact_id, number, day.isoformat(), visit.queue.queue_id, leg.agent_id,
                leg_number, utc(leg.offered_at), leg.ring, "answered" if leg.is_answered else "missed",
                utc(leg.offered_at + leg.ring) if leg.is_answered else "", utc(leg.ended_at),
                *_durations(leg.talk), leg.hung_up_by, "blind" if leg.transfer_target else "",
                leg.transfer_target,
            ))  # fmt: skip
            answered_at = leg.offered_at + leg.ring
            self.rang(leg.agent_id, leg.offered_at, answered_at)
            if leg.is_answered:
                agent_id = leg.agent_id
                self._add_agent(leg.agent_id, self._clock.day(answered_at), "answered_count", 1)
                if leg.talk is None:
                    self._open_talks[leg.agent_id] = answered_at
                else:
                    self._talked(leg.agent_id, answered_at, answered_at + leg.talk)
            else:
                self._add_agent(leg.agent_id, self._clock.day(answered_at), "missed_count", 1)
        in_threshold = wait is not None and wait <= self._plan.threshold_seconds
        is_short = wait is not None and wait <= self._plan.short_abandon_seconds
        counts = (
            1, *(int(outcome == name) for name in OUTCOMES), int(outcome == "answered" and in_threshold),
            int(outcome == "abandoned" and in_threshold), int(outcome == "abandoned" and is_short),
        )  # fmt: skip
        interval = self._clock.half_hour(visit.entered_at)
        self._files["fct_queue_visits"].write((
            SOURCE, call.contact_id, self._clock.day(visit.entered_at).isoformat(), utc(interval),
            visit.queue.queue_id, agent_id, number, utc(visit.entered_at),
            utc(None if wait is None else visit.entered_at + wait), "" if wait is None else wait, outcome,
            visit.reason, *counts, *_durations(visit.talk_seconds),
        ))  # fmt: skip
        known = wait or 0
        measures = (
            *counts, known, known * int(outcome == "answered"), known * int(outcome == "abandoned"),
            visit.talk_seconds or 0, 0, 0,
        )  # fmt: skip
        totals = self._intervals[interval, visit.queue.queue_id]
        for index, measure in enumerate(measures):
            totals[index] += measure

    def rang(self, agent_id: str, begin: int, end: int) -> None:
        self._busy[agent_id].append((begin, end, "ringing"))

    def logged_in(self, agent_id: str, begin: int, end: int) -> None:
        self._log_ins[agent_id].append((begin, end))
        for day, seconds in self._clock.by_day(begin, end):
            self._add_agent(agent_id, day, "logged_in_seconds", seconds)
        if agent_id in self._open_talks:  # the log ends before the call does
            self._talked(agent_id, self._open_talks.pop(agent_id), end)

    def _talked(self, agent_id: str, begin: int, end: int) -> None:
        self._busy[agent_id].append((begin, end, "talk"))
        for day, seconds in self._clock.by_day(begin, end):
            self._add_agent(agent_id, day, "talk_seconds", seconds)

    def paused(self, agent_id: str, begin: int, end: int) -> None:
        self._busy[agent_id].append((begin, end, "away"))
        for day, seconds in self._clock.by_day(begin, end):
            self._add_agent(agent_id, day, "paused_seconds", seconds)

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
        self._shifts.add((duty.day, agent_id))
        self._add_agent(agent_id, duty.day, "scheduled_seconds", end - start)
        self._add_agent(agent_id, duty.day, "present_seconds", present)

    def finish(self) -> None:
        for agent_id in sorted(self._log_ins):
            self._states(agent_id)
        for (interval, queue_id), totals in sorted(self._intervals.items()):
            day = self._clock.day(interval).isoformat()
            self._files["fct_queue_intervals"].write((queue_id, utc(interval), day, *totals))
        for (date_of_agent, agent_id), totals in sorted(self._agent_days.items()):
            row: list[int | str] = [*totals]
            if (date_of_agent, agent_id) not in self._shifts:
                row[-len(_OF_SHIFT) :] = [""] * len(_OF_SHIFT)
            self._files["fct_agent_days"].write((agent_id, date_of_agent.isoformat(), *row))

    def _states(self, agent_id: str) -> None:
        """An agent's spans, one after the other; what fills the time logged in is available."""
        busy = iter(sorted(span for span in self._busy[agent_id] if span[0] < span[1]))
        span = next(busy, None)
        logged_off: int | None = None
        for log_in, log_off in sorted(self._log_ins[agent_id]):
            if logged_off is not None and self._clock.day(logged_off) == self._clock.day(log_in):
                self._state(agent_id, logged_off, log_in, "offline")
            now = log_in
            while span is not None and span[0] < log_off:
                self._state(agent_id, now, span[0], "available")
                self._state(agent_id, *span)
                now, span = span[1], next(busy, None)
            self._state(agent_id, now, log_off, "available")
            logged_off = log_off

    def _state(self, agent_id: str, begin: int, end: int, state: str) -> None:
        for day, seconds in self._clock.by_day(begin, end):
            self._files["fct_agent_states"].write(
                (agent_id, utc(begin), utc(begin + seconds), day.isoformat(), state, seconds)
            )
            begin += seconds

    def _add_agent(self, agent_id: str, day: date, measure: str, amount: int) -> None:
        self._agent_days[day, agent_id][_AGENT_DAY_INDEX[measure]] += amount


def _sum_of_known(figures: Iterable[int | None]) -> int | str:
    """The sum of what is known, empty when nothing is."""
    known = [figure for figure in figures if figure is not None]
    return sum(known) if known else ""


def _durations(talk: int | str | None) -> tuple[int | str, int | str, int | str]:
    """Talk, hold and after-call seconds. Asterisk logs no hold and no after-call time: 0 at the end."""
    return ("", "", "") if talk is None or talk == "" else (talk, 0, 0)
