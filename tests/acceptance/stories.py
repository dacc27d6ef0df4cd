"""Stories of a small centre, as hypothesis draws them: what callers and agents did on three days.

A story is physically possible, so that every telephone system can tell it: an agent is rung only while
logged in, not on a break and not on another call, and does one thing at a time. Times are seconds after the
story's first local midnight, counted on (a day on which the clock changes has 23 or 25 hours of them).
A story's `repr` is Python: what a test prints can be told again.
"""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import strategies as st

DAY = 86400
DAYS = 3
LEAVES = ("abandoned", "timeout", "empty", "key", "callback", "open")
GOES_ON = ("transferred", "sent_on")  # by the agent; by the queue, when its time is over

_AGENTS = 3
_MOST_STAYS = 3
_BETWEEN = 2  # seconds between two things that one agent does
_LONGEST_SHIFT = 3 * 3600


@dataclass(frozen=True)
class Offer:
    """A call at an agent's telephone: ``answered``, ``missed``, ``cancelled`` (the caller left first) or
    ``unreachable`` (it never rang)."""

    agent: int
    at: int
    ring: int
    result: str


@dataclass(frozen=True)
class Stay:
    """A caller in a queue until `end`: ``answered``, one of `GOES_ON` or one of `LEAVES`.

    ``wait`` is None while the caller waits (``open``); ``talk`` counts from the answer.
    """

    queue: int
    entered: int
    wait: int | None
    end: str
    offers: tuple[Offer, ...] = ()
    talk: int = 0
    wrap_up: int = 0
    hung_up_by: str = ""

    @property
    def left(self) -> int:
        """When the caller was out of the queue and, if answered, had talked."""
        return self.entered + (self.wait or 0) + self.talk


@dataclass(frozen=True)
class Contact:
    """A caller and the queues they stayed in, one after the other."""

    phone: int
    stays: tuple[Stay, ...]


@dataclass(frozen=True)
class Shift:
    """An agent logged in; breaks are ``(from, to, reason)``."""

    agent: int
    login: int
    logoff: int
    breaks: tuple[tuple[int, int, str], ...] = ()


@dataclass(frozen=True)
class Story:
    contacts: tuple[Contact, ...]
    shifts: tuple[Shift, ...] = ()


class _Diary:
    """Who is free when."""

    def __init__(self, shifts: list[Shift]) -> None:
        self._shifts = shifts
        self._busy = [(shift.agent, begin, end) for shift in shifts for begin, end, _ in shift.breaks]

    def free(self, begin: int, end: int) -> list[int]:
        """The agents who have time from ``begin`` to ``end``, and a moment around."""
        begin, end = begin - _BETWEEN, end + _BETWEEN
        on_duty = {shift.agent for shift in self._shifts if shift.login <= begin and end <= shift.logoff}
        return sorted(on_duty - {who for who, since, until in self._busy if since < end and begin < until})

    def book(self, agent: int, begin: int, end: int) -> None:
        self._busy.append((agent, begin, end))


_around_midnight = st.sampled_from([DAY, 2 * DAY]).flatmap(lambda at: st.integers(at - 300, at + 60))
_seconds = st.one_of(st.integers(0, 30), st.integers(0, 400))


@st.composite
def _shifts(draw: st.DrawFn) -> list[Shift]:
    """None to two shifts for each agent, most of them near a midnight, apart from each other."""
    shifts = []
    for agent in range(_AGENTS):
        begins = st.one_of(_around_midnight.map(lambda at: at - 1800), st.integers(0, 2 * DAY))
        logged_off = -1
        for login in sorted(draw(st.lists(begins, min_size=int(agent == 0), max_size=2))):
            if login <= logged_off:
                continue
            logged_off = login + draw(st.integers(600, _LONGEST_SHIFT))
            breaks, free_from = [], login + _BETWEEN
            for reason in draw(st.lists(st.sampled_from(["Break", "Lunch", "Training"]), max_size=2)):
                begin = free_from + draw(st.integers(0, 1200))
                end = begin + draw(st.integers(1, 900))
                if end < logged_off - _BETWEEN:
                    breaks.append((begin, end, reason))
                    free_from = end + _BETWEEN
            shifts.append(Shift(agent, login, logged_off, tuple(breaks)))
            logged_off += _BETWEEN
    return shifts


@st.composite
def _stays(draw: st.DrawFn, diary: _Diary, entered: int, may_go_on: bool) -> Stay:
    """A stay in a queue from ``entered`` on."""
    queue, now, offers = draw(st.integers(0, 1)), entered, []
    for result in draw(st.lists(st.sampled_from(["missed", "missed", "unreachable"]), max_size=2)):
        at = now + draw(st.integers(0, 20))
        ring = draw(st.integers(1, 20)) if result == "missed" else 0
        free = diary.free(at, at + ring)
        if free:
            offers.append(Offer(draw(st.sampled_from(free)), at, ring, result))
            diary.book(offers[-1].agent, at, at + ring)
            now = at + ring + 1
    answers = ["answered"] * 4 + (["transferred"] * 2 + ["sent_on"] if may_go_on else [])
    end, left = draw(st.sampled_from([*answers, *LEAVES])), now + draw(_seconds)
    if end in ("answered", "transferred"):
        ring = min(draw(st.integers(0, 15)), left - now)
        talk, wrap_up = draw(_seconds), draw(st.integers(0, 30))
        free = diary.free(left - ring, left + talk + wrap_up)
        if free:
            agent = draw(st.sampled_from(free))
            diary.book(agent, left - ring, left + talk + wrap_up)
            offers.append(Offer(agent, left - ring, ring, "answered"))
            by = "" if end == "transferred" else draw(st.sampled_from(["agent", "customer"]))
            return Stay(queue, entered, left - entered, end, tuple(offers), talk, wrap_up, by)
        end = "abandoned"
    if end == "open":
        return Stay(queue, entered, None, end, tuple(offers))
    ring = min(draw(st.integers(0, 10)), left - now)
    free = diary.free(left - ring, left) if ring and end not in ("empty", "key", "callback") else []
    if free:
        result = "cancelled" if end == "abandoned" else "missed"
        offers.append(Offer(draw(st.sampled_from(free)), left - ring, ring, result))
        diary.book(offers[-1].agent, left - ring, left)
    return Stay(queue, entered, left - entered, end, tuple(offers))


@st.composite
def _contacts(draw: st.DrawFn, diary: _Diary, shifts: list[Shift]) -> Contact:
    """A call through one to three queues, or through one twice; most call while somebody is there."""
    moments = [st.integers(0, 2 * DAY + 3600), _around_midnight]
    moments += [st.integers(shift.login, shift.logoff) for shift in shifts] * 2
    entered, stays = draw(st.one_of(moments)), []
    while not stays or stays[-1].end in GOES_ON:
        stays.append(draw(_stays(diary, entered, may_go_on=len(stays) + 1 < _MOST_STAYS)))
        entered = stays[-1].left + draw(st.integers(1, 3))  # within one second a log has no order
    return Contact(draw(st.integers(0, 9999)), tuple(stays))


@st.composite
def stories(draw: st.DrawFn) -> Story:
    """Two to six calls and the shifts of up to three agents."""
    shifts = draw(_shifts())
    diary = _Diary(shifts)
    contacts = [draw(_contacts(diary, shifts)) for _ in range(draw(st.integers(2, 6)))]
    return Story(tuple(contacts), tuple(shifts))


def every_half_hour(seconds: int) -> Story:
    """A call a quarter past each half-hour of a day that has so many seconds, one agent there all day."""
    stays = [Stay(0, at, 20, "answered", (Offer(0, at + 10, 10, "answered"),), 100, 0, "agent")
             for at in range(900, seconds, 1800)]  # fmt: skip
    calls = tuple(Contact(number, (stay,)) for number, stay in enumerate(stays))
    return Story(calls, (Shift(0, 5, seconds - 5, ((1300, 1500, "Break"),)),))


def over_midnight() -> list[Story]:
    """Calls in the last and first seconds of days; then, each in a story of its own, one thing that begins on
    one day and goes on on the next, so that nothing else has the next day built.
    """
    shift = Shift(1, DAY - 2000, DAY + 2000)

    def answered(
        entered: int, wait: int, ring: int, talk: int, agent: int = 1, end: str = "answered"
    ) -> Stay:
        offer = Offer(agent, entered + wait - ring, ring, "answered")
        by = "customer" if end == "answered" else ""
        return Stay(0, entered, wait, end, (offer,), talk, 0, by)

    def missed(entered: int, at: int, wait: int) -> Stay:
        return Stay(1, entered, wait, "abandoned", (Offer(1, at, 5, "missed"),))

    seconds = [
        Contact(1, (answered(DAY - 1, 0, 0, 30, 0),)),
        Contact(2, (answered(DAY - 10, 20, 15, 300),)),
        Contact(3, (Stay(1, DAY - 1, 1, "abandoned"),)),
        Contact(4, (Stay(1, DAY, 0, "empty"),)),
        Contact(5, (Stay(1, 2 * DAY - 1, 5, "timeout", (Offer(0, 2 * DAY - 1, 5, "missed"),)),)),
        Contact(6, (Stay(1, 2 * DAY - 30, 30, "callback"),)),
    ]
    shifts = [
        Shift(0, DAY - 900, DAY + 900, ((DAY + 100, DAY + 200, "Break"),)),
        Shift(1, DAY - 900, DAY + 900, ((DAY - 400, DAY - 300, "Lunch"),)),
        Shift(0, 2 * DAY - 600, 2 * DAY + 600, ((2 * DAY + 60, 2 * DAY + 120, "Break"),)),
    ]
    nights = [
        (answered(DAY - 60, 10, 5, 300),),
        (answered(DAY - 60, 62, 5, 300),),
        (answered(DAY - 60, 70, 5, 300),),
        (missed(DAY - 60, DAY - 2, 90),),
        (missed(DAY - 60, DAY + 10, 90),),
        (answered(DAY - 60, 10, 5, 20, end="transferred"), answered(DAY + 5, 10, 5, 30)),
        (Stay(0, DAY - 60, 30, "sent_on"), answered(DAY - 28, 40, 5, 30)),
    ]
    alone = [
        Story((Contact(1, (Stay(0, DAY - 60, 30, "sent_on"), Stay(1, DAY + 5, 20, "abandoned"))),)),
        Story((), (Shift(1, DAY - 2000, DAY + 2000, ((DAY - 100, DAY + 100, "Lunch"),)),)),
    ]
    return [
        Story(tuple(seconds), tuple(shifts)),
        *(Story((Contact(1, stays),), (shift,)) for stays in nights),
        *alone,
    ]
