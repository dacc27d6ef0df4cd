"""What a rule is, and the seven principles it can serve: CRUCIAL (CC-CMM items 109 to 115).

**To add a rule**, call :func:`rule` in the module of its subject; calling it is registering it::

    rule(
        "waits_are_not_negative",
        Principle.LOGICAL,
        "critical",
        en="Nobody waits a negative number of seconds.",
        zh="等待时长不为负数。",
        stage="build",
        subject="fct_queue_visits",
        where="wait_seconds is not null",
        violates="wait_seconds < 0",
        remedy="Compare the entry and answer times of the visit in the raw events.",
    )

and add its planted violation to ``PLANTED`` in ``tests/quality/test_rules.py``::

    "waits_are_not_negative": "update build.fct_queue_visits set wait_seconds = -1 where visit_number = 1",

The gate evaluates it from then on, `docs/rules.md` documents it (``make`` that page again with
``python -m callhouse.quality.document > docs/rules.md``), and the tests fail until both are there.

**Two forms.** ``violates`` is an SQL condition over the rows of ``subject`` (a table of the stage's
schema, referred to by its own name); all such rules of one table are evaluated in one scan. ``where``
narrows the rows the rule speaks about. A condition that comes out as NULL counts as a violation: where a
column may be missing, say so in ``where``. ``query`` is a whole statement for anything else; it returns
``business_date, checked_count, violation_count`` (a date it leaves out has nothing to check) and may add a
``detail``, which says in words without personal data what was seen.

**Parameters** either form may use (`%` itself is written `%%`): ``%(dates)s`` the run's business dates,
``%(date_to)s`` the run's last date, ``%(run_id)s``, ``%(time_zone)s`` the centre's zone, ``%(opens_at)s``
and ``%(closes_at)s`` local opening hours (text, may be NULL), ``%(sources)s`` the declared sources that
deliver dated records (text array), ``%(no_agent_markers)s`` what sources write for "no agent" (text array),
``%(short_within_threshold)s`` whether every short-abandon limit lies within its service-level threshold,
``%(row_counts)s`` the streams whose row counts are watched (JSON: source, stream, is_dated, below, minimum,
excused dates).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Literal

Severity = Literal["critical", "warning", "info"]
Stage = Literal["staging", "build"]

# A rule's name is a column's name while it is judged, hence PostgreSQL's limit.
NAME = re.compile(r"[a-z][a-z0-9_]{2,62}")


@dataclass(frozen=True)
class Letter:
    """One letter of CRUCIAL: its name in two languages and the question it asks of the data."""

    letter: str
    en: str
    zh: str
    question_en: str
    question_zh: str


class Principle(Enum):
    """The seven CRUCIAL principles, in the order of the letters."""

    COLLECTABLE = Letter(
        "C", "Collectable", "可采集性", "Did all that was declared arrive, and is every row accounted for?",
        "声明的数据是否全部到达、每一行都有去向？",
    )  # fmt: skip
    REPORTABLE = Letter(
        "R", "Reportable", "可报告性", "Is every indicator there, complete and readable, for every period and unit?",
        "每个指标在每个周期、每个单位是否齐全可读？",
    )  # fmt: skip
    USABLE = Letter(
        "U", "Usable", "实用性", "Does the gap between state and target have an owner who can see it?",
        "现状与目标的差距是否清楚并有负责人？",
    )  # fmt: skip
    CYCLICAL = Letter(
        "C", "Cyclical", "频率性", "Does the data keep the rhythm of the business, without holes?",
        "数据是否跟上业务节奏、没有缺口？",
    )  # fmt: skip
    IMPROVABLE = Letter(
        "I", "Improvable", "改进性", "Can a change be shown on an unchanged definition and comparable periods?",
        "能否在定义不变、周期可比的前提下证明改进？",
    )  # fmt: skip
    ACCURATE = Letter(
        "A", "Accurate", "精确性", "Do totals agree from source to figure, with nothing doubled or lost?",
        "从来源到指标的合计是否一致、无重复无遗漏？",
    )  # fmt: skip
    LOGICAL = Letter(
        "L", "Logical", "逻辑性", "Do the figures obey the arithmetic and the order of a call?",
        "数据是否符合通话的算术与先后逻辑？",
    )  # fmt: skip

    @property
    def key(self) -> str:
        """The word kept in ``marts.quality_results.principle``."""
        return self.name.lower()


@dataclass(frozen=True)
class Rule:
    """A demand on the data. Fields as in :func:`rule`."""

    name: str
    principle: Principle
    severity: Severity
    en: str
    zh: str
    stage: Stage
    subject: str
    violates: str | None
    where: str
    query: str | None
    date_column: str | None
    tolerance: float
    kpis: tuple[str, ...]
    remedy: str

    @property
    def is_run_wide(self) -> bool:
        """Whether the rule speaks about the run as a whole: its results carry no business date."""
        return self.date_column is None


_rules: dict[str, Rule] = {}


def rule(
    name: str,
    principle: Principle,
    severity: Severity,
    *,
    en: str,
    zh: str,
    stage: Stage,
    subject: str,
    violates: str | None = None,
    where: str = "true",
    query: str | None = None,
    date_column: str | None = "business_date",
    tolerance: float = 0.0,
    kpis: tuple[str, ...] = (),
    remedy: str,
) -> Rule:
    """Define a rule and register it.

    Args:
        name: what holds when all is well, as a short sentence in snake case.
        severity: ``critical`` holds the date back, ``warning`` is shown, ``info`` is kept.
        subject: the table the rule is about, without its schema.
        violates: SQL condition true (or undecided) for a bad row; or
        query: SQL returning ``business_date, checked_count, violation_count``.
        date_column: the subject's business date; None for a rule about the run as a whole.
        tolerance: share of the checked rows, from 0 to 1, that may violate the rule.
        kpis: the indicators that lose their meaning when the rule fails.
        remedy: what to do about a failure.

    Raises:
        ValueError: the name is taken or no plain word, or not exactly one of the two forms is given.
    """
    if not NAME.fullmatch(name):
        raise ValueError(f"rule name {name!r} is not a plain word of 3 to 63 characters")
    if name in _rules:
        raise ValueError(f"there are two rules named {name!r}")
    if (violates is None) == (query is None):
        raise ValueError(f"rule {name!r} takes either `violates` or `query`")
    if not 0 <= tolerance < 1:
        raise ValueError(f"rule {name!r}: the tolerance is a share from 0 to below 1")
    _rules[name] = Rule(
        name, principle, severity, en, zh, stage, subject, violates, where, query, date_column,
        tolerance, kpis, remedy,
    )  # fmt: skip
    return _rules[name]


def registered() -> tuple[Rule, ...]:
    """The rules defined so far, in order of definition."""
    return tuple(_rules.values())
