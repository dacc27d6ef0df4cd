"""The one transaction in which readers get new figures, and the tables it writes."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import psycopg
import pytest

from callhouse import postgres, publish, runs, transform
from callhouse.errors import WarehouseError
from callhouse.postgres import Warehouse
from callhouse.publish import marts_of
from callhouse.settings import Settings

from .conftest import centre_in, cloned

# Always one name: dbt parses the whole project anew when the database is called otherwise.
DATABASE, TEMPLATE = "publishing", "publishing_built"
D1, D2 = date(2026, 3, 2), date(2026, 3, 3)


@pytest.fixture(scope="module")
def built_once(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """Two dates without any call, built and not yet published, in the database `TEMPLATE`."""
    folder = tmp_path_factory.mktemp("built")
    with cloned(server, name=DATABASE) as database, centre_in(folder, database) as settings:
        run = runs.begin(settings, D1, D2, "t")
        transform.stage(settings, run)
        transform.build(settings, run)
        with psycopg.connect(server.conninfo(), autocommit=True) as maintenance:
            maintenance.execute(
                b"select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                b" where datname = %s and usename = current_user",
                (DATABASE,),
            )
            maintenance.execute(f"alter database {DATABASE} rename to {TEMPLATE}")
            yield folder, run
            maintenance.execute(f"drop database {TEMPLATE} with (force)")


@pytest.fixture
def built(server: Warehouse, built_once: tuple[Path, int], tmp_path: Path) -> Iterator[tuple[Settings, int]]:
    """Settings of a warehouse with two dates built, and the run that built them."""
    folder, run = built_once
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    with cloned(server, TEMPLATE, DATABASE) as database, centre_in(tmp_path, database) as settings:
        yield settings, run


@pytest.fixture
def connection(built: tuple[Settings, int]) -> Iterator[psycopg.Connection]:
    """The owner's autocommit connection to the test's warehouse."""
    with postgres.connect(built[0], autocommit=True, name="test") as opened:
        yield opened


def rows(connection: psycopg.Connection, statement: str) -> list[Any]:
    return connection.execute(statement.encode()).fetchall()


def add_case(connection: psycopg.Connection, business_date: date) -> None:
    connection.execute(
        "insert into build.fct_cases"
        " (case_key, source, case_id, business_date, opened_at, is_open, closed_count,"
        " closed_in_time_count) values ('crm:K1', 'crm', 'K1', %s, '2026-03-02 02:00Z', true, 0, 0)",
        (business_date,),
    )


def test_published_tables_have_the_models_columns_keys_and_comments(
    built: tuple[Settings, int], connection: psycopg.Connection
) -> None:
    publish.publish(*built)
    for mart in marts_of(transform.manifest(built[0])):
        columns = rows(
            connection,
            "select attname, col_description(attrelid, attnum) from pg_attribute"
            f" where attrelid = 'marts.{mart.name}'::regclass and attnum > 0 order by attnum",
        )
        assert columns == [(name, comment) for name, _, comment in mart.columns]
        keys = rows(
            connection,
            "select contype::text, array_length(conkey, 1) from pg_constraint"
            f" where conrelid = 'marts.{mart.name}'::regclass and contype in ('p', 'f')",
        )
        wanted = [("p", len(mart.primary_key)), *(("f", len(names)) for names, _, _ in mart.foreign_keys)]
        assert sorted(keys) == sorted(wanted), mart.name


def test_a_publication_killed_behind_its_transaction_can_be_done_again(
    built: tuple[Settings, int], connection: psycopg.Connection
) -> None:
    add_case(connection, D1)
    publish.publish(*built)
    marts = "select * from marts.kpi_values order by kpi_id, period_type, period_start_date, unit_key"
    published = "select run_id, business_date from ops.publications order by 2"
    before = rows(connection, marts), rows(connection, published)
    publish.publish(*built)
    assert (rows(connection, marts), rows(connection, published)) == before
    assert [day for _, day in before[1]] == [D1, D2]


def test_a_new_column_of_a_model_is_added_at_the_end_and_grants_stay(
    built: tuple[Settings, int], connection: psycopg.Connection
) -> None:
    connection.execute("alter table marts.fct_cases drop column topic")
    connection.execute("grant select (case_id) on marts.fct_cases to callhouse_audit")
    before = rows(connection, "select 'marts.fct_cases'::regclass::oid")
    publish.create_marts(built[0], transform.manifest(built[0]))
    names = rows(
        connection,
        "select attname from pg_attribute where attrelid = 'marts.fct_cases'::regclass and attnum > 0"
        " and not attisdropped order by attnum",
    )
    assert names[-1] == ("topic",)
    assert rows(connection, "select 'marts.fct_cases'::regclass::oid") == before
    assert rows(
        connection, "select has_column_privilege('callhouse_audit', 'marts.fct_cases', 'case_id', 'select')"
    ) == [(True,)]


def test_publication_writes_rows_dates_and_the_runs_end_and_takes_the_dates_off_the_list(
    built: tuple[Settings, int], connection: psycopg.Connection
) -> None:
    settings, run = built
    connection.execute(
        "insert into ops.affected_dates (business_date, since) values (%s, now() - interval '1 hour')", (D1,)
    )
    add_case(connection, D1)
    done = publish.publish(settings, run)
    assert (done.run_id, done.dates, done.held, done.rows["fct_cases"]) == (run, [D1, D2], [], 1)
    assert rows(connection, "select run_id, business_date from ops.publications order by 2") == [
        (run, D1),
        (run, D2),
    ]
    assert rows(connection, "select state from ops.runs") == [("published",)]
    assert rows(connection, "select count(*) from ops.affected_dates") == [(0,)]


def test_news_that_came_while_the_run_was_building_keeps_its_date_on_the_list(
    built: tuple[Settings, int], connection: psycopg.Connection
) -> None:
    connection.execute("insert into ops.affected_dates (business_date) values (%s)", (D1,))
    publish.publish(*built)
    assert rows(connection, "select business_date, state from ops.affected_dates") == [(D1, "pending")]


def test_a_run_overtaken_by_another_build_publishes_nothing(
    built: tuple[Settings, int], connection: psycopg.Connection
) -> None:
    settings, run = built
    other = runs.begin(settings, D2, D2, "t")
    transform.build(settings, other)
    with pytest.raises(WarehouseError, match=f"run {other} built after it") as refused:
        publish.publish(settings, run)
    assert refused.value.do
    assert rows(connection, "select count(*) from ops.publications") == [(0,)]
    publish.publish(settings, other)
    assert rows(connection, "select business_date from ops.publications") == [(D2,)]


def test_nothing_built_is_nothing_to_publish(
    built: tuple[Settings, int], connection: psycopg.Connection
) -> None:
    connection.execute("delete from ops.build_state")
    with pytest.raises(WarehouseError, match="no build"):
        publish.publish(*built)


def test_a_record_that_comes_to_another_date_leaves_the_one_it_was_published_on(
    built: tuple[Settings, int], connection: psycopg.Connection
) -> None:
    settings, run = built
    add_case(connection, D2)
    publish.publish(settings, run)
    earlier = runs.begin(settings, D1, D1, "t")
    transform.build(settings, earlier)
    add_case(connection, D1)
    publish.publish(settings, earlier)
    assert rows(connection, "select business_date from marts.fct_cases") == [(D1,)]


def test_a_row_that_breaks_a_key_leaves_everything_as_it_was(
    built: tuple[Settings, int], connection: psycopg.Connection
) -> None:
    settings, run = built
    publish.publish(settings, run)
    again = runs.begin(settings, D1, D1, "t")
    transform.build(settings, again)
    add_case(connection, D1)
    add_case(connection, D1)
    with pytest.raises(psycopg.errors.UniqueViolation):
        publish.publish(settings, again)
    assert rows(connection, "select count(*) from marts.fct_cases") == [(0,)]
    assert rows(connection, "select count(*) from ops.publications where run_id = " + str(again)) == [(0,)]


def test_a_reader_in_a_long_transaction_neither_waits_nor_is_waited_for(
    built: tuple[Settings, int], connection: psycopg.Connection
) -> None:
    settings, run = built
    add_case(connection, D1)
    with connection.transaction():
        connection.execute("set transaction isolation level repeatable read")
        assert rows(connection, "select count(*) from marts.fct_cases") == [(0,)]
        publish.publish(settings, run)
        assert rows(connection, "select count(*) from marts.fct_cases") == [(0,)], "still the old figures"
    assert rows(connection, "select count(*) from marts.fct_cases") == [(1,)]
