"""Publishes: moves the run's business dates from ``build`` to ``marts`` in one transaction.

The marts are created from the models' own YAML (columns, types, comments, keys) and never again replaced:
they keep their grants, comments and readers. A new column is added at the end.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from callhouse import postgres, runs
from callhouse.errors import GateHeld, WarehouseError
from callhouse.settings import Settings

MART_LAYERS = ("marts", "kpis")


@dataclass(frozen=True)
class Mart:
    """A published table: its columns ``(name, type, comment)``, its keys, and how a run replaces its rows.

    ``replaces`` is SQL over the mart's rows and ``%(dates)s``; None for a dimension, whose rows are
    updated by key.
    """

    name: str
    comment: str
    columns: tuple[tuple[str, str, str], ...]
    primary_key: tuple[str, ...]
    foreign_keys: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...]
    replaces: str | None

    @property
    def table(self) -> sql.Identifier:
        return sql.Identifier("marts", self.name)


@dataclass(frozen=True)
class Publication:
    """What a publication did: dates now visible, dates the gate held, rows written per mart."""

    run_id: int
    dates: list[date]
    held: list[date]
    rows: dict[str, int]


def publish(settings: Settings, run_id: int) -> Publication:
    """Replace the run's dates in all marts in one transaction; readers see the old or the new, never a mix.

    Dates that a critical rule holds stay as they were. What was built is then built and judged again without
    them, for months are sums over days and a call of one day may go on in the next; after the others are
    published, the held ones are reported by an exception.

    Raises:
        WarehouseError: another run has built since; its figures are not this run's to publish.
        GateHeld: some dates are held; the others are published.
    """
    from callhouse import quality, transform

    manifest = transform.manifest(settings)
    with postgres.connect(settings, autocommit=True, name=f"publish, run {run_id}") as connection:
        built, held = _built_dates(connection, run_id)
        passed = [day for day in built if day not in held]
        while passed and passed != built:
            transform.build(settings, run_id, passed)
            quality.check(settings, run_id, "build")
            built, held = _built_dates(connection, run_id)
            passed = [day for day in built if day not in held]
        rows: dict[str, int] = {}
        if passed:
            with postgres.advisory_lock(connection, "warehouse"):
                rows = _replace(connection, run_id, passed, marts_of(manifest))
            transform.build_reports(settings)
    if held:
        raise GateHeld(
            f"critical rules hold {', '.join(map(str, held))}; {len(passed)} other dates are published",
            where="marts.quality_results",
            do="correct the source or the rule and run the dates again; the old figures stay visible",
        )
    runs.finish(settings, run_id, "published")
    return Publication(run_id, passed, held, rows)


def _built_dates(connection: psycopg.Connection, run_id: int) -> tuple[list[date], list[date]]:
    """The dates in ``build``, and those up to the run's last that a rule of either stage holds."""
    row = connection.execute(
        """
        select state.run_id, state.dates, array(
            select affected.business_date from ops.affected_dates as affected, ops.runs as run
            where affected.state = 'held' and run.run_id = %s and affected.business_date <= run.date_to
            order by 1
        )
        from ops.build_state as state
        """,
        (run_id,),
    ).fetchone()
    if row is None or row[0] != run_id:
        raise WarehouseError(
            f"run {run_id} has nothing to publish: "
            + ("no build" if row is None else f"run {row[0]} built after it"),
            where="ops.build_state",
            do="run the dates again",
        )
    return list(row[1]), list(row[2])


def _replace(
    connection: psycopg.Connection, run_id: int, dates: list[date], marts: list[Mart]
) -> dict[str, int]:
    rows = {}
    with connection.transaction():
        connection.execute("set local role callhouse_publish")
        token = connection.execute("select run_id, built_at, dates from ops.build_state for share").fetchone()
        if token is None or token[0] != run_id or list(token[2]) != dates:
            raise WarehouseError(
                f"another run has built since run {run_id} did",
                where="ops.build_state",
                do="run the dates again",
            )
        for mart in marts:
            if mart.replaces is not None:
                connection.execute(
                    sql.SQL("delete from {} where {}").format(mart.table, sql.SQL(mart.replaces)),
                    {"dates": dates},
                )
        for mart in marts:
            rows[mart.name] = _insert(connection, mart)
        add_foreign_keys(connection, marts)
        connection.execute(
            # A task killed behind this transaction publishes the same once more when it is tried again.
            "insert into ops.publications (run_id, business_date) select %s, unnest(%s::date[])"
            " on conflict do nothing",
            (run_id, dates),
        )
        # News that arrived while this run was building is not in it: such dates stay affected.
        connection.execute(
            "delete from ops.affected_dates where business_date = any(%s) and since <= %s", (dates, token[1])
        )
    return rows


def _insert(connection: psycopg.Connection, mart: Mart) -> int:
    names = sql.SQL(", ").join(sql.Identifier(name) for name, _, _ in mart.columns)
    # In the key's order the index grows at its end instead of everywhere.
    statement = sql.SQL("insert into {} ({}) select {} from {} order by {}").format(
        mart.table, names, names, sql.Identifier("build", mart.name), _names(mart.primary_key)
    )
    if mart.replaces is None:
        others = [name for name, _, _ in mart.columns if name not in mart.primary_key]
        both = [
            sql.SQL("({})").format(sql.SQL(", ").join(sql.Identifier(side, name) for name in others))
            for side in (mart.name, "excluded")
        ]
        statement += sql.SQL(" on conflict ({}) do update set {} where {} is distinct from {}").format(
            sql.SQL(", ").join(map(sql.Identifier, mart.primary_key)),
            sql.SQL(", ").join(
                sql.SQL("{} = excluded.{}").format(sql.Identifier(name), sql.Identifier(name))
                for name in others
            ),
            *both,
        )
    try:
        with connection.transaction():
            return connection.execute(statement).rowcount
    except psycopg.errors.UniqueViolation:
        _leave_other_dates(connection, mart)
        return connection.execute(statement).rowcount


def _leave_other_dates(connection: psycopg.Connection, mart: Mart) -> None:
    """Take the records built now off the dates they were published on.

    Such a record has moved here from a date that the run does not cover. That date is affected and waits
    for its own run, which makes its sums follow.
    """
    connection.execute(
        sql.SQL(
            """
            with moved as (
                delete from {} using {} as built where ({}) = ({}) returning {}
            )
            insert into ops.affected_dates (business_date, reason)
            select distinct business_date, {} from moved
            on conflict (business_date) do nothing
            """
        ).format(
            mart.table,
            sql.Identifier("build", mart.name),
            sql.SQL(", ").join(sql.Identifier("marts", mart.name, name) for name in mart.primary_key),
            sql.SQL(", ").join(sql.Identifier("built", name) for name in mart.primary_key),
            sql.Identifier("marts", mart.name, "business_date"),
            sql.Literal(f"a record of {mart.name} moved to another date"),
        )
    )


def marts_of(manifest: dict[str, Any]) -> list[Mart]:
    """The marts that dbt's manifest describes, dimensions first, so that foreign keys find what they name."""
    marts = [
        _mart(node)
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node["fqn"][1] in MART_LAYERS
    ]
    return sorted(marts, key=lambda mart: (mart.replaces is not None, len(mart.foreign_keys), mart.name))


def _mart(node: dict[str, Any]) -> Mart:
    constraints = node["constraints"] + [
        {**constraint, "columns": [column["name"]]}
        for column in node["columns"].values()
        for constraint in column["constraints"]
    ]
    primary_key = next((tuple(c["columns"]) for c in constraints if c["type"] == "primary_key"), ())
    foreign_keys = tuple(
        (tuple(c["columns"]), *_referenced(c["expression"]))
        for c in constraints
        if c["type"] == "foreign_key"
    )
    is_dimension = node["name"].startswith("dim_")
    replaces = node["config"]["meta"].get("replaces", "business_date = any(%(dates)s)")
    return Mart(
        name=node["name"],
        comment=node["description"],
        columns=tuple((c["name"], c["data_type"], c["description"]) for c in node["columns"].values()),
        primary_key=primary_key,
        foreign_keys=foreign_keys,
        replaces=None if is_dimension else replaces,
    )


def _referenced(expression: str) -> tuple[str, tuple[str, ...]]:
    """``dim_date (business_date)`` → the table's name and columns."""
    # dbt's own form, `to: ref(…)`, would make it see cycles.
    table, columns = expression.rstrip(")").split("(")
    return table.strip(), tuple(column.strip() for column in columns.split(","))


def create_marts(settings: Settings, manifest: dict[str, Any]) -> None:
    """Create the marts that do not exist yet and add the columns that are new."""
    with postgres.connect(settings, "callhouse_publish", name="create marts") as connection:
        known: dict[str, set[str]] = {}
        for table, column in connection.execute(
            "select table_name, column_name from information_schema.columns where table_schema = 'marts'"
        ):
            known.setdefault(table, set()).add(column)
        for mart in marts_of(manifest):
            if mart.name not in known:
                _create(connection, mart)
            else:
                for name, data_type, comment in mart.columns:
                    if name not in known[mart.name]:
                        _add_column(connection, mart, name, data_type, comment)


def _create(connection: psycopg.Connection, mart: Mart) -> None:
    columns = [
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(data_type))
        for name, data_type, _ in mart.columns
    ]
    if mart.primary_key:
        columns.append(sql.SQL("primary key ({})").format(_names(mart.primary_key)))
    connection.execute(sql.SQL("create table {} ({})").format(mart.table, sql.SQL(", ").join(columns)))
    if mart.replaces is not None and any(name == "business_date" for name, _, _ in mart.columns):
        connection.execute(sql.SQL("create index on {} (business_date)").format(mart.table))
    connection.execute(sql.SQL("comment on table {} is {}").format(mart.table, sql.Literal(mart.comment)))
    for name, _, comment in mart.columns:
        _comment(connection, mart, name, comment)


def add_foreign_keys(connection: psycopg.Connection, marts: list[Mart]) -> None:
    """Give the marts that have none yet their foreign keys; called when their first rows are in.

    Checking a million rows that are there takes a second, checking each as it comes takes ten.
    """
    known = {
        row[0]
        for row in connection.execute(
            "select conrelid::regclass::text from pg_constraint where contype = 'f'"
            " and connamespace = 'marts'::regnamespace"
        )
    }
    wanting = [mart for mart in marts if mart.foreign_keys and f"marts.{mart.name}" not in known]
    if not wanting:
        return
    connection.execute("set constraints all immediate")  # or rows still to be checked forbid to alter a table
    for mart in wanting:
        # Checked at the end of the transaction: a contact and its visit of the next day are not always
        # replaced together.
        keys = [
            sql.SQL("add foreign key ({}) references {} ({}) deferrable initially deferred").format(
                _names(names), sql.Identifier("marts", target), _names(target_names)
            )
            for names, target, target_names in mart.foreign_keys
        ]
        connection.execute(sql.SQL("alter table {} {}").format(mart.table, sql.SQL(", ").join(keys)))


def _add_column(connection: psycopg.Connection, mart: Mart, name: str, data_type: str, comment: str) -> None:
    connection.execute(
        sql.SQL("alter table {} add column {} {}").format(
            mart.table,
            sql.Identifier(name),
            sql.SQL(data_type),
        )
    )
    _comment(connection, mart, name, comment)


def _comment(connection: psycopg.Connection, mart: Mart, name: str, comment: str) -> None:
    connection.execute(
        sql.SQL("comment on column {} is {}").format(
            sql.Identifier("marts", mart.name, name), sql.Literal(comment)
        )
    )


def _names(names: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, names))
