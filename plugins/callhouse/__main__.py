"""The `callhouse` command: the same steps as the DAGs, from a shell."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

import typer

from callhouse.errors import CallhouseError, ConfigError, SourceError
from callhouse.settings import PROJECT, Settings, load_settings

if TYPE_CHECKING:
    from callhouse.orchestration import RunSummary
    from callhouse.rejects import Chosen

EXIT_CODES = (
    "[bold]Exit codes[/]: 0 done · 1 unexpected · 2 usage or configuration · 3 a source · "
    "4 the gate holds a date · 5 the warehouse or Airflow · 6 a delivery · 130 interrupted"
)
SHOWN_ROWS = 1000

app = typer.Typer(
    name="callhouse",
    help="A call centre's data warehouse: from source files to published marts and reports.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


class Stage(StrEnum):
    """Where a row was set aside."""

    LOAD = "load"
    STAGING = "staging"


rejects_app = typer.Typer(
    help="Rows that were set aside: count them, look at them, send them through again after a fix.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
app.add_typer(rejects_app, name="rejects")

Json = Annotated[bool, typer.Option("--json", help="Answer and errors as one JSON document on stdout.")]
Day = Annotated[str | None, typer.Option(metavar="YYYY-MM-DD")]
From = Annotated[str | None, typer.Option("--from", metavar="DATE", help="First business date.")]
To = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Last business date.")]
OfSource = Annotated[str | None, typer.Option("--source", help="Of this source.")]
OfStream = Annotated[str | None, typer.Option("--stream", help="Of this stream.")]
OfStage = Annotated[Stage | None, typer.Option("--stage", help="No record (load), or not usable (staging).")]
OfReason = Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="With this in the reason.")]
OfLoad = Annotated[int | None, typer.Option("--load", metavar="NUMBER", help="Of this load.")]
SetAsideFrom = Annotated[str | None, typer.Option("--from", metavar="DATE", help="Set aside on or after.")]
SetAsideTo = Annotated[str | None, typer.Option("--to", metavar="DATE", help="Set aside on or before.")]


@dataclass(frozen=True)
class Choice:
    """The options before the command's name."""

    config: Path | None
    data: Path | None
    home: Path | None

    def settings(self) -> Settings:
        """The settings, also put into the environment, where DAG files look for them."""
        settings = load_settings(self.config, self.data, self.home)
        os.environ.update(settings.environment())
        return settings


def _version(is_wanted: bool) -> None:
    if is_wanted:
        from importlib.metadata import version

        print(f"callhouse {version('callhouse')}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    config: Annotated[
        Path | None, typer.Option(help="Config folder (CALLHOUSE_CONFIG); the default is config/.")
    ] = None,
    data: Annotated[
        Path | None, typer.Option(help="Where the source files lie (CALLHOUSE_DATA); default <home>/data.")
    ] = None,
    home: Annotated[
        Path | None, typer.Option(help="Database, landing files, outbox, logs (CALLHOUSE_HOME).")
    ] = None,
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_version, is_eager=True)
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show an unexpected error's traceback.")] = False,
) -> None:
    context.obj = Choice(config, data, home)


@app.command()
def up(
    context: typer.Context,
    unpause: Annotated[bool, typer.Option("--unpause", help="Switch the DAGs' schedules on.")] = False,
    as_json: Json = False,
) -> None:
    """Start the database and a local Airflow; its pages are on this machine only."""
    from callhouse import airflow_server, console, orchestration, postgres

    settings = context.obj.settings()
    steps = console.Steps(quiet=as_json)
    steps("PostgreSQL")
    postgres.open_warehouse(settings)
    steps("PostgreSQL", "ok")
    told_before = orchestration.airflow_home(settings) / "password_told"
    was_told = told_before.exists()
    steps("Airflow")
    now = airflow_server.start(settings)
    steps("Airflow", "ok")
    if unpause:
        airflow_server.unpause_all(settings)
    passwords = orchestration.airflow_home(settings) / "secrets.json"
    if as_json:
        console.print_json({"airflow": now, "user": orchestration.ADMIN, "password_file": passwords})
        return
    told = console.out()
    told.print(f"Airflow is at [bold]{now.url}[/], user [bold]{orchestration.ADMIN}[/]", end="")
    if was_told:
        told.print(f"; the password is in {passwords} (admin_password)")
    else:
        told.print(f", password [bold]{orchestration.credentials(settings)['admin_password']}[/]")
        told.print(f"The password is shown this once; it stays in {passwords}.")
        told_before.touch()
    if not unpause:
        told.print("Schedules are off until you unpause a DAG there, or all with `callhouse up --unpause`.")
    told.print("`callhouse down` stops it all.")


@app.command()
def down(
    context: typer.Context,
    keep_database: Annotated[
        bool, typer.Option("--keep-database", help="Leave the embedded PostgreSQL running.")
    ] = False,
    destroy: Annotated[
        bool, typer.Option("--destroy", help="Also remove the embedded PostgreSQL with all its data.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Stop Airflow, every process it made, and the embedded database; data stays."""
    from callhouse import airflow_server, console, orchestration, postgres

    settings = context.obj.settings()
    ended = airflow_server.stop(settings)
    if destroy:
        postgres.destroy(settings)
        for marker in orchestration.airflow_home(settings).glob("migrated-*"):
            marker.unlink()
    elif not keep_database:
        postgres.stop(settings)
    database = postgres.status(settings)
    if as_json:
        console.print_json({"ended_processes": ended, "database": database})
        return
    kind = "embedded PostgreSQL" if database.is_embedded else "PostgreSQL (not ours to stop)"
    console.out().print(f"Airflow: stopped ({ended} processes). {kind}: {database.state}.")


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """What runs, how far the data is complete, which dates are held. Starts nothing."""
    from callhouse import airflow_server, console, postgres

    settings = context.obj.settings()
    airflow, database = airflow_server.status(settings), postgres.status(settings)
    data = _data_state(settings) if database.state == "running" else {}
    if as_json:
        console.print_json(
            {"centre": settings.centre_name, "airflow": airflow, "database": database, "data": data}
        )
        return
    services = ", ".join(f"{name} {pid}" for name, pid in airflow.services.items())
    place = f"{database.host}:{database.port}" if database.port else None
    held, last = data.get("held", []), data.get("last_run")
    rows = [
        ("centre", settings.centre_name, f"home {settings.home}"),
        ("database", database.state, " · ".join(filter(None, (place, database.version, database.message)))),
        ("airflow", airflow.state, " · ".join(filter(None, (airflow.url, services)))),
        ("published to", data.get("published_to"), f"{data.get('published_count', 0)} business dates"),
        ("held", len(held), ", ".join(map(str, held))),
        ("last run", last["state"] if last else None, last["dates"] if last else None),
    ]
    console.show_table(("", "state", "detail"), rows)


@app.command()
def run(
    context: typer.Context,
    date_from: From = None,
    date_to: To = None,
    source: Annotated[
        list[str] | None, typer.Option("--source", help="Only this source (repeat for more).")
    ] = None,
    report: Annotated[bool, typer.Option("--report/--no-report", help="Send the reports too.")] = True,
    as_json: Json = False,
) -> None:
    """Send business dates through the DAGs, in one pass: extract, warehouse, reports.

    Without dates: yesterday in the centre's zone; with one of them: that day.
    """
    settings = context.obj.settings()
    first, last = _dates(settings, date_from, date_to)
    _run(settings, first, last, source, report=report, as_json=as_json)


@app.command()
def backfill(
    context: typer.Context,
    date_from: Annotated[str, typer.Option("--from", metavar="DATE", help="First business date.")],
    date_to: Annotated[str, typer.Option("--to", metavar="DATE", help="Last business date.")],
    dag: Annotated[str, typer.Option(help="The DAG.")] = "warehouse_daily",
    once: Annotated[
        bool, typer.Option("--once", help="One pass over all dates, in this process, without reports.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Do past business dates again: in the running Airflow one run per day, or with --once in one pass."""
    from callhouse import airflow_server, console

    settings = context.obj.settings()
    first, last = _dates(settings, date_from, date_to)
    if once:
        _run(settings, first, last, None, report=False, as_json=as_json)
        return
    now = airflow_server.status(settings)
    if now.state != "running":
        raise ConfigError(
            "a backfill is made by a running Airflow, and none runs here",
            where=str(settings.home),
            do="`callhouse up` starts one; `--once` does all dates in one pass without it",
        )
    number = airflow_server.backfill(settings, dag, first, last)
    if as_json:
        console.print_json({"backfill": number, "dag": dag, "url": now.url})
        return
    console.out().print(f"Backfill {number} of {dag}, {first} to {last}: {now.url}/dags/{dag}/backfills")
    console.out().print(f"The schedule of {dag} is on now: Airflow runs nothing of a paused DAG.")


@app.command()
def sql(
    context: typer.Context,
    statement: Annotated[str, typer.Argument(help='One statement, or "-" to read it from stdin.')],
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV with a header line, all rows.")] = False,
    as_json: Json = False,
) -> None:
    """Ask the warehouse: one read-only statement. Schemas: marts, reports, staging, raw, ops."""
    from itertools import islice

    from callhouse import console, query

    text = sys.stdin.read() if statement == "-" else statement
    with query.ask(context.obj.settings(), text) as (columns, rows):
        if as_csv:
            import csv

            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(rows)
        elif as_json:
            found = [dict(zip(columns, row, strict=True)) for row in rows]
            console.print_json({"columns": columns, "rows": found})
        else:
            shown = list(islice(rows, SHOWN_ROWS))
            console.show_table(columns, shown)
            is_more = next(rows, None) is not None
            more = "; there are more, --csv gives them all" if is_more else ""
            console.err().print(f"[dim]{len(shown)} rows{more}[/]")


@app.command()
def report(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A report of reports.yml.")],
    day: Annotated[
        str | None, typer.Option("--date", metavar="DATE", help="Business date; the last published one.")
    ] = None,
    show: Annotated[bool, typer.Option("--open", help="Open it with this machine's mail program.")] = False,
    as_json: Json = False,
) -> None:
    """Send a report of published figures; who has it already does not get it twice."""
    from callhouse import console, reports

    settings = context.obj.settings()
    chosen = _date(day) if day else _last_published(settings)
    delivery = reports.send(settings, name, chosen, chosen) if chosen else None
    if delivery is None:
        raise ConfigError(
            f"nothing published for {chosen}" if chosen else "nothing is published yet",
            where="ops.publications",
            do="`callhouse run --from … --to …` publishes business dates",
        )
    if as_json:
        console.print_json({"report": name, "date": delivery.business_date, "messages": delivery.messages})
    else:
        rows = [
            (message.recipient, "sent" if message.is_new else "had it", message.channel, message.path)
            for message in delivery.messages
        ]
        console.show_table((f"{name} {delivery.business_date}", "", "by", "file"), rows)
    path = next((message.path for message in delivery.messages if message.path), None)
    if show and path:
        typer.launch(str(path))


@app.command()
def doctor(context: typer.Context, as_json: Json = False) -> None:
    """Check that everything a run needs is there, and say what to do about the rest."""
    from callhouse import console
    from callhouse.doctor import examine

    steps = console.Steps(quiet=as_json)
    checks = []
    steps("looking")
    for check in examine(context.obj.settings):
        checks.append(check)
    steps.close()
    failed = any(check.outcome == "fail" for check in checks)
    if as_json:
        console.print_json({"ok": not failed, "checks": checks})
    else:
        rows = [(console.mark(c.outcome), c.name, c.detail, c.do or None) for c in checks]
        console.show_table(("", "check", "found", "do"), rows)
    if failed:
        raise typer.Exit(2)


@app.command()
def simulate(
    context: typer.Context,
    start: Annotated[
        str | None, typer.Option("--from", "--start", metavar="DATE", help="First day; days ago by default.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, help="Number of days.")] = 1,
    calls: Annotated[int, typer.Option(min=0, help="Calls a day, on the average of a week.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed writes the same bytes.")] = 1,
    folder: Annotated[Path | None, typer.Option("--out", help="Where to; CALLHOUSE_DATA by default.")] = None,
    as_json: Json = False,
) -> None:
    """Write the files of a simulated centre, as its source systems would, and the truth beside them."""
    from callhouse import console
    from callhouse.simulate import Plan
    from callhouse.simulate import simulate as write

    settings = context.obj.settings()
    first = _date(start) if start else _yesterday(settings) - timedelta(days=days - 1)
    hours = settings.centre.get("opening_hours") or {}
    opening = {f"open_{end}": hours[end] for end in ("from", "to") if end in hours}
    target = (folder or settings.data_dir).absolute()
    steps = console.Steps(quiet=as_json)
    steps("simulate")
    summary = write(Plan(first, days, calls, seed, time_zone=settings.time_zone, **opening), target)
    steps("simulate", "ok")
    last = first + timedelta(days=days - 1)
    if as_json:
        console.print_json({"date_from": first, "date_to": last, "folder": target, "written": summary})
        return
    made = f"{summary.calls} calls, {summary.agents} agents, {summary.files} files"
    console.out().print(f"{first} to {last}: {made} in {target}")
    console.out().print(f"Next: callhouse run --from {first} --to {last}")


@rejects_app.command("list")
def list_rejects(
    context: typer.Context,
    source: OfSource = None,
    stream: OfStream = None,
    stage: OfStage = None,
    reason: OfReason = None,
    load: OfLoad = None,
    date_from: SetAsideFrom = None,
    date_to: SetAsideTo = None,
    show_lines: Annotated[
        bool, typer.Option("--lines", help="The rows themselves, with their bytes: personal data.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="At most so many rows.")] = 100,
    as_json: Json = False,
) -> None:
    """Rows that were set aside, counted by reason; --lines shows them one by one."""
    from callhouse import console, rejects

    settings = context.obj.settings()
    chosen = _chosen(source, stream, stage, reason, load, date_from, date_to)
    if show_lines:
        found = rejects.lines(settings, chosen, limit)
        columns = ("load", "file", "line", "stage", "reason", "row")
        rows: list[tuple[Any, ...]] = [
            (each.load_id, f"{each.source}.{each.stream} {each.file}", each.line, each.stage, each.reason,
             each.shown) for each in found
        ]  # fmt: skip
        answer = [
            {key: value for key, value in asdict(each).items() if key != "content"} | {"row": each.shown}
            for each in found
        ]
    else:
        counted = rejects.reasons(settings, chosen)
        columns = ("stream", "stage", "reason", "rows", "files", "last")
        zone = ZoneInfo(settings.time_zone)
        rows = [
            (f"{each.source}.{each.stream}", each.stage, each.reason, each.row_count, each.file_count,
             each.last_at.astimezone(zone).date()) for each in counted
        ]  # fmt: skip
        answer = [asdict(each) for each in counted]
    if as_json:
        console.print_json({"rejects": answer})
    elif rows:
        console.show_table(columns, rows)
    else:
        console.out().print("No row is set aside.")


@rejects_app.command("replay")
def replay_rejects(
    context: typer.Context,
    source: OfSource = None,
    stream: OfStream = None,
    stage: OfStage = None,
    reason: OfReason = None,
    load: OfLoad = None,
    date_from: SetAsideFrom = None,
    date_to: SetAsideTo = None,
    everything: Annotated[bool, typer.Option("--all", help="Every load that has rejects.")] = False,
    as_json: Json = False,
) -> None:
    """Load the files of chosen rejects anew, after the mapping, the configuration or the code was mended."""
    from callhouse import console, rejects

    settings = context.obj.settings()
    chosen = _chosen(source, stream, stage, reason, load, date_from, date_to)
    if chosen == rejects.Chosen() and not everything:
        raise ConfigError(
            "which rejects?",
            where="callhouse rejects replay",
            do="name a --source, --stream, --stage, --reason, --load or dates, or --all",
        )
    steps = console.Steps(quiet=as_json)
    steps("replay")
    try:
        done = rejects.replay(settings, chosen)
    finally:
        steps.close()
    if as_json:
        console.print_json(done)
    elif done.loads:
        rows = [
            (each.load_id, f"{each.source}.{each.stream} {each.file}", each.rows_in, each.passed,
             each.rejected, each.message or each.state) for each in done.loads
        ]  # fmt: skip
        console.show_table(("load", "file", "rows in", "passed now", "set aside", ""), rows)
        if done.dates:
            print(f"Waiting for the next run: {console.ranges(done.dates)}")
    else:
        console.out().print("No row is set aside: nothing to replay.")
    if any(each.state == "failed" for each in done.loads):
        raise typer.Exit(SourceError.exit_code)


def _chosen(
    source: str | None,
    stream: str | None,
    stage: Stage | None,
    reason: str | None,
    load: int | None,
    date_from: str | None,
    date_to: str | None,
) -> Chosen:
    from callhouse.rejects import Chosen

    first, last = (_date(text) if text else None for text in (date_from, date_to))
    return Chosen(source, stream, stage and stage.value, reason, load, first, last)


@app.command(hidden=True)
def docs(context: typer.Context) -> None:
    """dbt's pages about every table and column, as one file."""
    from dbt.cli.main import dbtRunner

    from callhouse import console, transform

    settings = context.obj.settings()
    arguments = transform.dbt_arguments(settings)
    result = dbtRunner().invoke(["docs", "generate", "--static", "--quiet", *arguments])
    if not result.success:
        raise CallhouseError(
            "dbt could not write its pages", where=str(PROJECT / "dbt_project"), do="see above"
        )
    folder = arguments[arguments.index("--target-path") + 1]
    console.out().print(f"{folder}/static_index.html")


def _run(
    settings: Settings,
    first: date,
    last: date,
    sources: list[str] | None,
    *,
    report: bool,
    as_json: bool,
) -> None:
    from callhouse import console, orchestration

    steps = console.Steps(quiet=as_json)
    steps("Airflow starts in this process")
    try:
        summary = orchestration.run(settings, first, last, sources or None, report=report, progress=steps)
    finally:
        steps.close()
    made = _made(settings, summary)
    if as_json:
        console.print_json({**_as_dict(summary), **made})
    else:
        _tell(settings, summary, made)
    if summary.exit_code:
        raise typer.Exit(summary.exit_code)


def _as_dict(summary: RunSummary) -> dict[str, Any]:
    return {
        "date_from": summary.date_from,
        "date_to": summary.date_to,
        "exit_code": summary.exit_code,
        "log": summary.log,
        "dags": [
            {
                "dag": outcome.dag_id,
                "state": outcome.state,
                "seconds": round(outcome.seconds, 1),
                "task": outcome.task_id,
                "error": outcome.error,
            }
            for outcome in summary.outcomes
        ],
    }


def _tell(settings: Settings, summary: RunSummary, made: dict[str, Any]) -> None:
    """What failed and why; what was made, where it is, and what to try next."""
    from callhouse import console
    from callhouse.console import show_error

    for outcome in summary.outcomes:
        if outcome.failed:
            error = outcome.error
            known = error if isinstance(error, CallhouseError) else _unexpected(error, summary.log)
            place = f"{outcome.dag_id}.{outcome.task_id}" if outcome.task_id else outcome.dag_id
            show_error(
                CallhouseError(f"{place}: {known.what}", where=known.where, do=known.do), as_json=False
            )
    rows = [
        ("published", console.ranges(made["published"]) or None),
        ("held", console.ranges(made["held"]) or None),
        ("rules", made["rules"]),
        ("calls", made["contacts"]),
    ]
    console.show_table((f"{summary.date_from} to {summary.date_to}", ""), rows)
    # Paths stand outside the table: one that wraps cannot be copied.
    for path in made["reports"][-3:]:
        print(f"report  {path}")
    print(f"log     {summary.log}")
    if made["published"]:
        question = (
            "select period_start_date, kpi_id, round(value, 4) as value from marts.kpi_values"
            " where period_type = 'day' and unit_type = 'centre'"
        )
        print(f'Try: {_command()} sql "{question}"')


def _command() -> str:
    """The command as this user can type it: by its path where the shell does not find it."""
    called = Path(sys.argv[0])
    return called.name if shutil.which(called.name) else os.path.relpath(called)


def _made(settings: Settings, summary: RunSummary) -> dict[str, Any]:
    """What readers see of the run's dates now."""
    dates = (summary.date_from, summary.date_to)
    with _audit(settings) as connection:

        def column(statement: str, *parameters: Any) -> list[Any]:
            return [row[0] for row in connection.execute(statement, parameters).fetchall()]

        rules = connection.execute(
            "select case outcome when 'pass' then 'passed' else severity || ' ' || outcome end, count(*)"
            " from marts.quality_results where run_id = (select max(run_id) from marts.quality_results)"
            " group by 1 order by min(outcome) <> 'pass', bool_or(severity = 'critical') desc, 1"
        ).fetchall()
        has_marts = column("select to_regclass('marts.fct_contacts') is not null")[0]
        return {
            "published": column(
                "select distinct business_date from ops.publications"
                " where business_date between %s and %s order by 1",
                *dates,
            ),
            "held": column(
                "select business_date from ops.affected_dates where state = 'held' and business_date <= %s"
                " order by 1",
                summary.date_to,
            ),
            "rules": ", ".join(f"{count} {what}" for what, count in rules) or None,
            "contacts": column(
                "select count(*) from marts.fct_contacts where business_date between %s and %s", *dates
            )[0]
            if has_marts
            else None,
            "reports": column(
                "select distinct path from ops.deliveries"
                " where period_to between %s and %s and path is not null",
                *dates,
            ),
        }


def _data_state(settings: Settings) -> dict[str, Any]:
    with _audit(settings) as connection:
        published = connection.execute(
            "select max(business_date), count(distinct business_date) from ops.publications"
        ).fetchone()
        held = connection.execute(
            "select business_date from ops.affected_dates where state = 'held' order by 1"
        ).fetchall()
        last = connection.execute(
            "select state, date_from, date_to, message from ops.runs order by run_id desc limit 1"
        ).fetchone()
    return {
        "published_to": published[0] if published else None,
        "published_count": published[1] if published else 0,
        "held": [row[0] for row in held],
        "last_run": {"state": last[0], "dates": f"{last[1]} to {last[2]}", "message": last[3]}
        if last
        else None,
    }


def _last_published(settings: Settings) -> date | None:
    found = _data_state(settings)["published_to"]
    return found if isinstance(found, date) else None


def _audit(settings: Settings) -> Any:
    from callhouse.postgres import connect

    return connect(settings, "callhouse_audit", name="callhouse command")


def _dates(settings: Settings, date_from: str | None, date_to: str | None) -> tuple[date, date]:
    """The range asked for; one date alone is that day, none is yesterday.

    Raises:
        ConfigError: no dates, or the wrong way round.
    """
    if not (date_from or date_to):
        return (_yesterday(settings),) * 2
    first, last = _date(date_from or date_to), _date(date_to or date_from)
    if first > last:
        raise ConfigError(f"{first} is after {last}", where="--from, --to", do="swap the two dates")
    return first, last


def _date(text: str | None) -> date:
    try:
        return date.fromisoformat(str(text))
    except ValueError:
        raise ConfigError(
            f"{text!r} is no date", where="the command's dates", do="write YYYY-MM-DD"
        ) from None


def _yesterday(settings: Settings) -> date:
    return datetime.now(ZoneInfo(settings.time_zone)).date() - timedelta(days=1)


def _unexpected(error: BaseException | None, log: Path) -> CallhouseError:
    what = f"unexpected {type(error).__name__}: {error}" if error else "ended without saying why"
    return CallhouseError(what, where=str(log), do="the log has the whole story")


def main(arguments: list[str] | None = None) -> None:
    """Entry point: runs the command and ends the process with its exit code."""
    sys.exit(execute(sys.argv[1:] if arguments is None else arguments))


def execute(arguments: list[str]) -> int:
    """Run one command; its exit code. Errors are shown, never raised."""
    as_json, debug = "--json" in arguments, "--debug" in arguments
    try:
        return int(app(args=arguments, prog_name="callhouse", standalone_mode=False) or 0)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except CallhouseError as error:
        shown: CallhouseError = error
    except typer.exceptions.TyperException as error:
        if not error.format_message():
            return ConfigError.exit_code  # without a command; the help was shown
        shown = _usage(error)
    except typer.Abort:
        return 130
    except Exception as error:
        if debug:
            raise
        from callhouse.console import write_traceback

        try:
            folder = load_settings().logs_dir
        except CallhouseError:
            folder = Path.cwd()
        shown = _unexpected(error, write_traceback(folder))
    from callhouse.console import show_error

    show_error(shown, as_json=as_json)
    return shown.exit_code


def _usage(error: Any) -> CallhouseError:
    command = error.ctx.command_path if getattr(error, "ctx", None) else "callhouse"
    return ConfigError(error.format_message(), where=command, do=f"`{command} --help` shows what it takes")


if __name__ == "__main__":
    main()
