"""Who calls when: a Poisson process whose rate follows the weekday and the time of day."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import date
from typing import NamedTuple

import numpy as np

from callhouse.simulate.people import customer_count, phone_number, stranger_number
from callhouse.simulate.plan import HALF_HOUR, WEEKDAY_LOAD, Clock, Plan, arrival_weights

_UNKNOWN_SHARE = 0.05
_BOUNDARY_PATIENCES = 4


class Arrival(NamedTuple):
    """A call reaching its first queue (by index). Times in whole seconds."""

    at: int
    queue: int
    phone: str
    customer_id: str
    ivr_seconds: int
    patience: int
    talk: int


def arrivals(plan: Plan, clock: Clock, day: date) -> Iterator[Arrival]:
    """The day's calls in order of time.

    Drawn half-hour by half-hour, each from a generator of its own (seed, day, half-hour): memory stays small
    and no day's calls depend on another's.
    """
    opens, closes = (clock.at(day, minutes) for minutes in plan.open_minutes)
    blocks = math.ceil((closes - opens) / HALF_HOUR)
    for block, weight in enumerate(arrival_weights(blocks)):
        begin = opens + block * HALF_HOUR
        mean = plan.calls_per_day * WEEKDAY_LOAD[day.weekday()] * weight
        generator = np.random.default_rng([plan.seed, day.toordinal(), block])
        yield from _block(plan, generator, begin, min(HALF_HOUR, closes - begin), mean)


def _block(
    plan: Plan, generator: np.random.Generator, begin: int, seconds: int, mean: float
) -> Iterator[Arrival]:
    count = int(generator.poisson(mean))
    at = begin + np.sort(generator.integers(0, seconds, count))
    shares = np.array([queue.share for queue in plan.queues])
    queue = generator.choice(len(shares), count, p=shares / shares.sum())
    caller = generator.integers(0, customer_count(plan), count)
    unknown = generator.random(count)
    ivr = generator.integers(5, 45, count)
    median = np.array([queue.talk_median for queue in plan.queues])[queue]
    sigma = np.array([queue.talk_sigma for queue in plan.queues])[queue]
    talk = np.clip(np.rint(median * np.exp(sigma * generator.standard_normal(count))), 1, 3 * 3600).astype(
        int
    )
    patience = _patience(plan, generator, queue)
    for row in zip(at.tolist(), queue.tolist(), caller.tolist(), unknown.tolist(), ivr.tolist(),
                   patience.tolist(), talk.tolist(), strict=True):  # fmt: skip
        instant, queue_index, number, stranger, ivr_seconds, patient, talking = row
        if stranger >= _UNKNOWN_SHARE:
            phone, customer_id = phone_number(number), f"C{number + 1:06d}"
        else:
            withheld = stranger < _UNKNOWN_SHARE / 5
            phone, customer_id = "anonymous" if withheld else stranger_number(stranger / _UNKNOWN_SHARE), ""
        yield Arrival(instant, queue_index, phone, customer_id, ivr_seconds, patient, talking)


def _patience(plan: Plan, generator: np.random.Generator, queue: np.ndarray) -> np.ndarray:
    """Seconds a caller waits: mostly exponential; some leave at once, some exactly at a threshold."""
    count = len(queue)
    mean = np.array([queue.patience_mean for queue in plan.queues])[queue]
    kind = generator.random(count)
    waits = generator.exponential(1.0, count) * mean
    hasty = np.exp(1.4 + 0.7 * generator.standard_normal(count))
    boundary = np.array(
        [
            plan.short_abandon_seconds,
            plan.short_abandon_seconds + 1,
            plan.threshold_seconds,
            plan.threshold_seconds + 1,
        ]
    )[generator.integers(0, _BOUNDARY_PATIENCES, count)]
    chosen = np.where(kind < 0.03, hasty, np.where(kind < 0.06, boundary, waits))
    return np.maximum(1, np.rint(chosen)).astype(int)
