"""``python -m benchmarks``: run the cases, print the figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from benchmarks import data, load, pipeline, states
from benchmarks.data import Case
from benchmarks.measure import Clock, Measured, in_own_process
from callhouse import console, postgres
from callhouse.errors import CallhouseError
from callhouse.settings import load_settings

LONGER = 5  # so many times the lines in the load's second file
LARGE = 500_000  # from so many calls on, one run is enough

Run = Callable[[Case], tuple[Clock, float]]


class Choice(StrEnum):
    """What can be measured; the package describes it."""

    QUEUE_LOG = "queue_log"
    CALLS = "calls"
    LOAD = "load"
    STATES = "states"
    ALL = "all"


@dataclass(frozen=True)
class Comparison:
    """The median runs of ours and of the baseline, and how many rows each mart then holds (in both)."""

    name: str
    count: int
    unit: str
    megabytes: float
    runs: int
    ours: Measured
    baseline: Measured
    mart_rows: dict[str, int]

    @property
    def ratio(self) -> float:
        return self.ours.seconds / self.baseline.seconds


def main(
    case: Annotated[Choice, typer.Option(help="What to measure.")] = Choice.ALL,
    calls: Annotated[int, typer.Option(min=1000, help="Calls of the day.")] = 1_000_000,
    runs: Annotated[
        int | None, typer.Option(min=1, help="The median of so many; default 1, or 3 for a small day.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="Where source files are kept and the server runs.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Answer in JSON.")] = False,
) -> None:
    """Measure Callhouse beside hand-written PostgreSQL, on the same bytes, into the same tables."""
    home = (home or load_settings().home / "benchmarks").absolute()
    steps = console.Steps(quiet=as_json)
    found = []
    for name in Choice:
        if name is Choice.ALL or case not in (name, Choice.ALL):
            continue
        steps(f"{name} data")
        made = _cases(name, home, calls)
        steps(f"{name} data", "ok")
        for one in made:
            found.append(_compare(name, one, runs or (1 if one.calls >= LARGE else 3), steps))
            if not as_json:
                _show(found[-1])
    if as_json:
        console.print_json([{**console.plain(one), "ratio": one.ratio} for one in found])


def _cases(name: Choice, home: Path, calls: int) -> list[Case]:
    """The source files of what is measured, made now if they are not there."""
    if name is Choice.QUEUE_LOG:
        return [data.queue_log(home, calls)]
    if name is Choice.STATES:
        return [data.queue_log(home, states.SMALL_DAY)]
    sizes = [calls, LONGER * calls] if name is Choice.LOAD else [calls]
    return [data.call_list(home, size) for size in sizes]


def _compare(name: Choice, case: Case, runs: int, steps: console.Steps) -> Comparison:
    of = {Choice.LOAD: load, Choice.STATES: states}.get(name, pipeline)
    server = postgres.start(case.settings)
    assert server.pid is not None
    pairs = []
    try:
        for _ in range(runs):
            pair = []
            for what, run in (("ours", of.ours), ("baseline", of.baseline)):
                steps(f"{name} {what}")
                pair.append(in_own_process(run, case, server_pid=server.pid))
                steps(f"{name} {what}", "ok")
            pairs.append(pair)
        rows = pipeline.same_rows(case) if of is pipeline else {}
    finally:
        postgres.destroy(case.settings)
    ours, baseline = (
        sorted(side, key=lambda one: one.seconds)[runs // 2] for side in zip(*pairs, strict=True)
    )
    if name is Choice.STATES:
        return Comparison(name, states.SPANS, "spans", 0, runs, ours, baseline, rows)
    return Comparison(name, case.calls, "calls", case.file.stat().st_size / 1e6, runs, ours, baseline, rows)


def _show(found: Comparison) -> None:
    size = f"{found.count:,} {found.unit}" + (f", {found.megabytes:.0f} MB" if found.megabytes else "")
    console.out().print(Text(f"\n{found.name}: {size}, median of {found.runs}", style="bold"))
    lines = [
        [stage, f"{seconds:.1f} s", f"{seconds / side.seconds:.0%}"]
        for side in (found.ours, found.baseline)
        for stage, seconds in [
            *side.stages.items(),
            ("ours" if side is found.ours else "baseline", side.seconds),
        ]
    ]
    console.show_table(["stage", "time", "share"], lines)
    console.show_table(
        ["", "time", f"{found.unit}/s", "client peak", "server peak", "server CPU"],
        [
            [
                who,
                f"{side.seconds:.1f} s",
                f"{found.count / side.seconds:,.0f}",
                f"{side.peak_mb:.0f} MB",
                f"{side.server_peak_mb:.0f} MB",
                f"{side.server_cpu_seconds:.1f} s",
            ]
            for who, side in (("ours", found.ours), ("baseline", found.baseline))
        ],
    )
    same = (
        f"; the same {sum(found.mart_rows.values()):,} rows in {len(found.mart_rows)} marts"
        if found.mart_rows
        else ""
    )
    imports = f"; imports before it {found.ours.import_seconds:.1f} s" if found.ours.import_seconds else ""
    console.out().print(Text(f"{found.ratio:.2f} × the baseline{same}{imports}", style="bold"))


if __name__ == "__main__":
    try:
        typer.run(main)
    except CallhouseError as error:
        console.show_error(error, as_json=False)
        raise SystemExit(error.exit_code) from None
