"""What every DAG has in common: business days, the form's two dates, retries, tasks that explain failures.

Imports Airflow: only DAG files, the plugin and tasks import this module.
"""

# ruff: noqa: TID253 (see above)

from __future__ import annotations

import contextlib
import functools
import json
import logging
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pendulum
from airflow.sdk import Asset, Connection, Param, get_current_context, task
from airflow.sdk.exceptions import AirflowFailException, AirflowNotFoundException
from airflow.timetables.base import DagRunInfo, DataInterval, TimeRestriction
from airflow.timetables.interval import CronDataIntervalTimetable

from callhouse.errors import CallhouseError, ConfigError, GateHeld
from callhouse.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from callhouse.quality import GateResult

log = logging.getLogger(__name__)

MARTS = Asset("marts")
"""The published marts, for lineage."""

DEFAULT_SCHEDULE = {"extract": "0 4 * * *", "warehouse": "0 5 * * *"}
"""Cron times in the centre's zone; ``schedule:`` in ``centre.yml`` overrides them."""

EARLIEST = datetime(1970, 1, 1)
"""Any business date can be run, so no DAG starts later than the oldest data."""

_NEVER_BETTER_LATER = (ConfigError, GateHeld)


class BusinessDays(CronDataIntervalTimetable):
    """A run at each cron time, whose data interval is the whole business days since the run before.

    Airflow's own interval reaches from one cron time to the next (04:00 to 04:00); this one is cut at the
    midnights of its time zone, so that the interval *is* the business day (of a weekly cron: the week),
    the logical date is its midnight, and a backfill from one date to another covers both.
    """

    def next_dagrun_info(
        self, *, last_automated_data_interval: DataInterval | None, restriction: TimeRestriction
    ) -> DagRunInfo | None:
        if last_automated_data_interval is not None:
            last_automated_data_interval = DataInterval(
                self._align_to_next(last_automated_data_interval.start),
                self._align_to_next(last_automated_data_interval.end),
            )
        if restriction.latest is not None:
            restriction = restriction._replace(latest=self._local(restriction.latest).end_of("day"))
        info = super().next_dagrun_info(
            last_automated_data_interval=last_automated_data_interval, restriction=restriction
        )
        if info is None or info.data_interval is None:
            return None
        return info._replace(data_interval=self._whole_days(*info.data_interval))

    def infer_manual_data_interval(self, *, run_after: pendulum.DateTime) -> DataInterval:
        """The days the moment lies in or, while those are not over, the ones before."""
        start = self._align_to_prev(self._local(run_after).end_of("day"))
        interval = self._whole_days(start, self._get_next(start))
        if interval.end <= pendulum.now("UTC"):
            return interval
        return self._whole_days(self._get_prev(start), start)

    def _local(self, moment: pendulum.DateTime) -> pendulum.DateTime:
        return moment.in_timezone(self._timezone)

    def _whole_days(self, start: pendulum.DateTime, end: pendulum.DateTime) -> DataInterval:
        bounds = (self._local(bound).start_of("day").in_timezone("UTC") for bound in (start, end))
        return DataInterval(*bounds)


def business_days(settings: Settings, schedule: str) -> BusinessDays:
    """The timetable of a cron expression in the centre's zone, or of a key of `DEFAULT_SCHEDULE`."""
    configured = {**DEFAULT_SCHEDULE, **(settings.centre.get("schedule") or {})}
    return BusinessDays(configured.get(schedule, schedule), timezone=settings.time_zone)


def dag_options(settings: Settings, *tags: str) -> dict[str, Any]:
    """The options every DAG shares, for ``@dag(...)``."""
    return {
        "start_date": pendulum.instance(EARLIEST, tz=settings.time_zone),
        "catchup": False,
        "max_active_runs": 1,
        "tags": ["callhouse", settings.centre_name, *tags],
        "params": {
            "date_from": _date_param("From", "First business date; empty: the run's own"),
            "date_to": _date_param("To", "Last business date; the whole range is one pass"),
        },
        "default_args": {
            "owner": "callhouse",
            "retries": 4,
            "retry_delay": timedelta(minutes=1),
            "retry_exponential_backoff": True,
            "max_retry_delay": timedelta(minutes=15),
            "on_failure_callback": explain_failure,
        },
    }


def landing_asset(source: str) -> Asset:
    """The landing files of one source, for lineage."""
    return Asset(f"landing_{source}")


def step(**options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """`airflow.sdk.task` for a step that raises `CallhouseError`.

    What waiting cannot cure (a held gate, a wrong setting) fails at once; everything else is tried again
    with a growing delay.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def guarded(*args: Any, **kwargs: Any) -> Any:
            try:
                return function(*args, **kwargs)
            except _NEVER_BETTER_LATER as error:
                raise AirflowFailException(str(error)) from error

        return task(**options)(guarded)

    return decorate


def run_step(settings: Settings, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A `step` whose first argument is the run's id, and whose failure is `recorded` in ``ops.runs``.

    The argument cannot be called ``run_id``: that is Airflow's word for the id of the DAG run.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def within_run(run: int, *args: Any) -> Any:
            with recorded(settings, run):
                return function(run, *args)

        return step(**options)(within_run)

    return decorate


@contextlib.contextmanager
def recorded(settings: Settings, run_id: int) -> Iterator[None]:
    """Write the end of a step that fails into `ops.runs`, as `held` or `failed`, and let the error go on."""
    from callhouse import runs

    try:
        yield
    except BaseException as error:
        state, message = (
            "held" if isinstance(error, GateHeld) else "failed",
            str(error) or type(error).__name__,
        )
        try:
            runs.finish(settings, run_id, state, message)
        except Exception:
            log.warning("the run's end could not be written to ops.runs", exc_info=True)
        raise


def hold_if_nothing_passed(result: GateResult) -> None:
    """Stop the chain when the gate holds every date; while one passes, the others go on to publication.

    Raises:
        GateHeld: no date passed and at least one is held.
    """
    if result.held and not result.passed:
        raise GateHeld(
            f"critical rules hold {', '.join(map(str, result.held))}",
            where="marts.quality_results",
            do="correct the source or the rule and run the dates again; the old figures stay visible",
        )


def business_dates(settings: Settings) -> tuple[date, date]:
    """First and last business date of the running task's DAG run: the form's, else its data interval's.

    Raises:
        ConfigError: the dates are no dates or the wrong way round.
    """
    context = get_current_context()
    params = context["params"]
    asked = [params.get("date_from"), params.get("date_to")]
    if any(asked):
        return parse_dates(asked[0] or asked[1], asked[1] or asked[0])
    start, end = context["dag_run"].data_interval_start, context["dag_run"].data_interval_end
    if start is None or end is None:
        yesterday = pendulum.yesterday(settings.time_zone).date()
        return yesterday, yesterday
    zone = pendulum.timezone(settings.time_zone)
    return start.astimezone(zone).date(), end.astimezone(zone).date() - timedelta(days=1)


def smtp_connection() -> str | None:
    """The Airflow connection ``smtp`` as JSON, wherever Airflow keeps it; None when there is none."""
    try:
        found = Connection.get("smtp")
    except AirflowNotFoundException:
        return None
    fields = ("conn_type", "host", "port", "login", "password", "extra")
    return json.dumps({name: getattr(found, name) for name in fields})


def parse_dates(date_from: str, date_to: str) -> tuple[date, date]:
    """Two ISO dates, in order.

    Raises:
        ConfigError: they are not.
    """
    try:
        first, last = date.fromisoformat(str(date_from)), date.fromisoformat(str(date_to))
    except ValueError as error:
        raise ConfigError(f"not a date: {error}", where="date_from, date_to", do="write YYYY-MM-DD") from None
    if first > last:
        raise ConfigError(f"{first} is after {last}", where="date_from, date_to", do="swap the two dates")
    return first, last


def explain_failure(context: Context) -> None:
    """Failure callback of every task: says in the task's log what happened, where and what to do."""
    error = context.get("exception")
    if isinstance(error, AirflowFailException) and error.__cause__:
        error = error.__cause__
    failures.append((context["ti"].task_id, error))
    if isinstance(error, CallhouseError):
        log.error("what: %s | where: %s | do: %s", error.what, error.where or "–", error.do or "–")


failures: list[tuple[str, BaseException | None]] = []
"""(task, error) of the tasks that failed in this process, for `orchestration.run`."""


def _date_param(title: str, description: str) -> Param:
    return Param(None, type=["null", "string"], format="date", title=title, description=description)
