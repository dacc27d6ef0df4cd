"""JSON documents cut from text, whatever stands between them."""

from __future__ import annotations

import datetime
import json
import os
import random
import re
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from callhouse import landing, postgres, raw
from callhouse.settings import PROJECT, Settings
from callhouse.sources import KINDS, Kind, kinds
from callhouse.sources.documents import LAYOUT, MAX_DEPTH, DocumentCutter

SHARED = Path(os.environ.get("CALLHOUSE_SHARED_DATA", PROJECT.parent / "shared" / "data"))
SUITE = SHARED / "corpora" / "json-parsing.tar.gz"

DOCUMENTS = [
    '{"a": 1}',
    "{}",
    '{"text": "braces } { in } a { string, and \\" quotes \\\\"}',
    '{"nested": [{"a": 1}, {"b": {"c": []}}]}',
    '{"äöü": "等待 🙂", "n": -1.5e300}',
    json.dumps({"long": ["x" * 90] * 200}),
    json.dumps({"pretty": {"a": [1, {"b": None}], "c": "d"}}, indent=2),
    '{\n"begins": [\n{"at": "column one"}\n]\n}',
]


def cut(content: bytes | str, size: int = 1 << 17, *, is_fast: bool = True) -> tuple[list[Any], list[Any]]:
    """Rows as (line, text) and rejects as (line, bytes, reason), fed in blocks of ``size`` bytes."""
    text = content if isinstance(content, bytes) else content.encode()
    cutter = DocumentCutter(4242, is_fast=is_fast)
    copy, rejects, loaded = b"", [], 0
    blocks = [text[start : start + size] for start in range(0, len(text), size)]
    for number, block in enumerate([*blocks, b""]):
        batch = cutter.feed(block, is_last=number == len(blocks))
        copy += batch.copy
        loaded += batch.loaded
        rejects += [(reject.line, reject.content, reject.reason) for reject in batch.rejects]
    rows = []
    for record in copy.split(b"4242" + LAYOUT.delimiter)[1:]:
        line, document = record.removesuffix(b"\n").split(LAYOUT.delimiter)
        rows.append((int(line), document.strip(LAYOUT.copy_quote).decode()))
    assert len(rows) == loaded
    return rows, rejects


def texts(content: bytes | str, **options: Any) -> list[str]:
    rows, rejects = cut(content, **options)
    assert rejects == []
    return [text for _, text in rows]


@pytest.mark.parametrize("is_fast", [True, False], ids=["fast", "careful"])
@pytest.mark.parametrize("size", [1, 7, 1 << 17], ids=str)
@pytest.mark.parametrize(
    ("before", "between", "after"),
    [
        ("", "\n", "\n"),
        ("", "\r\n", "\r\n"),
        ("", "\n\n  \n", ""),
        ("", "", ""),
        ("", " ", "\n"),
        ("[", ",", "]"),
        ("[\n  ", ",\n  ", "\n]\n"),
        ("[\n", "\n,", "]"),
    ],
    ids=["lines", "crlf", "blank lines", "end to end", "spaces", "array", "indented array", "commas first"],
)
def test_documents_are_found_whatever_stands_between_them(
    before: str, between: str, after: str, size: int, is_fast: bool
) -> None:
    assert texts(before + between.join(DOCUMENTS) + after, size=size, is_fast=is_fast) == DOCUMENTS


def test_a_document_has_the_number_of_the_line_it_begins_on() -> None:
    rows, _ = cut('[\n\n{"a": 1}, {\n"b": 2\n}\n, {"c": 3}]\n{"d": 4}\n{"e": 5}{"f": 6}\n{"g": 7}')
    assert [(line, next(iter(json.loads(text)))) for line, text in rows] == [
        (3, "a"), (3, "b"), (6, "c"), (7, "d"), (8, "e"), (8, "f"), (9, "g"),
    ]  # fmt: skip


@pytest.mark.parametrize("is_fast", [True, False], ids=["fast", "careful"])
def test_a_broken_document_costs_only_itself(is_fast: bool) -> None:
    broken = '{\n  "a": 1,\n  "b": tru\n}'
    content = f'{{"n": 1}}\n{broken}\n{{"n": 2}}\nno object at all\n{{"n": 3}}\n{{"n": 4'
    rows, rejects = cut(content, is_fast=is_fast)
    assert [json.loads(text)["n"] for _, text in rows] == [1, 2, 3]
    assert [(line, content) for line, content, _ in rejects] == [
        (2, broken.encode()), (7, b"no object at all"), (9, b'{"n": 4'),
    ]  # fmt: skip
    assert rejects[0][2].startswith("not JSON: ") and rejects[1][2] == "not a JSON object"


def test_a_broken_element_of_an_indented_array_costs_only_itself() -> None:
    elements = ['{"n": 1}', '{\n    "n": [\n      {"x": 1,}\n    ]\n  }', '{"n": 3}']
    rows, rejects = cut("[\n  " + ",\n  ".join(elements) + "\n]")
    assert [json.loads(text)["n"] for _, text in rows] == [1, 3]
    assert len(rejects) == 1


@pytest.mark.parametrize("is_fast", [True, False], ids=["fast", "careful"])
@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"a": "x\0y"}', "NUL byte"),
        (b'{"a":\n "x\0y",\n"b": 2}', "NUL byte"),
        (b'{"a": "\xff"}', "not valid utf-8"),
        (b'{"a": "\xed\xa0\x80"}', "not valid utf-8"),
        (b'{"a": "x\x01y"}', "not JSON: control character"),
        (b'{"a": "x\x1fy"}', "not JSON: control character"),
        (b'{"a":\n NaN}', "not JSON: NaN is no JSON"),
    ],
    ids=repr,
)
def test_bytes_that_no_table_takes_reject_only_their_document(bad: bytes, reason: str, is_fast: bool) -> None:
    rows, rejects = cut(b'{"n": 1}{"n": 2}\n' + bad + b'\n{"n": 3}\n', is_fast=is_fast)
    assert [json.loads(text)["n"] for _, text in rows] == [1, 2, 3]
    assert rejects == [(2, bad, reason)]


def test_a_document_nested_too_deeply_for_the_database_is_rejected() -> None:
    for depth in (MAX_DEPTH, 100_000):
        bad = '{"a": ' + "[" * depth + "]" * depth + "}"
        rows, rejects = cut(f'{{"n": 1}}\n{bad}\n{{"n": 2}}\n')
        assert len(rows) == 2
        assert [reason for _, _, reason in rejects] == [f"nested more than {MAX_DEPTH} deep"]
    assert len(texts('{"a": "' + "[" * 1000 + '"}\n{"a": [' + ",".join(["[]"] * 1000) + "]}")) == 2


def test_nothing_is_lost_or_invented_in_mixed_and_damaged_text_either_way() -> None:
    rng = random.Random(4)
    pieces = [*DOCUMENTS, '{"a": tru\n', '{"a": {"b": 1}\n, "c": 2}', "x", "]", '{"a": "\0"}', '{"n": }']
    for number in range(300):
        between = ["\n", "\r\n", ",\n"] if number % 2 else ["\n", "", " "]
        content = "".join(piece + rng.choice(between) for piece in rng.choices(pieces, k=12))
        fast, careful = (
            cut(content, size=rng.choice([64, 1000, 1 << 17]), is_fast=is_fast) for is_fast in (True, False)
        )
        for rows, rejects in (fast, careful):
            found = b"".join(text.encode() for _, text in rows) + b"".join(text for _, text, _ in rejects)
            assert sorted(_content(found)) == sorted(_content(content.encode()))
        if number % 2:  # each on lines of its own: what only looks like a document is staging's to find
            assert careful[0] == [row for row in fast[0] if _is_json(row[1])]


def _content(text: bytes) -> bytes:
    """Text without what stands between documents."""
    return re.sub(rb"[\s,\[\]]", b"", text)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


# -- in the warehouse --------------------------------------------------------------------------------------


@pytest.fixture
def feed(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A centre with a source of the kind `test_documents`, stream `records`, files below `in/`."""
    kind = Kind("test_documents", lambda source: {"records": kinds.document_stream(source, "records")})
    monkeypatch.setitem(KINDS, kind.name, kind)
    entry = {"kind": kind.name, "streams": {"records": {"files": ["in/*"]}}}
    settings = make_settings(sources={"feed": entry})
    (settings.data_dir / "in").mkdir()
    return settings


def load(settings: Settings, content: bytes) -> raw.LoadResult:
    (settings.data_dir / "in" / "file.json").write_bytes(content)
    day = datetime.date(2025, 3, 3)
    landing.extract(settings, "feed", day, day)
    return raw.load(settings)[-1]


def ask(settings: Settings, query: str) -> list[tuple[Any, ...]]:
    with postgres.connect(settings, autocommit=True, name="test") as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


def test_documents_stand_in_raw_as_they_stood_in_the_file(feed: Settings) -> None:
    result = load(feed, "\n".join([*DOCUMENTS, "broken"]).encode())
    assert (result.state, result.rows_in, result.rows_loaded) == (
        "loaded",
        len(DOCUMENTS) + 1,
        len(DOCUMENTS),
    )
    assert [row[0] for row in ask(feed, "select document from raw.feed__records order by _line")] == DOCUMENTS
    assert ask(feed, "select bytes, reason from ops.rejects") == [(b"broken", "not a JSON object")]


def test_a_file_without_a_document_is_refused_with_a_reason(feed: Settings) -> None:
    result = load(feed, b"id,name\n1,x\n")
    assert result.state == "failed"
    assert "not one of" in (result.message or "")


def test_text_becomes_json_that_the_database_can_keep_or_null(feed: Settings) -> None:
    cases = {
        '{"a": 1}': {"a": 1},
        '{"a": "x\\u0000y"}': {"a": "x\ufffdy"},
        '{"a": "x\\\\u0000y"}': {"a": "x\\u0000y"},
        '{"a": "\\\\\\u0000\\u0000"}': {"a": "\\\ufffd\ufffd"},
        '{"a": "\\ud83d\\ude42 \\ud83d \\ude42"}': {"a": "🙂 \ufffd \ufffd"},
        '{"a": "\\ud83d\\ud83d\\ude42\\u0000"}': {"a": "\ufffd🙂\ufffd"},
        '{"a": 1e999999}': None,
        '{"a": tru}': None,
        "": None,
    }
    with postgres.connect(feed, autocommit=True, name="test") as connection:
        for text, expected in cases.items():
            assert connection.execute("select ops.to_json(%s)", (text,)).fetchone() == (expected,), text


@pytest.mark.skipif(not SUITE.is_file(), reason=f"the public test data is not at {SHARED}")
def test_the_json_test_suite_is_accepted_and_refused_and_harms_no_neighbour(feed: Settings) -> None:
    with tarfile.open(SUITE) as archive:
        members = {
            Path(member.name).name: archive.extractfile(member).read()  # type: ignore[union-attr]
            for member in archive.getmembers()
            if member.isfile() and member.name.endswith(".json")
        }
    assert len(members) > 300
    content, first_line = b"", {}
    for name, member in members.items():
        first_line[name] = content.count(b"\n") + 2
        # As a member of an object the text stays what it was, valid or not.
        content += b'{"before": "%s"}\n{"suite": %s}\n' % (name.encode(), member)
    result = load(feed, content)
    rows = ask(
        feed, "select _line, ops.is_json(document), ops.to_json(document)::text from raw.feed__records"
    )
    refused = {row[0] for row in ask(feed, "select line from ops.rejects")}
    refused |= {line for line, is_json, _ in rows if not is_json}
    accepted = {line for line, is_json, _ in rows if is_json}
    wrong = {
        name: line
        for name, line in first_line.items()
        if line - 1 not in accepted
        or (name[0] != "i" and (name[0] == "y") != (line in accepted and line not in refused))
    }
    assert wrong == {}
    assert result.rows_in >= 2 * len(members)
    unusable = {line for line, is_json, value in rows if is_json and value is None}
    assert all(name.startswith("i_number") for name, line in first_line.items() if line in unusable)
