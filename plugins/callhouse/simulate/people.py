"""Customers, agents and rosters: who exists, and who works when."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date

from callhouse.simulate.plan import Clock, Plan

_SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗"
_GIVEN = (
    "伟", "芳", "娜", "敏", "静", "磊", "强", "洋", "艳", "杰",
    "秀英", "建国", "志强", "海燕", "晓明", "雨桐", "子涵", "欣怡", "浩然", "丽华",
)  # fmt: skip
_COMPANIES = (
    '上海"晨光"贸易有限公司, 采购部',
    "广州远航物流, 客服",
    "Lee, Wong & Partners",
    '"蓝天" Car Rental, Ltd.',
)
_SEGMENTS = ("个人", "个人", "个人", "企业", "VIP")

# +1 NXX 555 0100-0199 is reserved for fiction in every North American area code (NXX: 200-999).
_KNOWN_NUMBERS = 600 * 100
_ALL_NUMBERS = 800 * 100

_SHIFT_SECONDS = 9 * 3600
# Shift of each agent by their number: early and late open and close the day, mid covers its humps.
_SHIFT_PATTERN = "ELMLE"


def phone_number(number: int) -> str:
    """The fictional number with this index, E.164."""
    return f"+1{200 + number // 100}55501{number % 100:02d}"


@dataclass(frozen=True)
class Customer:
    customer_id: str
    name: str
    phone: str
    segment: str
    since: date


def customer_count(plan: Plan) -> int:
    return min(_KNOWN_NUMBERS, max(50, 3 * plan.calls_per_day))


def stranger_number(draw: float) -> str:
    """The number of a caller who is nobody's customer."""
    return phone_number(_KNOWN_NUMBERS + int(draw * (_ALL_NUMBERS - _KNOWN_NUMBERS)))


def customers(plan: Plan) -> Iterator[Customer]:
    """The customer base, the same for any number of days."""
    draw = random.Random(f"{plan.seed}/customers")
    for number in range(customer_count(plan)):
        company = draw.random() < 0.03
        yield Customer(
            customer_id=f"C{number + 1:06d}",
            name=draw.choice(_COMPANIES) if company else _name(draw),
            phone=phone_number(number),
            segment="企业" if company else draw.choice(_SEGMENTS),
            since=date.fromordinal(plan.start.toordinal() - draw.randrange(30, 2000)),
        )


@dataclass(frozen=True)
class Person:
    """An agent as a member of staff: which queues they serve and what shift they work."""

    number: int
    agent_id: str
    name: str
    queues: tuple[int, ...]
    shift_code: str


def staff(plan: Plan, count: int) -> list[Person]:
    """The agents. A small team serves every queue; a larger one is split by load, each helping the next."""
    draw = random.Random(f"{plan.seed}/staff")
    width = len(plan.queues)
    everything = tuple(range(width))
    load = [queue.share * queue.talk_mean for queue in plan.queues]
    members = [0] * width
    people = []
    for number in range(count):
        group = max(everything, key=lambda index: load[index] / (members[index] + 1))
        members[group] += 1
        queues = everything if count < 4 * width else tuple(sorted({group, (group + 1) % width}))
        shift = _SHIFT_PATTERN[members[group] % len(_SHIFT_PATTERN)]
        people.append(Person(number, str(1001 + number), _name(draw), queues, shift))
    return people


@dataclass(frozen=True)
class Duty:
    """One agent's day. Instants are epoch seconds; punches and the rest are empty for an absent agent."""

    person: Person
    day: date
    planned_start: int
    planned_end: int
    punches: tuple[tuple[int, str], ...] = ()
    login: int | None = None
    logoff_from: int = 0
    breaks: tuple[tuple[int, int, str], ...] = field(default=())  # (not before, seconds, reason)
    walk_out: int = 0  # seconds from the logoff to the last punch


def roster(plan: Plan, clock: Clock, people: list[Person], day: date) -> list[Duty]:
    """Who is planned for this day, who came, and when."""
    draw = random.Random(f"{plan.seed}/roster/{day.isoformat()}")
    opens, closes = (clock.at(day, minutes) for minutes in plan.open_minutes)
    length = min(_SHIFT_SECONDS, closes - opens)
    starts = {"E": opens, "M": opens + (closes - opens - length) // 2 // 900 * 900, "L": closes - length}
    # A team of two or fewer works every day: there is nobody to stand in.
    resting = (day.weekday(), (day.weekday() + 3) % 7) if len(people) > 2 else ()
    return [
        _duty(draw, person, day, clock.at(day), starts[person.shift_code], starts[person.shift_code] + length)
        for person in people
        if person.number % 7 not in resting
    ]


def _duty(draw: random.Random, person: Person, day: date, midnight: int, start: int, end: int) -> Duty:
    if draw.random() < 0.03:
        return Duty(person, day, start, end)
    late = draw.random() < 0.06
    came = max(midnight, start + (draw.randrange(120, 2400) if late else -draw.randrange(180, 900)))
    login = came + draw.randrange(60, 180)
    if end - login < 900:  # a shift too short to come late to
        came, login = max(midnight, start - 300), max(midnight, start - 180)
    length = end - start
    breaks = []
    for share, shortest, longest, reason in (
        (0.22, 480, 900, "Break"), (0.45, 1500, 2400, "Lunch"),
        (0.68, 480, 900, "Break"), (0.82, 900, 1800, "Training"),
    ):  # fmt: skip
        if length < 4 * 3600 or (reason == "Training" and draw.random() < 0.85):
            continue
        breaks.append(
            (
                start + int(length * (share + draw.uniform(-0.05, 0.05))),
                draw.randrange(shortest, longest),
                reason,
            )
        )
    punches: tuple[tuple[int, str], ...] = ((came, "in"),)
    lunch = next((pause for pause in breaks if pause[2] == "Lunch"), None)
    if lunch and draw.random() < 0.3:
        punches += ((lunch[0] + 60, "out"), (lunch[0] + lunch[1] - 60, "in"))
    return Duty(
        person,
        day,
        start,
        end,
        punches,
        login,
        end + draw.randrange(0, 120),
        tuple(breaks),
        draw.randrange(60, 420),
    )


def _name(draw: random.Random) -> str:
    return draw.choice(_SURNAMES) + draw.choice(_GIVEN)
