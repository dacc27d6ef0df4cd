"""A daily report as HTML and as plain text: the same numbers, formatted once.

`view` turns the figures into the strings both templates print; the templates hold layout only.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from callhouse.errors import ConfigError
from callhouse.reports.data import offered
from callhouse.reports.phrases import PHRASES, PRINCIPLES, WEEKDAYS

if TYPE_CHECKING:
    from jinja2 import Environment

    from callhouse.reports.data import (
        DailyReport,
        Definition,
        HalfHour,
        Kpi,
        Notice,
        Queue,
        Reason,
        RuleResult,
    )

TEMPLATES = Path(__file__).parent / "templates"
NONE = "–"

CARDS = 4
CARD_KPIS = ("offered", "service_level", "abandonment_rate", "asa")
QUEUE_KPIS = ("offered", "answered", "abandonment_rate", "service_level", "asa", "aht")
QUEUE_ROWS = 50  # keeps the mail under the 100 KB that mail programs show uncut
RULE_ROWS = 20
REASON_ROWS = 20

Phrase = tuple[str, ...]
"""The same words in the report's languages, the first one leading."""


@dataclass(frozen=True)
class Restatement:
    """An earlier version of the same report: when it was sent and its key figures, if they are known."""

    sent_at: datetime
    figures: dict[str, Decimal | None] | None


def render(
    report: DailyReport,
    *,
    template: str,
    title: Phrase,
    centre: Phrase,
    language: str,
    chart_cid: str | None,
    restatement: Restatement | None = None,
) -> tuple[str, str]:
    """(HTML, text) of the report; the text template is the HTML one's neighbour with the ending ``.txt``.

    Raises:
        ConfigError: there is no such template.
    """
    from jinja2 import TemplateNotFound

    context = view(report, language, restatement) | {"title": title, "centre": centre, "chart_cid": chart_cid}
    try:
        html, text = (
            _templates().get_template(name).render(context)
            for name in (template, str(Path(template).with_suffix(".txt")))
        )
    except TemplateNotFound as error:
        raise ConfigError(
            f"there is no report template {error.name!r}",
            where=str(TEMPLATES),
            do="correct `template:` in reports.yml or add the file",
        ) from None
    return html, text


@cache
def _templates() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["table"] = aligned
    return environment


def view(report: DailyReport, language: str, restatement: Restatement | None = None) -> dict[str, Any]:
    """The strings of the report, by the names the templates use."""

    def say(key: str, **values: str) -> Phrase:
        return chosen(PHRASES[key], language, **values)

    queues = report.queues[:QUEUE_ROWS]
    left_out = report.queues[QUEUE_ROWS:]
    labels = {kpi.kpi_id: _label(kpi, language) for queue in queues for kpi in queue.kpis.values()}
    columns = [key for key in _with_official(report, QUEUE_KPIS) if key in labels]
    problems = [rule for rule in report.rules if rule.level != "pass"]
    return {
        "language": "zh" if language == "zh" else "en",
        "say": say,
        "date": report.business_date.isoformat(),
        "weekday": chosen(WEEKDAYS[report.business_date.weekday()], language),
        "last_call": moment(report.last_contact_at),
        "published_at": moment(report.published_at),
        "notices": [notice_text(notice, language) for notice in report.notices],
        "restated": restated_text(report, restatement, language) if restatement else None,
        "cards": [kpi_view(kpi, language) for kpi in _cards(report)],
        "kpis": [kpi_view(kpi, language) for kpi in report.headline],
        "other_levels": [
            (kpi.kpi_id.removeprefix("service_level_").upper(), number(kpi.value, kpi.unit))
            for kpi in report.other_service_levels
        ],
        "queue_columns": [labels[column] for column in columns],
        "queues": [_queue_view(queue, columns) for queue in queues],
        "queues_left_out": say(
            "queues_left_out", count=number(len(left_out)), offered=number(sum(map(offered, left_out)))
        )
        if left_out
        else None,
        "reasons": [_reason_view(reason, language) for reason in report.reasons[:REASON_ROWS]],
        "half_hours": [_half_hour_view(half) for half in report.half_hours],
        "has_other": any(half.other for half in report.half_hours),
        "chart_alt": chart_alt(report.half_hours, language),
        "gate": [_chip(principle, report.rules, language) for principle in PRINCIPLES]
        if report.rules
        else [],
        "problems": [rule_text(rule, language) for rule in problems[:RULE_ROWS]],
        "problems_left_out": say("rules_left_out", count=number(len(problems) - RULE_ROWS))
        if len(problems) > RULE_ROWS
        else None,
        "official": say(
            "official",
            formula=report.service_level.formula,
            threshold=str(report.service_level.threshold_seconds),
            short=str(report.service_level.short_abandon_seconds),
        ),
        "definitions": [_definition_view(item, language) for item in _printed_definitions(report)],
    }


# --- numbers -------------------------------------------------------------------------------------------


def number(value: Decimal | int | None, unit: str = "count") -> str:
    """A figure for people: 1,234 · 81.1% · 35 s · 4:23 · 4.25. No value is “–”, zero is 0."""
    if value is None:
        return NONE
    value = Decimal(value)
    if unit == "ratio":
        return f"{_rounded(value * 100, 1)}%"
    if unit == "seconds":
        return duration(value)
    if unit == "score":
        return str(_rounded(value, 2))
    return f"{_rounded(value, 0):,}"


def duration(seconds: Decimal) -> str:
    """Whole seconds as ``35 s``, from a minute on ``4:23``, from an hour on ``1:02:03``."""
    whole = int(_rounded(abs(seconds), 0))
    sign = "-" if seconds < 0 and whole else ""
    minutes, rest = divmod(whole, 60)
    if not minutes:
        return f"{sign}{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{sign}{hours}:{minutes:02}:{rest:02}" if hours else f"{sign}{minutes}:{rest:02}"


@dataclass(frozen=True)
class Change:
    """A value against an earlier one: ``tone`` is better, worse, same, neutral or none."""

    before: str
    delta: str
    tone: str
    word: Phrase


def change(kpi: Kpi, before: Decimal | None, language: str) -> Change:
    """The change since ``before``, judged by the KPI's direction after rounding to what is shown."""
    previous = number(before, kpi.unit)
    if before is None or kpi.value is None:
        return Change(previous, "", "none", ())
    difference = kpi.value - before
    if kpi.unit == "ratio":
        step = _rounded(difference * 100, 1)
        size = f"{abs(step)} {chosen(PHRASES['points'], language)[0]}"
    elif kpi.unit == "seconds":
        step = _rounded(difference, 0)
        size = duration(abs(step))
    else:
        step = _rounded(difference, 2 if kpi.unit == "score" else 0)
        size = f"{abs(step):,}"
    if not step:
        return Change(previous, "=", "same", chosen(PHRASES["same"], language))
    arrow = "▲" if step > 0 else "▼"
    tone = "neutral"
    if kpi.direction in ("higher", "lower"):
        tone = "better" if (step > 0) == (kpi.direction == "higher") else "worse"
    word = chosen(PHRASES[tone], language) if tone != "neutral" else ()
    return Change(previous, f"{arrow} {size}", tone, word)


def moment(at: datetime | None) -> str:
    """A time of the centre's clock with its zone by name: abbreviations such as CST mean several."""
    return NONE if at is None else f"{at:%Y-%m-%d %H:%M} {at.tzinfo}"


def _rounded(value: Decimal, digits: int) -> Decimal:
    """Half away from zero, as people round; never a negative zero."""
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP) + 0


# --- words ---------------------------------------------------------------------------------------------


def chosen(pair: tuple[str, str], language: str, **values: str) -> Phrase:
    """The pair's words in the report's language: one, or for ``both`` English first."""
    english, chinese = (words.format(**values) if values else words for words in pair)
    if language == "both" and chinese and chinese != english:
        return english or chinese, chinese
    return (chinese or english,) if language == "zh" else (english or chinese,)


def one_line(text: object, limit: int = 60) -> str:
    """Text from a source system made harmless for one line: no control, direction or unpaired characters."""
    kept = "".join(
        " " if unicodedata.category(character) in ("Cc", "Zl", "Zp") else character
        for character in str(text)
        if unicodedata.category(character) != "Cs"
        and (unicodedata.category(character) != "Cf" or character == "\N{ZERO WIDTH JOINER}")
    )
    words = " ".join(kept.split())
    return words if len(words) <= limit else words[: limit - 1].rstrip() + "…"


def display_width(text: str) -> int:
    """Columns the text takes in a fixed-width font: Chinese characters and emoji take two."""
    return sum(
        0
        if unicodedata.combining(character) or character in "\N{ZERO WIDTH JOINER}\N{VARIATION SELECTOR-16}"
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def aligned(rows: list[list[str]]) -> str:
    """Rows as a text table: the first column to the left, the others to the right."""
    widths = [max(map(display_width, column)) for column in zip(*rows, strict=True)]
    lines = []
    for row in rows:
        first = row[0] + " " * (widths[0] - display_width(row[0]))
        others = (
            " " * (width - display_width(cell)) + cell
            for cell, width in zip(row[1:], widths[1:], strict=True)
        )
        lines.append("  ".join([first, *others]).rstrip())
    return "\n".join(lines)


def notice_text(notice: Notice, language: str) -> Phrase:
    """Which date's data is not published, and the rules that stopped it."""
    day = notice.business_date.isoformat()
    if not notice.rules:
        return chosen(PHRASES["unpublished_unbuilt"], language, date=day)
    rules = notice.rules[:5]
    more = len(notice.rules) - len(rules)
    english, chinese = (
        "; ".join(one_line(sentence, 200) for sentence in sentences) + (f" (+{more})" if more else "")
        for sentences in zip(*((rule.sentence_en, rule.sentence_zh) for rule in rules), strict=True)
    )
    key = "held" if notice.is_held else "unpublished"
    # The sentences are data, not formats: the date goes in first.
    return chosen(
        (
            PHRASES[key][0].replace("{date}", day).replace("{rules}", english),
            PHRASES[key][1].replace("{date}", day).replace("{rules}", chinese),
        ),
        language,
    )


def restated_text(report: DailyReport, restatement: Restatement, language: str) -> dict[str, Any]:
    """That this replaces an earlier report, and the key figures that changed as (label, before, after)."""
    before = restatement.figures
    changes = [
        (_label(kpi, language), number(before[kpi.kpi_id], kpi.unit), number(kpi.value, kpi.unit))
        for kpi in report.headline
        if before is not None and kpi.kpi_id in before and before[kpi.kpi_id] != kpi.value
    ]
    return {
        "note": chosen(
            PHRASES["restated"],
            language,
            sent=moment(restatement.sent_at.astimezone(report.published_at.tzinfo)),
        ),
        "changes": changes,
        "unchanged": chosen(PHRASES["restated_unchanged"], language) if before and not changes else None,
    }


def rule_text(rule: RuleResult, language: str) -> dict[str, Any]:
    """One rule that did not pass: its level, its sentence, how many violations."""
    by_severity = {"critical": "rule_fail", "warning": "rule_warning", "info": "rule_info"}
    outcome = "rule_error" if rule.outcome == "error" else by_severity[rule.severity]
    count = chosen(PHRASES["violations"], language, count=number(rule.violation_count))
    sentence = chosen((rule.sentence_en, rule.sentence_zh), language)
    return {
        "level": rule.level,
        "outcome": chosen(PHRASES[outcome], language),
        "sentence": tuple(one_line(words, 300) for words in sentence),
        "violations": count if rule.violation_count else None,
    }


def chart_alt(half_hours: tuple[HalfHour, ...], language: str) -> str:
    """What the chart shows, in one sentence for those who do not see it."""
    if not half_hours:
        return ""
    peak = max(half_hours, key=lambda half: half.offered)
    sums = {
        key: sum(getattr(half, key) for half in half_hours)
        for key in ("offered", "answered", "abandoned", "other")
    }
    sentence = chosen(
        PHRASES["chart_alt"],
        language,
        first=_clock(half_hours[0]),
        last=_clock(half_hours[-1]),
        peak=_clock(peak),
        peak_offered=number(peak.offered),
        **{key: number(value) for key, value in sums.items()},
    )
    return sentence[0]


# --- the parts of the report ---------------------------------------------------------------------------


def kpi_view(kpi: Kpi, language: str) -> dict[str, Any]:
    sign = {"higher": "≥ ", "lower": "≤ "}.get(kpi.direction, "")
    status = kpi.status if kpi.status in ("met", "missed") else None
    return {
        "label": _label(kpi, language),
        "value": number(kpi.value, kpi.unit),
        "day": change(kpi, kpi.previous_day_value, language),
        "week": change(kpi, kpi.previous_week_value, language),
        "target": NONE if kpi.target is None else sign + number(kpi.target, kpi.unit),
        "status": status or "none",
        "status_word": chosen(PHRASES[status], language) if status else (),
    }


def _cards(report: DailyReport) -> list[Kpi]:
    """The KPIs shown large: the usual four, else the first of the list."""
    by_id = {kpi.kpi_id: kpi for kpi in report.headline}
    cards = [by_id[key] for key in _with_official(report, CARD_KPIS) if key in by_id]
    cards += [kpi for kpi in report.headline if kpi not in cards]
    return cards[:CARDS]


def _with_official(report: DailyReport, kpi_ids: tuple[str, ...]) -> list[str]:
    """The ids with ``service_level`` named by the day's official formula."""
    return [report.service_level.kpi_id if kpi_id == "service_level" else kpi_id for kpi_id in kpi_ids]


def _label(kpi: Kpi | Definition | Reason, language: str) -> Phrase:
    return tuple(one_line(words) for words in chosen((kpi.label_en, kpi.label_zh), language))


def _queue_view(queue: Queue, columns: list[str]) -> dict[str, Any]:
    cells = [queue.kpis.get(column) for column in columns]
    return {
        "label": one_line(queue.label) or NONE,
        "cells": [
            {
                "text": number(kpi.value, kpi.unit) if kpi else NONE,
                "status": kpi.status if kpi and kpi.status in ("met", "missed") else "none",
            }
            for kpi in cells
        ],
    }


def _reason_view(reason: Reason, language: str) -> dict[str, Any]:
    return {
        "kpi": _label(reason, language),
        "reason": one_line(reason.reason or "") or NONE,
        "amount": number(reason.amount, reason.unit),
        "share": number(reason.share, "ratio"),
    }


def _half_hour_view(half: HalfHour) -> dict[str, str]:
    return {
        "start": _clock(half),
        "offered": number(half.offered),
        "answered": number(half.answered),
        "abandoned": number(half.abandoned),
        "other": number(half.other),
        "service_level": number(half.service_level, "ratio"),
    }


def _clock(half: HalfHour) -> str:
    return f"{half.start_at:%H:%M}"


def _chip(principle: str, rules: tuple[RuleResult, ...], language: str) -> dict[str, Any]:
    letter, name = PRINCIPLES[principle]
    levels = [rule.level for rule in rules if rule.principle.lower() == principle]
    counts = {level: levels.count(level) for level in ("pass", "warn", "fail")}
    worst = "fail" if counts["fail"] else "warn" if counts["warn"] else "pass" if counts["pass"] else "none"
    return {"letter": letter, "name": chosen(name, language), "level": worst, **counts}


def _printed_definitions(report: DailyReport) -> list[Definition]:
    """Definitions of what the report shows: of the service levels only the official one."""
    shown = {kpi.kpi_id for kpi in report.headline}
    return [item for item in report.definitions if item.kpi_id in shown]


def _definition_view(item: Definition, language: str) -> tuple[Phrase, str]:
    return _label(item, language), one_line(item.definition, 400)


def date_words(day: date, language: str) -> str:
    """A date with its weekday, for a subject line."""
    return " ".join([day.isoformat(), *chosen(WEEKDAYS[day.weekday()], language)])
