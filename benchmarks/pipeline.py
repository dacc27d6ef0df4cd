"""From files to published marts: Callhouse's own steps, and the same tables by hand."""

from __future__ import annotations

import json
import logging
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from benchmarks.data import DAY, Case
from benchmarks.measure import Clock
from callhouse import postgres
from callhouse.errors import CallhouseError
from callhouse.settings import Settings

if TYPE_CHECKING:
    from callhouse.publish import Mart

LAYERS = {"dim_date": "marts", "dim_interval": "marts", "dim_kpi": "kpis", "kpi_values": "kpis"}
"""Tables of no weight, whose SQL the baseline takes from dbt; dimensions before what is counted by them."""


def ours(case: Case) -> tuple[Clock, float]:
    """All that the DAGs' tasks do between a source's files and the published marts, on a new warehouse."""
    clock = Clock()
    began = time.perf_counter()
    import dbt.cli.main  # noqa: F401
    import great_expectations  # noqa: F401

    from callhouse import landing, publish, quality, raw, runs, transform

    import_seconds = time.perf_counter() - began
    settings = case.settings
    new_warehouse(settings)
    transform.manifest(settings)  # a new folder's first parse is part of the set-up
    for name in ("callhouse", "great_expectations"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with clock("extract"):
        landing.extract(settings, case.source, DAY, DAY)
    run = runs.begin(settings, DAY, DAY, "benchmark")
    with clock("load"):
        raw.raise_failures(raw.load(settings, run))
    with clock("stage"):
        transform.stage(settings, run)
    with clock("check staging"):
        quality.check(settings, run, "staging")
    with clock("build"):
        transform.build(settings, run)
    with clock("check build"):
        quality.check(settings, run, "build")
    with clock("publish"):
        publish.publish(settings, run)
    with postgres.connect(settings, autocommit=True, name="benchmark") as connection:
        connection.execute("vacuum analyze")  # or it comes by itself, in the middle of the next measurement
    return clock, import_seconds


def baseline(case: Case) -> tuple[Clock, float]:
    """COPY and the case's statements, in one transaction; needs what dbt compiled for `ours`."""
    from callhouse import publish

    settings = case.baseline
    clock = Clock()
    new_warehouse(settings)
    manifest = _manifest(case.settings)
    marts = publish.marts_of(manifest)
    publish.create_marts(settings, manifest)
    statements = Path(__file__).with_name(f"{case.name}.sql").read_text(encoding="utf-8")
    create, copy, transform = re.split(r"(?m)^(copy .*;)\n", statements)
    with postgres.connect(settings, name="baseline") as connection, connection.transaction():
        connection.execute("select set_config('TimeZone', %s, true)", (settings.time_zone,))
        connection.execute("insert into ops.build_state (dates) values (array[%s::date])", (DAY,))
        with clock("copy"):
            connection.execute(create.encode())
            copy_file(connection, copy, case.file)
        with clock("transform"):
            connection.execute(transform.replace("{day}", f"date '{DAY}'").encode())
            for table, layer in LAYERS.items():
                connection.execute(_insert(connection, case.settings, layer, table))
            publish.add_foreign_keys(connection, marts)
        began = time.perf_counter()
    clock.stages["commit"] = time.perf_counter() - began
    return clock, 0.0


def new_warehouse(settings: Settings) -> None:
    """The centre's database and landing folder, without anything in them."""
    warehouse = postgres.open_warehouse(settings)
    with psycopg.connect(warehouse.conninfo(dbname="postgres"), autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {}").format(sql.Identifier(warehouse.dbname)))
    shutil.rmtree(settings.landing_dir, ignore_errors=True)
    postgres.open_warehouse(settings)


def copy_file(connection: psycopg.Connection[Any], statement: str, file: Path) -> None:
    """COPY a file's bytes as they are."""
    with file.open("rb") as source, connection.cursor().copy(statement.encode()) as copy:
        while block := source.read(1 << 20):
            copy.write(block)


def same_rows(case: Case) -> dict[str, int]:
    """How many rows each mart holds.

    Raises:
        CallhouseError: the two databases hold different rows.
    """
    from callhouse import publish

    marts = publish.marts_of(_manifest(case.settings))
    ours, hand_made = (_digests(settings, marts) for settings in (case.settings, case.baseline))
    different = [table for table in ours if ours[table] != hand_made[table]]
    if different:
        raise CallhouseError(
            f"the baseline ends in other rows: {', '.join(different)}",
            where=f"benchmarks/{case.name}.sql",
            do="bring it in line with the models (or the models with it)",
        )
    return {table: count for table, (count, _) in ours.items()}


def _digests(settings: Settings, marts: list[Mart]) -> dict[str, tuple[int, int]]:
    """Every mart's number of rows and the sum of its rows' hashes."""
    query = "select count(*), coalesce(sum(hashtextextended(mart::text, 0)), 0) from {} as mart"
    found = {}
    with postgres.connect(settings, name="digests") as connection:
        for mart in marts:
            row = connection.execute(sql.SQL(query).format(mart.table)).fetchone()
            assert row is not None
            found[mart.name] = (int(row[0]), int(row[1]))
    return found


def _target(settings: Settings) -> Path:
    return settings.home / "dbt" / settings.centre_name


def _manifest(settings: Settings) -> dict[str, Any]:
    return dict(json.loads((_target(settings) / "manifest.json").read_text(encoding="utf-8")))


def compiled(settings: Settings, layer: str, model: str) -> str:
    """The SQL that dbt made of a model in its last run."""
    path = _target(settings) / "compiled" / "callhouse" / "models" / layer / f"{model}.sql"
    return path.read_text(encoding="utf-8")


def _insert(connection: psycopg.Connection[Any], settings: Settings, layer: str, table: str) -> bytes:
    """An insert into a mart of what dbt compiled, reading marts instead of the workbench."""
    query = re.sub(r'"\w+"\."(build|marts)"\.', "marts.", compiled(settings, layer, table))
    names = connection.execute(
        "select string_agg(attname, ', ') from pg_attribute where attrelid = %s::regclass and attnum > 0",
        (f"marts.{table}",),
    ).fetchone()
    assert names is not None
    return f"insert into marts.{table} ({names[0]}) select {names[0]} from ({query}) as of_dbt".encode()
