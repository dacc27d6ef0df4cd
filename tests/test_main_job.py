"""The main job as a user starts it: two commands, from an empty folder to a delivered report."""

from __future__ import annotations

import json
import subprocess
import sys
from email import message_from_bytes, policy
from pathlib import Path
from typing import Any

from callhouse.settings import Settings

DAY = "2025-03-03"


def callhouse(*arguments: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "callhouse", *arguments, "--json"],
        capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return json.loads(done.stdout)


def figures() -> list[dict[str, Any]]:
    return callhouse("sql", "select * from marts.kpi_values order by 1, 2, 3, 4, 5, 6")["rows"]


def test_one_simulated_day_goes_through_the_dags_to_published_marts_and_a_delivered_report(
    embedded: Settings,
) -> None:
    made = callhouse("simulate", "--from", DAY, "--calls", "300")
    first = callhouse("run", "--from", DAY, "--to", DAY)
    assert [(dag["dag"], dag["state"]) for dag in first["dags"]] == [
        ("extract_pbx", "success"),
        ("extract_crm", "success"),
        ("extract_attendance", "success"),
        ("warehouse_daily", "success"),
        ("report_daily", "success"),
    ]
    assert (first["published"], first["held"]) == ([DAY], [])
    assert first["contacts"] == made["written"]["calls"] > 0
    assert callhouse("status")["data"]["published_to"] == DAY

    (path,) = first["reports"]
    mail = message_from_bytes((embedded.outbox_dir / path).read_bytes(), policy=policy.default)
    assert DAY in mail["Subject"]
    assert Path(first["log"]).stat().st_size > 0

    before = figures()
    again = callhouse("run", "--from", DAY, "--to", DAY)
    assert figures() == before
    assert again["reports"] == [path], "nobody gets the same report twice"
