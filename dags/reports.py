"""`report_<name>`: one DAG per entry of `config/reports.yml`."""

from __future__ import annotations

from typing import Any

from airflow.sdk import dag

from callhouse.scheduling import MARTS, business_dates, business_days, dag_options, smtp_connection, step
from callhouse.settings import load_settings

settings = load_settings()


def report_dag(name: str, report: dict[str, Any]) -> None:
    """Declare the DAG of one report."""
    label = (report.get("label") or {}).get("en", name)

    @dag(
        f"report_{name}",
        dag_display_name=f"Report: {label}",
        description=f"{label}, by e-mail or to the outbox",
        doc_md=f"""### {label}
Renders report `{name}` from the published marts for the run's business dates, archives and delivers it.
Nobody gets the same report twice; figures that are not published are not sent as if they were.""",
        schedule=business_days(settings, report["schedule"]),
        **dag_options(settings, "report"),
    )
    def flow() -> None:
        @step(inlets=[MARTS])
        def send() -> None:
            from callhouse import reports

            reports.send(settings, name, *business_dates(settings), smtp=smtp_connection)

        send()

    flow()


for report_name, entry in settings.reports.items():
    report_dag(report_name, entry)
