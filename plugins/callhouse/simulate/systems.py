"""What each source system writes about the centre: telephone system, CRM, attendance."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, NamedTuple, TextIO

from callhouse.simulate.output import CsvFile, DailyCsv, Outputs
from callhouse.simulate.people import Duty, customers
from callhouse.simulate.plan import Clock, Plan
from callhouse.simulate.truth import Truth

if TYPE_CHECKING:
    from callhouse.simulate.centre import Call, Visit

CUSTOMER_COLUMNS = ("customer_no", "name", "phone", "segment", "since", "updated_at")
CASE_COLUMNS = (
    "case_no", "customer_no", "call_id", "topic", "status", "opened_at", "due_at", "closed_at", "updated_at",
)  # fmt: skip
SURVEY_COLUMNS = ("survey_no", "call_id", "customer_no", "question", "score", "max_score", "answered_at")
SHIFT_COLUMNS = ("employee_no", "name", "date", "shift_code", "planned_start", "planned_end")
PUNCH_COLUMNS = ("employee_no", "punched_at", "direction", "device")

_SURVEY_RATE = 0.12
_QUESTIONS = ("总体满意度", "服务态度")
_MAX_SCORE = 5
_PUNCH_WINDOW = 2 * 3600


class QueueLog:
    """Asterisk's ``queue_log``, rotated at local midnight: ``time|callid|queue|agent|EVENT|data…``.

    Lines must come in order of time. The next day's file is begun by its first line, so a call that ends
    after the last midnight has its end in a file of its own.
    """

    def __init__(self, clock: Clock, outputs: Outputs, first_day: date) -> None:
        self._clock, self._outputs = clock, outputs
        self.line_count = 0
        self.last_at = 0  # of the newest line
        self._file: TextIO
        self._next_day = first_day
        self._until = 0
        self._name = ""
        self.rotate(first_day)

    def rotate(self, day: date) -> None:
        """Begin the file of this day, unless a line has begun it already."""
        if self._name and self._next_day > day:
            return
        if self._name:
            self._outputs.close(self._name)
        self._name = f"pbx/queue_log-{day:%Y%m%d}"
        self._file = self._outputs.open(self._name)
        self._next_day = day + timedelta(days=1)
        self._until = self._clock.at(self._next_day)

    def write(self, at: int, rest: str) -> None:
        """``rest`` is the line after its time."""
        if at >= self._until:
            self.rotate(self._clock.day(at))
        self.line_count += 1
        self.last_at = at
        self._file.write(f"{at}|{rest}\n")


class Case(NamedTuple):
    """A case as the CRM knows it at the end of the data; ``closed_at`` is None while it is open."""

    case_id: str
    topic: str
    opened_at: int
    due_at: int
    closed_at: int | None


class Crm:
    """Customers, cases, survey answers; each night the day's answers and the cases touched are exported.

    A case opened and closed on two days stands in two files; the later version counts.
    """

    def __init__(
        self, plan: Plan, clock: Clock, outputs: Outputs, truth: Truth | None, end_of_data: int
    ) -> None:
        self._clock, self._truth, self._end = clock, truth, end_of_data
        self._draw = random.Random(f"{plan.seed}/crm")
        self._cases = DailyCsv(outputs, "crm/cases", CASE_COLUMNS)
        self._surveys = DailyCsv(outputs, "crm/surveys", SURVEY_COLUMNS)
        self._closing: dict[date, list[tuple[str, ...]]] = defaultdict(list)
        self._case_count = self._survey_count = 0
        base = CsvFile(outputs, "crm/customers.csv", CUSTOMER_COLUMNS, "crm/customers")
        exported = clock.local(clock.at(plan.start))
        for customer in customers(plan):
            since = customer.since.isoformat()
            base.write(
                (customer.customer_id, customer.name, customer.phone, customer.segment, since, exported)
            )

    def begin_day(self, day: date) -> None:
        self._cases.begin(day)
        self._surveys.begin(day)
        for row in self._closing.pop(day, ()):
            self._cases.write(day, row)

    def end_day(self, day: date) -> None:
        self._cases.end(day)
        self._surveys.end(day)

    def call_ended(self, call: Call, at: int) -> None:
        """A contact is over for the customer: perhaps a case was opened in it, perhaps a survey follows."""
        answered = [visit for visit in call.visits if visit.outcome == "answered"]
        if not answered:
            return
        if self._draw.random() < answered[-1].queue.case_rate:
            self._open_case(call, answered[-1])
        if self._draw.random() < _SURVEY_RATE:
            self._answer_survey(call, at + self._draw.randrange(30, 1800))

    def _open_case(self, call: Call, visit: Visit) -> None:
        """Open a case while the visit's agent talks; how long it stays open depends on the queue."""
        draw, leg, due_in = self._draw, visit.legs[-1], visit.queue.due_hours * 3600
        opened_at = leg.offered_at + leg.ring + int(draw.random() * (leg.talk or 0))
        topic = draw.choice(visit.queue.topics)
        closed_at = opened_at + 300 + int(draw.expovariate(2.2 / due_in))
        if opened_at >= self._end:
            return
        self._case_count += 1
        known_close = closed_at if closed_at < self._end else None
        case = Case(f"K{self._case_count:07d}", topic, opened_at, opened_at + due_in, known_close)
        opened_on, closed_on = self._clock.day(opened_at), self._clock.day(closed_at)
        if known_close is not None and closed_on > opened_on:
            self._cases.write(opened_on, self._export(case, call, None))
            if closed_on <= self._clock.day(call.ended_at):  # that day's file has begun
                self._cases.write(closed_on, self._export(case, call, known_close))
            else:
                self._closing[closed_on].append(self._export(case, call, known_close))
        else:
            self._cases.write(opened_on, self._export(case, call, known_close))
        if self._truth:
            self._truth.case(case, call)

    def _export(self, case: Case, call: Call, closed_at: int | None) -> tuple[str, ...]:
        """The case's row on the night of a day on which it was opened, or closed at ``closed_at``."""
        opened, due = self._clock.local(case.opened_at), self._clock.local(case.due_at)
        closed = "" if closed_at is None else self._clock.local(closed_at)
        return (
            case.case_id, call.customer_id, call.contact_id, case.topic, "closed" if closed else "open",
            opened, due, closed, closed or opened,
        )  # fmt: skip

    def _answer_survey(self, call: Call, answered_at: int) -> None:
        """Two questions; one left blank is not exported."""
        wait = sum(visit.wait or 0 for visit in call.visits)
        for question in _QUESTIONS:
            at = answered_at + self._draw.randrange(5, 30)
            is_blank = self._draw.random() < 0.12
            mood = self._draw.gauss(4.4 - min(2.0, wait / 100), 1.1)
            if is_blank or at >= self._end:
                continue
            self._survey_count += 1
            survey_id, score = f"S{self._survey_count:07d}", min(_MAX_SCORE, max(1, round(mood)))
            row = (
                survey_id,
                call.contact_id,
                call.customer_id,
                question,
                score,
                _MAX_SCORE,
                self._clock.local(at),
            )
            self._surveys.write(self._clock.day(at), row)
            if self._truth:
                self._truth.survey(survey_id, call, question, score, _MAX_SCORE, at)


class Attendance:
    """Shifts as planned and punches as the gate read them."""

    def __init__(self, clock: Clock, outputs: Outputs, truth: Truth | None, end_of_data: int) -> None:
        self._clock, self._truth, self._end = clock, truth, end_of_data
        self._shifts = DailyCsv(outputs, "attendance/shifts", SHIFT_COLUMNS)
        self._punches = DailyCsv(outputs, "attendance/punches", PUNCH_COLUMNS)

    def begin_day(self, day: date, duties: list[Duty]) -> None:
        self._shifts.begin(day)
        self._punches.begin(day)
        for duty in duties:
            self._shifts.write(day, (
                duty.person.agent_id, duty.person.name, day.isoformat(), duty.person.shift_code,
                self._clock.local(duty.planned_start), self._clock.local(duty.planned_end),
            ))  # fmt: skip
            for at, direction in duty.punches:
                self._punch(duty, at, direction)
            if duty.login is None and self._truth:
                self._shift_ended(duty, None)

    def end_day(self, day: date) -> None:
        self._shifts.end(day)
        self._punches.end(day)

    def went_home(self, duty: Duty, logoff: int | None) -> None:
        """The agent of this duty logged off (``None``: was still logged in when the data ended)."""
        if logoff is not None:
            self._punch(duty, logoff + duty.walk_out, "out")
        if self._truth:
            self._shift_ended(duty, logoff)

    def _punch(self, duty: Duty, at: int, direction: str) -> None:
        if at >= self._end:
            return
        row = (
            duty.person.agent_id,
            self._clock.local(at),
            direction,
            "北门" if direction == "in" else "South gate, 1F",
        )
        self._punches.write(self._clock.day(at), row)

    def _shift_ended(self, duty: Duty, logoff: int | None) -> None:
        assert self._truth is not None
        punches = [at for at, _ in duty.punches] + ([] if logoff is None else [logoff + duty.walk_out])
        known = [at for at in punches if at < self._end and at <= duty.planned_end + _PUNCH_WINDOW]
        self._truth.attendance(duty, known[0] if known else None, known[-1] if known else None)
