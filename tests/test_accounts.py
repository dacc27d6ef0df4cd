"""Every file is accounted for: rows in = loaded + rejected + duplicates, against a count of our own."""

from __future__ import annotations

import csv
import datetime
import gzip
import io
import json
import os
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import yaml

from callhouse import landing, postgres, raw, transform
from callhouse.settings import PROJECT, Settings
from callhouse.simulate import Plan, simulate
from callhouse.simulate.plan import SYSTEMS
from callhouse.sources import Stream, streams_of

SHARED = Path(os.environ.get("CALLHOUSE_SHARED_DATA") or PROJECT.parent / "shared" / "data")
PLAN = Plan(datetime.date(2026, 3, 2), days=2, calls_per_day=200, seed=3, systems=SYSTEMS)
OTHERS: dict[str, Any] = {
    "connect": {
        "kind": "amazon_connect",
        "streams": {
            "contact_records": {"files": ["amazon_connect/contact_records/**/*"]},
            "agent_events": {"files": ["amazon_connect/agent_events/**/*"]},
        },
    },
    "freeswitch": {
        "kind": "freeswitch",
        "streams": {
            "xml_cdr": {"files": ["freeswitch/xml_cdr-*"]},
            "agent_status": {"files": ["freeswitch/agent_status-*"]},
        },
    },
    "genesys": {
        "kind": "genesys_cloud",
        "streams": {
            "conversations": {"files": ["genesys_cloud/conversations-*"]},
            "user_details": {"files": ["genesys_cloud/user_details-*"]},
        },
    },
}


def records(path: Path, stream: Stream) -> int:
    """How many records a file holds, read by nothing of ours."""
    form, content = stream.format, path.read_bytes()
    if content.startswith(b"PK"):
        rows = openpyxl.load_workbook(path, read_only=True).worksheets[0].iter_rows(values_only=True)
        return sum(any(cell is not None for cell in row) for row in rows) - 1
    content = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    text = content.decode("utf-8-sig" if form.encoding == "utf-8" else form.encoding, errors="replace")
    if form.documents:
        decoder, count, at = json.JSONDecoder(), 0, 0
        while at < len(text := text.strip()):
            count, at = count + 1, decoder.raw_decode(text, at)[1]
            at += len(text[at:]) - len(text[at:].lstrip())
        return count
    if form.quote is None:
        return sum(bool(line.strip()) for line in text.split("\n")) - form.header
    return sum(1 for row in csv.reader(io.StringIO(text), delimiter=form.delimiter) if row) - form.header


def check_accounts(settings: Settings) -> Counter[str]:
    """Extract, load and stage everything, and account for every file; hands back files by stream."""
    for source in settings.sources:
        landing.extract(settings, source, PLAN.start, PLAN.start)
    assert {result.state for result in raw.load(settings)} == {"loaded"}
    transform.stage(settings)
    streams = {
        (stream.source, stream.name): stream
        for source in settings.sources.values()
        for stream in streams_of(source).values()
    }
    seen: Counter[str] = Counter()
    with postgres.connect(settings, autocommit=True, name="accounts") as connection:
        for load_id, source, name, path, *counts in connection.execute(
            """
            select load_id, source, stream, path, rows_in, rows_loaded, rows_rejected, rows_duplicate, state
            from ops.loads inner join ops.landing_files using (landing_id, source, stream)
            """
        ).fetchall():
            stream = streams[source, name]
            rows_in, loaded, rejected, duplicate, state = counts
            assert state == "staged", path
            assert rows_in == records(settings.landing_dir / path, stream), path
            assert rows_in == loaded + rejected + duplicate, path
            in_raw = f'select count(*) from raw."{stream.table}" where _load_id = {load_id}'
            set_aside = f"select {{}} from ops.rejects where load_id = {load_id}"
            (raw_rows,) = connection.execute(in_raw.encode()).fetchone() or ()
            unread, lines = (
                connection.execute(
                    set_aside.format("count(*) filter (where stage = 'load'), count(distinct line)").encode()
                ).fetchone()
                or ()
            )
            assert (raw_rows + unread, lines) == (rows_in, rejected), path
            seen[f"{source}.{name}"] += 1
    return seen


def test_every_file_of_the_simulated_centre_is_accounted_for(
    make_settings: Callable[..., Settings],
) -> None:
    standard = yaml.safe_load((PROJECT / "config" / "sources.yml").read_text(encoding="utf-8"))["sources"]
    settings = make_settings(sources=standard | OTHERS)
    simulate(PLAN, settings.data_dir)
    # What files come with: a torn line, a bad time, the same rows again in another file.
    log = settings.data_dir / "pbx" / "queue_log-20260302"
    lines = log.read_bytes().splitlines(keepends=True)
    (log.parent / "queue_log-again").write_bytes(b"".join(lines[:100]) + b"17724\nx|1|q|NONE|ENTERQUEUE|||\n")
    seen = check_accounts(settings)
    assert len(seen) == 12
    with postgres.connect(settings, autocommit=True, name="accounts") as connection:
        told = connection.execute(
            "select sum(rows_rejected)::int, sum(rows_duplicate)::int"
            " from ops.loads where stream = 'queue_log'"
        ).fetchone()
    assert told == (2, 100)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the public data is not at {SHARED}")
@pytest.mark.parametrize(
    ("example", "files"),
    [
        ("anonbank", "anonbank/0[1-3]*.txt.gz"),
        ("attlog", "attlog/*"),
        ("edna", "edna/*.csv*"),
        ("pwc", "pwc/calls.xlsx"),
    ],
)
def test_every_file_of_an_example_is_accounted_for(settings: Settings, example: str, files: str) -> None:
    chosen = Settings(PROJECT / "examples" / example, settings.home, settings.data_dir)
    for path in SHARED.glob(files):
        shutil.copy(path, chosen.data_dir)
    assert sum(check_accounts(chosen).values()) == len(list(SHARED.glob(files)))
