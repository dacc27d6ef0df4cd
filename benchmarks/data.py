"""What is measured on: source files, made once and kept, and the configuration that reads them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from heapq import heappop, heappush
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from callhouse.settings import PROJECT, Settings
from callhouse.simulate import Plan, simulate
from callhouse.simulate.plan import WEEKDAY_LOAD

DAY = date(2026, 3, 5)
SEED = 1
ROWS_AT_ONCE = 1_000_000
CALL_COLUMNS = (
    "call_no", "customer_no", "channel", "queue", "agent", "started", "entered", "answered", "ended", "wait",
    "talk", "hold", "wrap_up", "result", "hung_up_by",
)  # fmt: skip


@dataclass(frozen=True)
class Case:
    """One source file with the calls of `DAY`; ``name`` is that of the baseline's SQL, too."""

    name: str
    calls: int
    source: str
    stream: str
    file: Path
    settings: Settings
    baseline: Settings


def queue_log(home: Path, calls: int) -> Case:
    """The simulated centre's queue log; about ``calls`` calls (they are drawn)."""
    plan = Plan(DAY, 1, round(calls / WEEKDAY_LOAD[DAY.weekday()]), SEED)
    data_dir = _kept(home / "data" / f"queue_log-{calls}", lambda folder: simulate(plan, folder, truth=False))
    source = {
        "kind": "asterisk_queue_log",
        "streams": {"queue_log": {"files": ["pbx/queue_log*"]}},
    }
    file = data_dir / "pbx" / f"queue_log-{DAY:%Y%m%d}"
    return _case("queue_log", home, calls, ("pbx", "queue_log", source), file, data_dir)


def call_list(home: Path, calls: int) -> Case:
    """A CSV file with one row per call."""
    data_dir = _kept(
        home / "data" / f"calls-{calls}", lambda folder: _write_calls(folder / "calls.csv", calls)
    )
    file = data_dir / "calls.csv"
    stream = {
        "files": [file.name],
        "record": "call",
        "columns": list(CALL_COLUMNS),
        "map": {
            "call_id": "call_no",
            "customer_id": "customer_no",
            "channel": "channel",
            "queue_id": "queue",
            "agent_id": "agent",
            "started_at": "started",
            "queue_entered_at": "entered",
            "answered_at": "answered",
            "ended_at": "ended",
            "wait_seconds": "wait",
            "talk_seconds": "talk",
            "hold_seconds": "hold",
            "after_call_seconds": "wrap_up",
            "outcome": "result",
            "hung_up_by": "hung_up_by",
        },
    }
    source = {"kind": "delimited", "streams": {"calls": stream}}
    return _case("calls", home, calls, ("calls", "calls", source), file, data_dir)


def _kept(folder: Path, write: Callable[[Path], object]) -> Path:
    """The folder, written now if it is not there from an earlier benchmark."""
    if not folder.exists():
        draft = folder.with_name(f".{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(parents=True)
        write(draft)
        draft.rename(folder)
    return folder


def _case(
    name: str, home: Path, calls: int, source: tuple[str, str, dict[str, Any]], file: Path, data_dir: Path
) -> Case:
    source_name, stream, entry = source
    settings = [
        _settings(home, data_dir, centre, {source_name: entry}) for centre in (name, f"{name}_baseline")
    ]
    return Case(name, calls, source_name, stream, file, *settings)


def _settings(home: Path, data_dir: Path, centre_name: str, sources: dict[str, Any]) -> Settings:
    """The project's own centre under another name, which is its database's, with other sources."""
    config_dir = home / "config" / centre_name
    config_dir.mkdir(parents=True, exist_ok=True)
    centre = yaml.safe_load((PROJECT / "config" / "centre.yml").read_text(encoding="utf-8"))
    for file, content in {
        "centre.yml": {**centre, "name": centre_name},
        "sources.yml": {"sources": sources},
    }.items():
        (config_dir / file).write_text(yaml.safe_dump(content, allow_unicode=True), encoding="utf-8")
    return Settings(config_dir, home, data_dir)


def _write_calls(path: Path, calls: int) -> None:
    draw = np.random.default_rng(SEED)
    for first in range(0, calls, ROWS_AT_ONCE):
        rows = _calls(draw, first, min(ROWS_AT_ONCE, calls - first))
        rows.to_csv(path, mode="a", header=first == 0, index=False, date_format="%Y-%m-%d %H:%M:%S")


def _calls(draw: np.random.Generator, first: int, size: int) -> Any:
    """Rows ``first`` … of the list, a pandas DataFrame: ever later calls between 08:00 and 19:30."""
    import pandas

    started = np.sort(draw.integers(8 * 3600, 19 * 3600 + 1800, size))
    ivr, wait = draw.integers(5, 60, size), draw.exponential(25, size).astype(int)
    is_answered = draw.random(size) < 0.92
    talk, hold = draw.lognormal(5, 0.7, size).astype(int), draw.integers(0, 30, size)
    midnight = np.datetime64(DAY, "s")
    answered = started + ivr + wait
    ended = answered + np.where(is_answered, talk + hold, 0)
    times = {
        "started": started,
        "entered": started + ivr,
        "answered": np.where(is_answered, answered, -1),
        "ended": np.minimum(ended, 86_399),
    }
    return pandas.DataFrame(
        {
            "call_no": np.char.add("C", np.char.zfill((first + np.arange(size)).astype(str), 9)),
            "customer_no": draw.integers(1, 300_000, size),
            "channel": "voice",
            "queue": draw.choice(["sales", "service", "complaints"], size, p=[0.38, 0.5, 0.12]),
            "agent": pandas.Series(_agents(answered, ended)).where(is_answered).astype("Int64"),
            **{
                name: pandas.Series(midnight + seconds).where(seconds >= 0) for name, seconds in times.items()
            },
            "wait": wait,
            "talk": np.where(is_answered, talk, 0),
            "hold": np.where(is_answered, hold, 0),
            "wrap_up": np.where(is_answered, draw.integers(0, 90, size), 0),
            "result": np.where(is_answered, "answered", "abandoned"),
            "hung_up_by": np.where(is_answered & (draw.random(size) < 0.35), "agent", "customer"),
        },
        columns=list(CALL_COLUMNS),
    )


def _agents(begins: NDArray[np.int64], ends: NDArray[np.int64]) -> list[int]:
    """For each call the agent who has been free the longest, so that nobody has two calls at once."""
    agents = [0] * len(begins)
    free: list[tuple[int, int]] = []  # from when on, who
    for call in np.argsort(begins, kind="stable").tolist():
        is_free = free and free[0][0] <= begins[call]
        agent = heappop(free)[1] if is_free else 1001 + len(free)
        agents[call] = agent
        heappush(free, (int(ends[call]), agent))
    return agents
