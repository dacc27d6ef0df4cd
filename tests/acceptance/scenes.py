"""A story put on stage: in the simulator's own objects, on dates of its own, with ids of its own.

Observers (what the simulator's telephone systems are) watch the scene and write their records; the
simulator's `Truth` writes what the marts must then hold.
"""

from __future__ import annotations

import csv
import io
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from callhouse.simulate.arrivals import Arrival
from callhouse.simulate.centre import Agent, Call, Leg, Visit
from callhouse.simulate.knowledge import Knowledge
from callhouse.simulate.observers import Observer
from callhouse.simulate.people import Person
from callhouse.simulate.plan import Clock, Plan, Queue
from callhouse.simulate.truth import Truth

from .stories import DAYS, Contact, Shift, Stay, Story

ZONE = "Europe/Berlin"
CLOCK = Clock(ZONE)
CALLBACK_KEY = "1"
_OUTCOMES = {
    "answered": ("answered", ""), "transferred": ("answered", ""), "abandoned": ("abandoned", ""),
    "sent_on": ("flowed_out", "timeout"), "timeout": ("flowed_out", "timeout"), "key": ("flowed_out", "key"),
    "empty": ("flowed_out", "empty"), "callback": ("called_back", ""), "open": ("in_progress", ""),
}  # fmt: skip
_LEAVE_KINDS = {"abandoned": "abandon", "sent_on": "timeout", "callback": "key"}


@dataclass(frozen=True)
class Duty:
    """A shift with instants for times."""

    agent: Agent
    login: int
    logoff: int
    breaks: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True)
class Scene:
    """A story's calls and duties on its dates, and what happens in order: in which call (or none), and how an
    observer is told.
    """

    plan: Plan
    calls: list[Call]
    duties: list[Duty]
    happenings: list[tuple[Call | None, Callable[[Observer], None]]]

    def shown_to(self, observer: Observer, calls: list[Call]) -> None:
        """Let an observer watch from the first day to the last, of the calls only these."""
        for day in self.plan.dates:
            observer.begin_day(day)
        for call, happen in self.happenings:
            if call is None or call in calls:
                happen(observer)
        for call in calls:
            if not call.ended_at:
                observer.call_open(call)
        observer.finish(0)


@dataclass
class Notebook:
    """What is written, in memory in place of the simulator's files: page by page, in the order of writing."""

    pages: dict[str, list[str]] = field(default_factory=dict)

    def open(self, name: str) -> Any:
        return _Page(self.pages.setdefault(name, []))

    def close(self, name: str) -> None:
        pass

    def count(self, what: str, rows: int = 1) -> None:
        pass

    def text(self, stem: str) -> list[str]:
        """The pages whose names begin so, whole."""
        return ["".join(page) for name, page in sorted(self.pages.items()) if name.startswith(stem)]

    def rows(self, stem: str) -> list[dict[str, str]]:
        """The rows of the CSV pages whose names begin so."""
        return [row for text in self.text(stem) for row in csv.DictReader(io.StringIO(text))]


class _Page:
    def __init__(self, page: list[str]) -> None:
        self.write = page.append


def stage(story: Story, mark: str, source: str, first: date) -> Scene:
    """Put a story on stage.

    Args:
        mark: begins the ids of its contacts, queues and agents.
        source: stands before agents' ids, which are the same people in every other system.
        first: the date at whose midnight it begins.
    """
    return _Stage(story, mark, source, first).scene()


class _Stage:
    def __init__(self, story: Story, mark: str, source: str, first: date) -> None:
        self._story, self._mark = story, mark
        seed = zlib.crc32(mark.encode())
        self._plan = Plan(first - timedelta(days=1), DAYS + 2, 0, seed, ZONE, callback_key=CALLBACK_KEY)
        self._midnight = CLOCK.at(first)
        self._agents = {
            number: Agent(Person(number, f"{source}-{mark}a{number}", "", (0,), "E")) for number in range(9)
        }
        self._happenings: list[tuple[int, Call | None, Callable[[Observer], None]]] = []

    def scene(self) -> Scene:
        duties = [self._duty(shift) for shift in self._story.shifts]
        calls = [self._call(number, contact) for number, contact in enumerate(self._story.contacts)]
        happenings = sorted(self._happenings, key=lambda happening: happening[0])
        return Scene(self._plan, calls, duties, [(call, happen) for _, call, happen in happenings])

    def _at(self, at: int, call: Call | None, happen: Callable[[Observer], None]) -> None:
        self._happenings.append((at, call, happen))

    def _duty(self, shift: Shift) -> Duty:
        begin = self._midnight
        breaks = tuple((begin + since, begin + until, reason) for since, until, reason in shift.breaks)
        duty = Duty(self._agents[shift.agent], begin + shift.login, begin + shift.logoff, breaks)
        who = duty.agent.person.agent_id

        def change(at: int, state: str, reason: str = "") -> None:
            self._at(at, None, lambda observer: observer.agent_changed(at, who, state, reason))

        change(duty.login, "available")
        for since, until, reason in breaks:
            change(since, "away", reason)
            change(until, "available")
        change(duty.logoff, "offline")
        return duty

    def _call(self, number: int, contact: Contact) -> Call:
        entered = self._midnight + contact.stays[0].entered
        arrival = Arrival(entered, 0, f"+120055{contact.phone:05}", "", 0, 0, 0)
        call = Call(f"{self._mark}c{number}", arrival)
        for index, stay in enumerate(contact.stays):
            onward = contact.stays[index + 1] if index + 1 < len(contact.stays) else None
            call.visits.append(self._visit(call, stay, onward))
        if contact.stays[-1].wait is not None:
            call.ended_at = self._midnight + contact.stays[-1].left
            self._at(call.ended_at, call, lambda observer: observer.call_ended(call))
        return call

    def _visit(self, call: Call, stay: Stay, onward: Stay | None) -> Visit:
        entered = self._midnight + stay.entered
        visit = Visit(call, stay.queue, self._queue(stay.queue), entered, 1, stay.talk)
        visit.wait = stay.wait
        visit.outcome, visit.reason = _OUTCOMES[stay.end]
        visit.leave_kind = _LEAVE_KINDS.get(stay.end, stay.end)
        for offer in stay.offers:
            self._offer(visit, offer.agent, self._midnight + offer.at, offer.ring, offer.result)
        if visit.outcome == "answered":
            self._talk(visit, stay, onward)
        return visit

    def _queue(self, number: int) -> Queue:
        """Its extension is its id: what a transfer's target is called, systems do not agree on."""
        name = f"{self._mark}q{number}"
        return Queue(name, name, 1.0, 1, 1.0, 1, 1)

    def _offer(self, visit: Visit, number: int, at: int, ring: int, result: str) -> None:
        agent, end = self._agents[number], at + ring
        if result == "unreachable":
            self._at(at, visit.call, lambda observer: observer.unreachable(at, agent, visit))
        else:
            self._at(at, visit.call, lambda observer: observer.ringing(at, agent, visit))
        if result == "answered":
            visit.agent = agent
            visit.legs.append(Leg(agent.person.agent_id, at, ring, is_answered=True))
            self._at(end, visit.call, lambda observer: observer.connected(end, agent, visit))
            return
        if result in ("missed", "cancelled"):
            offers = visit.legs if result == "missed" else visit.cancelled
            offers.append(Leg(agent.person.agent_id, at, ring, is_answered=False))
        if result != "unreachable":
            is_missed = result == "missed"
            self._at(
                end,
                visit.call,
                lambda observer: observer.stopped_ringing(end, agent, visit, is_missed=is_missed),
            )
        self._at(end, visit.call, lambda observer: observer.agent_free(end, agent))

    def _talk(self, visit: Visit, stay: Stay, onward: Stay | None) -> None:
        agent, leg = visit.agent, visit.legs[-1]
        assert agent is not None
        ended = leg.ended_at = self._midnight + stay.left
        leg.talk, leg.after_call, leg.hung_up_by = stay.talk, stay.wrap_up, stay.hung_up_by
        free = ended + stay.wrap_up
        if onward is not None:
            leg.transfer_target = self._queue(onward.queue).extension
        self._at(ended, visit.call, lambda observer: observer.hung_up(ended, agent, visit, free))
        self._at(free, visit.call, lambda observer: observer.agent_free(free, agent))


def truth(
    scene: Scene, calls: Iterable[Call], knowledge: Knowledge, with_duties: bool
) -> dict[str, list[dict[str, str]]]:
    """What the marts hold of these calls of a scene: rows in the columns of the simulator's truth."""
    book = Notebook()
    written = Truth(scene.plan, CLOCK, book, knowledge)  # type: ignore[arg-type]
    for call in calls:
        written.contact(call, call.ended_at or None)
    for duty in scene.duties if with_duties else ():
        written.logged_in(duty.agent.person.agent_id, duty.login, duty.logoff)
        for since, until, reason in duty.breaks:
            written.paused(duty.agent.person.agent_id, since, until, reason)
    written.finish()
    return {name.removeprefix("truth/").removesuffix(".csv"): book.rows(name) for name in book.pages}
