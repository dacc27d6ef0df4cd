"""Every rule holds on clean days and fails on its own planted violation, and on nothing else's."""

from __future__ import annotations

import subprocess
import sys
from datetime import date
from typing import Any

import pytest

from callhouse.errors import ConfigError
from callhouse.postgres import connect
from callhouse.quality.document import PAGE, rules_page
from callhouse.quality.gate import _dates, _parameters
from callhouse.quality.measure import Measurements, measure
from callhouse.quality.rulebook import Principle, rules
from callhouse.settings import PROJECT, Settings
from expectations import collection, crucial

from .conftest import CENTRE, SOURCES

MONDAY = date(2024, 3, 4)
TUESDAY = date(2024, 3, 5)

# The change that breaks each rule, and nothing else it could break.
PLANTED = {
    # collection
    "every_source_delivered": "delete from staging.stg_delimited__calls where business_date = '2024-03-04'",
    "no_row_count_has_collapsed": """
        insert into staging.stg_asterisk_queue_log__events
            (source, stream, business_date, event, _load_id, _line)
        select 'pbx', 'queue_log', '2024-03-04'::date - 7 * weeks, 'CONNECT', 0, line
        from generate_series(1, 4) as before (weeks), generate_series(501, 1200) as lines (line)
        """,
    "no_field_is_unknown": "update ops.loads set new_fields = '{floor,mood}' where stream = 'calls'",
    "landed_files_are_loaded": "update ops.loads set state = 'failed' where stream = 'calls'",
    "loads_add_up": """
        alter table ops.loads drop constraint loads_every_row_is_accounted_for;
        update ops.loads set rows_loaded = rows_loaded - 1 where stream = 'calls'
        """,
    "rejects_have_a_reason": "update ops.rejects set reason = ' ' where line = 1",
    "rejected_rows_are_kept": "delete from ops.rejects where line = 1",
    "few_rows_are_rejected": """
        update ops.loads set rows_in = rows_in + 12, rows_rejected = rows_rejected + 12
        where stream = 'queue_log';
        insert into ops.rejects (load_id, source, stream, stage, line, bytes, reason)
        select load_id, source, stream, 'staging', line, 'x', 'no time'
        from ops.loads, generate_series(3, 14) as lines (line) where stream = 'queue_log'
        """,
    "rejects_stay_below_a_tenth": """
        update ops.loads set rows_in = rows_in + 200, rows_rejected = rows_rejected + 200
        where stream = 'queue_log';
        insert into ops.rejects (load_id, source, stream, stage, line, bytes, reason)
        select load_id, source, stream, 'staging', line, 'x', 'no time'
        from ops.loads, generate_series(3, 202) as lines (line) where stream = 'queue_log'
        """,
    "events_are_staged_without_loss": "delete from staging.stg_asterisk_queue_log__events where _line = 7",
    "agent_names_are_whole": """
        update staging.stg_delimited__calls set agent_id = 'NO_SERVERAMA' where agent_id = 'DORIT'
        """,
    "data_reaches_the_last_date": """
        update ops.runs set date_to = '2024-03-06';
        """,
    "event_times_are_plausible": """
        update staging.stg_asterisk_queue_log__events set event_at = '1970-01-01 00:00Z'
        where business_date = '2024-03-04'
        """,
    "who_leaves_a_queue_has_entered_it": """
        update staging.stg_asterisk_queue_log__events set event = 'ABANDON' where _line = 7
        """,
    # rhythm
    "the_date_has_calls": "update ops.build_state set dates = '{2024-03-04,2024-03-05,2024-03-06}'",
    "no_half_hour_is_missing": """
        delete from build.fct_queue_intervals where interval_start_at = '2024-03-04 01:30Z';
        delete from build.fct_queue_visits where interval_start_at = '2024-03-04 01:30Z'
        """,
    # indicators
    "every_indicator_is_there": """
        delete from build.kpi_values where kpi_id = 'satisfaction' and period_type = 'month'
        """,
    "every_busy_queue_has_its_indicators": """
        delete from build.kpi_values
        where kpi_id = 'service_level_f3' and unit_type = 'queue' and period_start_date = '2024-03-04'
        """,
    "numerator_and_denominator_are_kept": """
        update build.kpi_values set denominator = null where kpi_id = 'satisfaction' and value is not null
        """,
    "indicators_are_labelled": "update build.dim_kpi set label_zh = '' where kpi_id = 'offered'",
    "targets_have_an_owner": "update build.dim_kpi set owner = null where kpi_id = 'satisfaction'",
    "status_agrees_with_the_target": """
        update build.kpi_values set status = 'met' where status = 'missed' and period_type = 'day'
        """,
    "definitions_are_unchanged": """
        update build.dim_kpi set definition_hash = 'x' where kpi_id = 'service_level_f3'
        """,
    "three_periods_can_be_compared": "delete from marts.kpi_values where period_start_date = '2024-02-19'",
    "days_are_the_sum_of_their_half_hours": """
        update build.kpi_values set denominator = denominator - 1
       
        where kpi_id = 'service_level_f3' and period_type = 'half_hour'
          and period_start_at = '2024-03-04 01:30Z'
        """,
    "ratios_lie_between_zero_and_one": """
        update build.kpi_values set value = 1.01, numerator = 1.01
        where kpi_id = 'satisfaction' and period_start_date = '2024-03-05'
        """,
    # contacts
    "contacts_are_counted_once": """
        insert into build.fct_contacts select * from build.fct_contacts where contact_id = 'c3'
        """,
    "contact_times_are_plausible": """
        update build.fct_contacts set started_at = now() + interval '2 days', ended_at = null
        where contact_id = 'c1'
        """,
    "contacts_end_after_they_start": """
        update build.fct_contacts set ended_at = started_at - interval '1 second' where contact_id = 'c1'
        """,
    "contacts_know_how_they_ended": "update build.fct_contacts set outcome = null where contact_id = 'c3'",
    # visits
    "visits_are_counted_once": """
        insert into build.fct_queue_visits select * from build.fct_queue_visits where outcome = 'abandoned';
        update build.fct_queue_intervals
        set offered_count = 2, abandoned_count = 2, abandoned_in_threshold_count = 2,
          short_abandoned_count = 2, wait_seconds = 6
        where abandoned_count = 1
        """,
    "intervals_equal_their_visits": """
        update build.fct_queue_intervals set wait_seconds = wait_seconds + 1
        where business_date = '2024-03-04'
        """,
    "every_visit_has_its_contact": "delete from build.fct_contacts where contact_id = 'c2'",
    "every_visit_has_its_queue": "delete from build.dim_queue",
    "outcomes_add_up": """
        update build.fct_queue_visits set in_progress_count = 1 where outcome = 'abandoned';
        update build.fct_queue_intervals set in_progress_count = 1 where abandoned_count = 1
        """,
    "answered_in_time_is_part_of_answered": """
        update build.fct_queue_visits set answered_in_threshold_count = 1 where outcome = 'abandoned';
        update build.fct_queue_intervals set answered_in_threshold_count = 1 where abandoned_count = 1
        """,
    "abandoned_in_time_is_part_of_abandoned": """
        update build.fct_queue_visits set abandoned_in_threshold_count = 2 where outcome = 'abandoned';
        update build.fct_queue_intervals set abandoned_in_threshold_count = 2 where abandoned_count = 1
        """,
    "short_abandons_lie_within_the_threshold": """
        update build.fct_queue_visits set abandoned_in_threshold_count = 0 where outcome = 'abandoned';
        update build.fct_queue_intervals set abandoned_in_threshold_count = 0 where abandoned_count = 1
        """,
    "visits_end_after_they_start": """
        update build.fct_queue_visits set left_at = entered_at - interval '1 second'
        where outcome = 'abandoned'
        """,
    "seconds_are_not_negative": """
        update build.fct_queue_visits set hold_seconds = -1 where outcome = 'abandoned';
        update build.fct_queue_intervals set hold_seconds = -1 where abandoned_count = 1
        """,
    "answered_visits_have_a_wait": """
        update build.fct_queue_visits set wait_seconds = null where entered_at = '2024-03-04 01:05Z'
        """,
    "talks_last_at_most_a_shift": """
        update build.fct_queue_visits set talk_seconds = 28801 where entered_at = '2024-03-04 01:05Z';
        update build.fct_queue_intervals set talk_seconds = 28801
        where interval_start_at = '2024-03-04 01:00Z'
        """,
    # agents
    "answered_legs_belong_to_answered_visits": """
        insert into build.fct_agent_legs select 'x', visit_key, business_date, '1002', 'answered',
          left_at, left_at from build.fct_queue_visits where outcome = 'abandoned'
        """,
    "agents_talk_to_one_caller_at_a_time": """
        update build.fct_agent_legs set ended_at = '2024-03-05 01:40:06Z'
        where answered_at = '2024-03-05 01:05:20Z'
        """,
    # people
    "answered_visits_have_an_agent": """
        update build.dim_agent set agent_id = 'ANO_SERVERT' where agent_id = '1001'
        """,
    "scores_lie_within_their_scale": """
        update build.fct_surveys set score = 6, valid_count = 0 where score = 5
        """,
    "surveys_belong_to_a_contact": "update build.fct_surveys set is_contact_known = false where score = 5",
    "cases_close_after_they_open": """
        update build.fct_cases set closed_at = '2024-03-04 01:09Z' where closed_at is not null
        """,
    "shifts_end_after_they_start": """
        update build.fct_attendance set last_out_at = first_in_at - interval '1 minute'
        """,
    "shifts_are_attended_at_most_once": """
        update build.fct_attendance set attended_count = 2 where attended_count = 1
        """,
    "an_agent_is_in_one_state_at_a_time": """
        update build.fct_agent_states set ended_at = '2024-03-04 01:11Z' where state = 'available'
        """,
    "half_hours_of_agents_are_half_hours": """
        update build.fct_agent_intervals set talk_seconds = talk_seconds + 1
        """,
    "an_agents_endings_are_among_their_calls": """
        update build.fct_agent_intervals set transferred_count = 1 where agent_hung_up_count = 1
        """,
    "few_ends_of_states_are_worked_out": """
        update build.fct_agent_states set is_end_inferred = true where state = 'talk'
        """,
}

# Where one fault cannot be planted without another rule seeing it, too.
ALSO_FAILS = {
    "landed_files_are_loaded": set(),
    "rejects_stay_below_a_tenth": {"few_rows_are_rejected"},
    # The day after the data ends has no files, calls, indicators or earlier weeks.
    "data_reaches_the_last_date": {"every_source_delivered"},
    "the_date_has_calls": {"every_indicator_is_there", "three_periods_can_be_compared"},
}


def counted(settings: Settings, stage: Any) -> Measurements:
    with connect(settings, "callhouse_build") as connection:
        date_to, dates = _dates(connection, 1, stage)
        return measure([connection], rules(stage), dates, _parameters(settings, 1, date_to, dates))


def broken(settings: Settings) -> set[str]:
    """The rules that do not hold, by their counts (that the judge agrees with these, test_gate proves)."""
    tolerated = {known.name: known.tolerance for known in rules()}
    found: set[str] = set()
    for stage in ("staging", "build"):
        measured = counted(settings, stage)
        assert measured.errors == {}
        found |= {row.rule for row in measured.rows if row.share > tolerated[row.rule]}
    return found


def test_every_rule_holds_on_the_clean_days(settings: Settings) -> None:
    assert broken(settings) == set()


def test_every_rule_has_something_to_check_on_the_clean_days(settings: Settings) -> None:
    rows = counted(settings, "staging").rows + counted(settings, "build").rows
    assert {row.rule for row in rows if row.checked_count > 0} == {known.name for known in rules()}


def test_every_rule_has_a_planted_violation() -> None:
    assert set(PLANTED) == {known.name for known in rules()}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_violation_breaks_its_rule_alone(settings: Settings, execute: Any, name: str) -> None:
    execute(PLANTED[name])
    assert broken(settings) == {name} | ALSO_FAILS.get(name, set())


def collapsed(settings: Settings) -> dict[date | None, tuple[int, int, str | None]]:
    rows = counted(settings, "staging").of("no_row_count_has_collapsed")
    return {row.business_date: (row.checked_count, row.violation_count, row.detail) for row in rows}


def test_a_collapsed_row_count_is_named_with_its_figures_on_its_date_alone(
    settings: Settings, execute: Any
) -> None:
    execute(PLANTED["no_row_count_has_collapsed"])
    assert collapsed(settings) == {
        MONDAY: (1, 1, "pbx.queue_log: 497 rows, usually 1200"),
        TUESDAY: (1, 0, None),
    }


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ("select", (1, 1)),
        # The middle of the four counts, whatever one odd week had.
        ("delete from staging.stg_asterisk_queue_log__events where business_date = '2024-02-26'", (1, 1)),
        # Three weeks are no measure, nor unpublished dates; older ones stand in for up to ten weeks.
        ("delete from ops.publications where business_date = '2024-02-12'", (0, 0)),
        (
            "delete from ops.publications where business_date = '2024-02-12';"
            "insert into ops.publications (run_id, business_date) values (2, '2024-01-29')",
            (1, 1),
        ),
        # Small numbers vary.
        (
            "delete from staging.stg_asterisk_queue_log__events"
            " where business_date < '2024-03-04' and _line > 99",
            (0, 0),
        ),
        # Nothing at all, where nothing was delivered, and where something was.
        (
            "delete from staging.stg_asterisk_queue_log__events where business_date = '2024-03-04';"
            "update ops.landing_files set window_from = '2024-03-05'",
            (0, 0),
        ),
        ("delete from staging.stg_asterisk_queue_log__events where business_date = '2024-03-04'", (1, 1)),
    ],
)
def test_a_row_count_is_compared_with_four_published_weeks_where_these_say_something(
    settings: Settings, execute: Any, change: str, verdict: tuple[int, int]
) -> None:
    execute(PLANTED["no_row_count_has_collapsed"])
    execute(change)
    assert collapsed(settings)[MONDAY][:2] == verdict


@pytest.mark.parametrize(
    ("centre", "row_counts", "verdict"),
    [
        ({}, {"below": 0.4}, (1, 0)),
        ({}, {"minimum": 1300}, (0, 0)),
        ({}, False, (0, 0)),
        ({}, {"accept": [{"date": MONDAY, "reason": "moved house"}]}, (0, 0)),
        ({}, {"accept": [{"date": TUESDAY, "reason": "another day"}]}, (1, 1)),
        ({"holidays": [MONDAY]}, {}, (0, 0)),
        ({"holidays": [date(2024, 2, 26)]}, {}, (0, 0)),
    ],
)
def test_what_is_few_can_be_declared_and_accepted(
    settings: Settings,
    make_settings: Any,
    execute: Any,
    centre: Any,
    row_counts: Any,
    verdict: tuple[int, int],
) -> None:
    execute(PLANTED["no_row_count_has_collapsed"])
    sources = SOURCES | {"pbx": SOURCES["pbx"] | {"row_counts": row_counts}}
    declared = make_settings(sources=sources, centre=CENTRE | centre)
    assert collapsed(declared).get(MONDAY, (0, 0))[:2] == verdict


def test_a_directory_is_judged_by_the_rows_of_its_files(settings: Settings, execute: Any) -> None:
    execute(
        """
        insert into ops.landing_files
            (source, stream, path, original_name, window_from, window_to, byte_count, sha256)
        select 'directory', 'agents', days::text, 'agents.csv', days - 6, days, 1, days::text
        from unnest('{2024-02-05,2024-02-12,2024-02-19,2024-02-26,2024-03-04}'::date[]) as mondays (days);
        insert into ops.loads (landing_id, source, stream, state, rows_in, rows_loaded, rows_rejected)
        select landing_id, source, stream, 'staged', rows_in, rows_in, 0
        from ops.landing_files,
            lateral (select case window_to when '2024-03-04' then 40 else 400 end) as delivered (rows_in)
        where source = 'directory'
        """
    )
    assert collapsed(settings)[MONDAY] == (2, 1, "directory.agents: 40 rows, usually 400")


@pytest.mark.parametrize(
    "row_counts",
    [
        True,
        {"under": 0.5},
        {"below": 2},
        {"minimum": 0},
        {"accept": [{"date": MONDAY}]},
        {"accept": [{"date": "2024-03-04", "reason": "x"}]},
        {"accept": [{"date": MONDAY, "reason": " "}]},
    ],
)
def test_row_counts_that_make_no_sense_are_refused(make_settings: Any, row_counts: Any) -> None:
    made = make_settings(sources={"pbx": SOURCES["pbx"] | {"row_counts": row_counts}})
    with pytest.raises(ConfigError, match="row_counts"):
        _ = made.sources


def test_a_file_of_which_no_row_could_be_used_counts_for_the_last_date_it_was_asked_for(
    settings: Settings, execute: Any
) -> None:
    execute(
        """
        insert into ops.landing_files
            (source, stream, path, original_name, window_from, window_to, byte_count, sha256)
        values ('connect', 'contact_records', 'x', 'records.json', '2024-03-01', '2024-03-05', 1, 'x');
        insert into ops.loads (landing_id, source, stream, state, rows_in, rows_loaded, rows_rejected)
        select landing_id, source, stream, 'staged', 500, 0, 500
        from ops.landing_files where source = 'connect';
        insert into ops.rejects (load_id, source, stream, stage, line, bytes, reason)
        select load_id, source, stream, 'staging', line, 'x', 'ContactId: missing'
        from ops.loads, generate_series(1, 500) as lines (line) where source = 'connect'
        """
    )
    rows = counted(settings, "staging").of("rejects_stay_below_a_tenth")
    assert {row.business_date: row.share > 0.1 for row in rows} == {MONDAY: False, TUESDAY: True}


def test_a_violation_is_counted_on_its_own_date(settings: Settings, execute: Any) -> None:
    execute(PLANTED["visits_end_after_they_start"])
    rows = counted(settings, "build").of("visits_end_after_they_start")
    assert {row.business_date: (row.checked_count, row.violation_count) for row in rows} == {
        MONDAY: (2, 1),
        TUESDAY: (2, 0),
    }


def test_an_empty_warehouse_breaks_no_critical_rule_about_rows(settings: Settings, execute: Any) -> None:
    execute(
        "truncate build.fct_contacts, build.fct_queue_visits, build.fct_agent_legs, build.fct_queue_intervals"
    )
    measured = counted(settings, "build")
    assert measured.errors == {}
    assert {row.checked_count for row in measured.of("outcomes_add_up")} == {0}
    assert {row.share for row in measured.of("outcomes_add_up")} == {0.0}
    assert {row.share for row in measured.of("the_date_has_calls")} == {1.0}


def test_before_the_first_publication_no_definition_has_changed(settings: Settings, execute: Any) -> None:
    execute("truncate marts.dim_kpi")
    rows = counted(settings, "build").of("definitions_are_unchanged")
    assert [(row.checked_count, row.violation_count) for row in rows] == [(0, 0)]


def test_a_visit_after_midnight_belongs_to_a_contact_published_with_the_day_before(
    settings: Settings, execute: Any
) -> None:
    execute("insert into marts.fct_contacts select * from build.fct_contacts where contact_id = 'c2'")
    execute("delete from build.fct_contacts where contact_id = 'c2'")
    assert broken(settings) == set()


def test_a_leg_after_midnight_belongs_to_a_visit_published_with_the_day_before(
    settings: Settings, execute: Any
) -> None:
    execute("insert into marts.fct_queue_visits select * from build.fct_queue_visits where visit_key = 'c1'")
    execute("delete from build.fct_queue_visits where visit_key = 'c1'")
    assert "answered_legs_belong_to_answered_visits" not in broken(settings)


def test_what_cannot_be_decided_counts_as_a_violation(settings: Settings, execute: Any) -> None:
    execute("update build.fct_queue_visits set flowed_out_count = null where outcome = 'abandoned'")
    assert "outcomes_add_up" in broken(settings)


def test_all_seven_letters_have_rules() -> None:
    assert {known.principle for known in rules()} == set(Principle)
    assert [letter.value.letter for letter in Principle] == list("CRUCIAL")


def test_every_rule_says_what_it_is_in_two_languages_and_what_to_do() -> None:
    for known in rules():
        assert known.en.endswith(".") and known.zh.endswith("。") and known.remedy.endswith("."), known.name


def test_the_rules_about_what_arrived_know_every_staging_model_of_dated_records() -> None:
    models = {path.stem for path in (PROJECT / "dbt_project" / "models" / "staging").rglob("*.sql")}
    undated = {f"stg_delimited__{record}" for record in ("agents", "customers", "queues")}
    assert set(collection._STAGED) == models - undated


def test_two_rules_of_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="two rules named 'outcomes_add_up'"):
        crucial.rule(
            "outcomes_add_up", Principle.LOGICAL, "info", en="", zh="", stage="build", subject="x",
            violates="true", remedy="",
        )  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": "No such name!"}, "plain word"),
        ({"violates": None}, "either"),
        ({"query": "select 1"}, "either"),
        ({"tolerance": 1.0}, "tolerance"),
    ],
)
def test_a_rule_that_makes_no_sense_is_refused(wrong: dict[str, Any], message: str) -> None:
    known = {"name": "sensible", "violates": "true"} | wrong
    name = known.pop("name")
    with pytest.raises(ValueError, match=message):
        crucial.rule(
            name, Principle.LOGICAL, "info", en="", zh="", stage="build", subject="x", remedy="", **known
        )
    assert name not in {registered.name for registered in rules()}


def test_importing_the_rules_imports_nothing_heavy() -> None:
    code = (
        "import sys, expectations, callhouse.quality; "
        "print([m for m in ('great_expectations', 'pandas', 'sqlalchemy.engine') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True
    )
    assert "great_expectations" not in done.stdout and "pandas" not in done.stdout


def test_the_rule_book_is_the_one_in_docs() -> None:
    assert PAGE.read_text(encoding="utf-8") == rules_page(), (
        "run: python -m callhouse.quality.document > docs/rules.md"
    )
