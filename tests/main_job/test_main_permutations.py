"""A telephone log cut up, shuffled and doubled gives the figures of the whole log, whatever the log says.

Two sources of one warehouse receive the same calls: ``a`` its log whole, ``b`` the same lines in any order,
some of them twice, in several files over two runs. An example is a log of a dozen calls and agents.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import count

import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from callhouse.settings import Settings

from .test_main_late_data import at
from .warehouse import MainJob, query

DAY = 86400
ONE_QUEUE_LOG = {"kind": "asterisk_queue_log", "callback_keys": ["1"]}
SOURCES = {name: {**ONE_QUEUE_LOG, "streams": {"queue_log": {"files": [f"{name}/*"]}}} for name in ("a", "b")}
weeks = count()

# -- stories: lines as (seconds after the first midnight, text after the time) -------------------------------

Lines = list[tuple[int, str]]
seconds = st.integers(0, 400)
agents = st.sampled_from(["1001", "1002", "1003"])
moments = st.one_of(
    st.integers(0, 3 * DAY - 1),
    st.sampled_from([DAY, 2 * DAY]).flatmap(lambda midnight: st.integers(midnight - 300, midnight + 300)),
)


@st.composite
def visits(draw: st.DrawFn, call: str, queue: str, at: int) -> tuple[Lines, int, bool]:
    """A stay in a queue, the second it ends, and whether the caller goes on to another."""
    lines: Lines = [(at, f"{call}|{queue}|NONE|ENTERQUEUE||+1200555{draw(st.integers(0, 9999)):04}|1")]
    for _ in range(draw(st.integers(0, 2))):
        ring = draw(st.integers(0, 20))
        lines.append((at + ring, f"{call}|{queue}|Agent/@{draw(agents)}|RINGNOANSWER|{ring * 1000}"))
    wait, talk = draw(seconds), draw(seconds)
    agent = f"Agent/@{draw(agents)}"
    end = draw(
        st.sampled_from(["answered", "answered", "transferred", "ABANDON", "EXITWITHTIMEOUT", "key", "open"])
    )
    if end in ("answered", "transferred"):
        lines.append((at + wait, f"{call}|{queue}|{agent}|CONNECT|{wait}|{call}9|{min(wait, 5)}"))
        at += wait + talk
        last = (
            f"BLINDTRANSFER|7002|from-queue|{wait}|{talk}|1" if end == "transferred"
            else f"{draw(st.sampled_from(['COMPLETEAGENT', 'COMPLETECALLER']))}|{wait}|{talk}|1"
        )  # fmt: skip
        lines.append((at, f"{call}|{queue}|{agent}|{last}"))
    elif end == "key":
        lines.append((at + wait, f"{call}|{queue}|NONE|EXITWITHKEY|{draw(st.sampled_from('1*'))}|1|1|{wait}"))
        at += wait
    elif end != "open":
        lines.append((at + wait, f"{call}|{queue}|NONE|{end}|1|1|{wait}"))
        at += wait
    return lines, at, end in ("transferred", "EXITWITHTIMEOUT")


@st.composite
def calls(draw: st.DrawFn, number: int) -> Lines:
    """A call through one to three queues, or through one twice."""
    lines, at, goes_on = draw(visits(f"#.{number}", draw(st.sampled_from(["q1", "q2"])), draw(moments)))
    for _ in range(2):
        if not goes_on:
            break
        more, at, goes_on = draw(
            visits(f"#.{number}", draw(st.sampled_from(["q1", "q2"])), at + draw(st.integers(0, 3)))
        )
        lines += more
    return lines


@st.composite
def shifts(draw: st.DrawFn) -> Lines:
    """An agent's log-in, pauses and log-off; the night may lie between."""
    agent, login = draw(agents), draw(moments)
    length = draw(st.integers(60, 10 * 3600))
    lines: Lines = [(login, f"NONE|NONE|Agent/@{agent}|AGENTLOGIN|PJSIP/{agent}")]
    for _ in range(draw(st.integers(0, 2))):
        pause = login + draw(st.integers(0, length))
        lines += [
            (pause, f"NONE|NONE|Agent/@{agent}|PAUSEALL|"),
            (pause + draw(seconds), f"NONE|NONE|Agent/@{agent}|UNPAUSEALL|"),
        ]
    lines.append((login + length, f"NONE|NONE|Agent/@{agent}|AGENTLOGOFF|PJSIP/{agent}|{length}"))
    return lines


@dataclass(frozen=True)
class Example:
    """A log, and the files in which the other source gets it: lines' indices per run and file."""

    lines: Lines
    files: list[list[list[int]]]


@st.composite
def examples(draw: st.DrawFn) -> Example:
    stories = [draw(calls(number)) for number in range(draw(st.integers(4, 10)))]
    stories += [draw(shifts()) for _ in range(draw(st.integers(0, 4)))]
    lines = [line for story in stories for line in story]
    lost = draw(st.sets(st.integers(0, len(lines) - 1), max_size=3))
    lines = [line for index, line in enumerate(lines) if index not in lost]
    order = draw(st.permutations(range(len(lines))))
    again = draw(st.lists(st.sampled_from(range(len(lines))), max_size=10))
    order = [*order, *again]
    cuts = sorted(draw(st.lists(st.integers(0, len(order)), min_size=3, max_size=3)))
    parts = [order[a:b] for a, b in zip([0, *cuts], [*cuts, len(order)], strict=True)]
    return Example(lines, [parts[:2], parts[2:]])


# -- the two sources -----------------------------------------------------------------------------------------


def write(settings: Settings, source: str, name: str, first: int, lines: Lines) -> None:
    text = "".join(f"{first + at}|{rest}\n" for at, rest in lines)
    path = settings.data_dir / source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("@", source).replace("#", str(first)), encoding="utf-8")


def run(settings: Settings, date_from: date, date_to: date) -> None:
    """The main job without its two checks, which take a third of the time and change nothing here."""
    job = MainJob(settings, date_from, date_to)
    for name, step in job.steps:
        if not name.startswith("check"):
            step()


def figures(settings: Settings, source: str, first: date) -> dict[str, list[str]]:
    """The marts' rows of one source and week, without the source's name."""
    keys = {
        "fct_contacts": "source = %(source)s",
        "fct_queue_visits": "source = %(source)s",
        "fct_agent_legs": "source = %(source)s",
        "fct_queue_intervals": "split_part(queue_key, ':', 1) = %(source)s",
        "fct_agent_days": "left(agent_key, 1) = %(source)s",
        "kpi_values": "period_type <> 'month' and split_part(unit_key, ':', 1) = %(source)s",
    }
    found = {}
    for table, key in keys.items():
        day = "period_start_date" if table == "kpi_values" else "business_date"
        rows = query(
            settings,
            f"select to_jsonb(t)::text from marts.{table} as t"
            f" where {key} and {day} between %(first)s and %(last)s",
            {"source": source, "first": first, "last": first + timedelta(days=6)},
        )
        found[table] = sorted(re.sub(rf'"{source}(?=[:1"])', '"', text) for (text,) in rows)
    return found


@pytest.fixture
def two_sources(make_settings: Callable[..., Settings]) -> Iterator[Settings]:
    """A warehouse with the sources ``a`` and ``b``."""
    yield make_settings(sources=SOURCES)


def check(settings: Settings, example: Example) -> None:
    first_day = date(2024, 1, 1) + timedelta(weeks=next(weeks))
    first, last_day = at(first_day, "00:00:00"), first_day + timedelta(days=3)
    write(settings, "a", f"{first}", first, example.lines)
    for number, files in enumerate(example.files):
        for part, indices in enumerate(files):
            write(
                settings, "b", f"{first}-{number}-{part}", first, [example.lines[index] for index in indices]
            )
        run(settings, last_day if number else first_day, last_day)
    whole, pieces = figures(settings, "a", first_day), figures(settings, "b", first_day)
    assert whole["fct_contacts"] or whole["fct_agent_days"]
    assert pieces == whole


options = hypothesis_settings(
    deadline=None, database=None, print_blob=True, derandomize=True, suppress_health_check=list(HealthCheck)
)


@hypothesis_settings(options, max_examples=2, phases=[Phase.generate])
@given(example=examples())
def test_a_log_in_pieces_gives_the_figures_of_the_whole(two_sources: Settings, example: Example) -> None:
    check(two_sources, example)


@pytest.mark.long
@pytest.mark.timeout(3600)
@hypothesis_settings(options, max_examples=100, derandomize=False)
@given(example=examples())
def test_many_logs_in_pieces_give_the_figures_of_the_whole(two_sources: Settings, example: Example) -> None:
    check(two_sources, example)
