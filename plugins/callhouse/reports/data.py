"""What a daily report says, read from the published marts in one snapshot.

Nothing here formats or computes a KPI: values, targets and comparisons come from ``reports.rpt_daily``
and ``marts.kpi_values``; this module only selects.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from psycopg import IsolationLevel, errors, sql
from psycopg.rows import class_row, dict_row

from callhouse.errors import ConfigError

if TYPE_CHECKING:
    from psycopg import Connection

    from callhouse.settings import Settings

HALF_HOUR = timedelta(minutes=30)
SERVICE_LEVEL = "service_level_"


@dataclass(frozen=True)
class Kpi:
    """One KPI of one unit on the day; ratios 0..1, durations in seconds, None where there is no value."""

    kpi_id: str
    label_en: str
    label_zh: str
    unit: str
    direction: str
    value: Decimal | None
    previous_day_value: Decimal | None
    previous_week_value: Decimal | None
    target: Decimal | None
    status: str


@dataclass(frozen=True)
class Queue:
    """One queue's KPIs by id."""

    key: str
    label: str
    kpis: dict[str, Kpi]


@dataclass(frozen=True)
class Reason:
    """A reason's part of a KPI of the centre: an amount in ``unit`` (seconds or count) and a share 0..1."""

    kpi_id: str
    label_en: str
    label_zh: str
    unit: str
    reason: str | None
    amount: Decimal
    share: Decimal | None


@dataclass(frozen=True)
class HalfHour:
    """Visits that entered any queue in one half-hour; ``other`` is neither answered nor abandoned."""

    start_at: datetime
    offered: int
    answered: int
    abandoned: int
    other: int
    service_level: Decimal | None


@dataclass(frozen=True)
class RuleResult:
    """One quality rule's result; ``business_date`` None is a rule about the whole run."""

    rule: str
    principle: str
    severity: str
    outcome: str
    sentence_en: str
    sentence_zh: str
    violation_count: int | None
    business_date: date | None = None

    @property
    def level(self) -> str:
        """``pass``, ``warn`` (a warning or a note that did not pass) or ``fail`` (a critical one)."""
        if self.outcome == "pass":
            return "pass"
        return "fail" if self.severity == "critical" else "warn"


@dataclass(frozen=True)
class Notice:
    """A date asked for whose current data is not published. ``is_held``: an older version of it is."""

    business_date: date
    is_held: bool
    rules: tuple[RuleResult, ...]


@dataclass(frozen=True)
class ServiceLevel:
    """The official service level in force on the day (``centre.yml``)."""

    formula: str
    threshold_seconds: int
    short_abandon_seconds: int

    @property
    def kpi_id(self) -> str:
        return SERVICE_LEVEL + self.formula.lower()


@dataclass(frozen=True)
class Definition:
    """A KPI's definition as printed in the footer."""

    kpi_id: str
    label_en: str
    label_zh: str
    definition: str


@dataclass(frozen=True)
class DailyReport:
    """Everything one daily report shows; times in the centre's zone."""

    business_date: date
    published_at: datetime
    last_contact_at: datetime | None
    service_level: ServiceLevel
    kpis: tuple[Kpi, ...]
    queues: tuple[Queue, ...]
    reasons: tuple[Reason, ...]
    half_hours: tuple[HalfHour, ...]
    rules: tuple[RuleResult, ...]
    notices: tuple[Notice, ...]
    definitions: tuple[Definition, ...]

    @property
    def headline(self) -> tuple[Kpi, ...]:
        """The centre's KPIs with only the official one of the service-level formulas."""
        return tuple(kpi for kpi in self.kpis if kpi not in self.other_service_levels)

    @property
    def other_service_levels(self) -> tuple[Kpi, ...]:
        return tuple(
            kpi
            for kpi in self.kpis
            if kpi.kpi_id.startswith(SERVICE_LEVEL) and kpi.kpi_id != self.service_level.kpi_id
        )

    @property
    def fingerprint(self) -> str:
        """SHA-256 of what the report says: figures, rules not passed, dates not published.

        When it was published or rendered, wording and layout are left out: the same figures published
        again are not a new report.
        """
        said = {
            "date": self.business_date,
            "last": self.last_contact_at,
            "official": self.service_level.formula,
            "kpis": [_figures(kpi) for kpi in self.kpis],
            "queues": [
                [queue.label, [_figures(kpi) for kpi in queue.kpis.values()]] for queue in self.queues
            ],
            "reasons": [
                [reason.kpi_id, reason.reason, reason.amount, reason.share] for reason in self.reasons
            ],
            "half_hours": [[half.start_at, *_half_hour_figures(half)] for half in self.half_hours],
            "rules": [
                [rule.rule, rule.outcome, rule.violation_count]
                for rule in self.rules
                if rule.level != "pass" and rule.severity != "info"
            ],
            "notices": [
                [notice.business_date, notice.is_held, [rule.rule for rule in notice.rules]]
                for notice in self.notices
            ],
        }
        return hashlib.sha256(json.dumps(said, default=_plain).encode()).hexdigest()


def read(
    connection: Connection[Any], settings: Settings, model: str, date_from: date, date_to: date
) -> DailyReport | tuple[Notice, ...]:
    """The report on the last published date of ``[date_from, date_to]``, from one snapshot.

    ``model`` is the report's view in the schema ``reports``. When no date of the range is published, there
    is no report: the notices are returned, and they say why.

    Raises:
        ConfigError: there is no such view.
    """
    connection.isolation_level = IsolationLevel.REPEATABLE_READ  # one publication, never a mix of two
    connection.read_only = True
    try:
        with connection.transaction():
            return _read(connection, settings, model, date_from, date_to)
    finally:
        connection.isolation_level = None
        connection.read_only = None


def _read(
    connection: Connection[Any], settings: Settings, model: str, date_from: date, date_to: date
) -> DailyReport | tuple[Notice, ...]:
    notices = _notices(connection, date_from, date_to)
    published = connection.execute(
        """
        select business_date, run_id, published_at from ops.publications
        where business_date between %s and %s order by business_date desc, run_id desc limit 1
        """,
        (date_from, date_to),
    ).fetchone()
    if published is None:
        return notices
    day, run_id, published_at = published
    zone = ZoneInfo(settings.time_zone)
    official = _service_level(settings, day)
    units = _units(connection, model, day)
    last = connection.execute(
        "select max(started_at) from marts.fct_contacts where business_date = %s", (day,)
    ).fetchone()
    return DailyReport(
        business_date=day,
        published_at=published_at.astimezone(zone),
        last_contact_at=last[0].astimezone(zone) if last and last[0] else None,
        service_level=official,
        kpis=tuple(kpi for unit, _, _, kpi in units if unit == "centre"),
        queues=_queues(units),
        reasons=_reasons(connection, day),
        half_hours=_half_hours(connection, day, official.kpi_id, zone),
        rules=_rules(connection, run_id, day),
        notices=notices,
        definitions=_definitions(connection),
    )


def _units(connection: Connection[Any], model: str, day: date) -> list[tuple[str, str, str, Kpi]]:
    """(unit type, unit key, unit label, KPI), KPIs in the catalogue's order."""
    query = sql.SQL("""
        select unit_type, unit_key, coalesce(unit_label, unit_key), kpi_id, label_en, label_zh, unit,
            direction, value, previous_day_value, previous_week_value, target, status
        from {} where business_date = %s order by unit_type, unit_key, sort_order, kpi_id
    """).format(sql.Identifier("reports", model))
    try:
        rows = connection.execute(query, (day,)).fetchall()
    except errors.UndefinedTable:
        raise ConfigError(
            f"there is no view reports.{model}",
            where="reports.yml",
            do="correct `model:`, or build the warehouse first (callhouse run)",
        ) from None
    return [(row[0], row[1], row[2], Kpi(*row[3:])) for row in rows]


def _queues(units: list[tuple[str, str, str, Kpi]]) -> tuple[Queue, ...]:
    """The queues, busiest first."""
    queues: dict[str, Queue] = {}
    for unit, key, label, kpi in units:
        if unit == "queue":
            queues.setdefault(key, Queue(key, label, {})).kpis[kpi.kpi_id] = kpi
    return tuple(sorted(queues.values(), key=lambda queue: (-offered(queue), queue.label, queue.key)))


def _reasons(connection: Connection[Any], day: date) -> tuple[Reason, ...]:
    """The reasons of the day, KPIs in the catalogue's order, the greatest part first."""
    with connection.cursor(row_factory=class_row(Reason)) as cursor:
        return tuple(
            cursor.execute(
                """
                select kpi_id, label_en, label_zh, numerator_unit as unit, reason, numerator as amount,
                    value as share
                from reports.rpt_reasons where business_date = %s
                order by sort_order, numerator desc, reason
                """,
                (day,),
            )
        )


def offered(queue: Queue) -> Decimal:
    """Calls offered to the queue, 0 where there is no such figure."""
    kpi = queue.kpis.get("offered")
    return kpi.value if kpi and kpi.value is not None else Decimal(0)


def _half_hours(connection: Connection[Any], day: date, kpi_id: str, zone: ZoneInfo) -> tuple[HalfHour, ...]:
    """Every half-hour between the first and the last with a call; those without one are zeros."""
    rows = connection.execute(
        """
        with visits as (
            select interval_start_at, sum(offered_count) as offered, sum(answered_count) as answered,
                sum(abandoned_count) as abandoned
            from marts.fct_queue_intervals where business_date = %s group by interval_start_at
        )

        select interval_start_at, offered::int, answered::int, abandoned::int, kpi_values.value
        from visits left join marts.kpi_values
            on kpi_values.period_start_at = interval_start_at and kpi_values.period_type = 'half_hour'
            and kpi_values.unit_type = 'centre' and kpi_values.kpi_id = %s
        where offered > 0 order by interval_start_at
        """,
        (day, kpi_id),
    ).fetchall()
    if not rows:
        return ()
    by_start = {row[0]: row[1:] for row in rows}
    start_at, last = rows[0][0], rows[-1][0]
    half_hours = []
    while start_at <= last:
        offered_, answered, abandoned, level = by_start.get(start_at, (0, 0, 0, None))
        half_hours.append(
            HalfHour(
                start_at.astimezone(zone),
                offered_,
                answered,
                abandoned,
                offered_ - answered - abandoned,
                level,
            )
        )
        start_at += HALF_HOUR
    return tuple(half_hours)


def _rules(connection: Connection[Any], run_id: int, day: date) -> tuple[RuleResult, ...]:
    """The results that let these very figures through: those of the run that published the day.

    A later run's verdict is about other data; where it holds that data back, a notice says so.
    """
    with connection.cursor(row_factory=class_row(RuleResult)) as cursor:
        return tuple(
            cursor.execute(
                """
                select distinct on (rule, business_date) rule, principle, severity, outcome, sentence_en,
                    sentence_zh, violation_count, business_date
                from marts.quality_results
                where run_id = %s and (business_date = %s or business_date is null)
                order by rule, business_date, result_id desc
                """,
                (run_id, day),
            )
        )


def _notices(connection: Connection[Any], date_from: date, date_to: date) -> tuple[Notice, ...]:
    """The dates whose latest data a critical rule holds back, and ``date_to`` when unpublished."""
    published = dict(
        connection.execute(
            """
            select business_date, max(run_id) from ops.publications
            where business_date between %s and %s group by business_date
            """,
            (date_from, date_to),
        ).fetchall()
    )
    stopped: dict[date, list[RuleResult]] = {} if date_to in published else {date_to: []}
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(
            """
            with latest as (
                select business_date as day, max(run_id) as run_id from marts.quality_latest
                where business_date between %s and %s group by business_date
            )

            select latest.day, latest.run_id, result.rule, result.principle, result.severity, result.outcome,
                result.sentence_en, result.sentence_zh, result.violation_count, result.business_date
            from latest inner join marts.quality_latest as result
                on result.run_id = latest.run_id
                and (result.business_date = latest.day or result.business_date is null)
            where result.severity = 'critical' and result.outcome <> 'pass'
            order by latest.day, result.rule
            """,
            (date_from, date_to),
        )
        for row in cursor:
            day, run_id = row.pop("day"), row.pop("run_id")
            if run_id > published.get(day, 0):
                stopped.setdefault(day, []).append(RuleResult(**row))
    return tuple(Notice(day, day in published, tuple(rules)) for day, rules in sorted(stopped.items()))


def _definitions(connection: Connection[Any]) -> tuple[Definition, ...]:
    with connection.cursor(row_factory=class_row(Definition)) as cursor:
        return tuple(
            cursor.execute(
                "select kpi_id, label_en, label_zh, definition from marts.dim_kpi order by sort_order, kpi_id"
            )
        )


def _service_level(settings: Settings, day: date) -> ServiceLevel:
    """The centre's setting in force on ``day``: the last ``valid_from`` not after it."""
    entries = settings.centre.get("service_level") or []
    in_force = [entry for entry in entries if entry["valid_from"] <= day]
    entry: dict[str, Any] = max(in_force, key=lambda item: item["valid_from"], default={})
    return ServiceLevel(
        str(entry.get("official", "F3")),
        int(entry.get("threshold_seconds", 20)),
        int(entry.get("short_abandon_seconds", 5)),
    )


def _figures(kpi: Kpi) -> list[Any]:
    return [
        kpi.kpi_id,
        kpi.value,
        kpi.previous_day_value,
        kpi.previous_week_value,
        kpi.target,
        kpi.status,
    ]


def _half_hour_figures(half: HalfHour) -> list[Any]:
    return [half.offered, half.answered, half.abandoned, half.other, half.service_level]


def _plain(value: object) -> str:
    """Decimals by value (0.8 and 0.80 are one figure), dates and times as ISO text."""
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, (date, datetime)):
        return value.isoformat()
    raise TypeError(f"no plain form of {type(value).__name__}")
