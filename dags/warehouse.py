"""`warehouse_daily`: from landing files to published marts."""

from __future__ import annotations

from airflow.sdk import chain, dag

from callhouse import scheduling
from callhouse.settings import load_settings

settings = load_settings()


@dag(
    dag_display_name="Warehouse, daily",
    schedule=scheduling.business_days(settings, "warehouse"),
    **scheduling.dag_options(settings, "warehouse"),
)
def warehouse_daily() -> None:
    """### From landing files to published marts

    Load what has landed, build the run's business dates and every older date still unpublished, publish
    those that pass the gate. A date that fails a critical rule keeps its old figures: the run is red and
    `marts.quality_results` says why. A range of dates (the form, `callhouse run`) is one pass.
    """

    @scheduling.step(inlets=[scheduling.landing_asset(name) for name in settings.sources])
    def load() -> int:
        from callhouse import raw, runs

        run = runs.begin(settings, *scheduling.business_dates(settings), "warehouse_daily")
        with scheduling.recorded(settings, run):
            raw.load(settings, run)
        return run

    @scheduling.run_step(settings)
    def stage(run: int) -> None:
        from callhouse import transform

        transform.stage(settings, run)

    @scheduling.run_step(settings)
    def check(run: int, layer: str) -> None:
        from callhouse import quality

        scheduling.hold_if_nothing_passed(quality.check(settings, run, layer))

    @scheduling.run_step(settings)
    def build(run: int) -> None:
        from callhouse import transform

        transform.build(settings, run)

    @scheduling.run_step(settings, outlets=[scheduling.MARTS])
    def publish(run: int) -> None:
        from callhouse import publish

        publish.publish(settings, run)

    @scheduling.step(retries=0)
    def account(run: int) -> None:
        from callhouse import runs

        runs.account(settings, run)

    run = load()
    check_staging = check.override(task_id="check_staging")(run, "staging")
    check_build = check.override(task_id="check_build")(run, "build")
    chain(stage(run), check_staging, build(run), check_build, publish(run), account(run))


warehouse_daily()
