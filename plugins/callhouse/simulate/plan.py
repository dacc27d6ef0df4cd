"""What to simulate: days, load, queues, staff; and the centre's clock."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from callhouse.errors import ConfigError

HALF_HOUR = 1800
_QUARTER = 900  # every zone's offset is a multiple of 15 minutes and changes on one

# Telephone systems whose files the simulation can write, by their kind.
SYSTEMS = ("asterisk_queue_log", "amazon_connect", "asterisk_cdr", "freeswitch", "genesys_cloud")

# Load by ISO weekday, Monday first; the mean is 1, so that `calls_per_day` is the average over a week.
WEEKDAY_LOAD = (1.18, 1.10, 1.05, 1.03, 1.04, 0.85, 0.75)


@dataclass(frozen=True)
class Queue:
    """One queue: its share of the calls, and how its callers and agents behave. Times in seconds."""

    queue_id: str
    extension: str
    share: float
    talk_median: int
    talk_sigma: float
    patience_mean: int
    timeout: int
    transfer_to: str | None = None
    transfer_rate: float = 0.0
    case_rate: float = 0.15
    due_hours: int = 24
    topics: tuple[str, ...] = ("其他",)

    @property
    def talk_mean(self) -> float:
        return self.talk_median * math.exp(self.talk_sigma**2 / 2)


QUEUES = (
    Queue(
        "sales", "7001", 0.38, 170, 0.75, 150, 120,
        transfer_to="service", transfer_rate=0.04, case_rate=0.12, due_hours=72,
        topics=("价格咨询", "预约看车", "置换, 报价", "贷款\"零首付\"活动"),
    ),
    Queue(
        "service", "7002", 0.50, 205, 0.70, 220, 150,
        transfer_to="complaints", transfer_rate=0.05, case_rate=0.20, due_hours=24,
        topics=("售后维修", "过户, 保险", "退订", "质保\"三包\"范围", "Warranty, extension"),
    ),
    Queue(
        "complaints", "7003", 0.12, 310, 0.60, 300, 180,
        transfer_to="service", transfer_rate=0.03, case_rate=0.75, due_hours=48,
        topics=("投诉: 服务态度", "投诉: 车况, 里程", "投诉: 退款", "投诉: \"虚假宣传\""),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Plan:
    """A simulation: the same plan always writes the same bytes.

    ``calls_per_day`` is the mean over a week; ``agents`` the head count (``None``: staffed to the load,
    see `head_count`). ``open_from`` and ``open_to`` are local ``HH:MM``; an ``open_to`` not after
    ``open_from`` is on the next day, and ``24:00`` is midnight. ``callback_key`` is the key with which
    half of the callers who press one ask to be called back; the others press ``*`` and flow out.
    ``cut_off`` ends every file at that instant (local time of the centre when it names no zone).
    ``systems`` names the telephone systems whose files are written, by their kind; Asterisk's always are. The
    truth is written as the last of them can tell it.

    Raises:
        ConfigError: the plan contradicts itself.
    """

    start: date
    days: int
    calls_per_day: int
    seed: int
    time_zone: str = "Asia/Shanghai"
    agents: int | None = None
    queues: tuple[Queue, ...] = QUEUES
    threshold_seconds: int = 20
    short_abandon_seconds: int = 5
    open_from: str = "08:00"
    open_to: str = "20:00"
    callback_key: str | None = None
    cut_off: datetime | None = None
    systems: tuple[str, ...] = ("asterisk_queue_log",)

    def __post_init__(self) -> None:
        queue_ids = {queue.queue_id for queue in self.queues}
        problems = [
            (
                not self.systems or not {*self.systems} <= {*SYSTEMS},
                "`systems` is empty or names a telephone system that is not simulated",
                f"choose of {', '.join(SYSTEMS)}",
            ),
            (self.days < 1, "`days` is less than 1", "simulate at least one day"),
            (self.calls_per_day < 0, "`calls_per_day` is negative", "give 0 or more"),
            (self.seed < 0, "`seed` is negative", "give 0 or more"),
            (self.agents is not None and self.agents < 0, "`agents` is negative", "give 0 or more"),
            (
                not queue_ids or len(queue_ids) < len(self.queues),
                "queues are missing or named twice",
                "name each once",
            ),
            (
                any(
                    queue.transfer_to not in (None, *(queue_ids - {queue.queue_id})) for queue in self.queues
                ),
                "a queue transfers to itself or to a queue that is not in the plan",
                "name another queue of the plan",
            ),
            (
                not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", self.open_from)
                or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d|24:00", self.open_to),
                "opening hours are not HH:MM",
                "write them like 08:00 and 20:00",
            ),
        ]
        for wrong, what, do in problems:
            if wrong:
                raise ConfigError(what, where="simulation plan", do=do)
        try:
            ZoneInfo(self.time_zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ConfigError(
                f"unknown time zone {self.time_zone!r}",
                where="simulation plan",
                do="use an IANA name such as Asia/Shanghai",
            ) from None

    @property
    def dates(self) -> list[date]:
        return [self.start + timedelta(days=number) for number in range(self.days)]

    @property
    def other_systems(self) -> tuple[str, ...]:
        """The telephone systems beside Asterisk."""
        return tuple(system for system in self.systems if system != "asterisk_queue_log")

    @property
    def open_minutes(self) -> tuple[int, int]:
        """Opening and closing in minutes after local midnight; the closing may lie on the next day."""
        opens, closes = _minutes(self.open_from), _minutes(self.open_to)
        return opens, closes if closes > opens else closes + 24 * 60


def _minutes(clock_time: str) -> int:
    hours, minutes = clock_time.split(":")
    return int(hours) * 60 + int(minutes)


def arrival_weights(blocks: int) -> list[float]:
    """The day's shape: share of the day's calls in each half-hour of the opening hours, two humps."""
    shape = []
    for block in range(blocks):
        x = (block + 0.5) / blocks
        shape.append(
            0.30 + math.exp(-(((x - 0.24) / 0.13) ** 2)) + 0.8 * math.exp(-(((x - 0.62) / 0.15) ** 2))
        )
    return [weight / sum(shape) for weight in shape]


def head_count(plan: Plan, wrap_up_mean: float) -> int:
    """Agents for the load: square-root staffing of the busiest half-hour of an average Monday.

    On duty = A + sqrt(A) / 2, with A the Erlangs offered; the head count allows for two days off in seven,
    absence and breaks.
    """
    if plan.agents is not None:
        return plan.agents
    opens, closes = plan.open_minutes
    busiest = max(arrival_weights(math.ceil((closes - opens) / 30))) * plan.calls_per_day * WEEKDAY_LOAD[0]
    shares = sum(queue.share for queue in plan.queues)
    handling = sum(queue.share / shares * queue.talk_mean for queue in plan.queues) + wrap_up_mean
    erlangs = busiest * handling / HALF_HOUR
    return math.ceil((erlangs + math.sqrt(erlangs) / 2) / (5 / 7 * 0.97 * 0.92)) + 1


class Clock:
    """Local dates and half-hours of instants (epoch seconds) in one zone."""

    def __init__(self, time_zone: str) -> None:
        self.zone = ZoneInfo(time_zone)
        self._place = lru_cache(maxsize=4096)(self._place_of_quarter)
        self.local = lru_cache(maxsize=8192)(self._local)

    def at(self, day: date, minutes: int = 0) -> int:
        """The instant of a local wall-clock time, in minutes after the midnight that begins ``day``."""
        wall = datetime.combine(day, time()) + timedelta(minutes=minutes)
        return int(wall.replace(tzinfo=self.zone).timestamp())

    def day(self, instant: int) -> date:
        return self._place(instant // _QUARTER)[0]

    def half_hour(self, instant: int) -> int:
        """The instant at which the local half-hour of ``instant`` began."""
        return self._place(instant // _QUARTER)[1]

    def _local(self, instant: int) -> str:
        """``YYYY-MM-DD HH:MM:SS`` on the wall clock, as CRM and attendance systems export it."""
        return datetime.fromtimestamp(instant, self.zone).strftime("%Y-%m-%d %H:%M:%S")

    def by_day(self, begin: int, end: int) -> list[tuple[date, int]]:
        """The seconds of ``[begin, end)`` on each local date."""
        parts = []
        while begin < end:
            day = self.day(begin)
            until = min(end, self.at(day + timedelta(days=1)))
            parts.append((day, until - begin))
            begin = until
        return parts

    def _place_of_quarter(self, quarter: int) -> tuple[date, int]:
        wall = datetime.fromtimestamp(quarter * _QUARTER, self.zone)
        return wall.date(), quarter * _QUARTER - (wall.minute * 60) % HALF_HOUR


@lru_cache(maxsize=8192)
def utc(instant: int | None) -> str:
    """ISO 8601 in UTC, or an empty string."""
    return "" if instant is None else datetime.fromtimestamp(instant, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
