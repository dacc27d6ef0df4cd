"""SIGKILL at any moment, then run again: the marts are as if nothing had happened; no reader saw a mix."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from callhouse import postgres
from callhouse.postgres import Warehouse
from callhouse.settings import Settings

from .conftest import DAYS, Template, published_centre
from .test_main_late_data import answered_call, at, write_log
from .warehouse import MainJob, digests, queue_log, run_warehouse
from .wire import Wire, wire

Marts = dict[str, tuple[int, str]]
STEPS = ["extract", "load", "stage", "check_staging", "build", "check_build", "publish"]

# In one statement, hence of one moment: three marts that must tell of the same visits.
TOTALS = """
select
    (select coalesce(sum(offered_count), 0) from marts.fct_queue_visits),
    (select coalesce(sum(offered_count), 0) from marts.fct_queue_intervals),
    (select coalesce(sum(numerator), 0) from marts.kpi_values
        where kpi_id = 'offered' and period_type = 'day' and unit_type = 'centre'),
    (select coalesce(sum(numerator), 0) from marts.kpi_values
        where kpi_id = 'offered' and period_type = 'month' and unit_type = 'centre')
"""


def run_and_tell(settings: Settings, environment: dict[str, str], told: Connection) -> None:
    """In a process of its own: the main job, telling of each step before it and waiting for leave."""
    os.environ.update(environment)
    told.send("ready")
    job = MainJob(settings, DAYS[0], DAYS[-1] + timedelta(days=1))
    for name, step in job.steps:
        told.send(name)
        told.recv()
        step()
    told.send("published")
    told.recv()


@pytest.fixture(scope="session")
def forks() -> Any:
    """Starts processes that have the slow imports behind them."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["dbt.cli.main", "great_expectations", "tests.main_job.warehouse"])
    return context


class Victim:
    """The main job in a process that can be killed."""

    def __init__(self, forks: Any, settings: Settings) -> None:
        names = ("CALLHOUSE_CONFIG", "CALLHOUSE_DATA", "CALLHOUSE_HOME", "AIRFLOW_CONN_WAREHOUSE")
        self._told, other = forks.Pipe()
        self.process: BaseProcess = forks.Process(
            target=run_and_tell, args=(settings, {name: os.environ[name] for name in names}, other)
        )
        self.process.start()
        other.close()
        assert self._told.recv() == "ready"

    def go_to(self, step: str) -> None:
        """Let it run until it is about to begin a step."""
        while self._told.recv() != step:
            self._told.send("go on")

    def begin(self) -> None:
        """Let it begin the step it stands before."""
        self._told.send("go on")

    def go_to_the_end(self) -> None:
        """Let it run until it is done, or dead."""
        with contextlib.suppress(EOFError, OSError):
            while True:
                self._told.send("go on")
                if self._told.recv() == "published":
                    self._told.send("go on")
        self.process.join(60)

    def kill(self) -> None:
        assert self.process.is_alive()
        self.process.kill()  # SIGKILL
        self.process.join(30)
        assert self.process.exitcode == -9


def bring_news(published: Settings) -> Settings:
    """Put news of every day and a new day beside the files of the published centre."""
    tomorrow = DAYS[-1] + timedelta(days=1)
    for number, day in enumerate([*DAYS, tomorrow]):
        calls = [f"{number}.{n}" for n in range(30)]
        lines = [
            line for n, call in enumerate(calls) for line in answered_call(at(day, f"12:{n:02}:00"), call)
        ]
        write_log(published, f"queue_log-late-{number}", lines)
    cases = sorted((published.data_dir / "crm").glob("cases-*.csv"))[0]
    corrected = cases.read_text(encoding="utf-8").replace(",open,", ",closed,")
    cases.with_name("cases-again.csv").write_text(corrected, encoding="utf-8")
    shutil.copy(queue_log(published, DAYS[0]), published.data_dir / "pbx" / "queue_log.0")
    return published


@pytest.fixture
def news(published: Settings) -> Settings:
    """The published centre with news that nobody has run yet."""
    return bring_news(published)


@pytest.fixture(scope="module")
def undisturbed(server: Warehouse, template: Template, tmp_path_factory: pytest.TempPathFactory) -> Marts:
    """The marts after a run over the news that nobody killed."""
    with published_centre(server, template, tmp_path_factory.mktemp("undisturbed")) as settings:
        run_warehouse(bring_news(settings), DAYS[0], DAYS[-1] + timedelta(days=1))
        return digests(settings)


@contextlib.contextmanager
def reader(settings: Settings) -> Iterator[list[tuple[int, ...]]]:
    """Reads the totals over and over, and hands them out; fails when three marts do not tell the same."""
    seen: list[tuple[int, ...]] = []
    done = threading.Event()
    failures: list[BaseException] = []

    def read() -> None:
        try:
            with postgres.connect(settings, "callhouse_bi", autocommit=True, name="reader") as connection:
                while not done.is_set():
                    row = connection.execute(TOTALS.encode()).fetchone()
                    assert row is not None
                    if not seen or seen[-1] != row:
                        seen.append(row)
                    time.sleep(0.005)
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
    assert all(len(set(totals)) == 1 for totals in seen), f"a reader saw a mix: {seen}"


def test_killed_before_every_step_in_turn_the_job_ends_as_if_undisturbed(
    undisturbed: Marts, news: Settings, forks: Any
) -> None:
    with reader(news) as seen:
        for step in [*STEPS, "published"]:
            victim = Victim(forks, news)
            victim.go_to(step)
            victim.kill()
        run_warehouse(news, DAYS[0], DAYS[-1] + timedelta(days=1))
    assert digests(news) == undisturbed
    assert len(seen) == 2, "the old figures, then the new ones"


@pytest.mark.long
def test_killed_inside_every_step_the_job_ends_as_if_undisturbed(
    undisturbed: Marts, news: Settings, forks: Any
) -> None:
    dice = random.Random(11)
    with reader(news) as seen:
        for step in ["load", "stage", "stage", "build", "publish", "publish"]:
            victim = Victim(forks, news)
            victim.go_to(step)
            victim.begin()
            time.sleep(dice.uniform(0.02, 1.2) if step != "load" else dice.uniform(0.0, 0.05))
            victim.kill()
        run_warehouse(news, DAYS[0], DAYS[-1] + timedelta(days=1))
    assert digests(news) == undisturbed
    assert len(seen) <= 2


@dataclass(frozen=True)
class Wired:
    """A wire to the server, how many transactions write in a run over the news, and dbt's folder of it."""

    wire: Wire
    transactions: int
    dbt: Path
    marts: Marts


@contextlib.contextmanager
def wired_news(server: Warehouse, template: Template, folder: Path, passing: Wire) -> Iterator[Settings]:
    """A copy of the published centre with its news, all of whose processes reach the server by the wire."""
    with published_centre(server, template, folder) as settings, pytest.MonkeyPatch.context() as patch:
        uri = os.environ["AIRFLOW_CONN_WAREHOUSE"]
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", uri.replace(f":{server.port}/", f":{passing.port}/"))
        yield bring_news(settings)


@pytest.fixture(scope="module")
def wired(server: Warehouse, template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    """A run over the news that nobody killed, over the wire."""
    folder = tmp_path_factory.mktemp("wired")
    with wire(server.host, server.port) as passing:
        with wired_news(server, template, folder, passing) as settings:
            passing.written = 0
            run_warehouse(settings, DAYS[0], DAYS[-1] + timedelta(days=1))
            found = Wired(passing, passing.written, settings.home / "dbt", digests(settings))
        yield found


@pytest.fixture
def kill_at(
    server: Warehouse, template: Template, wired: Wired, forks: Any, tmp_path: Path
) -> Callable[[int], None]:
    """Kills the job as soon as so many of its transactions that write have ended, and runs it again."""

    def kill(boundary: int) -> None:
        with wired_news(server, template, tmp_path / str(boundary), wired.wire) as settings:
            shutil.copytree(wired.dbt, settings.home / "dbt", dirs_exist_ok=True)  # parsed for this port
            with reader(settings):
                victim = Victim(forks, settings)
                wired.wire.written, wired.wire.stop = 0, victim.process.kill
                wired.wire.stop_at = boundary
                victim.go_to_the_end()
                wired.wire.stop_at = 0
                assert victim.process.exitcode == -9
                run_warehouse(settings, DAYS[0], DAYS[-1] + timedelta(days=1))
            assert digests(settings) == wired.marts, f"killed at boundary {boundary} of {wired.transactions}"

    return kill


@pytest.mark.parametrize("share", [0.35, 0.8])
def test_killed_at_the_end_of_a_transaction_the_job_ends_as_if_undisturbed(
    wired: Wired, kill_at: Callable[[int], None], share: float
) -> None:
    kill_at(round(share * wired.transactions))


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_killed_at_the_end_of_every_transaction_the_job_ends_as_if_undisturbed(
    wired: Wired, kill_at: Callable[[int], None]
) -> None:
    """Every statement boundary that is one: what a transaction had not committed, the server takes back."""
    for boundary in range(1, wired.transactions):
        kill_at(boundary)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(25))
def test_killed_at_any_moment_the_job_ends_as_if_undisturbed(
    undisturbed: Marts, news: Settings, forks: Any, seed: int
) -> None:
    dice = random.Random(seed)
    with reader(news):
        for _ in range(2):
            victim = Victim(forks, news)
            victim.go_to(dice.choice(STEPS))
            victim.begin()
            time.sleep(dice.uniform(0, 2))
            victim.kill()
        run_warehouse(news, DAYS[0], DAYS[-1] + timedelta(days=1))
    assert digests(news) == undisturbed
