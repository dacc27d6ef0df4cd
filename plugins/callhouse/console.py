"""How the command speaks: answers and JSON on stdout, progress and errors on stderr."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date, datetime, timedelta
from datetime import time as clock_time
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from callhouse.errors import CallhouseError

NULL = "–"
MARKS = {
    "ok": ("✓", "green"),
    "success": ("✓", "green"),
    "running": ("…", "cyan"),
    "warn": ("!", "yellow"),
    "held": ("!", "yellow"),
    "fail": ("✗", "red"),
    "failed": ("✗", "red"),
}
NUMBERS = (int, float, Decimal)


def out() -> Console:
    """Stdout. A pipe or file gets every column at its full width."""
    return Console(highlight=False, soft_wrap=False, width=None if sys.stdout.isatty() else 10_000)


def err() -> Console:
    """Stderr, also while the process's own streams go to a log file."""
    stream = os.fdopen(os.dup(2), "w", encoding="utf-8", errors="replace")
    return Console(file=stream, highlight=False, soft_wrap=True)


def mark(state: str) -> Text:
    """A state as a sign and its word, in its colour."""
    sign, style = MARKS.get(state, ("·", "dim"))
    return Text(f"{sign} {state}", style=style)


def table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    """A table whose cells are shown as they are; numbers to the right, NULL as a dash."""
    kept = [list(row) for row in rows]
    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for index, column in enumerate(columns):
        values = [row[index] for row in kept if row[index] is not None]
        right = bool(values) and all(isinstance(v, NUMBERS) and not isinstance(v, bool) for v in values)
        made.add_column(Text(column), justify="right" if right else "left", overflow="fold")
    for row in kept:
        made.add_row(*(value if isinstance(value, Text) else Text(as_text(value)) for value in row))
    return made


def show_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a `table` on stdout, without the blanks that fill its last column."""
    console = out()
    with console.capture() as captured:
        console.print(table(columns, rows))
    for line in captured.get().splitlines():
        print(line.rstrip())


def as_text(value: Any) -> str:
    """One value on one line of a table."""
    if value is None:
        return NULL
    if isinstance(value, (dict, list)):
        return json.dumps(plain(value), ensure_ascii=False)
    if isinstance(value, Decimal):
        return f"{value:f}"
    return "".join(letter if letter.isprintable() else "�" for letter in str(value))


def ranges(dates: Sequence[date]) -> str:
    """Dates in order, runs of days as ``first … last``: a month is not thirty-one dates."""
    runs: list[list[date]] = []
    for day in dates:
        if runs and day - runs[-1][1] == timedelta(days=1):
            runs[-1][1] = day
        else:
            runs.append([day, day])
    return ", ".join(f"{first}" if first == last else f"{first} … {last}" for first, last in runs)


def plain(value: Any) -> Any:
    """A value as JSON knows it: dates as ISO text, exact numbers as numbers, the rest as text."""
    if isinstance(value, CallhouseError):
        return {"what": value.what, "where": value.where, "do": value.do}
    if isinstance(value, BaseException):
        return {"what": f"{type(value).__name__}: {value}", "where": "", "do": "read the log"}
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value))
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set)):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, (datetime, date, clock_time)):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def print_json(value: Any) -> None:
    """One JSON document on stdout."""
    json.dump(plain(value), sys.stdout, ensure_ascii=False, indent=2)
    sys.stdout.write("\n")


def show_error(error: CallhouseError, *, as_json: bool) -> None:
    """What happened, where, what to do: for a person on stderr, for a program on stdout."""
    if as_json:
        print_json({"error": error})
        return
    console = err()
    console.print(Text.assemble(("✗ ", "red"), (error.what, "bold")))
    for word, text in (("where", error.where), ("do", error.do)):
        if text:
            console.print(Text.assemble((f"  {word:<6}", "dim"), text))


class Steps:
    """One line per step on stderr: a spinner while it runs on a terminal, its end and seconds after it."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = err()
        self._quiet = quiet
        self._status: Any = None
        self._began = time.monotonic()

    def __call__(self, name: str, state: str = "running") -> None:
        if self._quiet:
            return
        self.close()
        if state == "running":
            self._began = time.monotonic()
            if self._console.is_terminal:
                from rich.live import Live
                from rich.spinner import Spinner

                spinner = Spinner("dots", Text(f"{name} "))
                # The process's own streams may be going to a log; leave them where they go.
                self._status = Live(
                    spinner,
                    console=self._console,
                    transient=True,
                    redirect_stdout=False,
                    redirect_stderr=False,
                )
                self._status.start()
            return
        seconds = time.monotonic() - self._began
        self._console.print(Text.assemble(mark(state), f"  {name:<24}", (f"{seconds:6.1f} s", "dim")))

    def close(self) -> None:
        """End the spinner, if one turns."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def write_traceback(folder: Path) -> Path:
    """Keep the current exception's traceback; the file it is in."""
    import traceback

    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"error-{datetime.now():%Y%m%dT%H%M%S}.log"
    path.write_text(traceback.format_exc(), encoding="utf-8")
    return path
