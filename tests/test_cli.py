"""The `callhouse` command: exit codes, JSON, and what it says when something is wrong."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import date, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

from callhouse import console, landing, raw
from callhouse.errors import (
    CallhouseError,
    ConfigError,
    DeliveryError,
    GateHeld,
    SourceError,
    WarehouseError,
)
from callhouse.settings import Settings

COMMANDS = ("up", "down", "status", "run", "backfill", "sql", "report", "doctor", "simulate", "rejects")


def callhouse(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "callhouse", *arguments],
        capture_output=True, text=True, timeout=120, **options,
    )  # fmt: skip


def error_of(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    return json.loads(done.stdout)["error"]


def test_help_names_every_command_and_every_exit_code() -> None:
    done = callhouse("--help")
    text = re.sub(r"\s+", " ", done.stdout)
    assert done.returncode == 0
    for command in COMMANDS:
        assert f" {command} " in text
    for error in (ConfigError, SourceError, GateHeld, WarehouseError, DeliveryError, CallhouseError):
        assert re.search(rf"[:·] {error.exit_code} \w", text)


@pytest.mark.parametrize("group", [[], ["rejects"]])
def test_without_a_command_the_help_is_shown_and_no_error(group: list[str]) -> None:
    done = callhouse(*group)
    assert done.returncode == 2
    assert "Commands" in done.stdout + done.stderr and "✗" not in done.stderr


def test_the_command_starts_without_anything_heavy() -> None:
    script = "import sys, callhouse.__main__; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"airflow", "dbt", "pandas", "matplotlib", "psycopg", "sqlalchemy"} & set(done.stdout.split())


def test_version_needs_no_configuration() -> None:
    done = callhouse("--home", "/nowhere", "--version")
    assert done.returncode == 0
    assert re.fullmatch(r"callhouse \d+\.\d+\.\d+\n", done.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--bad"],
        ["nothing"],
        ["run", "--from", "2025-02-30"],
        ["run", "--from", "2025-03-02", "--to", "2025-03-01"],
        ["run", "--from", "2025-03-01", "--source", "unknown"],
        ["--config", "/nowhere", "status"],
        ["sql", " ; "],
        ["sql", "select 1; select 2"],
        ["sql", "delete from ops.runs"],
        ["report", "unknown", "--date", "2025-03-01"],
        ["backfill", "--from", "2025-03-01", "--to", "2025-03-02"],
    ],
    ids=" ".join,
)
def test_wrong_use_ends_with_2_and_says_what_and_what_to_do(settings: Settings, arguments: list[str]) -> None:
    done = callhouse(*arguments, "--json")
    assert done.returncode == 2, done.stderr
    said = error_of(done)
    assert said["what"] and said["do"]
    assert "Traceback" not in done.stdout + done.stderr


def test_an_unexpected_error_is_one_line_and_its_traceback_is_kept(settings: Settings) -> None:
    (settings.home / "landing").write_text("a file where a folder belongs", encoding="utf-8")
    (settings.home / "logs").mkdir(exist_ok=True)
    script = (
        "import callhouse.airflow_server as server\n"
        "def status(settings): raise RuntimeError('surprise')\n"
        "server.status = status\n"
        "from callhouse.__main__ import main; main(['status', '--json'])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    said = error_of(done)
    assert said["what"] == "unexpected RuntimeError: surprise"
    assert "Traceback" not in done.stderr
    assert "surprise" in Path(said["where"]).read_text(encoding="utf-8")


def test_a_source_without_files_ends_the_run_with_3(settings: Settings) -> None:
    done = callhouse("run", "--from", "2025-03-01", "--json")
    assert done.returncode == 3, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["exit_code"] == 3
    assert [dag["state"] for dag in answer["dags"]] == ["failed"] * 3
    assert answer["dags"][0]["task"] == "extract"
    assert answer["dags"][0]["error"]["do"]


def test_a_warehouse_out_of_reach_ends_with_5(settings: Settings) -> None:
    away = os.environ | {"AIRFLOW_CONN_WAREHOUSE": "postgres://nobody:secret-word@127.0.0.1:1/none"}
    done = callhouse("sql", "select 1", "--json", env=away)
    assert done.returncode == 5
    assert "secret-word" not in done.stdout + done.stderr


def test_sql_shows_a_table_with_dashes_for_null_and_wide_letters_aligned(settings: Settings) -> None:
    done = callhouse(
        "sql", "select * from (values ('甲乙', 1.50, null), ('abcd', 22.25, 'x')) as t (a, b, c)"
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["a          b   c", "─" * 16, "甲乙    1.50   –", "abcd   22.25   x"]


def test_sql_writes_csv_that_a_csv_reader_reads_back(settings: Settings) -> None:
    done = callhouse("sql", "select E'a,\"b\"\\nc' as text, null as nothing, 7 as number", "--csv")
    assert list(csv.reader(io.StringIO(done.stdout))) == [
        ["text", "nothing", "number"],
        ['a,"b"\nc', "", "7"],
    ]


def test_sql_writes_json_with_numbers_dates_and_null(settings: Settings) -> None:
    done = callhouse(
        "sql", "select 1.25 as ratio, 3::numeric as n, date '2025-03-01' as day, null as z", "--json"
    )
    assert json.loads(done.stdout)["rows"] == [{"ratio": 1.25, "n": 3, "day": "2025-03-01", "z": None}]


def test_sql_reads_the_statement_from_stdin(settings: Settings) -> None:
    assert callhouse("sql", "-", "--csv", input="select 40 + 2 as answer").stdout == "answer\n42\n"


def test_a_wrong_statement_is_shown_with_its_position(settings: Settings) -> None:
    done = callhouse("sql", "select 1,\n  foo from ops.runs", "--json")
    assert error_of(done)["where"] == "line 2, column 3:   ▸foo from ops.runs"


def test_sql_cannot_write_not_even_after_resetting_its_role(
    settings: Settings, connection: psycopg.Connection
) -> None:
    for statement in (
        "with gone as (delete from ops.centre returning 1) select * from gone",
        "select set_config('transaction_read_only', 'off', false) from ops.centre; delete from ops.centre",
        "set transaction read write",
    ):
        callhouse("sql", statement)
    assert connection.execute("select count(*) from ops.centre").fetchone() == (1,)


def test_status_says_what_runs_and_starts_nothing(settings: Settings) -> None:
    answer = json.loads(callhouse("status", "--json").stdout)
    assert answer["airflow"]["state"] == "stopped"
    assert answer["database"]["state"] == "running"
    assert answer["data"]["published_count"] == 0


def test_doctor_finds_the_missing_files_and_says_where_they_belong(settings: Settings) -> None:
    done = callhouse("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert done.returncode == 0, done.stdout
    assert checks["source pbx.queue_log"]["outcome"] == "warn"
    assert str(settings.data_dir) in checks["source pbx.queue_log"]["do"]
    for name in ("python", "configuration", "database", "dbt project", "dags", "mail"):
        assert checks[name]["outcome"] == "ok", checks[name]


def test_doctor_fails_on_a_configuration_that_cannot_be_read(settings: Settings) -> None:
    (settings.config_dir / "centre.yml").write_text("name: [", encoding="utf-8")
    done = callhouse("doctor", "--json")
    assert done.returncode == 2
    assert json.loads(done.stdout)["checks"][-1]["outcome"] == "fail"


def test_simulate_writes_where_the_sources_look(settings: Settings) -> None:
    done = callhouse("simulate", "--from", "2025-03-03", "--calls", "20", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["folder"] == str(settings.data_dir)
    assert list(settings.data_dir.glob("pbx/queue_log*"))


def test_a_run_of_days_is_told_as_one_range() -> None:
    days = [date(1999, 1, 30), date(1999, 1, 31), date(1999, 2, 1), date(1999, 2, 3)]
    assert console.ranges(days) == "1999-01-30 … 1999-02-01, 1999-02-03"
    assert console.ranges([]) == ""


@pytest.fixture
def with_rejects(make_settings: Callable[..., Settings]) -> Settings:
    """A centre of which two files were loaded and three rows set aside."""
    cases = {"files": ["cases*.csv"], "columns": ["no", "phone"], "encoding": "utf-8"}
    made = make_settings(sources={"crm": {"kind": "delimited", "streams": {"cases": cases}}})
    (made.data_dir / "cases1.csv").write_bytes(b"no,phone\n1,+4420\n2\n3,\x1b[2J,9\n")
    (made.data_dir / "cases2.csv").write_bytes(b"no,phone\n4,\xe9\n")
    landing.extract(made, "crm", date(2025, 3, 3), date(2025, 3, 3))
    raw.load(made)
    return made


def test_rejects_are_counted_in_a_table_that_aligns_and_shows_no_bytes(with_rejects: Settings) -> None:
    done = callhouse("rejects", "list")
    today = datetime.now(ZoneInfo(with_rejects.time_zone)).date()
    assert done.stdout.splitlines() == [
        "stream      stage   reason                                        rows   files   last",
        "─" * 91,
        f"crm.cases   load    not valid utf-8                                  1       1   {today}",
        f"crm.cases   load    wrong number of fields: expected 2, found 1      1       1   {today}",
        f"crm.cases   load    wrong number of fields: expected 2, found 3      1       1   {today}",
    ]
    counted = json.loads(callhouse("rejects", "list", "--reason", "utf", "--json").stdout)["rejects"]
    assert [(each["source"], each["reason"], each["row_count"]) for each in counted] == [
        ("crm", "not valid utf-8", 1)
    ]
    assert callhouse("rejects", "list", "--source", "pbx").stdout == "No row is set aside.\n"


def test_the_lines_of_rejects_are_shown_escaped_when_asked_for(with_rejects: Settings) -> None:
    done = callhouse("rejects", "list", "--lines", "--load", "1")
    assert [line.split()[-1] for line in done.stdout.splitlines()[2:]] == ["2", r"3,\x1b[2J,9"]
    lines = json.loads(callhouse("rejects", "list", "--lines", "--limit", "2", "--json").stdout)["rejects"]
    assert [(line["file"], line["line"], line["row"]) for line in lines] == [
        ("cases1.csv", 3, "2"),
        ("cases1.csv", 4, r"3,\x1b[2J,9"),
    ]


def test_rejects_are_replayed_when_it_is_said_which_and_a_failure_ends_with_3(
    with_rejects: Settings,
) -> None:
    assert error_of(callhouse("rejects", "replay", "--json"))["what"] == "which rejects?"
    config = with_rejects.config_dir / "sources.yml"
    config.write_text(config.read_text(encoding="utf-8").replace("utf-8", "latin-1"), encoding="utf-8")
    done = callhouse("rejects", "replay", "--reason", "not valid")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "load   file                   rows in   passed now   set aside",
        "─" * 71,
        "   2   crm.cases cases2.csv         1            1           0   loaded",
    ]
    config.write_text(config.read_text(encoding="utf-8").replace("'no'", "number"), encoding="utf-8")
    done = callhouse("rejects", "replay", "--all", "--json")
    assert done.returncode == 3
    (load,) = json.loads(done.stdout)["loads"]
    assert load["state"] == "failed" and "the header lacks `number`" in load["message"]
