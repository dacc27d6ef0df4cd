"""SIGKILL at fifty random moments of a day of 20,000 calls: the marts are as if nothing had happened.

The statements of a large day last, so many a kill falls into one that the server goes on with when the next
run has already begun.
"""

from __future__ import annotations

import random
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest

from callhouse import postgres
from callhouse.postgres import Warehouse
from callhouse.settings import Settings
from callhouse.simulate import Plan, simulate

from .conftest import FIRST, Template, as_template, published_centre
from .victims import Victim, reader
from .warehouse import MainJob, digests, queue_log, run_warehouse

PLAN = Plan(FIRST, days=1, calls_per_day=17_000, seed=8)  # a Monday: a sixth more
CHAINS, KILLS = 10, 5


@dataclass(frozen=True)
class LargeDay:
    """Half of a day published; the whole log of it, and the marts and the seconds of a run over that."""

    template: Template
    log: Path
    marts: dict[str, tuple[int, str]]
    seconds: float

    def bring(self, settings: Settings) -> MainJob:
        """Put the whole log beside the half."""
        shutil.copy(self.log, queue_log(settings, FIRST).with_name("queue_log.1"))
        return MainJob(settings, FIRST, FIRST)


@pytest.fixture(scope="session")
def large_day(server: Warehouse, forks: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LargeDay]:
    """The day after its first half, and what becomes of it when nobody kills."""
    folder = tmp_path_factory.mktemp("large")
    simulate(PLAN, folder / "data")
    log = folder / "whole"
    half = folder / "data" / "pbx" / f"queue_log-{FIRST:%Y%m%d}"
    lines = half.read_bytes().splitlines(keepends=True)
    assert sum(b"|ENTERQUEUE|" in line for line in lines) > 20_000
    half.rename(log)
    half.write_bytes(b"".join(lines[: len(lines) // 2]))
    with as_template(server, folder, FIRST, FIRST) as template:
        with published_centre(server, template, tmp_path_factory.mktemp("whole")) as settings:
            job = LargeDay(template, log, {}, 0).bring(settings)
            victim = Victim(forks, job)
            begun = time.monotonic()
            victim.go_to("done")
            seconds = time.monotonic() - begun
            victim.kill()
            made = LargeDay(template, log, digests(settings), seconds)
        assert made.marts != template.digests
        yield made


def statements_going_on(database: Warehouse) -> int:
    """How many statements the server is at, of all but readers."""
    with psycopg.connect(database.conninfo(), autocommit=True) as connection:
        row = connection.execute(
            "select count(*) from pg_stat_activity where datname = current_database() and state = 'active'"
            " and pid <> pg_backend_pid() and application_name <> 'reader'"
        ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("chain", range(CHAINS), ids=lambda chain: f"part {chain}")
def test_killed_at_any_moment_of_a_large_day_the_job_ends_as_if_undisturbed(
    server: Warehouse, large_day: LargeDay, forks: Any, tmp_path: Path, draw: random.Random, chain: int
) -> None:
    moments = [draw.uniform(0, large_day.seconds) for _ in range(KILLS)]
    print(f"killed after {', '.join(f'{moment:.2f}' for moment in moments)} of {large_day.seconds:.2f} s")
    with published_centre(server, large_day.template, tmp_path) as settings:
        job, database = large_day.bring(settings), postgres.open_warehouse(settings)
        going_on = []
        with reader(database):
            for moment in moments:
                victim = Victim(forks, job)
                threading.Timer(moment, victim.process.kill).start()
                with suppress(EOFError, OSError):
                    victim.go_to("done")  # and there it waits
                victim.process.join(60)
                assert victim.process.exitcode == -9
                going_on.append(statements_going_on(database))
            run_warehouse(settings, FIRST)
            assert digests(settings) == large_day.marts
        print(f"statements that outlived their client: {going_on}")
