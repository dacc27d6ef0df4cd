"""Rejects: listed without a surprise, replayed without a loss, on a real PostgreSQL and through dbt."""

from __future__ import annotations

import datetime
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, assume, given, strategies
from hypothesis import settings as examples

from callhouse import landing, postgres, raw, rejects, transform
from callhouse.postgres import Warehouse
from callhouse.rejects import Chosen
from callhouse.settings import Settings

from .conftest import cloned, make_centre

DAY = datetime.date(2025, 3, 3)
CASES: dict[str, Any] = {
    "files": ["in/cases*"],
    "record": "case",
    "columns": ["no", "topic", "opened"],
    "map": {"case_id": "no", "topic": "topic", "opened_at": "opened"},
}


class Centre:
    """A centre with one source `crm` of one stream `cases`, staged by dbt."""

    def __init__(self, make_settings: Callable[..., Settings]) -> None:
        self.make = make_settings
        self.declare()

    def declare(self, **options: Any) -> None:
        entry = {"kind": "delimited", "streams": {"cases": CASES | options}}
        self.settings = self.make(sources={"crm": entry})
        (self.settings.data_dir / "in").mkdir(exist_ok=True)

    def put(self, name: str, content: bytes | str) -> Path:
        path = self.settings.data_dir / "in" / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def load(self) -> None:
        """Land and load."""
        landing.extract(self.settings, "crm", DAY, DAY)
        raw.load(self.settings)

    def run(self) -> None:
        """Land, load and stage."""
        self.load()
        transform.stage(self.settings)

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        with postgres.connect(self.settings, autocommit=True, name="test") as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def cases(self) -> list[tuple[Any, ...]]:
        return self.ask("select case_id, topic from staging.stg_delimited__cases order by 1")

    def loads(self) -> list[tuple[Any, ...]]:
        return self.ask(
            "select state, rows_in, rows_loaded, rows_rejected, rows_duplicate"
            " from ops.loads order by load_id"
        )

    def dates(self) -> list[datetime.date]:
        return [row[0] for row in self.ask("select business_date from ops.affected_dates order by 1")]

    def kept(self) -> list[tuple[Any, ...]]:
        return self.ask("select stage, line, reason from ops.rejects order by load_id, line")

    def replayed(self) -> list[tuple[Any, ...]]:
        return self.ask("select stage, line, reason from ops.replayed_rejects order by load_id, line")

    def everything(self) -> list[list[tuple[Any, ...]]]:
        """All that loading and staging made, without times and numbers of rejects."""
        return [
            self.ask("select * from raw.crm__cases order by _load_id, _line"),
            self.ask("select * from staging.stg_delimited__cases order by record_key"),
            self.ask("select load_id, stage, line, bytes, reason from ops.rejects order by 1, 2, 3, 5"),
            self.loads(),
        ]


@pytest.fixture(scope="module")
def parsed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What dbt keeps of its parsing, from one test to the next."""
    return tmp_path_factory.mktemp("parsed")


@pytest.fixture
def centre(
    server: Warehouse, tmp_path: Path, parsed: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Centre]:
    with cloned(server, name="rejects") as database:  # one name, or dbt parses anew
        shutil.copytree(parsed, tmp_path / "home" / "dbt")
        yield Centre(lambda **config: make_centre(monkeypatch, tmp_path, database, **config))
        shutil.copytree(tmp_path / "home" / "dbt", parsed, dirs_exist_ok=True)


BROKEN = "no,topic,opened\n1,a,2025-03-03 10:00:00\n2,b\n3,c,soon\n4,d,2025-03-04 10:00:00\n"


# -- list ----------------------------------------------------------------------------------------------------


def test_rejects_are_counted_by_stream_stage_and_reason(centre: Centre) -> None:
    centre.put("cases1.csv", BROKEN)
    centre.put("cases2.csv", BROKEN.replace("2,b\n", "2,b\n5,e\n"))
    centre.run()
    found = rejects.reasons(centre.settings, Chosen())
    assert [(each.stage, each.reason, each.row_count, each.file_count) for each in found] == [
        ("load", "wrong number of fields: expected 3, found 2", 3, 2),
        ("staging", "opened_at: not a time", 2, 2),
    ]


def test_rejects_can_be_chosen(centre: Centre) -> None:
    centre.put("cases.csv", BROKEN)
    centre.run()
    far, near = datetime.date(2000, 1, 1), datetime.date(2099, 1, 1)
    for chosen, count in [
        (Chosen(), 2),
        (Chosen(source="crm", stream="cases", stage="load"), 1),
        (Chosen(stage="staging"), 1),
        (Chosen(reason="NOT A TIME"), 1),
        (Chosen(reason="100%"), 0),
        (Chosen(source="pbx"), 0),
        (Chosen(load_id=1), 2),
        (Chosen(load_id=2), 0),
        (Chosen(date_from=far, date_to=near), 2),
        (Chosen(date_to=far), 0),
    ]:
        assert sum(each.row_count for each in rejects.reasons(centre.settings, chosen)) == count, chosen
        assert len(rejects.lines(centre.settings, chosen, 10)) == count, chosen


def test_a_single_reject_shows_its_file_line_and_bytes_escaped_and_shortened(centre: Centre) -> None:
    centre.put(
        "cases.csv", b"no,topic,opened\n2,\x1b[31m\xff\\x\n3," + b"x" * 300 + b"\n1,a,2025-03-03 10:00\n"
    )
    centre.load()
    first, second = rejects.lines(centre.settings, Chosen(), 10)
    assert (first.file, first.line, first.stage, first.shown) == (
        "cases.csv",
        2,
        "load",
        r"2,\x1b[31m\xff\\x",
    )
    assert second.shown == "3," + "x" * 198 + "…"
    assert second.byte_count == 302
    assert len(rejects.lines(centre.settings, Chosen(), 1)) == 1


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("é甲".encode(), "é甲"),
        (b"a\tb\r\n", r"a\tb\r\n"),
        (b"\\x1b", r"\\x1b"),
        (b"\x1b", r"\x1b"),
        ("\u202eb".encode(), r"\u202eb"),
        ("電".encode("utf-16-le"), "\\xfb\\x96"),
    ],
)
def test_bytes_are_shown_on_one_line_that_a_terminal_takes_for_text(content: bytes, shown: str) -> None:
    assert rejects.escaped(content) == shown


# -- replay --------------------------------------------------------------------------------------------------


def test_after_a_fix_of_the_declaration_the_rejected_lines_are_rows_and_their_dates_wait(
    centre: Centre,
) -> None:
    centre.declare(encoding="utf-8")
    centre.put("cases.csv", "no,topic,opened\n1,a,2025-03-03 10:00\n2,é,2025-03-04 10:00\n".encode("latin-1"))
    centre.run()
    assert centre.kept() == [("load", 3, "not valid utf-8")]
    centre.ask("delete from ops.affected_dates")

    centre.declare(encoding="latin-1")
    done = rejects.replay(centre.settings, Chosen(reason="not valid"))

    assert [(each.state, each.rows_in, each.passed, each.rejected) for each in done.loads] == [
        ("staged", 2, 1, 0)
    ]
    assert centre.cases() == [("1", "a"), ("2", "é")]
    assert done.dates == centre.dates() == [DAY, datetime.date(2025, 3, 4)]
    assert centre.loads() == [("staged", 2, 2, 0, 0)]
    assert centre.kept() == []
    assert centre.replayed() == [("load", 3, "not valid utf-8")]
    assert rejects.replay(centre.settings, Chosen()).loads == []


def test_after_a_fix_of_the_code_only_the_chosen_loads_are_staged_again(centre: Centre) -> None:
    function = centre.ask("select pg_get_functiondef('ops.try_any_time(text, text)'::regprocedure)")[0][0]
    centre.ask(
        "create or replace function ops.try_any_time(value text, day_order text) returns timestamp"
        " language sql immutable strict parallel safe return null::timestamp"
    )
    centre.put("cases1.csv", BROKEN.replace("04 10:00:00", "04 9:00"))
    centre.put("cases2.csv", "no,topic,opened\n8,h,2025-03-08 9:00\n9,i,2025-03-09 10:00:00\n")
    centre.run()
    assert [case for case, _ in centre.cases()] == ["1", "9"]
    centre.ask("delete from ops.affected_dates")

    centre.ask(function)
    done = rejects.replay(centre.settings, Chosen(load_id=1))

    assert [(each.passed, each.rejected) for each in done.loads] == [(1, 2)]
    assert [case for case, _ in centre.cases()] == ["1", "4", "9"]
    assert done.dates == [DAY, datetime.date(2025, 3, 4)]
    assert centre.loads() == [("staged", 4, 2, 2, 0), ("staged", 2, 1, 1, 0)]
    assert [line for _, line, _ in centre.kept()] == [3, 4, 2]
    assert centre.replayed() == [("staging", 5, "opened_at: not a time")]


def test_what_fails_again_stays_with_its_newest_reason_and_a_replay_without_a_fix_changes_nothing(
    centre: Centre,
) -> None:
    centre.put("cases.csv", BROKEN)
    centre.run()
    before = centre.everything()
    for _ in range(2):
        (done,) = rejects.replay(centre.settings, Chosen(stage="load")).loads
        assert (done.passed, done.rejected) == (0, 2)
        assert centre.everything() == before
        assert centre.replayed() == []
    centre.declare(columns=["no", "topic", "opened", "closed"])
    (done,) = rejects.replay(centre.settings, Chosen(stage="load")).loads
    assert (done.state, "the header lacks `closed`" in (done.message or "")) == ("failed", True)
    assert centre.everything() == before

    centre.declare(header=False)
    (done,) = rejects.replay(centre.settings, Chosen(stage="load")).loads
    assert (done.rows_in, done.passed, done.rejected) == (5, 0, 3)  # the header is a line like others
    assert [(stage, line) for stage, line, _ in centre.kept()] == [
        ("staging", 1),
        ("load", 3),
        ("staging", 4),
    ]


def test_a_line_that_is_a_record_after_the_fix_but_not_usable_stays_set_aside(centre: Centre) -> None:
    centre.put("cases.csv", 'no,topic,opened\n1,a,2025-03-03 10:00\n2,"b,soon\n')
    centre.run()
    assert centre.kept() == [("load", 3, "quote not closed")]
    centre.declare(quote="none")
    (done,) = rejects.replay(centre.settings, Chosen()).loads
    assert (done.passed, done.rejected) == (0, 1)
    assert centre.kept() == [("staging", 3, "opened_at: not a time")]
    assert centre.replayed() == []


def test_an_old_file_replayed_does_not_overtake_the_newer_versions_of_its_records(centre: Centre) -> None:
    centre.put("cases1.csv", "no,topic,opened\n1,old,2025-03-03 10:00\n2,é\n".encode("latin-1"))
    centre.run()
    centre.put("cases2.csv", "no,topic,opened\n1,new,2025-03-03 10:00\n")
    centre.run()
    rejects.replay(centre.settings, Chosen())
    assert centre.cases() == [("1", "new")]
    assert centre.loads() == [("staged", 2, 1, 1, 0), ("staged", 1, 1, 0, 0)]


def test_a_load_whose_stream_or_landing_file_is_gone_stays_as_it_was_and_the_others_are_replayed(
    centre: Centre,
) -> None:
    centre.put("cases1.csv", BROKEN)
    centre.put("cases2.csv", BROKEN.replace("2,b", "2,b,2025-03-03 10:00,"))
    centre.run()
    before = centre.everything()
    (path,) = centre.settings.landing_dir.glob("crm/cases/*cases1.csv")
    path.unlink()
    done = rejects.replay(centre.settings, Chosen())
    assert [each.state for each in done.loads] == ["failed", "staged"]
    assert "landing file cannot be read" in (done.loads[0].message or "")
    assert centre.everything() == before

    entry = {"kind": "delimited", "streams": {"other": CASES}}
    settings = centre.make(sources={"crm": entry})
    messages = {each.message for each in rejects.replay(settings, Chosen()).loads}
    assert messages == {"the stream is no longer declared in sources.yml"}


def test_an_edited_mapping_lets_go_of_the_rejects_it_mends(centre: Centre) -> None:
    centre.put("cases.csv", "no,topic,opened\n1,a,03/04/2025 10:00\n2,b,never\n")
    centre.run()
    assert len(centre.kept()) == 2
    centre.declare(day_order="mdy")
    transform.stage(centre.settings)
    assert centre.kept() == [("staging", 3, "opened_at: not a time")]
    assert centre.replayed() == [("staging", 2, "opened_at: not a time")]


# -- whatever the file and the fix, whenever it is killed ----------------------------------------------------

FIELDS = ["1", "2", "é", '"', '"3"', "2025-03-03 10:00", "x;y", "", " "]
FILES = strategies.lists(
    strategies.lists(strategies.sampled_from(FIELDS), min_size=2, max_size=4).map(",".join), max_size=8
).map(lambda lines: "\n".join(["no,topic,opened", *lines]))
DECLARATIONS = strategies.fixed_dictionaries(
    {
        "encoding": strategies.sampled_from(["utf-8", "latin-1", "gb18030"]),
        "quote": strategies.sampled_from(['"', "none"]),
        "header": strategies.booleans(),
        "columns": strategies.sampled_from([["no", "topic", "opened"], ["no", "topic"], ["no", "new"]]),
    }
)


def loaded(centre: Centre) -> list[list[tuple[Any, ...]]]:
    """What a load made, whatever its number."""
    columns = "_line, to_jsonb(raw) - '_load_id'"
    return [
        centre.ask(f"select {columns} from raw.crm__cases as raw order by _line"),
        centre.ask("select stage, line, bytes, reason from ops.rejects order by line"),
        centre.ask("select state, rows_in, rows_loaded, rows_rejected, has_extra, message from ops.loads"),
    ]


@given(
    text=FILES,
    before=DECLARATIONS,
    after=DECLARATIONS,
    encoding=strategies.sampled_from(["utf-8", "latin-1"]),
)
@examples(
    max_examples=int(os.environ.get("CALLHOUSE_TEST_EXAMPLES", 12)),
    deadline=None,
    phases=[
        Phase.explicit,
        Phase.generate,
    ],  # an example takes a third of a second: no search for a smaller one
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_load_done_anew_is_what_a_first_load_would_have_made_or_stays_as_it_was(
    centre: Centre, text: str, before: dict[str, Any], after: dict[str, Any], encoding: str
) -> None:
    def forget() -> None:
        shutil.rmtree(centre.settings.landing_dir, ignore_errors=True)
        centre.ask("truncate ops.landing_files, ops.loads, ops.rejects, ops.replayed_rejects cascade")
        centre.ask("drop table if exists raw.crm__cases")
        # Every column any declaration has: one that is not declared now stays empty.
        centre.ask(
            "create table raw.crm__cases (_load_id bigint, _line bigint, no text, topic text, opened text,"
            " new text, _extra jsonb)"
        )

    centre.put("cases.csv", text.encode(encoding))
    forget()
    centre.declare(**after)
    centre.load()
    expected = loaded(centre)

    forget()
    centre.declare(**before)
    centre.load()
    first = loaded(centre)
    assume(first[2][0][0] == "loaded")
    (load_id,) = centre.ask("select load_id from ops.loads")[0]
    centre.declare(**after)
    for _ in range(2):
        with postgres.connect(centre.settings, autocommit=True, name="test") as connection:
            result = raw.reload(centre.settings, connection, load_id)
        assert loaded(centre) == (expected if result.state == "loaded" else first)
        assert result.state == expected[2][0][0]
    gone = {line for _, line, *_ in first[1]} - {line for _, line, *_ in expected[1]}
    assert {line for _, line, _ in centre.replayed()} == (gone if result.state == "loaded" else set())


@pytest.mark.parametrize(
    ("table", "is_loaded_anew"), [("ops.replayed_rejects", False), ("staging.stg_delimited__cases", True)]
)
def test_killed_in_the_middle_a_replay_leaves_nothing_half_done_and_the_next_run_ends_it(
    centre: Centre, table: str, is_loaded_anew: bool
) -> None:
    centre.declare(encoding="utf-8")
    centre.put("cases.csv", "no,topic,opened\n1,a,2025-03-03 10:00\n2,é,2025-03-04 10:00\n".encode("latin-1"))
    centre.run()
    before = centre.everything()
    centre.declare(encoding="latin-1")
    with postgres.connect(centre.settings, name="in the way") as connection:
        connection.execute(f"lock table {table} in access exclusive mode".encode())
        victim = subprocess.Popen([sys.executable, "-m", "callhouse", "rejects", "replay", "--all"])
        waiting = (
            "select pid from pg_stat_activity where wait_event_type = 'Lock' and wait_event = 'relation'"
        )
        while not centre.ask(waiting):
            assert victim.poll() is None, "it should have met the lock"
            time.sleep(0.05)
        victim.kill()
        victim.wait()
        connection.rollback()
    killed = centre.everything()
    assert killed[1] == before[1], "staging is as it was"
    assert (killed[0] != before[0]) == (killed[3][0][0] == "loaded") == is_loaded_anew

    if is_loaded_anew:
        centre.run()
    else:
        rejects.replay(centre.settings, Chosen())
    assert centre.cases() == [("1", "a"), ("2", "é")]
    assert centre.loads() == [("staged", 2, 2, 0, 0)]
    assert centre.dates() == [DAY, datetime.date(2025, 3, 4)]
    assert (centre.kept(), len(centre.replayed())) == ([], 1)
