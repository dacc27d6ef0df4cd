"""The main job in a process that can be killed, and a reader who watches the marts meanwhile."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

import psycopg

from callhouse import transform
from callhouse.postgres import Warehouse
from callhouse.quality import gate

from .warehouse import MainJob

STEPS = ["extract", "load", "stage", "check_staging", "build", "check_build", "publish"]

# Three marts that must tell of the same visits.
TOTALS = """
    (select coalesce(sum(offered_count), 0) from marts.fct_queue_visits),
    (select coalesce(sum(offered_count), 0) from marts.fct_queue_intervals),
    (select coalesce(sum(numerator), 0) from marts.kpi_values
        where kpi_id = 'offered' and period_type = 'day' and unit_type = 'centre'),
    (select coalesce(sum(numerator), 0) from marts.kpi_values
        where kpi_id = 'offered' and period_type = 'month' and unit_type = 'centre')
"""


def run_and_tell(
    job: MainJob,
    steps: Sequence[str],
    environment: dict[str, str],
    manifests: dict[str, Any],
    is_in_order: bool,
    told: Connection,
) -> None:
    """In a process of its own: steps of the main job, telling of each before it and waiting for leave."""
    os.environ.update(environment)
    transform._manifests.update(manifests)
    if is_in_order:
        arguments = transform.dbt_arguments
        transform.dbt_arguments = lambda settings: [*arguments(settings), "--threads", "1"]
        gate.THREADS = 1
    told.send("ready")
    for name, step in job.steps:
        if name in steps:
            told.send(name)
            told.recv()
            step()
    told.send("done")
    told.recv()


class Victim:
    """Steps of the main job in a process that can be killed; ``is_in_order`` builds model after model."""

    def __init__(
        self, forks: Any, job: MainJob, steps: Sequence[str] = STEPS, *, is_in_order: bool = False
    ) -> None:
        names = ("CALLHOUSE_CONFIG", "CALLHOUSE_DATA", "CALLHOUSE_HOME", "AIRFLOW_CONN_WAREHOUSE")
        environment = {name: os.environ[name] for name in names}
        self._told, other = forks.Pipe()
        self.process: BaseProcess = forks.Process(
            target=run_and_tell,
            args=(job, steps, environment, transform._manifests, is_in_order, other),
        )
        self.process.start()
        other.close()
        assert self._told.recv() == "ready"

    def go_to(self, step: str) -> None:
        """Let it run until it is about to begin a step, or is ``done``."""
        while self._told.recv() != step:
            self.begin()

    def begin(self) -> None:
        """Let it begin the step it stands before."""
        self._told.send("go on")

    def go_to_the_end(self) -> None:
        """Let it run until it is done, or dead."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._told.recv()
                self._told.send("go on")
        self.process.join(60)

    def kill(self) -> None:
        assert self.process.is_alive()
        self.process.kill()  # SIGKILL
        self.process.join(30)
        assert self.process.exitcode == -9


@contextlib.contextmanager
def reader(database: Warehouse) -> Iterator[list[tuple[int, ...]]]:
    """Reads all marts over and over, in one statement, hence of one moment; hands out what it saw.

    Fails when three marts did not tell of the same visits, or when there was more than the old and the new.
    """
    seen: list[tuple[int, ...]] = []
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            with psycopg.connect(
                database.conninfo(), autocommit=True, application_name="reader"
            ) as connection:
                connection.execute("set role callhouse_bi")
                marts = connection.execute(
                    "select tablename from pg_tables"
                    " where schemaname = 'marts' and tablename <> 'quality_results'"
                ).fetchall()
                counts = "".join(f", (select count(*) from marts.{mart})" for (mart,) in marts)
                statement = f"select {TOTALS} {counts}".encode()
                while not done.is_set():
                    before = time.monotonic()
                    row = connection.execute(statement).fetchone()
                    assert row is not None
                    if not seen or seen[-1] != row:
                        seen.append(row)
                    time.sleep(max(0.01, 5 * (time.monotonic() - before)))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        yield seen
    finally:
        done.set()
        thread.join(30)
    assert failures == []
    assert all(len(set(row[:4])) == 1 for row in seen), f"a reader saw a mix: {seen}"
    assert len(seen) <= 2, f"a reader saw part of a day: {seen}"
