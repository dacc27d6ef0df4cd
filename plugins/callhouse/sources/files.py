"""Files of source systems: finding them, recognising what they are, reading them as UTF-8 lines.

A byte-order mark wins over the declared encoding. gzip, bzip2 and xz are recognised by their content, not
their names. What
is plainly not lines of text (an image, an archive, another encoding) is refused before a row of it is
loaded: one clear message instead of a million rejects.
"""

from __future__ import annotations

import codecs
import gzip
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from callhouse.errors import SourceError
from callhouse.sources.kinds import FileFormat, Stream
from callhouse.sources.records import Reject

BLOCK = 1 << 17  # fits the processor's cache; larger blocks are slower
SAMPLE = 1 << 16
MAX_LINE = 64 << 20

BYTE_ORDER_MARKS = (  # longest first: UTF-32 LE begins like UTF-16 LE
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (b"\x84\x31\x95\x33", "gb18030"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
GZIP, BZIP2, XZ = b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0"
ZIP, OLE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
SPREADSHEET_PARTS = {"xl/workbook.xml", "xl/workbook.bin", "content.xml"}
XZ_MEMORY = 256 << 20  # `xz -9` needs 65 MiB
NOT_TEXT = (
    (b"\x89PNG\r\n\x1a\n", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"%PDF-", "a PDF document"),
    (GZIP, "a gzip archive"),
    (BZIP2, "a bzip2 archive"),
    (XZ, "an xz archive"),
    (ZIP, "a zip archive"),
    (b"7z\xbc\xaf'\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a RAR archive"),
    (b"\x28\xb5\x2f\xfd", "a zstandard archive"),
    (b"SQLite format 3\0", "an SQLite database"),
    (b"PAR1", "a Parquet file"),
    (b"\x7fELF", "a program"),
)


def find(stream: Stream, data_dir: Path) -> list[Path]:
    """The files that match the stream's globs, sorted by path.

    Raises:
        SourceError: a folder cannot be read, or a link leads out of the data folder.
    """
    root = data_dir.resolve()
    found = set()
    for pattern in stream.files:
        try:
            matches = [path for path in data_dir.glob(pattern) if path.is_file()]
        except OSError as error:
            raise SourceError(
                f"the folder cannot be read: {error.strerror}", where=str(data_dir), do="give read permission"
            ) from None
        for path in matches:
            if not path.resolve().is_relative_to(root):
                raise SourceError(
                    "the file is a link that leads out of the data folder",
                    where=str(path),
                    do="put the file itself there, or set CALLHOUSE_DATA to a folder above both",
                )
            found.add(path)
    return sorted(found)


def is_spreadsheet(path: Path) -> bool:
    """Whether the content (not the name) is xlsx, xlsb, ods or xls.

    Raises:
        SourceError: the file is a zip archive of something else.
    """
    with path.open("rb") as file:
        head = file.read(8)
    if not head.startswith(ZIP):
        return head == OLE
    try:
        with zipfile.ZipFile(path) as archive:
            names = set(archive.namelist())
    except zipfile.BadZipFile:
        names = set()
    if names & SPREADSHEET_PARTS:
        return True
    raise SourceError(
        "the file is a zip archive and no spreadsheet" if names else "the zip archive is damaged",
        where=path.name,
        do="unpack it into the source's folder, or deliver it again",
    )


@dataclass
class TextFile:
    """An open text file.

    ``blocks`` yields UTF-8 bytes; ``newline`` is the byte that ends its lines (LF, or CR in files of old
    Macs). ``undecodable`` holds, by line from 1, the bytes of lines that are not valid in ``encoding``; in
    the blocks a NUL stands in their place.
    """

    encoding: str
    newline: bytes
    sample: bytes
    blocks: Iterator[bytes]
    undecodable: dict[int, bytes] = field(default_factory=dict)

    def original(self, reject: Reject) -> Reject:
        """A reject with its bytes as they stand in the file."""
        if reject.line in self.undecodable:
            content = self.undecodable.pop(reject.line)
            return Reject(reject.line, content, f"not valid {self.encoding}")
        if self.encoding == "utf-8":
            return reject
        text = reject.content.decode(errors="replace")
        return replace(reject, content=text.encode(self.encoding, errors="replace"))


@contextmanager
def open_text(path: Path, form: FileFormat, block_size: int = BLOCK) -> Iterator[TextFile]:
    """Open a text file, plain or packed, for reading in blocks of about ``block_size`` bytes.

    Raises:
        SourceError: here or while reading: not text, another encoding, damaged, too large unpacked.
    """
    with path.open("rb") as file:
        chunks = _chunks(file, path, form, block_size)
        sample = b""
        for chunk in chunks:
            sample += chunk
            if len(sample) >= SAMPLE:
                break
        encoding, mark = _encoding(sample, form.encoding)
        sample = sample[mark:]
        head = sample[:SAMPLE]
        newline = _newline(head, encoding)
        _refuse_other_than_text(head, encoding, newline, path)
        text = TextFile(encoding, newline.encode(), head, iter(()))
        all_chunks = _chain(sample, chunks)
        text.blocks = all_chunks if encoding == "utf-8" else _transcoded(all_chunks, text, path)
        yield text


def _chain(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


class _Damaged(Exception):
    """What is packed cannot be unpacked."""


class _Unpacked:
    """Unpacks bzip2 or xz, which may be several streams end to end, in bounded memory."""

    def __init__(self, file: BinaryIO, make: Callable[[], Any]) -> None:
        self._file, self._make = file, make
        self._stream: Any = make()
        self._packed = b""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes; none at the end."""
        while True:
            if self._stream.eof:
                self._packed = self._stream.unused_data or self._file.read(size)
                if not self._packed.strip(b"\0"):  # xz may be padded
                    return b""
                self._stream = self._make()
            elif self._stream.needs_input:
                self._packed = self._file.read(size)
                if not self._packed:
                    raise _Damaged("it ends too early")
            try:
                chunk: bytes = self._stream.decompress(self._packed, size)
            except Exception as error:  # bz2: OSError, ValueError; lzma: its own
                raise _Damaged(str(error)) from None
            self._packed = b""
            if chunk:
                return chunk


def _unpacked(file: BinaryIO) -> tuple[str, Any]:
    """What a file is packed with, or nothing, and a reader of what it holds."""
    head = file.read(len(XZ))
    file.seek(0)
    if head.startswith(GZIP):
        return "gzip", gzip.GzipFile(fileobj=file)
    if head.startswith(BZIP2):
        import bz2

        return "bzip2", _Unpacked(file, bz2.BZ2Decompressor)
    if head == XZ:
        import lzma

        return "xz", _Unpacked(file, partial(lzma.LZMADecompressor, memlimit=XZ_MEMORY))
    return "", file


def _chunks(file: BinaryIO, path: Path, form: FileFormat, block_size: int) -> Iterator[bytes]:
    """The unpacked bytes, watched for damage and for archives that unpack without end."""
    packed_by, unpacked = _unpacked(file)
    total = 0
    while True:
        try:
            chunk = unpacked.read(block_size)
        except (EOFError, gzip.BadGzipFile, zlib.error, _Damaged) as error:
            raise SourceError(
                f"the {packed_by} archive is damaged or cut short: {error}",
                where=path.name,
                do="deliver the file again",
            ) from None
        if not chunk:
            return
        total += len(chunk)
        if form.caps.refuses(total, file.tell()):
            raise SourceError(
                f"the file unpacks to more than allowed: {total} bytes out of the first {file.tell()}",
                where=path.name,
                do="if it is genuine, raise the stream's `max_bytes` or `max_ratio` in sources.yml",
            )
        yield chunk


def _encoding(sample: bytes, declared: str) -> tuple[str, int]:
    """The encoding in force and the length of the byte-order mark."""
    for mark, encoding in BYTE_ORDER_MARKS:
        if sample.startswith(mark):
            return encoding, len(mark)
    if declared in ("utf-16", "utf-32"):  # no mark: the zero byte of the first ASCII character tells
        return f"{declared}-{'be' if sample[:1] == bytes(1) else 'le'}", 0
    return ("utf-8" if declared in ("utf-8", "utf-8-sig") else declared), 0


def _newline(sample: bytes, encoding: str) -> str:
    text = sample.decode(encoding, errors="replace")
    return "\r" if "\r" in text and "\n" not in text else "\n"


def _refuse_other_than_text(sample: bytes, encoding: str, newline: str, path: Path) -> None:
    kind = next((name for magic, name in NOT_TEXT if sample.startswith(magic)), None)
    if kind:
        raise SourceError(
            f"the file is {kind}, not lines of text", where=path.name, do="deliver the export itself"
        )
    lines = _split_lines(sample, newline.encode(encoding))
    if len(sample) >= SAMPLE and len(lines) > 1:
        lines.pop()  # cut anywhere
    # Two bad lines of three may be an accident; most of three or more are another kind of file.
    if sample.count(0) > 0.3 * len(sample) and not encoding.startswith(("utf-16", "utf-32")):
        raise _other_encoding("the file is binary, or text in UTF-16", encoding, path)
    if not encoding.startswith(("utf-16", "utf-32")) and _most(b"\0" in line for line in lines):
        raise _other_encoding("the file is binary: NUL bytes in most of its lines", encoding, path)
    if _most(not _is_valid(line, encoding) for line in lines):
        looks = next(
            (f", and looks like {name}" for name in ("gb18030",) if _is_valid(b"\n".join(lines), name)), ""
        )
        raise _other_encoding(f"most lines are not valid {encoding}{looks}", encoding, path)


def _most(flags: Iterator[bool]) -> bool:
    found = list(flags)
    return len(found) >= 3 and 2 * sum(found) > len(found)


def _other_encoding(what: str, encoding: str, path: Path) -> SourceError:
    return SourceError(
        what,
        where=path.name,
        do=f"deliver the export as text, or correct `encoding:` (now {encoding}) in sources.yml",
    )


def _is_valid(line: bytes, encoding: str) -> bool:
    try:
        line.decode(encoding)
    except UnicodeError:
        return False
    return True


def _transcoded(chunks: Iterator[bytes], text: TextFile, path: Path) -> Iterator[bytes]:
    """Whole lines as UTF-8; undecodable ones replaced by a NUL and remembered."""
    mark = text.newline.decode().encode(text.encoding)
    rest, line = b"", 1
    for chunk in chunks:
        rest += chunk
        end = _last_line_end(rest, mark)
        if end:
            block = _to_utf8(rest[:end], mark, line, text)
            rest = rest[end:]
            line += block.count(text.newline)
            yield block
        elif len(rest) > MAX_LINE:
            raise line_too_long(path)
    if rest:
        yield _to_utf8(rest, mark, line, text)


def line_too_long(path: Path) -> SourceError:
    """The error for a file without line ends."""
    return SourceError(
        f"no line end within {MAX_LINE >> 20} MiB: the file is not lines of text",
        where=path.name,
        do="deliver the export as lines of text, or correct `encoding:` in sources.yml",
    )


def _to_utf8(block: bytes, mark: bytes, line: int, text: TextFile) -> bytes:
    try:
        return block.decode(text.encoding).encode()
    except UnicodeError:
        pass
    lines = []
    for number, content in enumerate(_split_lines(block, mark), line):
        try:
            lines.append(content.decode(text.encoding).encode())
        except UnicodeError:
            text.undecodable[number] = content
            lines.append(b"\0")
    return text.newline.join(lines)


def _line_ends(block: bytes, mark: bytes) -> list[int]:
    """Where the line ends of a block begin, in an encoding of one, two or four bytes a unit."""
    width = len(mark)
    units = np.frombuffer(block[: len(block) // width * width], f"u{width}")
    found: list[int] = (np.flatnonzero(units == np.frombuffer(mark, f"u{width}")[0]) * width).tolist()
    return found


def _split_lines(block: bytes, mark: bytes) -> list[bytes]:
    if len(mark) == 1:
        return block.split(mark)
    ends = _line_ends(block, mark)
    starts = [0, *(end + len(mark) for end in ends)]
    return [block[start:end] for start, end in zip(starts, [*ends, len(block)], strict=True)]


def _last_line_end(block: bytes, mark: bytes) -> int:
    """Where the last whole line of a block ends; 0 when there is none."""
    if len(mark) == 1:
        return block.rfind(mark) + 1
    ends = _line_ends(block, mark)
    return ends[-1] + len(mark) if ends else 0
