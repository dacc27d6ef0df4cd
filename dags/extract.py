"""`extract_<source>`: one DAG per entry of `config/sources.yml`."""

from __future__ import annotations

from airflow.sdk import dag

from callhouse.scheduling import business_dates, business_days, dag_options, landing_asset, step
from callhouse.settings import Source, load_settings

settings = load_settings()


def extract_dag(source: Source) -> None:
    """Declare the DAG of one source."""

    @dag(
        f"extract_{source.name}",
        dag_display_name=f"Extract: {source.label}",
        description=f"Files of {source.label} to the landing folder",
        doc_md=f"""### {source.label}
Asks source `{source.name}` (kind `{source.kind}`) for the run's business dates and keeps what it said,
unchanged, as landing files. The same file twice makes no second copy. `warehouse_daily` loads them.""",
        schedule=business_days(settings, "extract"),
        **dag_options(settings, "extract", source.kind),
    )
    def flow() -> None:
        @step(outlets=[landing_asset(source.name)])
        def extract() -> None:
            from callhouse import landing

            landing.extract(settings, source.name, *business_dates(settings))

        extract()

    flow()


for entry in settings.sources.values():
    extract_dag(entry)
