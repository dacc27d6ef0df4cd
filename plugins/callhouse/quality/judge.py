"""Counts → verdicts: Great Expectations judges the measurements, one expectation per rule.

The measurements are laid out as a table with one row per business date and one column per rule, holding
the share of its rows in violation; a rule that could not be measured has no column, so that Great
Expectations reports it as an exception. Row-level data never passes through here, and results are
BOOLEAN_ONLY: no value of any row can get into them.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import psycopg
from psycopg import sql

from callhouse.quality.measure import Measurement, Measurements
from callhouse.quality.rulebook import Rule

Outcome = Literal["pass", "fail", "error"]

logger = logging.getLogger(__name__)

_TABLE = "intermediate.quality_measurements"


def judge(
    connection: psycopg.Connection, url: str, rules: Sequence[Rule], measured: Measurements
) -> dict[str, Outcome]:
    """The verdict of each rule over the whole run, by its name.

    Args:
        connection: in autocommit mode; makes the table of measurements, which Great Expectations reads over
            a connection of its own.
        url: SQLAlchemy URL (TCP) of the same database.
    """
    _write(connection, measured.rows)
    try:
        return _validate(url, rules, _layout(connection, {row.rule for row in measured.rows}))
    finally:
        connection.execute(f"drop table {_TABLE}".encode())


def _write(connection: psycopg.Connection, rows: Sequence[Measurement]) -> None:
    connection.execute(f"drop table if exists {_TABLE}".encode())
    connection.execute(
        f"create unlogged table {_TABLE} (rule text not null, business_date date,"
        f" checked_count bigint not null,"
        f" violation_count bigint not null, share double precision not null)".encode()
    )
    with connection.cursor().copy(f"copy {_TABLE} from stdin".encode()) as copy:
        for row in rows:
            copy.write_row((row.rule, row.business_date, row.checked_count, row.violation_count, row.share))


def _layout(connection: psycopg.Connection, names: set[str]) -> str:
    columns = sql.SQL("").join(
        sql.SQL(", max(share) filter (where rule = {}) as {}").format(sql.Literal(name), sql.Identifier(name))
        for name in sorted(names)
    )
    query = sql.SQL("select business_date{} from {} group by business_date").format(columns, sql.SQL(_TABLE))
    return query.as_string(connection)


def _validate(url: str, rules: Sequence[Rule], query: str) -> dict[str, Outcome]:
    logger.info("judging %d rules", len(rules))
    import great_expectations as gx  # 5 to 10 s, once per process
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False, metric_calculations=False)
    source = context.data_sources.add_postgres("warehouse", connection_string=url, create_temp_table=False)
    suite = gx.ExpectationSuite(
        "crucial",
        expectations=[
            gx.expectations.ExpectColumnValuesToBeBetween(
                column=known.name,
                max_value=known.tolerance,
                severity=known.severity,
                meta={"rule": known.name, "principle": known.principle.key, "sentence": known.en},
            )
            for known in rules
        ],
    )
    try:
        asset = source.add_query_asset("measurements", query=query)
        batch = asset.add_batch_definition_whole_table("run").get_batch()
        validation = batch.validate(suite, result_format="BOOLEAN_ONLY")
    finally:
        # Or an open transaction keeps the table from being dropped, and idle connections stay.
        source.get_execution_engine().close()
        source.get_engine().dispose()
    verdicts = {
        result.expectation_config.meta["rule"]: verdict(result.success, result.exception_info)
        for result in validation.results
    }
    return {known.name: verdicts.get(known.name, "error") for known in rules}


def verdict(success: bool | None, exception_info: Mapping[str, Any] | None) -> Outcome:
    """Pass, fail or error of one Great Expectations result.

    ``exception_info`` comes in two shapes: flat (``raised_exception``, ``exception_message`` …), or one
    such mapping for each metric that raised. Either is an error, whatever ``success`` says.
    """
    info = exception_info or {}
    shapes = [info, *(value for value in info.values() if isinstance(value, Mapping))]
    if success is None or any(shape.get("raised_exception") for shape in shapes):
        return "error"
    return "pass" if success else "fail"
