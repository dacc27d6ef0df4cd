"""Runs dbt, in this process: one invocation per layer.

dbt sees the configuration as variables (the same text every time, so that its partial parsing holds) and the
run's business dates in ``ops.build_state``.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from callhouse import postgres, publish, runs
from callhouse.errors import CallhouseError, WarehouseError
from callhouse.settings import PROJECT, Settings
from callhouse.sources import streams_of

DBT_PROJECT = PROJECT / "dbt_project"
CUSTOMERS = "stg_delimited__customers"
BUILD_LAYERS = ("intermediate", "marts", "kpis")


def stage(settings: Settings, run_id: int | None = None) -> None:
    """Raw rows of loads not staged yet → typed, deduplicated staging rows; notes the dates they touch.

    ``run_id`` is None when it is done by hand, outside of a run.

    Raises:
        CallhouseError: a model failed; what it had begun was rolled back.
    """
    with (
        postgres.connect(settings, autocommit=True, name=f"stage, run {run_id}") as connection,
        postgres.advisory_lock(connection, "warehouse"),
    ):
        publish.create_marts(settings, manifest(settings))
        _restage_changed_mappings(settings)
        _dbt(settings, "run", "--select", "staging")


def build(settings: Settings, run_id: int, dates: Sequence[date] | None = None) -> list[date]:
    """Staging rows of the run's dates → facts, dimensions and KPI values in schema ``build``, tested by dbt.

    Args:
        dates: fewer dates than the run covers, when the gate holds the others.

    Returns:
        The dates built; they are in ``ops.build_state`` with the run's id as their token.

    Raises:
        CallhouseError: a model or a test failed; nothing of ``marts`` was touched.
    """
    with (
        postgres.connect(settings, autocommit=True, name=f"build, run {run_id}") as connection,
        postgres.advisory_lock(connection, "warehouse"),
    ):
        chosen = list(dates) if dates is not None else runs.dates_to_build(connection, run_id)
        connection.execute(
            """
            insert into ops.build_state (run_id, dates, built_at, checked_at) values (%s, %s, now(), null)
            on conflict (only_row) do update set
                run_id = excluded.run_id, dates = excluded.dates, built_at = now(), checked_at = null
            """,
            (run_id, chosen),
        )
        _dbt(settings, "build", "--exclude-resource-type", "unit_test", "--select", *BUILD_LAYERS)
        return chosen


def build_reports(settings: Settings) -> None:
    """The views that reports read, over published marts; those already as defined are left alone."""
    _dbt(settings, "run", "--select", "reports")


def manifest(settings: Settings) -> dict[str, Any]:
    """dbt's manifest of the project, parsed with this configuration.

    Raises:
        CallhouseError: the project or a mapping in ``sources.yml`` is not valid.
    """
    configuration = json.dumps(variables(settings), sort_keys=True)
    if configuration not in _manifests:
        _dbt(settings, "parse")
        path = _target(settings) / "manifest.json"
        _manifests[configuration] = json.loads(path.read_text(encoding="utf-8"))
    return _manifests[configuration]


_manifests: dict[str, dict[str, Any]] = {}
"""This process's manifests by configuration: the project's files stay as they are while it runs."""


def variables(settings: Settings) -> dict[str, Any]:
    """What the models need to know of the configuration, as dbt variables (plain JSON values)."""
    centre = settings.centre
    label = centre.get("label") or {}
    levels = centre["service_level"]
    of_queues = {
        str(queue): [_in_force(levels, level["valid_from"]) | level for level in own]
        for queue, own in (centre.get("queues") or {}).items()
    }
    targets = [target for level in levels for target in _level_targets(level)]
    for queue, own in of_queues.items():
        targets += [target | {"unit_key": queue} for level in own for target in _level_targets(level)]
    sources = {
        name: {
            "kind": source.kind,
            "time_zone": source.time_zone,
            "streams": {stream: source.streams.get(stream) or {} for stream in streams_of(source)},
            "options": {key: value for key, value in source.options.items() if key != "streams"},
        }
        for name, source in settings.sources.items()
    }
    found = {
        "time_zone": settings.time_zone,
        "centre_label": label.get("en", settings.centre_name) if isinstance(label, dict) else str(label),
        "sources": sources,
        "service_level": levels,
        "queue_service_levels": of_queues,
        "targets": targets + list(centre.get("targets") or []),
    }
    return dict(json.loads(json.dumps(found, default=str)))


def _in_force(levels: list[dict[str, Any]], on: object) -> dict[str, Any]:
    """The centre's setting on a date, for what a queue does not set itself: the last one not after it."""
    ordered = sorted(levels, key=lambda level: str(level["valid_from"]))
    earlier = [level for level in ordered if str(level["valid_from"]) <= str(on)]
    return (earlier or ordered[:1])[-1]


def _level_targets(level: dict[str, Any]) -> list[dict[str, Any]]:
    """What a service-level setting aims at: the official level, and what was promised."""
    aims = {
        f"service_level_{level['official'].lower()}": level.get("target"),
        "answered_in_promise_rate": level.get("promise_target"),
    }
    return [
        {"kpi": kpi, "valid_from": level["valid_from"], "target": target}
        for kpi, target in aims.items()
        if target is not None
    ]


def dbt_arguments(settings: Settings) -> list[str]:
    """The options that make dbt, here or at a shell, see this centre; sets dbt's environment too."""
    warehouse = postgres.open_warehouse(settings)
    os.environ.update(
        CALLHOUSE_PG_HOST=warehouse.host,
        CALLHOUSE_PG_PORT=str(warehouse.port),
        CALLHOUSE_PG_USER=warehouse.user,
        CALLHOUSE_PG_DATABASE=warehouse.dbname,
        DBT_ENV_SECRET_PG_PASSWORD=warehouse.password,
    )
    return [
        "--project-dir", str(DBT_PROJECT),
        "--profiles-dir", str(DBT_PROJECT),
        "--target-path", str(_target(settings)),
        "--vars", json.dumps(variables(settings), sort_keys=True, ensure_ascii=False),
    ]  # fmt: skip


def _restage_changed_mappings(settings: Settings) -> None:
    """Send a stream's loads through staging again when its mapping or zone was edited since."""
    found = variables(settings)
    with postgres.connect(settings, "callhouse_build", name="look for edited mappings") as connection:
        known = {
            (source, stream): fingerprint
            for source, stream, fingerprint in connection.execute(
                "select source, stream, fingerprint from ops.staged_mappings"
            )
        }
        tables = [
            row[0]
            for row in connection.execute(
                "select tablename from pg_tables where schemaname = 'staging'"
            ).fetchall()
        ]
        for name, source in found["sources"].items():
            for stream, options in source["streams"].items():
                settled = json.dumps(
                    [found["time_zone"], source["kind"], source["time_zone"], options], sort_keys=True
                )
                fingerprint = hashlib.sha256(settled.encode()).hexdigest()
                before = known.get((name, stream))
                if before not in (None, fingerprint):
                    _restage(connection, name, stream, tables)
                if before != fingerprint:
                    connection.execute(
                        """
                        insert into ops.staged_mappings values (%s, %s, %s)
                        on conflict (source, stream) do update set fingerprint = excluded.fingerprint
                        """,
                        (name, stream, fingerprint),
                    )


def _restage(connection: psycopg.Connection, source: str, stream: str, tables: list[str]) -> None:
    if CUSTOMERS in tables:  # their records have no date of their own, but the calls they were tied to have
        connection.execute(
            """
            insert into ops.affected_dates (business_date, reason)
            select distinct business_date, 'the mapping of customers was edited'
            from marts.fct_contacts
            where
                customer_id is not null
                and exists (
                    select from staging.stg_delimited__customers where source = %s and stream = %s
                )
            on conflict (business_date) do update set state = 'pending', since = now()
            """,
            (source, stream),
        )
    for table in tables:
        # The dates the rows had may not be the ones they get now.
        connection.execute(
            sql.SQL(
                """
                with removed as (
                    delete from {} where source = %s and stream = %s returning business_date
                )
                insert into ops.affected_dates (business_date, reason)
                select distinct business_date, 'the mapping was edited'
                from removed
                where business_date is not null
                on conflict (business_date) do update set state = 'pending', since = now()
                """
            ).format(sql.Identifier("staging", table)),
            (source, stream),
        )
    connection.execute(
        """
        with cleared as (
            delete from ops.rejects where source = %(source)s and stream = %(stream)s and stage = 'staging'
            returning load_id, line, reason, rejected_at
        ),
        kept as (
            insert into ops.replayed_rejects
                (load_id, source, stream, stage, line, reason, rejected_at, replayed_at)
            select load_id, %(source)s, %(stream)s, 'staging', line, reason, rejected_at, now()
            from cleared
        ),
        counted as (
            select load_id, count(*) as rejected from cleared group by load_id
        )
        update ops.loads as load set
            state = 'loaded',
            replayed_at = now(),
            rows_duplicate = 0,
            rows_rejected = load.rows_rejected - coalesce(counted.rejected, 0),
            rows_loaded = load.rows_in - load.rows_rejected + coalesce(counted.rejected, 0)
        from ops.loads as same
        left join counted on same.load_id = counted.load_id
        where
            load.load_id = same.load_id
            and load.source = %(source)s and load.stream = %(stream)s and load.state = 'staged'
        """,
        {"source": source, "stream": stream},
    )


def _target(settings: Settings) -> Path:
    return settings.home / "dbt" / settings.centre_name


def _dbt(settings: Settings, command: str, *arguments: str) -> None:
    from dbt.cli.main import dbtRunner

    result = dbtRunner().invoke(
        [
            "--log-level", "none", "--log-level-file", "error",
            "--log-path", str(settings.logs_dir / "dbt"),
            "--no-send-anonymous-usage-stats",
            *([] if command == "parse" else ["--no-write-json"]),  # its files cost more time than its work
            command, *arguments, *dbt_arguments(settings),
        ]
    )  # fmt: skip
    if result.success:
        return
    if isinstance(result.exception, KeyboardInterrupt):
        raise result.exception
    failures = [
        f"{outcome.node.name}: {' '.join(str(outcome.message).split())}"
        for outcome in getattr(result.result, "results", [])
        if outcome.status in ("error", "fail", "runtime error")
    ]
    what = "; ".join(failures) or " ".join(str(result.exception or "no reason given").split())
    kind = WarehouseError if "could not connect" in what else CallhouseError
    raise kind(
        f"dbt {command} failed: {what}", where=str(settings.logs_dir / "dbt" / "dbt.log"), do="read the log"
    )
