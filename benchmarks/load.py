"""One file into ``raw`` by Callhouse's loader, and by a bare COPY of its bytes into the same columns."""

from __future__ import annotations

import time

from benchmarks.data import CALL_COLUMNS, DAY, Case
from benchmarks.measure import Clock
from benchmarks.pipeline import copy_file, new_warehouse
from callhouse import landing, postgres, raw


def ours(case: Case) -> tuple[Clock, float]:
    """`raw.load` of the landed file, its first load into a new table."""
    clock = Clock()
    new_warehouse(case.settings)
    landing.extract(case.settings, case.source, DAY, DAY)
    with clock("load"):
        results = raw.load(case.settings)
    raw.raise_failures(results)
    return clock, 0.0


def baseline(case: Case) -> tuple[Clock, float]:
    """COPY into a new table of text columns."""
    columns = ", ".join(f"{name} text" for name in CALL_COLUMNS)
    clock = Clock()
    new_warehouse(case.baseline)
    with postgres.connect(case.baseline, name="baseline") as connection, connection.transaction():
        with clock("copy"):
            connection.execute(f"create table raw.copied ({columns})".encode())
            copy_file(connection, "copy raw.copied from stdin (format csv, header)", case.file)
        began = time.perf_counter()
    clock.stages["commit"] = time.perf_counter() - began
    return clock, 0.0
