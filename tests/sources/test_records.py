"""Cutting text into records: the fast way, the careful way and any split into blocks give the same rows."""

from __future__ import annotations

import csv
import io
import json
import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callhouse.settings import PROJECT
from callhouse.sources import records
from callhouse.sources.records import Cutter, Layout, Reject, read_header

SHARED = Path(os.environ.get("CALLHOUSE_SHARED_DATA", PROJECT.parent / "shared" / "data"))
Row = tuple[int, list[bytes | None]]

CSV = Layout(3, 3)
QUEUE_LOG = Layout(4, 2, True, b"|", None)
UNQUOTED = Layout(2, 2, False, b"\t", None)
MAC = Layout(2, 2, newline=b"\r")
BARE = Layout(3, 3, bare_quotes=True)


def read_copy(layout: Layout, copied: bytes) -> Iterator[Row]:
    """Rows as PostgreSQL's COPY (csv, with the layout's options) reads them."""
    quote, values, value, here, is_quoted = layout.copy_quote, [], b"", 0, False
    while here < len(copied):
        byte = copied[here : here + 1]
        if byte == quote:
            is_quoted = True
            here += 1
            while copied[here : here + 1] != quote or copied[here + 1 : here + 2] == quote:
                here += copied[here : here + 1] == quote
                value += copied[here : here + 1]
                here += 1
        elif byte in (layout.delimiter, b"\n"):
            values.append(None if value == layout.null and not is_quoted else value)
            value, is_quoted = b"", False
            if byte == b"\n":
                load, line, *rest = values
                assert load == b"7"
                yield int(line or 0), rest
                values = []
        else:
            assert byte != b"\r", "COPY refuses a carriage return outside quotes"
            value += byte
        here += 1
    assert not values and not value


def cut(
    layout: Layout, text: bytes, *, block: int | None = None, is_fast: bool = True
) -> tuple[list[Row], list[Reject]]:
    cutter = Cutter(layout, 7, is_fast=is_fast)
    rows, rejects = [], []
    size = block or max(len(text), 1)
    blocks = [text[start : start + size] for start in range(0, len(text), size)]
    for batch in [*(cutter.feed(part, is_last=False) for part in blocks), cutter.feed(b"", is_last=True)]:
        found = list(read_copy(layout, batch.copy))
        assert len(found) == batch.loaded
        rows += found
        rejects += batch.rejects
    assert cutter.pending == 0
    return rows, rejects


PIECES = (
    *(b"a", b"bc", b"1,2,3\n", b"p|q\n", b"%d", b" ", b",", b",", b"|", b"\t"),
    *(b'"', b'"', b'""', b'"x,y"', b"\n", b"\n", b"\r\n", b"\r"),
    *(b"\0", b"\x01", b"\x02", b"\\.", b"\xff", "é".encode(), "電話".encode()),
)
hostile = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)


@settings(max_examples=1500, deadline=None)
@given(
    hostile,
    st.sampled_from([CSV, QUEUE_LOG, UNQUOTED, MAC, BARE, Layout(1, 1), Layout(3, 3, delimiter=b"%")]),
)
def test_the_fast_way_and_the_careful_way_give_the_same_rows(text: bytes, layout: Layout) -> None:
    assert cut(layout, text) == cut(layout, text, is_fast=False)


@settings(max_examples=1500, deadline=None)
@given(hostile, st.integers(1, 40), st.sampled_from([CSV, QUEUE_LOG, MAC]), st.booleans())
def test_any_split_into_blocks_gives_the_same_rows(
    text: bytes, block: int, layout: Layout, is_fast: bool
) -> None:
    assert cut(layout, text, block=block, is_fast=is_fast) == cut(layout, text)


@settings(max_examples=800, deadline=None)
@given(hostile, st.integers(1, 40), st.booleans())
def test_the_limit_of_a_record_falls_at_the_same_place_in_every_split(
    text: bytes, block: int, is_fast: bool
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "MAX_RECORD", 12)
        assert cut(CSV, text, block=block, is_fast=is_fast) == cut(CSV, text)


@settings(max_examples=500, deadline=None)
@given(hostile, st.sampled_from([CSV, QUEUE_LOG]))
def test_every_physical_line_is_loaded_or_rejected_or_blank(text: bytes, layout: Layout) -> None:
    rows, rejects = cut(layout, text)
    lines = text.split(b"\n")
    starts = sorted([line for line, _ in rows] + [reject.line for reject in rejects])
    assert len(set(starts)) == len(starts)
    for reject in rejects:
        assert reject.content == lines[reject.line - 1].removesuffix(b"\r")
    for line, _ in rows:
        assert lines[line - 1].removesuffix(b"\r") != b""
    if layout.quote is None:
        assert starts == [n for n, line in enumerate(lines, 1) if line not in (b"", b"\r")]


@settings(max_examples=500, deadline=None)
@given(
    st.lists(
        st.lists(st.text(max_size=8).filter(lambda v: "\0" not in v), min_size=3, max_size=3), max_size=20
    ),
    st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    st.sampled_from(["\n", "\r\n"]),
    st.integers(1, 60),
)
def test_what_the_csv_module_writes_is_read_back(
    rows: list[list[str]], quoting: int, line_end: str, block: int
) -> None:
    # The module leaves a carriage return without quotes, where nobody can tell it from a line end.
    unsafe = "\r" if quoting == csv.QUOTE_MINIMAL else ""
    rows = [[v.encode(errors="ignore").decode().replace(unsafe or "\0", "") for v in row] for row in rows]
    buffer = io.StringIO()
    csv.writer(buffer, quoting=quoting, lineterminator=line_end).writerows(rows)  # type: ignore[call-overload]
    loaded, rejects = cut(CSV, buffer.getvalue().encode(), block=block)
    assert not rejects
    assert [[(value or b"").decode() for value in values] for _, values in loaded] == rows


def test_a_large_random_file_is_read_alike_both_ways_with_every_defect_in_it() -> None:
    dice = random.Random(4)
    lines = []
    for number in range(20_000):
        lines.append(
            b'%d,"a ""quoted"" one, with\nline end",x\n' % number if number % 3 else b"%d,b,c\n" % number
        )
        if dice.random() < 0.01:
            lines.append(
                dice.choice(
                    [b'"open,1,2\n', b"1,2\n", b"a\0,1,2\n", b'1,"x"y,2\n', b"\xff,1,2\n", b'a"b,1,2\n']
                )
            )
    text = b"".join(lines)
    fast = cut(CSV, text, block=1 << 16)
    assert fast == cut(CSV, text, is_fast=False)
    assert len(fast[1]) > 100


def test_a_line_keeps_its_number_behind_blank_lines_and_quoted_line_ends() -> None:
    rows, rejects = cut(CSV, b'\n1,"a\nb\n",2\n\r\nx,y,z\nbad\n"",,\n')
    assert rows == [(2, [b"1", b"a\nb\n", b"2"]), (6, [b"x", b"y", b"z"]), (8, [b"", b"", b""])]
    assert rejects == [Reject(7, b"bad", "wrong number of fields: expected 3, found 1")]


def test_a_quote_that_never_closes_costs_one_line() -> None:
    rows, rejects = cut(CSV, b'1,"open,2\n3,4,5\n6,7,8\n')
    assert [line for line, _ in rows] == [2, 3]
    assert rejects == [Reject(1, b'1,"open,2', "quote not closed")]


def test_a_stray_quote_before_quoted_lines_costs_one_line() -> None:
    rows, rejects = cut(CSV, b'1,"open,2\n"3","4","5"\n"6","7","8"\n')
    assert [values for _, values in rows] == [[b"3", b"4", b"5"], [b"6", b"7", b"8"]]
    assert rejects == [Reject(1, b'1,"open,2', "text after a closing quote")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"a,b", "wrong number of fields: expected 3, found 2"),
        (b"a,b,c,d", "wrong number of fields: expected 3, found 4"),
        (b"a,b\0,c", "NUL byte"),
        (b"a,\xff,c", "not valid utf-8"),
        (b"a,\xed\xa0\x80,c", "not valid utf-8"),
        (b'a,"b"c,d', "text after a closing quote"),
        (b'a,b,"c', "quote not closed"),
    ],
)
def test_a_bad_line_is_rejected_with_its_bytes_and_its_neighbours_load(line: bytes, reason: str) -> None:
    rows, rejects = cut(CSV, b"1,2,3\n" + line + b"\n4,5,6\n")
    assert [number for number, _ in rows] == [1, 3]
    assert rejects == [Reject(2, line, reason)]


def test_quotes_that_nobody_doubled_stay_in_their_field_where_the_layout_admits_them() -> None:
    text = b'''""Lee, Ann" <1>","2",3\n"a "" b","2",\n"open,2\n"",""Bo" <4>",\n"d""","2","e\nf"\n"x"y,2,3\n'''
    rows, rejects = cut(BARE, text)
    assert rows == [
        (1, [b'"Lee, Ann" <1>', b"2", b"3"]),
        (2, [b'a " b', b"2", b""]),
        (4, [b"", b'"Bo" <4>', b""]),
        (5, [b'd"', b"2", b"e\nf"]),
    ]
    assert rejects == [
        Reject(3, b'"open,2', "text after a closing quote"),
        Reject(7, b'"x"y,2,3', "text after a closing quote"),
    ]


def test_a_short_line_of_a_queue_log_gets_nulls_and_a_long_one_keeps_its_surplus_in_the_last_field() -> None:
    rows, rejects = cut(QUEUE_LOG, b"1|2\n1|2|3|\n1|2|3|4|5||6\n1\n")
    assert [values for _, values in rows] == [
        [b"1", b"2", None, None],
        [b"1", b"2", b"3", b""],
        [b"1", b"2", b"3", b"4|5||6"],
    ]
    assert [reject.reason for reject in rejects] == ["wrong number of fields: expected 2 to 4, found 1"]


def test_a_quote_inside_a_field_and_the_end_marker_of_copy_are_ordinary_text() -> None:
    rows, rejects = cut(CSV, b'37\'37.8"N,5" pipe,\\.\n\\.,\\N,"\\."\n')
    assert not rejects
    assert [values for _, values in rows] == [[b"37'37.8\"N", b'5" pipe', b"\\."], [b"\\.", b"\\N", b"\\."]]


def test_carriage_returns_end_lines_where_no_line_feed_does() -> None:
    assert cut(MAC, b'a,b\rc,"d\re"\r') == ([(1, [b"a", b"b"]), (2, [b"c", b"d\re"])], [])


def test_the_parity_of_flags_is_that_of_their_running_sum() -> None:
    flags = np.random.default_rng(1).random(100_003) < 0.4
    assert (records._parity(flags) == (np.cumsum(flags) % 2 == 1)).all()


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the public test data is not at {SHARED}")
def test_the_files_of_csv_spectrum_are_read_as_their_authors_say() -> None:
    folder = SHARED / "corpora" / "csv-spectrum"
    for path in sorted((folder / "csvs").glob("*.csv")):
        expected = json.loads((folder / "json" / f"{path.stem}.json").read_text())
        expected = expected if isinstance(expected, list) else [expected]
        width = len(expected[0])
        text = path.read_bytes()
        if path.stem.endswith("_crlf"):  # the stored copies have lost their carriage returns
            text = text.replace(b"\n", b"\r\n")
        rows, rejects = cut(Layout(width, width), text, block=7)
        header, *found = [[(value or b"").decode() for value in values] for _, values in rows]
        assert not rejects
        if path.stem == "location_coordinates":  # its telephone number is another in the answer
            assert found[0][1:] == list(expected[0].values())[1:]
        else:
            assert [dict(zip(header, values, strict=True)) for values in found] == expected, path.name


@pytest.mark.skipif(not SHARED.is_dir(), reason=f"the public test data is not at {SHARED}")
@pytest.mark.parametrize(
    ("text", "names", "fault"),
    [
        (b'a,"b\nc",d\n1,2,3\n', ["a", "b\nc", "d"], ""),
        (b'a,"b\nc",d', ["a", "b\nc", "d"], ""),  # it ends, or goes on in the next block
        (b'a,"b\nc', [], "quote not closed"),
        (b"a,b\0,c\n1,2,3\n", ["a", "b\0", "c"], "NUL byte"),
        (b"a,\xff\n", ["a", "\ufffd"], "not valid utf-8"),
    ],
)
def test_a_header_is_read_or_says_what_is_wrong_with_it(text: bytes, names: list[str], fault: str) -> None:
    found, _, _, reason = read_header(Layout(3, 3), text)
    assert reason == fault
    assert found == names or fault == "quote not closed"


def test_naughty_strings_survive() -> None:
    strings = [
        s for s in json.loads((SHARED / "corpora" / "naughty-strings.json").read_text()) if "\0" not in s
    ]
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerows(
        [number, text, "x"] for number, text in enumerate(strings)
    )
    rows, rejects = cut(CSV, buffer.getvalue().encode(), block=1000)
    assert not rejects
    assert [(values[1] or b"").decode() for _, values in rows] == strings
