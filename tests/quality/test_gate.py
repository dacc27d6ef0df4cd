"""The gate keeps every result, holds the dates that are unfit, and tells an error from a failure."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from callhouse import quality
from callhouse.errors import WarehouseError
from callhouse.quality import GateResult, judge
from callhouse.quality.judge import verdict
from callhouse.quality.rulebook import Principle, rules
from callhouse.settings import Settings
from expectations import crucial

MONDAY = date(2024, 3, 4)
TUESDAY = date(2024, 3, 5)

NEGATIVE = """
update build.fct_queue_visits set hold_seconds = -1 where outcome = 'abandoned';
update build.fct_queue_intervals set hold_seconds = -1 where abandoned_count = 1
"""


def outcomes(result: GateResult, name: str) -> dict[date | None, str]:
    return {each.business_date: each.outcome for each in result.results if each.rule.name == name}


def states(execute: Any) -> dict[date, tuple[str, str | None]]:
    return {
        day: (state, reason)
        for day, state, reason in execute("select business_date, state, reason from ops.affected_dates")
    }


@pytest.fixture
def extra_rule() -> Any:
    """Registers a rule for one test."""
    added: list[str] = []

    def add(name: str, severity: crucial.Severity = "critical", **over: Any) -> crucial.Rule:
        form = {"stage": "build", "subject": "fct_queue_visits"} | over
        known = crucial.rule(
            name, Principle.LOGICAL, severity, en="Planted.", zh="测试。", remedy="None.", **form
        )
        added.append(name)
        return known

    yield add
    for name in added:
        del crucial._rules[name]


def test_clean_days_pass_both_stages_and_every_result_is_kept(settings: Settings, execute: Any) -> None:
    for stage in ("staging", "build"):
        result = quality.check(settings, 1, stage)
        assert {each.outcome for each in result.results} == {"pass"}
        assert (result.stage, result.passed, result.held) == (stage, [MONDAY, TUESDAY], [])
    kept = execute(
        "select stage, rule, business_date, outcome, principle, severity from marts.quality_results"
    )
    expected = {
        (known.stage, known.name, day, "pass", known.principle.key, known.severity)
        for known in rules()
        for day in ([None] if known.is_run_wide else [MONDAY, TUESDAY])
    }
    assert len(kept) == len(expected) and set(kept) == expected
    assert execute("select count(*) from ops.build_state where checked_at is not null") == [(1,)]
    assert set(states(execute).values()) == {("pending", None)}
    assert execute("select to_regclass('intermediate.quality_measurements')") == [(None,)]


def test_a_critical_failure_holds_its_date_and_no_other(settings: Settings, execute: Any) -> None:
    execute(NEGATIVE)
    result = quality.check(settings, 1, "build")
    assert (result.passed, result.held) == ([TUESDAY], [MONDAY])
    assert outcomes(result, "seconds_are_not_negative") == {MONDAY: "fail", TUESDAY: "pass"}
    assert states(execute) == {MONDAY: ("held", "seconds_are_not_negative"), TUESDAY: ("pending", None)}
    assert execute(
        "select checked_count, violation_count, detail from marts.quality_latest"
        " where rule = 'seconds_are_not_negative' and business_date = '2024-03-04'"
    ) == [(2, 1, "1 of 2")]


def test_a_held_date_that_passes_the_next_time_is_pending_again(settings: Settings, execute: Any) -> None:
    execute(NEGATIVE)
    assert quality.check(settings, 1, "build").held == [MONDAY]
    execute(NEGATIVE.replace("-1", "0"))
    assert quality.check(settings, 1, "build").held == []
    assert states(execute)[MONDAY] == ("pending", None)


def test_a_held_date_stays_held_since_the_first_time(settings: Settings, execute: Any) -> None:
    execute(NEGATIVE)
    quality.check(settings, 1, "build")
    since = execute("select since from ops.affected_dates where state = 'held'")
    quality.check(settings, 1, "build")
    assert execute("select since from ops.affected_dates where state = 'held'") == since


def test_what_staging_holds_stays_held_when_the_build_is_good(settings: Settings, execute: Any) -> None:
    execute(
        "update staging.stg_asterisk_queue_log__events set event_at = '1970-01-01Z'"
        " where business_date = '2024-03-05'"
    )
    assert quality.check(settings, 1, "staging").held == [TUESDAY]
    result = quality.check(settings, 1, "build")
    assert {each.outcome for each in result.results} == {"pass"}
    assert (result.passed, result.held) == ([MONDAY], [TUESDAY])
    assert states(execute)[TUESDAY] == ("held", "event_times_are_plausible")


def test_a_critical_failure_of_the_whole_run_holds_every_date(settings: Settings, extra_rule: Any) -> None:
    extra_rule("planted_run_wide", subject="dim_kpi", date_column=None, violates="kpi_id = 'offered'")
    result = quality.check(settings, 1, "build")
    assert outcomes(result, "planted_run_wide") == {None: "fail"}
    assert (result.passed, result.held) == ([], [MONDAY, TUESDAY])


def test_warnings_and_infos_never_hold(settings: Settings, execute: Any, extra_rule: Any) -> None:
    extra_rule("planted_warning", "warning", violates="true")
    extra_rule("planted_info", "info", violates="true")
    extra_rule("planted_broken_warning", "warning", violates="no_such_column")
    result = quality.check(settings, 1, "build")
    assert outcomes(result, "planted_warning") == {MONDAY: "fail", TUESDAY: "fail"}
    assert outcomes(result, "planted_info") == {MONDAY: "fail", TUESDAY: "fail"}
    assert outcomes(result, "planted_broken_warning") == {MONDAY: "error", TUESDAY: "error"}
    assert result.held == []


@pytest.mark.parametrize(
    "form",
    [
        {"violates": "no_such_column > 0"},
        {"violates": "1 / (offered_count - 1) > 0"},
        {"violates": "outcome::integer > 0"},
        {"subject": "no_such_table", "violates": "false"},
        {"query": "select null::date, 1, 1"},
        {"query": "select business_date, 'many', 0 from build.fct_contacts"},
        {"query": "select date '2024-03-04', 1, null::bigint"},
        {"query": "select date '2024-03-04', 1"},
        {"query": "select business_date, 1, 1 from build.fct_contacts where outcome like '%a'"},
        {"query": "select business_date, 1, %(no_such_parameter)s from build.fct_contacts"},
        {"query": "delete from build.fct_contacts returning business_date, 1::bigint, 0::bigint"},
        {"query": "selct"},
    ],
    ids=lambda form: str(form),
)
def test_a_rule_that_cannot_be_evaluated_is_an_error_and_spoils_no_other(
    settings: Settings, execute: Any, extra_rule: Any, form: dict[str, Any]
) -> None:
    extra_rule("planted_error", **form)
    result = quality.check(settings, 1, "build")
    assert outcomes(result, "planted_error") == {MONDAY: "error", TUESDAY: "error"}
    assert {each.outcome for each in result.results if each.rule.name != "planted_error"} == {"pass"}
    assert result.held == [MONDAY, TUESDAY]
    assert states(execute)[MONDAY] == ("held", "planted_error")
    kept = execute(
        "select distinct outcome, checked_count from marts.quality_results where rule = 'planted_error'"
    )
    assert kept == [("error", None)]


def test_an_error_names_columns_but_never_a_value(settings: Settings, extra_rule: Any) -> None:
    extra_rule("planted_value", violates="outcome::integer > 0")
    extra_rule("planted_name", violates="no_such_column")
    details = {each.rule.name: each.detail for each in quality.check(settings, 1, "build").results}
    assert details["planted_value"] == "InvalidTextRepresentation (22P02)"
    assert details["planted_name"] == 'UndefinedColumn (42703): column "no_such_column" does not exist'


def test_a_tolerance_lets_its_share_pass_and_not_one_row_more(settings: Settings, extra_rule: Any) -> None:
    extra_rule("planted_half", violates="outcome = 'abandoned'", tolerance=0.5)
    extra_rule("planted_less", violates="outcome = 'abandoned'", tolerance=0.49)
    result = quality.check(settings, 1, "build")
    assert outcomes(result, "planted_half") == {MONDAY: "pass", TUESDAY: "pass"}
    assert outcomes(result, "planted_less") == {MONDAY: "fail", TUESDAY: "pass"}


def test_staging_covers_the_range_and_every_unpublished_date_before_its_end(
    settings: Settings, execute: Any
) -> None:
    execute("insert into ops.affected_dates (business_date) values ('2024-01-10'), ('2024-03-06')")
    result = quality.check(settings, 1, "staging")
    assert result.passed == [date(2024, 1, 10), MONDAY, TUESDAY]


def test_no_dates_give_no_results(settings: Settings, execute: Any) -> None:
    execute("update ops.build_state set dates = '{}'")
    assert quality.check(settings, 1, "build") == GateResult("build", (), [], [])


def test_another_runs_figures_are_refused(settings: Settings, execute: Any) -> None:
    execute(
        "insert into ops.runs (label, date_from, date_to, state)"
        " select label, date_from, date_to, state from ops.runs"
    )
    with pytest.raises(WarehouseError, match="run 2 has no figures in schema build: they are of run 1"):
        quality.check(settings, 2, "build")
    with pytest.raises(WarehouseError, match="there is no run 9"):
        quality.check(settings, 9, "staging")


def test_no_value_of_a_row_reaches_great_expectations(
    settings: Settings, execute: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from great_expectations.datasource.fluent.interfaces import Batch

    seen: list[Any] = []
    validate = Batch.validate

    def remember(self: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(validate(self, *arguments, **options))
        return seen[-1]

    monkeypatch.setattr(Batch, "validate", remember)
    execute(NEGATIVE)
    execute("update build.fct_contacts set contact_id = '13912345678'")
    quality.check(settings, 1, "build")
    assert len(seen) == 1
    assert {json.dumps(each.result) for each in seen[0].results} == {"{}"}
    assert "13912345678" not in json.dumps(seen[0].to_json_dict())
    failed = [each for each in seen[0].results if not each.success]
    assert [each.expectation_config.meta["rule"] for each in failed] == ["seconds_are_not_negative"]
    assert failed[0].expectation_config.meta["principle"] == "logical"
    assert failed[0].expectation_config.severity == "critical"


def test_both_shapes_of_an_exception_are_errors() -> None:
    flat = {"raised_exception": True, "exception_message": "x", "exception_traceback": None}
    assert verdict(False, flat) == "error"
    assert verdict(False, {"MetricConfigurationID(…)": flat}) == "error"
    assert verdict(True, flat) == "error"
    assert verdict(None, None) == "error"
    assert verdict(True, {**flat, "raised_exception": False}) == "pass"
    assert verdict(False, {**flat, "raised_exception": False}) == "fail"


def test_a_verdict_that_does_not_fit_the_counts_is_an_error(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def all_fail(*_: object) -> dict[str, judge.Outcome]:
        return {known.name: "fail" for known in rules("build")}

    monkeypatch.setattr("callhouse.quality.gate.judge", all_fail)
    result = quality.check(settings, 1, "build")
    assert {each.outcome for each in result.results} == {"error"}
    assert result.held == [MONDAY, TUESDAY]


def test_the_judge_leaves_no_connection_behind(settings: Settings, execute: Any) -> None:
    quality.check(settings, 1, "build")
    others = execute(
        "select application_name, state from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid() and backend_type = 'client backend'"
    )
    assert others == []
