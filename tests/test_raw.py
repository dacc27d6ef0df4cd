"""Loading landing files into raw, on a real PostgreSQL."""

from __future__ import annotations

import bz2
import datetime
import gzip
import json
import lzma
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl
import psycopg
import pytest

from callhouse import landing, postgres, raw
from callhouse.errors import ConfigError, SourceError, WarehouseError
from callhouse.raw import LoadResult
from callhouse.settings import PROJECT, Settings
from callhouse.sources import files

SHARED = Path(os.environ.get("CALLHOUSE_SHARED_DATA", PROJECT.parent / "shared" / "data"))
DAY = datetime.date(2025, 3, 3)


class Centre:
    """A centre with one source `crm` of one stream `cases`, and its warehouse."""

    def __init__(self, make_settings: Callable[..., Settings]) -> None:
        self._make = make_settings
        self.declare(columns=["no", "topic", "note"])

    def declare(self, kind: str = "delimited", stream: str = "cases", **options: Any) -> None:
        entry = {"kind": kind, "streams": {stream: {"files": ["in/*"], **options}}}
        self.settings = self._make(sources={"crm": entry})
        (self.settings.data_dir / "in").mkdir(exist_ok=True)
        self.table = f"raw.crm__{stream}"

    def put(self, name: str, content: bytes | str) -> Path:
        path = self.settings.data_dir / "in" / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    def load(self, name: str = "cases.csv", content: bytes | str | None = None, **options: Any) -> LoadResult:
        """Land and load; the result of the newest file."""
        if content is not None:
            self.put(name, content)
        landing.extract(self.settings, "crm", DAY, DAY)
        return raw.load(self.settings, **options)[-1]

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with postgres.connect(self.settings, autocommit=True, name="test") as connection:
            return connection.execute(query).fetchall()

    def rows(self, columns: str = "no, topic, note") -> list[tuple[Any, ...]]:
        return self.ask(f"select {columns} from {self.table} order by _load_id, _line")

    def rejects(self) -> list[tuple[Any, ...]]:
        return self.ask("select line, bytes, reason from ops.rejects order by line")


@pytest.fixture
def centre(make_settings: Callable[..., Settings]) -> Centre:
    return Centre(make_settings)


def test_every_field_is_loaded_as_the_text_it_is(centre: Centre) -> None:
    text = 'no,topic,note\n007,NA,"a ""b"", c\nd"\n+4420,,null\n\\N,\\.,=1+1\n\\.,x,\t\n'
    result = centre.load(content=text)
    assert (result.state, result.rows_in, result.rows_loaded, result.rows_rejected) == ("loaded", 4, 4, 0)
    assert centre.rows("_line, no, topic, note, _extra") == [
        (2, "007", "NA", 'a "b", c\nd', None),
        (4, "+4420", "", "null", None),
        (5, "\\N", "\\.", "=1+1", None),
        (6, "\\.", "x", "\t", None),
    ]


def test_rows_belong_to_their_load_and_the_load_to_its_run(centre: Centre) -> None:
    run_id = centre.ask("insert into ops.runs (label) values ('test') returning run_id")[0][0]
    first = centre.load(content="no,topic,note\n1,a,b\n", run_id=run_id)
    second = centre.load("more.csv", "no,topic,note\n2,a,b\n")
    assert centre.rows("_load_id, no") == [(first.load_id, "1"), (second.load_id, "2")]
    assert centre.ask("select run_id, state, rows_in, message from ops.loads order by load_id") == [
        (run_id, "loaded", 1, None),
        (None, "loaded", 1, None),
    ]


def test_a_loaded_file_is_not_loaded_again(centre: Centre) -> None:
    centre.load(content="no,topic,note\n1,a,b\n")
    assert raw.load(centre.settings) == []
    assert len(centre.rows()) == 1


def test_a_broken_line_is_set_aside_with_its_bytes_and_its_neighbours_load(centre: Centre) -> None:
    result = centre.load(content=b'no,topic,note\n1,a,b\n2,"x,y\n3,\xff,c\n4,\0,d\n5,e\n6,f,g')
    assert (result.state, result.rows_in, result.rows_loaded, result.rows_rejected) == ("loaded", 6, 2, 4)
    assert [row[0] for row in centre.rows()] == ["1", "6"]
    assert centre.rejects() == [
        (3, b'2,"x,y', "quote not closed"),
        (4, b"3,\xff,c", "not valid utf-8"),
        (5, b"4,\0,d", "NUL byte"),
        (6, b"5,e", "wrong number of fields: expected 3, found 2"),
    ]
    assert result.message == "4 lines rejected, see ops.rejects"


def test_many_rejects_are_written_while_the_file_is_being_loaded(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(raw, "REJECTS_AT_ONCE", 50)
    lines = (f"{n},a,b\n{n},bad\n" for n in range(2000))
    result = centre.load(content="no,topic,note\n" + "".join(lines), block_size=1000)
    assert (result.rows_loaded, result.rows_rejected) == (2000, 2000)
    assert centre.ask("select count(*), min(line), max(line) from ops.rejects") == [(2000, 3, 4001)]
    assert centre.ask(f"select count(*), min(_line), max(_line) from {centre.table}") == [(2000, 2, 4000)]


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "gb18030", "big5"])
def test_a_file_in_any_encoding_and_with_any_line_end_gives_the_same_rows(
    centre: Centre, encoding: str, line_end: str
) -> None:
    text = 'no,topic,note\n1,電話,"等待, 中"\n2,,x\n'.replace("\n", line_end)
    declared = "utf-8" if encoding in ("utf-8-sig", "utf-16") else encoding  # the mark wins over it
    centre.declare(columns=["no", "topic", "note"], encoding=declared)
    result = centre.load(content=text.encode(encoding), block_size=3)
    assert (result.state, result.message) == ("loaded", None)
    assert centre.rows("_line, no, topic, note") == [(2, "1", "電話", "等待, 中"), (3, "2", "", "x")]


@pytest.mark.parametrize(
    ("encoding", "bad"),
    [("gb18030", b"2,\x81,c"), ("utf-16-le", "2,".encode("utf-16-le") + b"\x00\xd8,\0c\0")],
)
def test_a_line_that_is_not_valid_in_its_encoding_keeps_its_own_bytes(
    centre: Centre, encoding: str, bad: bytes
) -> None:
    centre.declare(columns=["no", "topic", "note"], encoding=encoding)
    good = "no,topic,note\n1,甲,b\n3,乙,c\n".encode(encoding)
    wrong_width = "4,甲".encode(encoding)
    result = centre.load(content=good + bad + "\n".encode(encoding) + wrong_width)
    assert [row[0] for row in centre.rows()] == ["1", "3"]
    assert centre.rejects() == [
        (4, bad, f"not valid {encoding}"),
        (5, wrong_width, "wrong number of fields: expected 3, found 2"),
    ]
    assert result.rows_in == 4


@pytest.mark.parametrize("block_size", [3, 1 << 17])
def test_lines_above_the_header_are_skipped_and_counted(centre: Centre, block_size: int) -> None:
    centre.declare(columns=["no", "topic"], skip_lines=2)
    text = 'Cases of "March\r\n\r\nno,topic\r\n1,a\r\n2\r\n3,c\r\n'
    result = centre.load(content=text, block_size=block_size)
    assert (result.rows_in, result.rows_loaded, result.rows_rejected) == (3, 2, 1)
    assert centre.rows("_line, no, topic") == [(4, "1", "a"), (6, "3", "c")]
    assert centre.rejects() == [(5, b"2", "wrong number of fields: expected 2, found 1")]


def test_a_header_that_is_not_taken_by_name_is_skipped(centre: Centre) -> None:
    centre.declare(columns=["from", "to"], header=False, skip_lines=1)
    centre.load(content="no,no\n1,2\n")
    assert centre.rows('_line, "from", "to"') == [(2, "1", "2")]


def test_rows_above_the_header_of_a_sheet_are_skipped(centre: Centre, tmp_path: Path) -> None:
    centre.declare(columns=["no", "topic"], skip_lines=3)
    book = openpyxl.Workbook()
    for row in (["Cases of March"], [], ["by team"], ["no", "topic"], [1, "a"]):
        book.active.append(row)
    book.save(tmp_path / "cases.xlsx")
    centre.load("cases.xlsx", (tmp_path / "cases.xlsx").read_bytes())
    assert centre.rows("_line, no, topic") == [(5, "1", "a")]


def test_a_header_is_matched_by_name_in_any_order(centre: Centre) -> None:
    centre.declare(columns=["no", {"name": "topic", "required": False}, "note"])
    centre.load(content=' note ,"no"\nb,1\n')
    assert centre.rows() == [("1", None, "b")]


def test_undeclared_columns_are_kept_by_name(centre: Centre) -> None:
    result = centre.load(content='no,Étage,topic,note,\n1,"2 ""nd""",a,b,\n2,,a,b,z\n')
    assert result.has_extra
    assert result.message == "undeclared columns are kept in _extra: Étage, column_5"
    assert centre.rows("_line, no, note, _extra") == [
        (2, "1", "b", {"Étage": '2 "nd"', "column_5": ""}),
        (3, "2", "b", {"Étage": "", "column_5": "z"}),
    ]


def new_fields(centre: Centre, name: str, *documents: dict[str, Any]) -> tuple[str, ...]:
    """What a file of these documents has that none before had; it counts as staged then."""
    centre.put(name, "\n".join(map(json.dumps, documents)))
    landing.extract(centre.settings, "crm", DAY, DAY)
    (result,) = raw.load(centre.settings)
    assert result.state == "loaded"
    centre.ask("update ops.loads set state = 'staged' returning 1")
    return result.new_fields


def test_a_new_field_inside_a_document_is_named_by_its_path_but_not_the_keys_that_are_data(
    centre: Centre,
) -> None:
    centre.declare("amazon_connect", "contact_records")
    agent = {"ARN": "a", "RoutingProfile": {"ARN": "r"}}
    first = {"Agent": agent, "Queue": None, "Attributes": {"a": "1"}, "MediaStreams": [{"Type": "AUDIO"}]}
    assert new_fields(centre, "1", first) == ()
    second = first | {"ContactId": "2", "Attributes": {"Ann O'Hara": "2025550100"}}
    assert new_fields(centre, "2", second) == ("ContactId",)
    third = first | {"Agent": agent | {"Mood": {"Ann O'Hara": 1}}}
    found = new_fields(centre, "3", third, {"MediaStreams": [[], {"X": 1}, 3]})
    assert found == ("Agent.Mood", "MediaStreams.X")
    fourth = {"Agent": {"RoutingProfile": {"Name": "x"}, "Mood": 3}}
    assert new_fields(centre, "4", fourth) == ("Agent.RoutingProfile.Name",)
    fifth = {"Queue": {"ARN": "q", "Name": "sales"}, "Recording": {"Location": "s3"}}
    assert new_fields(centre, "5", fifth) == ("Recording",)
    sixth = {"Queue": {"Duration": 3}, "Agent": "none", "x" * 9000: 1}
    assert new_fields(centre, "6", sixth) == ("Queue.Duration", "x" * 200)
    assert centre.ask("select field from ops.known_fields where field ~ 'Ann|2025'") == []


def test_a_new_field_inside_an_answers_conversations_is_named_too(centre: Centre) -> None:
    centre.declare("genesys_cloud", "conversations")

    def answer(**session: Any) -> dict[str, Any]:
        person = {
            "purpose": "customer",
            "attributes": {"Ann O'Hara": "x"},
            "sessions": [{"ani": 1} | session],
        }
        return {"conversations": [{"conversationId": "1", "participants": [person]}]}

    assert new_fields(centre, "1", answer()) == ()
    found = new_fields(centre, "2", answer(mood="x") | {"totalHits": 1})
    assert found == ("conversations.participants.sessions.mood", "totalHits")
    assert centre.ask("select field from ops.known_fields where field ~ 'Ann'") == []


@pytest.mark.parametrize("kind", ["csv", "xlsx", "json"])
def test_a_new_field_is_kept_and_named_a_reordered_one_read_by_name_and_a_missing_one_stops_its_file_alone(
    centre: Centre, tmp_path: Path, kind: str
) -> None:
    def file(name: str, rows: list[dict[str, str]]) -> None:
        if kind == "json":
            centre.put(name, "\n".join(map(json.dumps, rows)))
        elif kind == "csv":
            centre.put(name, "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]))
        else:
            book = openpyxl.Workbook()
            for cells in [list(rows[0]), *(list(row.values()) for row in rows)]:
                book.active.append(cells)
            book.save(tmp_path / name)
            centre.put(name, (tmp_path / name).read_bytes())

    stream = "cases"
    if kind == "json":
        stream = "agent_events"
        centre.declare("amazon_connect", stream)
    else:
        centre.declare(columns=["no", "topic", {"name": "note", "required": False}])
    file("1", [{"no": "1", "topic": "a", "note": "b"}])
    landing.extract(centre.settings, "crm", DAY, DAY)
    (first,) = raw.load(centre.settings)
    assert (first.state, first.new_fields) == ("loaded", ())
    centre.ask("update ops.loads set state = 'staged' returning 1")

    file("2", [{"topic": "c", "mood": "x", "no": "2"}])
    file("3", [{"no": "3", "note": "d"}])
    file("4", [{"note": "f", "topic": "e", "no": "4"}])
    landing.extract(centre.settings, "crm", DAY, DAY)
    results = {result.original_name: result for result in raw.load(centre.settings)}

    assert results["2"].new_fields == ("mood",)
    assert "mood" in (results["2"].message or "")
    assert results["4"].new_fields == ()
    assert centre.ask("select new_fields from ops.loads where new_fields is not null") == [(["mood"],)]
    if kind == "json":  # what a document must have is known to staging
        kept = [json.loads(text) for (text,) in centre.ask(f"select document from {centre.table}")]
        assert {"topic": "c", "mood": "x", "no": "2"} in kept
        return
    assert (results["3"].state, "lacks `topic`" in (results["3"].message or "")) == ("failed", True)
    assert centre.rows("no, topic, note, _extra") == [
        ("1", "a", "b", None),
        ("2", "c", None, {"mood": "x"}),
        ("4", "e", "f", None),
    ]


def test_a_column_declared_later_is_added_to_the_table(centre: Centre) -> None:
    centre.load(content="no,topic,note\n1,a,b\n")
    centre.declare(columns=["no", "topic", "note", "stage"])
    centre.load("later.csv", "no,topic,note,stage\n2,a,b,c\n")
    assert centre.rows("no, stage") == [("1", None), ("2", "c")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "no;topic;note\n1;a;b\n", "wrong delimiter? set to ',', the header looks cut by ';'"),
        ("a.csv", "no,topic,nota\n1,a,b\n", "the header lacks `note` — is `nota` meant?"),
        ("a.csv", "no,topic,note,no\n1,a,b,1\n", "the header names the column `no` twice"),
        ("a.csv", "NO,Topic,Note\n1,a,b\n", "the header lacks `no`, `topic`, `note` — is `NO` meant?"),
        ("a.csv", "Cases of March\n\nno,topic,note\n1,a,b\n", "are there lines above it (`skip_lines:`)?"),
        ("a.csv", "no,to\0pic,note\n1,a,b\n", "the header cannot be read: NUL byte"),
        ("a.csv", '"no,topic,note\n1,a,b\n', "the header cannot be read: quote not closed"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + bytes(100), "the file is a PNG image, not lines of text"),
        ("a.csv", os.urandom(5000).replace(b"\n", b"") + bytes(5000), "binary"),
        ("a.csv", "no,topic,note\n1,甲,乙\n2,丙,丁\n3,戊,己\n".encode("gb18030"), "looks like gb18030"),
        ("a.csv", "no,topic,note\n1,a,b\n".encode("utf-16-le"), "text in UTF-16"),
        ("a.csv.gz", gzip.compress(b"no,topic,note\n1,a,b\n")[:-12], "damaged or cut short"),
        ("a.zip", b"PK\x03\x04broken", "the zip archive is damaged"),
    ],
)
def test_a_file_of_another_form_fails_with_what_to_do_and_harms_no_other(
    centre: Centre, name: str, content: bytes | str, message: str
) -> None:
    centre.put(name, content)
    centre.put("z.csv", "no,topic,note\n9,a,b\n")
    landing.extract(centre.settings, "crm", DAY, DAY)
    failed, good = raw.load(centre.settings)
    assert (failed.state, good.state) == ("failed", "loaded")
    assert message in (failed.message or "")
    assert " — " in (failed.message or "")
    assert centre.rows() == [("9", "a", "b")]
    assert centre.ask("select state from ops.loads order by load_id") == [("failed",), ("loaded",)]
    with pytest.raises(SourceError, match=r"crm\.cases"):
        raw.raise_failures([failed, good])
    raw.raise_failures([good])


def test_a_failed_file_is_tried_again_when_the_declaration_is_corrected(centre: Centre) -> None:
    failed = centre.load(content="no;topic;note\n1;a;b\n")
    centre.declare(columns=["no", "topic", "note"], delimiter=";")
    assert centre.load().state == "loaded"
    assert centre.ask("select load_id, state from ops.loads") == [(failed.load_id, "loaded")]


def test_a_packed_file_that_unpacks_to_too_much_fails(centre: Centre) -> None:
    centre.declare(columns=["no", "topic", "note"], max_bytes=1_000_000)
    result = centre.load("bomb.csv.gz", gzip.compress(b"no,topic,note\n" + b"1,a,b\n" * 200_000))
    assert result.state == "failed"
    assert "more than allowed" in (result.message or "")


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
@pytest.mark.parametrize("block_size", [3, files.BLOCK])
def test_a_packed_file_is_unpacked_whatever_its_name_and_however_many_pieces_it_has(
    centre: Centre, pack: Callable[[bytes], bytes], block_size: int
) -> None:
    packed = pack(b"no,topic,note\n1,a,b\n2,") + pack(b"c,d\n")
    assert centre.load("cases.csv", packed, block_size=block_size).rows_loaded == 2


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_packed_file_that_is_cut_damaged_too_large_or_packed_twice_fails(
    centre: Centre, pack: Callable[[bytes], bytes]
) -> None:
    centre.declare(columns=["no", "topic", "note"], max_bytes=1_000_000)
    whole = pack(b"no,topic,note\n" + b"1,a,b\n" * 1000)
    bomb = pack(b"no,topic,note\n" + b"1,a,b\n" * 200_000)
    broken = bytearray(whole)
    broken[len(whole) // 2] ^= 0xFF
    for content, message in [
        (whole[:-12], "damaged or cut short"),
        (bytes(broken), "damaged or cut short"),
        (bomb, "more than allowed"),
        (pack(pack(b"no,topic,note\n1,a,b\n")), "archive, not lines of text"),
    ]:
        result = centre.load(f"{message[:4]}{len(content)}", content)
        assert (result.state, message in (result.message or "")) == ("failed", True), result.message
    assert centre.ask("select to_regclass('raw.crm__cases')") == [(None,)]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 rows: the file is empty"),
        (b"\n\r\n", "0 rows: the file has only blank lines"),
        (b"no,topic,note", "0 rows: the file has only a header"),
        (b"\xef\xbb\xbfno,topic,note\r\n\r\n", "0 rows: the file has only a header"),
    ],
)
def test_a_file_without_rows_loads_nothing_and_says_so(centre: Centre, content: bytes, message: str) -> None:
    result = centre.load(content=content)
    assert (result.state, result.rows_in, result.message) == ("loaded", 0, message)


def test_a_file_without_a_header_of_which_no_line_is_a_record_fails(centre: Centre) -> None:
    centre.declare(columns=["no", "topic", "note"], header=False)
    result = centre.load(content="1;a;b\n2;a;b\n")
    assert result.state == "failed"
    assert "not one of 2 lines is a record" in (result.message or "")
    assert centre.rejects() == []


def test_a_load_killed_half_way_is_done_again_from_the_start(
    centre: Centre, monkeypatch: pytest.MonkeyPatch
) -> None:
    def kill(*_: object) -> None:
        raise KeyboardInterrupt

    centre.put("cases.csv", "no,topic,note\n1,a,b\nbad\n")
    with monkeypatch.context() as patch:
        patch.setattr(raw, "_finish", kill)
        with pytest.raises(KeyboardInterrupt):
            centre.load()
    assert centre.ask("select state from ops.loads") == [("loading",)]
    assert centre.ask("select to_regclass('raw.crm__cases')") == [(None,)]
    centre.load()
    assert centre.ask("select state, rows_in, rows_rejected from ops.loads") == [("loaded", 2, 1)]
    assert len(centre.rows()) == len(centre.rejects()) == 1


def test_a_database_that_refuses_is_an_error_of_the_warehouse_and_keeps_nothing(centre: Centre) -> None:
    with postgres.connect(centre.settings, autocommit=True, name="test") as connection:
        connection.execute("revoke create on schema raw from callhouse_load")
    with pytest.raises(WarehouseError, match="permission denied for schema raw"):
        centre.load(content="no,topic,note\n1,a,b\n")
    with postgres.connect(centre.settings, autocommit=True, name="test") as connection:
        connection.execute("grant create on schema raw to callhouse_load")
    assert centre.load().rows_loaded == 1


def test_the_loading_role_cannot_touch_what_is_not_its_own(centre: Centre) -> None:
    with (
        postgres.connect(centre.settings, raw.ROLE, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute("delete from ops.rejects")


def test_a_queue_log_is_padded_and_its_surplus_kept(centre: Centre) -> None:
    centre.declare("asterisk_queue_log", "queue_log")
    result = centre.load(
        "queue_log",
        "1|NONE|NONE|NONE|QUEUESTART\n"
        "2|2.1|sales|NONE|ENTERQUEUE||+4420|1\n"
        "3|2.1|sales|Agent/1|ATTENDEDTRANSFER|LINK|a|b|4|60|1\n"
        '4|2.1|sales|"Agent|COMPLETE"AGENT|1|2|3\n'
        "5|cut\n",
    )
    assert (result.rows_loaded, result.rows_rejected) == (4, 1)
    assert centre.rows("time, agent, event, data1, data2, data3, data4, data5") == [
        ("1", "NONE", "QUEUESTART", None, None, None, None, None),
        ("2", "NONE", "ENTERQUEUE", "", "+4420", "1", None, None),
        ("3", "Agent/1", "ATTENDEDTRANSFER", "LINK", "a", "b", "4", "60|1"),
        ("4", '"Agent', 'COMPLETE"AGENT', "1", "2", "3", None, None),
    ]


def test_a_spreadsheet_becomes_text_as_a_careful_person_would_type_it(centre: Centre, tmp_path: Path) -> None:
    centre.declare(columns=["no", "topic", "note"], sheet="Calls")
    book = openpyxl.Workbook()
    sheet = book.create_sheet("Calls")
    sheet.append(["no", "topic", "note", "more"])
    sheet.append([1, datetime.datetime(2021, 1, 1, 9, 12, 58), datetime.time(0, 2, 23), True])
    sheet.append([])
    sheet.append([0.25, datetime.date(2021, 1, 2), 'a "b"\nc', None])
    sheet.append([1e15, datetime.timedelta(hours=30, seconds=5), "+4420", "=1"])
    book.save(tmp_path / "book.xlsx")
    result = centre.load("calls.xlsx", (tmp_path / "book.xlsx").read_bytes())
    assert (result.state, result.rows_loaded) == ("loaded", 3), result.message
    assert centre.rows("_line, no, topic, note, _extra") == [
        (2, "1", "2021-01-01 09:12:58", "00:02:23", {"more": "true"}),
        (4, "0.25", "2021-01-02", 'a "b"\nc', {"more": ""}),
        (5, "1000000000000000", "30:00:05", "+4420", {"more": ""}),
    ]


def test_a_sheet_that_is_not_there_is_named_with_those_that_are(centre: Centre, tmp_path: Path) -> None:
    centre.declare(columns=["no", "topic", "note"], sheet="Calls")
    openpyxl.Workbook().save(tmp_path / "book.xlsx")
    result = centre.load("calls.xlsx", (tmp_path / "book.xlsx").read_bytes())
    assert "no sheet 'Calls' — set `sheet:` to one of: Sheet" in (result.message or "")


def test_a_wrong_declaration_stops_the_load_before_anything_is_touched(centre: Centre) -> None:
    centre.declare(columns=["no"], delimeter=";")
    with pytest.raises(ConfigError, match="did you mean `delimiter`"):
        raw.load(centre.settings)


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the public test data is not at {SHARED}")
def test_naughty_strings_and_formulas_come_out_of_the_warehouse_as_they_went_in(centre: Centre) -> None:
    corpora = SHARED / "corpora"
    strings = json.loads((corpora / "naughty-strings.json").read_text())
    strings += (corpora / "csv-injection.txt").read_text().split("\n")
    strings = [text for text in strings if "\0" not in text]
    quoted = ('"' + text.replace('"', '""') + '"' for text in strings)
    result = centre.load(content="no,topic,note\n" + "".join(f"{text},x,y\n" for text in quoted))
    assert result.rows_rejected == 0
    assert [row[0] for row in centre.rows("no")] == strings


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the public test data is not at {SHARED}")
def test_a_month_of_a_real_bank_loads_whole_from_either_copy(centre: Centre) -> None:
    columns = ["vru+line", "call_id", "customer_id", "priority", "type", "date", "vru_entry", "vru_exit"]
    columns += [
        "vru_time",
        "q_start",
        "q_exit",
        "q_time",
        "outcome",
        "ser_start",
        "ser_exit",
        "ser_time",
        "server",
    ]
    centre.declare(columns=columns, delimiter="\t")
    for name in ("02_February.txt.gz", "february_second_copy_crlf.txt.gz"):
        result = centre.load(name, (SHARED / "anonbank" / name).read_bytes())
        expected = len(gzip.decompress((SHARED / "anonbank" / name).read_bytes()).splitlines()) - 1
        assert (result.rows_loaded, result.rows_rejected) == (expected, 0)
    names = ", ".join(f'"{name}"' for name in columns)
    different = f"select {names} from {centre.table} where _load_id ="
    assert not centre.ask(f"{different} {result.load_id} except {different} {result.load_id - 1}")
