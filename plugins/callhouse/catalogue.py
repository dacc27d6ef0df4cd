"""The pages of ``docs/`` that are written from the code: KPIs, marts, rules, DAGs.

``python -m callhouse.catalogue`` writes them; with ``--check`` it only says which of them are out of date and
ends with 1 if any is. Neither needs a database.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from callhouse.errors import ConfigError
from callhouse.quality.document import rules_page
from callhouse.settings import PROJECT, Settings

DOCS = PROJECT / "docs"
MODELS = PROJECT / "dbt_project" / "models"

# --- KPIs ----------------------------------------------------------------------------------------------

_KPIS = """\
<!-- Written by `make docs` from dbt_project/models/kpis/kpis.yml; edit that instead. -->
# KPI catalogue

One row per KPI of `marts.kpi_values`. A KPI with a denominator is a ratio: a coarser period or unit is the
ratio of the sums, never a mean of ratios, and a denominator of 0 gives NULL. T and S are the service-level
and the short-abandon threshold of `config/centre.yml` in force on the day; exactly T or S seconds is within.

Values come per half-hour, day and month of the centre; of each queue, where the fact knows queues; and per
day and month of each agent, for what is marked so below.
"""

_ATTRIBUTION = {
    "arrival": "half-hour of the arrival",
    "contact_date": "day of the contact",
    "shift_date": "day of the shift",
    "split": "each half-hour, its own seconds",
}


@dataclass(frozen=True)
class Kpi:
    """A metric with ``meta.kpi``: sums of ``numerator`` and ``denominator`` over the table ``fact``.

    ``aggregate`` is how the numerator is made: ``sum``, or ``max`` for the longest.
    """

    name: str
    label: str
    description: str
    fact: str
    numerator: str
    aggregate: str
    denominator: str | None
    meta: dict[str, Any]


def kpis() -> list[Kpi]:
    """The KPIs of ``kpis.yml`` in their order of display."""
    known = yaml.safe_load((MODELS / "kpis" / "kpis.yml").read_text(encoding="utf-8"))
    metrics = {metric["name"]: metric for metric in known["metrics"]}
    measures = {
        measure["name"]: (
            model["model"].split("'")[1],
            measure.get("expr", measure["name"]),
            measure["agg"],
        )
        for model in known["semantic_models"]
        for measure in model["measures"]
    }

    def summed(metric: dict[str, Any]) -> tuple[str, str, str]:
        measure = metric["type_params"]["measure"]
        return measures[measure["name"] if isinstance(measure, dict) else measure]

    found = []
    for metric in metrics.values():
        meta = metric.get("config", {}).get("meta", {})
        if not meta.get("kpi"):
            continue
        parameters = metric["type_params"]
        is_ratio = metric["type"] == "ratio"
        fact, numerator, aggregate = summed(metrics[parameters["numerator"]] if is_ratio else metric)
        denominator = summed(metrics[parameters["denominator"]])[1] if is_ratio else None
        found.append(
            Kpi(
                metric["name"],
                metric["label"],
                metric["description"],
                fact,
                numerator,
                aggregate,
                denominator,
                meta,
            )
        )
    return sorted(found, key=lambda kpi: kpi.meta["sort_order"])


def kpis_page() -> str:
    """The KPI catalogue: what each means, and from which columns it is computed."""
    meanings = (
        (
            f"`{kpi.name}`",
            str(kpi.meta["kpi_number"]),
            f"{kpi.label} {kpi.meta['label_zh']}",
            kpi.description,
            kpi.meta["unit"],
            "–" if kpi.meta["direction"] == "none" else kpi.meta["direction"],
        )
        for kpi in kpis()
    )
    formulas = (
        (
            f"`{kpi.name}`",
            f"`{kpi.numerator}`" + (" (the longest)" if kpi.aggregate == "max" else ""),
            f"`{kpi.denominator}`" if kpi.denominator else "–",
            f"[`{kpi.fact}`](marts.md#{kpi.fact})",
            _ATTRIBUTION[kpi.meta["attribution"]],
            "yes" if kpi.meta.get("by_agent") else "–",
            kpi.meta["class"],
            kpi.meta["owner"],
        )
        for kpi in kpis()
    )
    return "\n".join(
        (
            _KPIS,
            _table(("KPI", "No.", "name", "meaning", "unit", "better"), meanings),
            "## How they are computed\n",
            _table(
                (
                    "KPI",
                    "numerator: sum of",
                    "denominator: sum of",
                    "fact",
                    "counts on",
                    "of agents",
                    "class",
                    "owner",
                ),
                formulas,
            ),
        )
    )


# --- marts ---------------------------------------------------------------------------------------------

_MARTS = """\
<!-- Written by `make docs` from the YAML beside the models of dbt_project/models/; edit that instead. -->
# What can be read: schema `marts`

Every table and column carries its description as a comment in the database, too. Times are `timestamptz`,
`business_date` is the centre's local date. Columns keep their order; a new one comes at the end.
`marts.quality_results` (every answer of the gate) and `marts.quality_latest` (the latest of each rule and
date) stand beside them. BI tools read with the role `callhouse_bi`.
"""


def marts_page() -> str:
    """The published tables with grain, keys and columns."""
    models = [
        model
        for layer in ("marts", "kpis")
        for path in (MODELS / layer).glob("*.yml")
        for model in yaml.safe_load(path.read_text(encoding="utf-8")).get("models") or []
    ]
    models.sort(key=lambda model: model["name"])
    overview = ((f"[`{model['name']}`](#{model['name']})", model["description"]) for model in models)
    parts = [_MARTS, _table(("table", "what it holds, and its grain"), overview)]
    for model in models:
        columns = (
            (f"`{column['name']}`", column["data_type"], column["description"]) for column in model["columns"]
        )
        parts += [
            f"## {model['name']}\n{model['description']}\n",
            *_keys(model),
            _table(("column", "type", "meaning"), columns),
        ]
    return "\n".join(parts)


def _keys(model: dict[str, Any]) -> Iterator[str]:
    for constraint in model.get("constraints", []):
        columns = _names(constraint["columns"])
        if constraint["type"] == "primary_key":
            yield f"- Primary key: {columns}"
        elif constraint["type"] == "foreign_key":
            table, referenced = (part.strip() for part in constraint["expression"].rstrip(")").split("("))
            yield f"- {columns} → [`{table}`](#{table}), {_names(referenced.split(','))}"
    yield ""


def _names(columns: Iterable[str]) -> str:
    return ", ".join(f"`{column.strip()}`" for column in columns)


# --- DAGs ----------------------------------------------------------------------------------------------

_DAGS = """\
<!-- Written by `make docs` from dags/, imported with config/; edit those instead. -->
# DAGs

Schedules are in the centre's zone, and off until you unpause them. A run's data interval is its business
day, so a backfill names the days it does again. A failed task is tried again {retries} times, after {first}
to {last} minutes; a held gate or a wrong setting is not.
"""

_FORM = """\
## The form
Every DAG asks the same; `callhouse run --from DATE --to DATE` fills it in for you.
"""


def dags_page() -> str:
    """The DAGs that the shipped ``config/`` makes, as Airflow imports them."""
    dags = _dags()
    like_all = dags[0]
    defaults = like_all.default_args
    head = _DAGS.format(
        retries=defaults["retries"],
        first=int(defaults["retry_delay"].total_seconds() // 60),
        last=int(defaults["max_retry_delay"].total_seconds() // 60),
    )
    overview = (
        (
            f"`{dag.dag_id}`",
            dag.description or " ".join(_text(dag).split()).split(". ")[0],
            f"`{dag.timetable.summary}` {dag.timezone.name}",
            " → ".join(f"`{task.task_id}`" for task in dag.topological_sort()),
        )
        for dag in dags
    )
    params = ((name, like_all.params.get_param(name)) for name in like_all.params)
    form = (
        (f"`{name}`", param.description or "", "–" if param.value is None else str(param.value).lower())
        for name, param in params
    )
    return "\n".join(
        (
            head,
            _table(("DAG", "what it does", "schedule", "tasks, in order"), overview),
            _FORM,
            _table(("field", "meaning", "default"), form),
            *(f"## {dag.dag_id}\n{_text(dag)}\n" for dag in dags),
        )
    )


def _dags() -> list[Any]:
    """The DAGs in the order of a run, imported into a home that is thrown away."""
    from callhouse import orchestration

    folder = PROJECT / "dags"
    with tempfile.TemporaryDirectory() as home:
        settings = Settings(PROJECT / "config", Path(home), Path(home))
        os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{home}/airflow.db"
        os.environ["AIRFLOW__LOGGING__LOGGING_LEVEL"] = "ERROR"
        os.environ.update(orchestration.environment(settings))
        from airflow.dag_processing.dagbag import BundleDagBag

        bag = BundleDagBag(dag_folder=folder, bundle_path=folder, bundle_name="dags-folder")
    if bag.import_errors:
        raise ConfigError("; ".join(map(str, bag.import_errors.values())), where=str(folder), do="correct it")
    order = [f"extract_{name}" for name in settings.sources]
    order += ["warehouse_daily", *(f"report_{name}" for name in settings.reports)]
    others = sorted(bag.dags.keys() - set(order))
    return [bag.dags[dag_id] for dag_id in order + others]


def _text(dag: Any) -> str:
    """A DAG's ``doc_md`` below its heading."""
    lines = [line.strip() for line in dag.doc_md.strip().splitlines()]
    return "\n".join(lines[1:] if lines[0].startswith("#") else lines).strip()


# --- pages ---------------------------------------------------------------------------------------------

PAGES: dict[str, Callable[[], str]] = {
    "kpis.md": kpis_page,
    "marts.md": marts_page,
    "rules.md": rules_page,
    "dags.md": dags_page,
}


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    cells = ([cell.replace("|", r"\|") for cell in row] for row in rows)
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *cells))


def main(arguments: Sequence[str]) -> int:
    """Write the pages, or with ``--check`` name those that would change; 1 if there are any."""
    is_check = "--check" in arguments
    stale = []
    for name, page in PAGES.items():
        path, text = DOCS / name, page()
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(f"docs/{name}")
            if not is_check:
                path.write_text(text, encoding="utf-8")
    if stale:
        print(
            f"out of date, `make docs` writes: {' '.join(stale)}"
            if is_check
            else f"written: {' '.join(stale)}"
        )
    return int(is_check and bool(stale))


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
