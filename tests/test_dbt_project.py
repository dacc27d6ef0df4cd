"""The dbt project: its unit tests, its data tests on planted faults, and that all of it is described."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
import pytest

from callhouse import publish, runs, transform
from callhouse.settings import Settings

MONDAY = date(2025, 1, 6)


@pytest.fixture
def empty_build(settings: Settings) -> Settings:
    """A warehouse in which Monday was built from nothing: every table is there, none has a row of a call."""
    run_id = runs.begin(settings, MONDAY, MONDAY, "test")
    transform.stage(settings, run_id)
    transform.build(settings, run_id)
    return settings


def dbt(settings: Settings, *arguments: str) -> Any:
    """What dbt, in this process, answers to a command."""
    from dbt.cli.main import dbtRunner

    options = ["--log-level", "none", "--log-path", str(settings.logs_dir), "--no-send-anonymous-usage-stats"]
    return dbtRunner().invoke([*options, *arguments, *transform.dbt_arguments(settings)])


def results_of(outcome: Any) -> dict[str, tuple[str, str]]:
    """Test's name → its status and message."""
    assert outcome.exception is None, outcome.exception
    return {result.node.name: (str(result.status), str(result.message)) for result in outcome.result.results}


def test_every_unit_test_of_the_project_passes(empty_build: Settings) -> None:
    results = results_of(dbt(empty_build, "test", "--select", "test_type:unit"))

    assert len(results) >= 30
    assert {name: result for name, result in results.items() if result[0] != "pass"} == {}


def test_every_data_test_holds_where_nothing_happened(empty_build: Settings) -> None:
    results = results_of(dbt(empty_build, "test", "--select", "test_type:data"))

    assert {name: result for name, result in results.items() if result[0] != "pass"} == {}


def test_each_planted_fault_fails_the_data_test_that_names_it(
    empty_build: Settings, connection: psycopg.Connection
) -> None:
    connection.execute(
        """
        insert into build.fct_surveys (survey_key) values ('twice'), ('twice'), (null);
        insert into build.fct_contacts (source, business_date, contact_key, visit_count)
            values ('pbx', '2025-01-06', 'pbx:1', 1), ('pbx', '2025-01-06', null, 0);
        insert into build.fct_agent_days (agent_key, business_date, answered_count)
            values ('nobody', '2025-01-06', 1);
        insert into build.fct_agent_intervals (
            agent_key, business_date, interval_start_at, talk_seconds, hold_seconds, after_call_seconds,
            ringing_seconds, away_seconds
        )
        values ('1001', '2025-01-06', '2025-01-06Z', 60, 0, 0, 0, 0);
        insert into build.dim_queue (queue_key) values ('pbx:sales');
        insert into build.fct_queue_intervals (
            queue_key, interval_start_at, business_date, offered_count, answered_count, abandoned_count,
            flowed_out_count, called_back_count, in_progress_count
        )
        select 'pbx:sales', min(interval_start_at), '2025-01-06', 3, 2, 0, 0, 0, 0 from build.dim_interval;
        insert into build.kpi_values (kpi_id, period_type, period_start_at, unit_type, unit_key, numerator)
            values ('offered', 'half_hour', '2025-01-06Z', 'centre', 'centre', 3),
                ('offered', 'half_hour', '2025-01-06Z', 'queue', 'pbx:sales', 2);
        """
    )

    results = results_of(dbt(empty_build, "test", "--select", "test_type:data"))

    assert {name for name, (status, _) in results.items() if status != "pass"} == {
        "counted_once_fct_surveys_survey_key",
        "not_null_fct_contacts_contact_key",
        "contacts_with_visits_are_their_first_visits",
        "agent_states_are_the_sums_of_their_half_hours",
        "relationships_fct_agent_days_agent_key__agent_key__ref_dim_agent_",
        "intervals_are_the_sums_of_their_visits",
        "outcomes_of_a_half_hour_add_up_to_offered",
        "the_centre_is_the_sum_of_its_queues",
    }


def test_every_mart_and_every_column_of_it_has_a_comment(
    settings: Settings, connection: psycopg.Connection
) -> None:
    publish.create_marts(settings, transform.manifest(settings))

    rows = connection.execute(
        """
        select mart.relname, attribute.attname
        from pg_class as mart
        left join pg_attribute as attribute
            on attribute.attrelid = mart.oid and (attribute.attnum > 0 and not attribute.attisdropped)
        where mart.relnamespace = 'marts'::regnamespace and mart.relkind = 'r'
            and (
                coalesce(obj_description(mart.oid, 'pg_class'), '') = ''
                or coalesce(col_description(mart.oid, attribute.attnum), '') = ''
            )
        """
    ).fetchall()
    marts = connection.execute("select count(*) from pg_tables where schemaname = 'marts'").fetchone()

    assert marts is not None and marts[0] > 10
    assert rows == []


def test_every_model_says_what_it_holds_and_what_one_row_is(settings: Settings) -> None:
    models = [
        node for node in transform.manifest(settings)["nodes"].values() if node["resource_type"] == "model"
    ]
    vague = [model["name"] for model in models if "One row per " not in model["description"]]
    blank = [
        f"{model['name']}.{column['name']}"
        for model in models
        for column in model["columns"].values()
        if not column["description"]
    ]

    assert models
    assert vague == []
    assert blank == []


def test_the_project_parses_without_a_warning_or_deprecation(settings: Settings) -> None:
    outcome = dbt(settings, "--warn-error", "--no-partial-parse", "--show-all-deprecations", "parse")

    assert outcome.success, outcome.exception
