"""The migrated database: complete, commented, and closed to those who have no business in it."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from callhouse import migrations, postgres
from callhouse.postgres import Warehouse
from callhouse.settings import Settings


def test_the_newest_revision_is_the_one_alembic_finds() -> None:
    from alembic.script import ScriptDirectory

    assert ScriptDirectory(str(migrations.FOLDER)).get_heads() == [migrations.HEAD]


def test_every_schema_table_and_column_says_what_it_is(connection: psycopg.Connection) -> None:
    silent = connection.execute(
        """
        select nspname from pg_namespace
        where nspname in ('raw', 'staging', 'intermediate', 'build', 'marts', 'reports', 'ops')
            and obj_description(oid, 'pg_namespace') is null
        union all
        select relation.oid::regclass || '.' || coalesce(attname, '')
        from pg_class as relation
        left join pg_attribute on attrelid = relation.oid and attnum > 0
        where relation.relnamespace::regnamespace::text in ('ops', 'marts') and relkind = 'r'
            and relname <> 'alembic_version'
            and (
                obj_description(relation.oid, 'pg_class') is null
                or col_description(relation.oid, attnum) is null
            )
        """
    ).fetchall()
    assert silent == []
    found = connection.execute("select count(*) from pg_tables where schemaname = 'ops'").fetchone()
    assert found >= (10,)  # the query above did look at them


def test_migrating_again_changes_nothing(settings: Settings, database: Warehouse) -> None:
    with postgres.connect(settings) as opened:
        opened.execute("insert into ops.runs (label) values ('kept')")
    with psycopg.connect(database.conninfo()) as opened:
        migrations.upgrade(opened)
    with postgres.connect(settings) as opened:
        assert opened.execute("select label from ops.runs").fetchall() == [("kept",)]


def test_a_second_warehouse_on_the_server_finds_the_roles_and_uses_them(server: Warehouse) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as opened:
        opened.execute("create database second_one")
        try:
            with psycopg.connect(server.conninfo(dbname="second_one")) as second:
                migrations.upgrade(second)
            with psycopg.connect(server.conninfo(dbname="second_one")) as second:
                second.execute("set role callhouse_load")
                second.execute("create table raw.pbx__queue_log (time text)")
        finally:
            opened.execute("drop database second_one with (force)")


@pytest.fixture
def furnished(settings: Settings) -> Settings:
    """A table in every schema, each made by the role that makes them in a run."""
    makers = {
        "callhouse_load": ["raw"],
        "callhouse_build": ["staging", "intermediate", "build", "reports"],
        "callhouse_publish": ["marts"],
    }
    for role, schemas in makers.items():
        with postgres.connect(settings, role) as opened:
            for schema in schemas:
                opened.execute(f"create table {schema}.thing (id integer)")
    return settings


MAY = {
    "callhouse_load": {
        "select": {"raw", "ops.runs", "ops.loads"},
        "insert": {"raw", "ops.landing_files", "ops.loads", "ops.rejects"},
    },
    "callhouse_build": {
        "select": {"raw", "staging", "intermediate", "build", "marts", "reports", "ops.rejects"},
        "insert": {
            "staging",
            "intermediate",
            "build",
            "reports",
            "ops.rejects",
            "ops.affected_dates",
            "ops.build_state",
            "marts.quality_results",
        },
    },
    "callhouse_publish": {
        "select": {"build", "marts", "reports", "ops.build_state"},
        "insert": {"marts", "ops.publications", "ops.affected_dates", "ops.runs", "marts.quality_results"},
    },
    "callhouse_report": {
        "select": {"marts", "reports", "ops.publications", "ops.deliveries", "marts.quality_latest"},
        "insert": {"ops.deliveries"},
    },
    "callhouse_bi": {"select": {"marts", "reports", "marts.quality_latest"}, "insert": set()},
    "callhouse_audit": {
        "select": {"raw", "staging", "intermediate", "build", "marts", "reports", "ops.rejects", "ops.runs"},
        "insert": set(),
    },
}
MAY_NOT = {
    "callhouse_load": {"select": {"marts", "build", "staging"}, "insert": {"marts", "staging", "ops.runs"}},
    "callhouse_build": {"select": {"ops.deliveries"}, "insert": {"raw", "marts", "ops.publications"}},
    "callhouse_publish": {
        "select": {"raw", "staging", "ops.rejects"},
        "insert": {"build", "raw", "ops.loads"},
    },
    "callhouse_report": {
        "select": {"raw", "staging", "build", "ops.rejects"},
        "insert": {"marts", "reports"},
    },
    "callhouse_bi": {
        "select": {"raw", "staging", "intermediate", "build", "ops.rejects", "ops.runs", "ops.deliveries"},
        "insert": {"marts", "reports", "marts.quality_results"},
    },
    "callhouse_audit": {"select": set(), "insert": {"raw", "marts", "ops.runs", "marts.quality_results"}},
}


@pytest.mark.parametrize("role", postgres.ROLES)
def test_a_role_may_do_its_own_work_and_nothing_else(furnished: Settings, role: str) -> None:
    with postgres.connect(furnished) as opened:

        def may(privilege: str, name: str) -> bool:
            table = name if "." in name else f"{name}.thing"
            usage, granted = opened.execute(
                "select has_schema_privilege(%(role)s, %(schema)s, 'usage'),"
                " has_table_privilege(%(role)s, %(table)s, %(privilege)s)",
                {"role": role, "schema": table.split(".")[0], "table": table, "privilege": privilege},
            ).fetchone()
            return usage and granted

        for privilege in ("select", "insert"):
            assert {name for name in MAY[role][privilege] if not may(privilege, name)} == set()
            assert {name for name in MAY_NOT[role][privilege] if may(privilege, name)} == set()


def test_a_bi_session_is_read_only_and_cannot_run_for_ever(furnished: Settings) -> None:
    with postgres.connect(furnished, "callhouse_bi", autocommit=True) as opened:
        opened.execute("select * from marts.thing")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            opened.execute("select * from raw.thing")
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            opened.execute("create temporary table mine as select 1")
        limits = opened.execute(
            "select current_setting('statement_timeout'),"
            " current_setting('idle_in_transaction_session_timeout')"
        ).fetchone()
        assert limits == ("5min", "10min")


def test_a_login_that_is_the_bi_role_gets_its_limits_from_the_server(server: Warehouse) -> None:
    with psycopg.connect(server.conninfo(dbname="callhouse_template")) as opened:
        settings = opened.execute(
            """
            select unnest(setconfig) from pg_db_role_setting
            where setrole = 'callhouse_bi'::regrole
                and setdatabase = (select oid from pg_database where datname = current_database())
            """
        ).fetchall()
    assert {"default_transaction_read_only=on", "statement_timeout=5min"} <= {row[0] for row in settings}


def test_a_finished_load_accounts_for_every_row_of_its_file(connection: psycopg.Connection) -> None:
    connection.execute(
        "insert into ops.landing_files (source, stream, path, original_name, byte_count, sha256)"
        " values ('pbx', 'queue_log', 'p', 'n', 1, 'x')"
    )
    insert = (
        "insert into ops.loads (landing_id, source, stream, state, rows_in, rows_loaded, rows_rejected)"
        " values (1, 'pbx', 'queue_log', %s, %s, %s, %s)"
    )
    for counts in ((3, 1, 1), (3, None, 0), (None, None, None)):
        with pytest.raises(psycopg.errors.CheckViolation, match="accounted_for"):
            connection.execute(insert, ("loaded", *counts))
    connection.execute(insert, ("failed", None, None, None))
    connection.execute(insert, ("loaded", 3, 2, 1))
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(insert, ("staged", 3, 3, 0))


def test_the_latest_quality_result_of_a_rule_and_date_is_the_last_run_s(
    connection: psycopg.Connection,
) -> None:
    connection.execute(
        """
        insert into marts.quality_results
            (run_id, stage, rule, principle, severity, business_date, outcome)
        values
            (1, 'build', 'r', 'C', 'critical', '2025-03-01', 'fail'),
            (2, 'build', 'r', 'C', 'critical', '2025-03-01', 'pass'),
            (1, 'build', 'r', 'C', 'critical', '2025-03-02', 'fail'),
            (1, 'build', 'r', 'C', 'critical', null, 'fail'),
            (2, 'build', 'r', 'C', 'critical', null, 'error')
        """
    )
    latest = connection.execute(
        "select business_date::text, outcome from marts.quality_latest order by business_date nulls last"
    ).fetchall()
    assert latest == [("2025-03-01", "pass"), ("2025-03-02", "fail"), (None, "error")]


@pytest.mark.parametrize(
    ("call", "text", "expected"),
    [
        ("try_integer(%s)", " -12 ", -12),
        ("try_integer(%s)", "+7", 7),
        ("try_integer(%s)", "007", 7),
        ("try_integer(%s)", "1.0", None),
        ("try_integer(%s)", "9" * 18, 10**18 - 1),
        ("try_integer(%s)", "9" * 30, None),
        ("try_integer(%s)", "", None),
        ("try_integer(%s)", None, None),
        ("try_integer(%s)", "NaN", None),
        ("try_number(%s)", "1.5", Decimal("1.5")),
        ("try_number(%s)", ".5e3", Decimal(500)),
        ("try_number(%s)", "1,5", None),
        ("try_number(%s)", "1e999999", None),
        ("try_number(%s)", "NaN", None),
        ("try_number(%s)", "Infinity", None),
        ("try_number(%s)", ".", None),
        ("try_number(%s)", "9" * 100, None),
        ("try_date(%s, 'ymd')", "1999-01-31", dt.date(1999, 1, 31)),
        ("try_date(%s, 'ymd')", "1999/1/3", dt.date(1999, 1, 3)),
        ("try_date(%s, 'ymd')", "990131", dt.date(1999, 1, 31)),
        ("try_date(%s, 'ymd')", "690131", dt.date(2069, 1, 31)),
        ("try_date(%s, 'ymd')", "19990131", dt.date(1999, 1, 31)),
        ("try_date(%s, 'ymd')", "1999131", None),
        ("try_date(%s, 'ymd')", "1999-02-29", None),
        ("try_date(%s, 'ymd')", "990229", None),
        ("try_date(%s, 'ymd')", "2000-02-29", dt.date(2000, 2, 29)),
        ("try_date(%s, 'ymd')", "1900-02-29", None),
        ("try_date(%s, 'ymd')", "2024-04-31", None),
        ("try_date(%s, 'ymd')", "2024-13-01", None),
        ("try_date(%s, 'ymd')", "2024-00-10", None),
        ("try_date(%s, 'ymd')", "0000-01-01", None),
        ("try_date(%s, 'ymd')", "2024-1/31", None),
        ("try_date(%s, 'ymd')", "2024-01-31 00:00:00", dt.date(2024, 1, 31)),
        ("try_date(%s, 'ymd')", "2024-01-31 08:00:00", None),
        ("try_date(%s, 'ymd')", "31.1.2024", None),
        ("try_date(%s, 'ymd')", "", None),
        ("try_date(%s, 'mdy')", "1/31/2024", dt.date(2024, 1, 31)),
        ("try_date(%s, 'mdy')", "1/31/99", dt.date(1999, 1, 31)),
        ("try_date(%s, 'mdy')", "31/1/2024", None),
        ("try_date(%s, 'dmy')", "31.01.2024", dt.date(2024, 1, 31)),
        ("try_date(%s, 'dmy')", None, None),
        ("try_time(%s, 'ymd')", "2024-01-31 09:05:07", dt.datetime(2024, 1, 31, 9, 5, 7)),
        ("try_time(%s, 'ymd')", "2024-01-31 9:05", dt.datetime(2024, 1, 31, 9, 5)),
        ("try_time(%s, 'ymd')", "990131 0:00:31", dt.datetime(1999, 1, 31, 0, 0, 31)),
        ("try_time(%s, 'ymd')", "2024-01-31T23:59:59.25", dt.datetime(2024, 1, 31, 23, 59, 59, 250000)),
        ("try_time(%s, 'ymd')", "2024-01-31 24:00:00", dt.datetime(2024, 2, 1)),
        ("try_time(%s, 'ymd')", "2024-01-31 24:00:01", None),
        ("try_time(%s, 'ymd')", "2024-01-31 10:00:00+08:00", None),
        ("try_time(%s, 'ymd')", "2024-01-31 10:60:00", None),
        ("try_time(%s, 'ymd')", "2024-01-31 10:00:60", None),
        ("try_time(%s, 'ymd')", "2024-02-30 10:00:00", None),
        ("try_time(%s, 'ymd')", "0000-02-01 10:00:00", None),
        ("try_time(%s, 'ymd')", "2024-01-31", None),
        ("try_time(%s, 'ymd')", "2024-01-31 ", None),
        ("try_time(%s, 'ymd')", None, None),
        ("try_time(%s, 'mdy')", "5/4/2018 16:33", dt.datetime(2018, 5, 4, 16, 33)),
        ("try_time(%s, 'mdy')", "5/4/2018 12:05:06 AM", dt.datetime(2018, 5, 4, 0, 5, 6)),
        ("try_time(%s, 'mdy')", "5/4/2018 12:05 pm", dt.datetime(2018, 5, 4, 12, 5)),
        ("try_time(%s, 'mdy')", "5/4/2018 13:05 PM", None),
        ("try_time(%s, 'dmy')", "5/4/2018 16:33", dt.datetime(2018, 4, 5, 16, 33)),
        ("try_seconds(%s)", "12", 12),
        ("try_seconds(%s)", "12.0", 12),
        ("try_seconds(%s)", "12.5", 13),
        ("try_seconds(%s)", "12,5", None),
        ("try_seconds(%s)", "-4", -4),
        ("try_seconds(%s)", "1:02:03", 3723),
        ("try_seconds(%s)", "00:02:23", 143),
        ("try_seconds(%s)", "2:03", 123),
        ("try_seconds(%s)", "75:30", 4530),
        ("try_seconds(%s)", "1:75:00", None),
        ("try_seconds(%s)", "2:75", None),
        ("try_seconds(%s)", "9" * 12, None),
        ("try_seconds(%s)", "", None),
    ],
)
def test_text_is_read_as_what_it_says_or_as_nothing(
    server: Warehouse, call: str, text: str | None, expected: Any
) -> None:
    with psycopg.connect(server.conninfo(dbname="callhouse_template")) as opened:
        assert opened.execute(f"select ops.{call}", (text,)).fetchone() == (expected,)


def test_an_unknown_order_of_day_and_month_is_an_error_not_an_empty_column(
    connection: psycopg.Connection,
) -> None:
    with pytest.raises(psycopg.errors.RaiseException, match="unknown order"):
        connection.execute("select ops.try_date('1/2/2024', 'md')")


def test_reading_text_runs_in_parallel_workers(connection: psycopg.Connection) -> None:
    unsafe = connection.execute(
        "select proname from pg_proc where pronamespace = 'ops'::regnamespace"
        " and (proparallel <> 's' or provolatile = 'v')"
    ).fetchall()
    assert unsafe == [("to_json",)]  # it catches errors


def test_a_table_of_many_documents_is_made_whatever_plan_the_server_chooses(
    connection: psycopg.Connection,
) -> None:
    connection.execute(
        """create table raw.many as select '{"n": 1}' as document from generate_series(1, 9999)"""
    )
    for setting in ("parallel_setup_cost", "parallel_tuple_cost", "min_parallel_table_scan_size"):
        connection.execute(f"set {setting} = 0")
    with connection.transaction():
        connection.execute("create temporary table first_one (id integer)")  # as staging has made some before
        connection.execute(
            "create temporary table parsed as select ops.to_json(document) as doc from raw.many"
        )
    assert connection.execute("select count(doc) from parsed").fetchone() == (9999,)
