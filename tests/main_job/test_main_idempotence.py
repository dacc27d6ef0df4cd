"""Whatever way the same records come in, and however often, the published figures are the same."""

from __future__ import annotations

import gzip
import random
import shutil
from pathlib import Path

import pytest

from callhouse.settings import Settings

from .conftest import DAYS, Template
from .warehouse import differences_from_truth, digests, query, queue_log, run_warehouse


def loads(settings: Settings) -> list[tuple[int, int, int]]:
    """Rows in, loaded and duplicate of every load of the telephone log, in order."""
    return query(
        settings,
        "select rows_in, rows_loaded, rows_duplicate from ops.loads"
        " where stream = 'queue_log' order by load_id",
    )


def test_running_days_again_changes_no_figure(published: Settings) -> None:
    before = digests(published)
    run_warehouse(published, DAYS[1])
    run_warehouse(published, DAYS[0], DAYS[-1])
    assert digests(published) == before


def test_the_same_file_under_another_name_is_not_landed_again(published: Settings) -> None:
    before, files = digests(published), query(published, "select count(*) from ops.landing_files")
    file = queue_log(published, DAYS[1])
    shutil.copy(file, file.with_name("queue_log.1"))
    run_warehouse(published, DAYS[1])
    assert digests(published) == before
    assert query(published, "select count(*) from ops.landing_files") == files


def test_the_same_lines_packed_or_ended_in_another_way_are_duplicates(published: Settings) -> None:
    before, count = digests(published), len(loads(published))
    file = queue_log(published, DAYS[1])
    (file.with_name("queue_log.1.gz")).write_bytes(gzip.compress(file.read_bytes().replace(b"\n", b"\r\n")))
    run = run_warehouse(published, DAYS[1])
    lines = file.read_bytes().count(b"\n")
    assert loads(published)[count:] == [(lines, 0, lines)]
    assert digests(published) == before
    assert query(published, "select business_date from ops.publications where run_id = %s", run) == [
        (DAYS[1],)
    ]


def test_files_split_shuffled_and_overlapping_in_any_order_end_in_the_same_marts(
    fresh: Settings, simulated: Path, template: Template
) -> None:
    rng = random.Random(5)
    pieces: list[tuple[Path, bytes]] = []
    for path in sorted(
        path for path in simulated.rglob("*") if path.is_file() and path.parent.name != "truth"
    ):
        head, *lines = path.read_bytes().splitlines(keepends=True)
        header = head if path.suffix == ".csv" else b""
        lines = lines if header else [head, *lines]
        rng.shuffle(lines)
        cut, overlap = len(lines) // 3, len(lines) // 2
        for number, part in enumerate((lines[:overlap], lines[cut:])):
            name = path.relative_to(simulated)
            pieces.append((name.with_name(f"{name.stem}_{number}{name.suffix}"), header + b"".join(part)))
    rng.shuffle(pieces)
    for piece in (pieces[0::2], pieces[1::2]):
        for name, content in piece:
            target = fresh.data_dir / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        run_warehouse(fresh, DAYS[0], DAYS[-1])
    assert digests(fresh) == template.digests
    shutil.copytree(simulated / "truth", fresh.data_dir / "truth")
    assert differences_from_truth(fresh) == []


@pytest.mark.long
def test_days_run_one_by_one_and_backwards_end_in_the_same_marts_as_one_pass(
    fresh: Settings, simulated: Path, template: Template
) -> None:
    shutil.copytree(simulated, fresh.data_dir, dirs_exist_ok=True)
    for day in reversed(DAYS):
        run_warehouse(fresh, day)
    for day in DAYS:
        assert query(fresh, "select count(*) from ops.publications where business_date = %s", day) > [(0,)]
    assert digests(fresh) == template.digests


@pytest.mark.parametrize(
    "order",
    [
        [2, 0, 1],
        *(pytest.param(order, marks=pytest.mark.long) for order in ([0, 1, 2], [1, 2, 0], [2, 1, 0])),
    ],
    ids=str,
)
def test_each_days_files_in_any_order_of_arrival_end_in_the_same_marts(
    fresh: Settings, simulated: Path, template: Template, order: list[int]
) -> None:
    for index in order:
        for path in simulated.rglob(f"*{DAYS[index]:%Y%m%d}*"):
            target = fresh.data_dir / path.relative_to(simulated)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
        shutil.copy(simulated / "crm" / "customers.csv", fresh.data_dir / "crm" / "customers.csv")
        run_warehouse(fresh, DAYS[index])
    assert digests(fresh) == template.digests
