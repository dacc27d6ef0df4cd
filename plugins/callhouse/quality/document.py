"""The rule book, written from the rules: ``python -m callhouse.quality.document > docs/rules.md``."""

from __future__ import annotations

from typing import get_args

from callhouse.quality.rulebook import Principle, Rule, Severity, rules
from callhouse.settings import PROJECT

PAGE = PROJECT / "docs" / "rules.md"

_HEAD = """\
<!-- Written by `python -m callhouse.quality.document > docs/rules.md`; edit expectations/ instead. -->
# The rules: when a day's figures are fit for use

Before a date is published, every rule below is asked about it. The answer is **pass**, **fail**, or
**error** when a rule could not be evaluated; an error counts as a failure. What a failure does is the
rule's severity: **critical** holds the date back and the figures published before stay visible,
**warning** is shown in the report, **info** is kept. Every answer is kept in `marts.quality_results`; the
latest of each rule and date is in `marts.quality_latest`.

The rules serve the seven CRUCIAL principles (CC-CMM items 109 to 115). How to add one: the first lines of
[expectations/crucial.py](../expectations/crucial.py).
"""


def rules_page() -> str:
    """The rule book in Markdown: a section per principle, an entry per rule."""
    known = rules()
    parts = [_HEAD, _summary(known)]
    for principle in Principle:
        letter = principle.value
        parts.append(
            f"## {letter.letter} · {letter.en} {letter.zh}\n\n{letter.question_en} {letter.question_zh}\n"
        )
        parts += [_entry(each) for each in known if each.principle is principle]
    return "\n".join(parts)


def _summary(known: tuple[Rule, ...]) -> str:
    lines = ["| | principle | critical | warning | info |", "|---|---|---|---|---|"]
    for principle in Principle:
        severities = [each.severity for each in known if each.principle is principle]
        counts = " | ".join(str(severities.count(severity)) for severity in get_args(Severity))
        lines.append(f"| {principle.value.letter} | {principle.value.en} {principle.value.zh} | {counts} |")
    return "\n".join(lines) + "\n"


def _entry(each: Rule) -> str:
    facts = [f"**{each.severity}**", f"`{each.stage}`: {each.subject}"]
    if each.is_run_wide:
        facts.append("about the run as a whole")
    if each.tolerance:
        facts.append(f"up to {each.tolerance:.0%} of the rows may break it")
    if each.kpis:
        facts.append("protects " + ", ".join(f"`{kpi}`" for kpi in each.kpis))
    return f"### {each.name}\n{each.en} {each.zh}\n\n{' · '.join(facts)}\n\nWhat to do: {each.remedy}\n"


if __name__ == "__main__":
    print(rules_page(), end="")
