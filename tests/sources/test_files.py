"""Opening text files: encodings, archives, and what is no text at all."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from callhouse.errors import SourceError
from callhouse.sources import files
from callhouse.sources.kinds import Caps, FileFormat


def read(
    folder: Path, content: bytes, *, encoding: str = "utf-8", block: int = 7
) -> tuple[bytes, files.TextFile]:
    path = folder / "file"
    path.write_bytes(content)
    with files.open_text(path, FileFormat(encoding=encoding), block) as text:
        return b"".join(text.blocks), text


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be", "utf-8", "gb18030"])
def test_a_byte_order_mark_wins_over_the_declared_encoding(tmp_path: Path, encoding: str) -> None:
    content = "\ufeff電話,b\n1,2\n".encode(encoding)
    for declared in ("utf-8", "latin-1", "utf-16"):
        text, opened = read(tmp_path, content, encoding=declared)
        assert (text.decode(), opened.encoding) == ("電話,b\n1,2\n", encoding)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_read_in_either_byte_order(tmp_path: Path, encoding: str) -> None:
    assert read(tmp_path, "a,b\n".encode(encoding), encoding="utf-16")[0] == b"a,b\n"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.text(st.sampled_from('a,"é電𝄞\r'), max_size=5), max_size=20),
    st.sampled_from(["utf-16-le", "utf-32-be", "gb18030", "cp037", "shift_jis", "latin-1"]),
    st.integers(1, 20),
)
def test_any_block_size_decodes_to_the_same_text(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], encoding: str, block: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    text = "\n".join(["first line", *lines]).encode(encoding, errors="ignore").decode(encoding)
    assert read(folder, text.encode(encoding), encoding=encoding, block=block)[0].decode() == text


def test_carriage_returns_are_the_line_ends_only_where_there_is_no_line_feed(tmp_path: Path) -> None:
    assert read(tmp_path, b"a\rb\r")[1].newline == b"\r"
    assert read(tmp_path, b"a\rb\n")[1].newline == b"\n"
    assert read(tmp_path, b"a,b")[1].newline == b"\n"


def test_several_archives_in_one_file_are_read_as_one(tmp_path: Path) -> None:
    assert read(tmp_path, gzip.compress(b"a\n") + gzip.compress(b"b\n"))[0] == b"a\nb\n"


def test_an_archive_is_refused_when_it_unpacks_to_too_much(tmp_path: Path) -> None:
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(b"1,2\n" * 500_000))
    with (
        files.open_text(path, FileFormat(caps=Caps(max_bytes=1_000_000)), 1 << 16) as text,
        pytest.raises(SourceError, match="more than allowed"),
    ):
        list(text.blocks)


def test_the_ratio_counts_only_for_large_files() -> None:
    caps = Caps(max_ratio=200)
    assert not caps.refuses(100 << 20, 1)
    assert caps.refuses((100 << 20) + 1, 1)
    assert not caps.refuses(200 << 20, 1 << 20)


def test_a_damaged_archive_is_refused(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(b"a,b\n" * 1000))
    packed[20] ^= 0xFF
    with pytest.raises(SourceError, match="damaged or cut short"):
        read(tmp_path, bytes(packed))


@pytest.mark.parametrize(
    "content",
    [b"\x89PNG\r\n\x1a\n..", b"%PDF-1.7\n", b"SQLite format 3\0", bytes(range(256)) * 10, b"\x7fELF\x02"],
)
def test_what_is_not_text_is_refused_at_once(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(SourceError):
        read(tmp_path, content)


def test_one_bad_line_of_many_is_no_reason_to_refuse_a_file(tmp_path: Path) -> None:
    content = b"a,b\n" * 5 + b"\xff\0,b\n"
    assert read(tmp_path, content)[0] == content


def test_a_spreadsheet_is_known_by_its_content(tmp_path: Path) -> None:
    import openpyxl

    book = tmp_path / "export.csv"
    openpyxl.Workbook().save(book)
    assert files.is_spreadsheet(book)
    text = tmp_path / "export.xlsx"
    text.write_bytes(b"a,b\n")
    assert not files.is_spreadsheet(text)


def test_a_zip_archive_of_something_else_is_refused(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("cases.csv", "a,b\n")
    path = tmp_path / "cases.zip"
    path.write_bytes(buffer.getvalue())
    with pytest.raises(SourceError, match="zip archive and no spreadsheet"):
        files.is_spreadsheet(path)
