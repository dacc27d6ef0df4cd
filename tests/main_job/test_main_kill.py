"""SIGKILL between steps and statements, then run again: the marts are as if nothing had happened.

A boundary is the end of a statement, as the `wire` between the killed process and the server sees it. There
are more than a thousand in a run over the small days' news, which have rows for every statement to work on.

- Where a transaction that wrote has ended, the job is killed, and run again to its end: all of them.
- Everywhere else a killed client leaves what was there before. Others see just that meanwhile (all of them),
  and it is so when the client is really killed (all of load and publish, some of the other steps).
"""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from callhouse import postgres
from callhouse.postgres import Warehouse
from callhouse.settings import Settings

from .conftest import DATABASE, DAYS, Template, published_centre
from .test_main_late_data import answered_call, at, write_log
from .victims import STEPS, Victim, reader
from .warehouse import MainJob, contents, digests, query, queue_log, run_warehouse
from .wire import Boundary, Wire, wire

TOMORROW = DAYS[-1] + timedelta(days=1)
SCHEMAS = ("raw", "staging", "intermediate", "build", "marts", "ops")
PARTS = 16  # of the kills at the ends of transactions, for processes side by side

Marts = dict[str, tuple[int, str]]
Copies = Callable[[str], AbstractContextManager[MainJob]]


def bring_news(published: Settings) -> Settings:
    """Put news of every day, a new day and corrections of every stream beside the published files."""
    for number, day in enumerate([*DAYS, TOMORROW]):
        calls = [f"{number}.{n}" for n in range(30)]
        lines = [
            line for n, call in enumerate(calls) for line in answered_call(at(day, f"12:{n:02}:00"), call)
        ]
        write_log(published, f"queue_log-late-{number}", [*lines, "not a record"])
    for stream, old, new in (
        ("crm/cases", ",open,", ",closed,"),
        ("crm/surveys", ",5,5,", ",4,5,"),
        ("attendance/shifts", " 18:30:00", " 19:00:00"),
        ("attendance/punches", ",out,", ",in,"),
    ):
        file = sorted(published.data_dir.glob(f"{stream}-*.csv"))[0]
        corrected = file.read_text(encoding="utf-8").replace(old, new)
        file.with_name(f"{Path(stream).name}-again.csv").write_text(corrected, encoding="utf-8")
    customers = published.data_dir / "crm" / "customers.csv"
    head, *lines = customers.read_text(encoding="utf-8").splitlines()
    corrected = "\n".join([f"{head},note", *(f"{line},new" for line in lines[:100])]).replace("VIP", "A")
    customers.with_name("customers-again.csv").write_text(f"{corrected}\n", encoding="utf-8")
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
        run_warehouse(bring_news(settings), DAYS[0], TOMORROW)
        return digests(settings)


def test_killed_before_every_step_in_turn_the_job_ends_as_if_undisturbed(
    undisturbed: Marts, news: Settings, forks: Any
) -> None:
    with reader(postgres.open_warehouse(news)) as seen:
        for step in [*STEPS, "done"]:
            victim = Victim(forks, MainJob(news, DAYS[0], TOMORROW))
            victim.go_to(step)
            victim.kill()
        run_warehouse(news, DAYS[0], TOMORROW)
    assert digests(news) == undisturbed
    assert len(seen) == 2, "the old figures, then the new ones"


@dataclass(frozen=True)
class Wired:
    """A wire to the server, and what an undisturbed run over the news showed.

    The ends of each step's statements in their order, dbt's folder, the marts.
    """

    wire: Wire
    boundaries: dict[str, list[Boundary]]
    dbt: Path
    marts: Marts

    @property
    def ends(self) -> list[tuple[str, int]]:
        """Where a transaction that wrote has ended: the step, and the number of its statement."""
        return [(step, end.number) for step in STEPS for end in self.boundaries[step] if end.has_written]


def the_warehouse(server: Warehouse) -> Warehouse:
    """The database that all here work on, not by the wire."""
    return replace(server, dbname=DATABASE)


@contextmanager
def somebody_else(server: Warehouse) -> Iterator[psycopg.Connection]:
    """A session that sees of the warehouse what everybody sees."""
    conninfo = the_warehouse(server).conninfo(options="-c lock_timeout=60s")
    with psycopg.connect(conninfo, autocommit=True, application_name="somebody else") as connection:
        yield connection


def wait_until_ended(connection: psycopg.Connection) -> None:
    """Wait until no session of a killed client is left."""
    deadline = time.monotonic() + 60
    while connection.execute(
        "select from pg_stat_activity where datname = current_database() and backend_type = 'client backend'"
        " and application_name not in ('reader', 'somebody else')"
    ).fetchone():
        assert time.monotonic() < deadline, "a killed client's session goes on"
        time.sleep(0.01)


@contextmanager
def wired_news(server: Warehouse, template: Template, folder: Path, passing: Wire) -> Iterator[MainJob]:
    """The job over the news in a copy of the published centre; all its processes go by the wire."""
    with published_centre(server, template, folder) as settings, pytest.MonkeyPatch.context() as patch:
        uri = os.environ["AIRFLOW_CONN_WAREHOUSE"]
        patch.setenv("AIRFLOW_CONN_WAREHOUSE", uri.replace(f":{server.port}/", f":{passing.port}/"))
        yield MainJob(bring_news(settings), DAYS[0], TOMORROW)


def run_step(
    forks: Any, job: MainJob, step: str, passing: Wire, watch: Callable[[Boundary, Victim], None]
) -> int:
    """Run a step in a process of its own, watched statement by statement; returns its exit code."""
    victim = Victim(forks, job, [step], is_in_order=True)
    passing.watched_by(lambda boundary: watch(boundary, victim))
    victim.go_to_the_end()
    passing.watched_by(lambda _: None)
    if step == "load" and victim.process.exitcode == 0:
        job.run_id = query(job.settings, "select max(run_id) from ops.runs")[0][0]
    assert victim.process.exitcode is not None
    return victim.process.exitcode


@pytest.fixture(scope="session")
def wired(
    server: Warehouse, template: Template, forks: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Wired]:
    """A run over the news that nobody killed, over the wire."""
    folder = tmp_path_factory.mktemp("wired")
    boundaries: dict[str, list[Boundary]] = {step: [] for step in STEPS}
    with wire(server.host, server.port) as passing:
        with wired_news(server, template, folder, passing) as job:
            for step in STEPS:
                assert run_step(forks, job, step, passing, lambda end, _: boundaries[step].append(end)) == 0  # noqa: B023
            found = Wired(passing, boundaries, job.settings.home / "dbt", digests(job.settings))
        yield found


@pytest.fixture
def copy_of_news(server: Warehouse, template: Template, wired: Wired, tmp_path: Path) -> Copies:
    """Makes a copy of the published centre with its news, in a folder of a name."""

    @contextmanager
    def copy(name: str) -> Iterator[MainJob]:
        with wired_news(server, template, tmp_path / name, wired.wire) as job:
            shutil.copytree(wired.dbt, job.settings.home / "dbt", dirs_exist_ok=True)  # parsed for this port
            yield job
        shutil.rmtree(tmp_path / name)

    return copy


@pytest.fixture
def kill_at(
    server: Warehouse,
    wired: Wired,
    forks: Any,
    copy_of_news: Copies,
) -> Callable[[tuple[str, int]], None]:
    """Kills the job as soon as it has made so many statements of a step, and runs it again."""

    def kill(end: tuple[str, int]) -> None:
        step, number = end

        def watch(boundary: Boundary, victim: Victim) -> None:
            if boundary.number == number:
                assert boundary.has_written
                victim.process.kill()

        with copy_of_news(f"{step}-{number}") as job, reader(the_warehouse(server)):
            for _, run in job.steps[: STEPS.index(step)]:
                run()
            assert run_step(forks, job, step, wired.wire, watch) == -9
            run_warehouse(job.settings, job.date_from, job.date_to)
            assert digests(job.settings) == wired.marts, f"killed in {step} after statement {number}"

    return kill


@pytest.mark.parametrize("share", [0.35, 0.8])
def test_killed_at_the_end_of_a_transaction_the_job_ends_as_if_undisturbed(
    wired: Wired, kill_at: Callable[[tuple[str, int]], None], share: float
) -> None:
    kill_at(wired.ends[round(share * len(wired.ends))])


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("part", range(PARTS), ids=lambda part: f"part {part}")
def test_killed_at_the_end_of_every_transaction_the_job_ends_as_if_undisturbed(
    wired: Wired, kill_at: Callable[[tuple[str, int]], None], part: int
) -> None:
    for end in wired.ends[part::PARTS]:
        kill_at(end)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_at_every_statement_others_see_what_the_last_transaction_left(
    server: Warehouse,
    wired: Wired,
    forks: Any,
    copy_of_news: Copies,
) -> None:
    """Hence a kill anywhere else than at the end of a transaction that wrote is one at the last such end."""
    strange: list[tuple[str, Boundary, list[str]]] = []
    with copy_of_news("watched") as job, somebody_else(server) as other:
        known = contents(other, *SCHEMAS)

        def watch(boundary: Boundary, _: Victim) -> None:
            # A transaction may have the workbench locked, but never the marts.
            schemas = ["marts"] if boundary.is_open else SCHEMAS
            before = {table: known.pop(table) for table in [*known] if table.split(".")[0] in schemas}
            now = contents(other, *schemas)
            known.update(now)
            if now != before and not boundary.has_written:
                changed = sorted({table for table, _ in now.items() ^ before.items()})
                strange.append((step, boundary, changed))

        for step in STEPS:
            assert run_step(forks, job, step, wired.wire, watch) == 0
        assert digests(job.settings) == wired.marts
    assert strange == []


@pytest.mark.long
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    ("step", "kills"),
    [
        ("load", None),
        ("stage", 24),
        ("check_staging", 8),
        ("build", 24),
        ("check_build", 8),
        ("publish", None),
    ],
    ids=[f"part {step}" for step in ("load", "stage", "check_staging", "build", "check_build", "publish")],
)
def test_killed_inside_a_transaction_nothing_of_it_is_left(
    server: Warehouse,
    wired: Wired,
    forks: Any,
    copy_of_news: Copies,
    draw: random.Random,
    step: str,
    kills: int | None,
) -> None:
    ends = wired.boundaries[step]
    inside = [end.number for end in ends if end.is_open]
    if kills is not None:
        inside = sorted(draw.sample(inside, kills))
    # What is loaded or staged is not done again: a kill there has a warehouse to itself, others share one.
    alone = step in ("load", "stage")
    for number, chain in enumerate([[one] for one in inside] if alone else [inside]):
        with copy_of_news(str(number)) as job, somebody_else(server) as other, reader(the_warehouse(server)):
            for _, run in job.steps[: STEPS.index(step)]:
                run()
            for last in chain:
                idle = max((end.number for end in ends[: last - 1] if not end.is_open), default=0)
                before = contents(other, *SCHEMAS)

                def watch(boundary: Boundary, victim: Victim) -> None:
                    if boundary.number == idle:  # noqa: B023
                        before.clear()  # noqa: B023
                        before.update(contents(other, *SCHEMAS))  # noqa: B023
                    if boundary.number == last:  # noqa: B023
                        assert boundary.is_open
                        victim.process.kill()

                assert run_step(forks, job, step, wired.wire, watch) == -9
                wait_until_ended(other)
                assert contents(other, *SCHEMAS) == before, f"killed in {step} after statement {last}"
            if chain[-1] == inside[-1]:
                run_warehouse(job.settings, job.date_from, job.date_to)
                assert digests(job.settings) == wired.marts
