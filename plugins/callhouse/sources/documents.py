"""Cuts text into JSON documents for COPY, a block at a time; each becomes one row with its text as it stood.

A document is a JSON object (RFC 8259). How a file puts them one after the other does not matter: one a line
(JSON Lines), pretty-printed over many lines, end to end without anything between, or as the elements of one
array. White space, commas and the array's brackets between documents are no content.

Two ways lead to the same rows. The careful one parses a document and so finds where it ends; the fast
one hands on, unparsed, every whole line that begins with ``{``, ends with ``}`` and shows no sign of holding
more or less than one document. Such a line may still be no JSON: staging sets it aside (``ops.is_json``).

What is no document is rejected up to the next line that begins one; a NUL or a byte that is not UTF-8 costs
only its own document.
"""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from callhouse.sources.records import CR, LF, Batch, Layout, Reject

LAYOUT = Layout(fields=1, min_fields=1, delimiter=b"\x1f", quote=None)

# PostgreSQL and Python parse JSON by recursion: what is deeper would be an error of its own there.
MAX_DEPTH = 500

_BETWEEN = re.compile(rb"[ \t\r\n,\[\]]*")
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"')
_TOUCHING = re.compile(rb"\}[ \t\r]*\{")
_CONTROL = {code: 0xFFFD for code in range(0x20) if chr(code) not in "\t\n\r"}
_LONGEST_TOKEN = 16  # a word, an escape or a number's sign: an error this near the end may be the cut's
_FIRST_WINDOW = 1 << 13


class _Incomplete(Exception):
    """The document goes on behind the end of the text."""


class _Constant(ValueError):
    """NaN or Infinity, which Python's parser would take."""


def _refuse_constant(name: str) -> Any:
    raise _Constant(f"{name} is no JSON")


# Numbers are not looked at: as floats they have no limit of digits.
_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=float)


class DocumentCutter:
    """Cuts the text it is fed into rows for a COPY with `LAYOUT`'s options.

    Args:
        load_id: the number that every row begins with.
        newline: the byte that ends lines.
        is_fast: False parses every document (the tests compare both ways).
    """

    def __init__(self, load_id: int, newline: bytes = LF, *, is_fast: bool = True) -> None:
        self.line = 1
        self._newline = newline
        self._prefix = b"%d" % load_id + LAYOUT.delimiter + b"%d" + LAYOUT.delimiter
        self._is_fast = is_fast
        self._rest: list[bytes] = []
        self._wait_for = 0
        self._window = _FIRST_WINDOW
        self._is_line_start = True

    @property
    def pending(self) -> int:
        """How many bytes wait for the next block."""
        return sum(map(len, self._rest))

    def feed(self, block: bytes, *, is_last: bool) -> Batch:
        """Cut a block of UTF-8 bytes; what is not yet a whole document is kept for the next one."""
        batch = Batch()
        self._rest.append(block)
        if self.pending < self._wait_for and not is_last:
            return batch
        text = b"".join(self._rest)
        out: list[bytes] = []
        done = self._cut(text, batch, out, is_last)
        self._rest = [text[done:]]
        # A long document is tried again only when there is twice as much of it.
        self._wait_for = 2 * (len(text) - done)
        batch.copy = b"".join(out)
        return batch

    def _cut(self, text: bytes, batch: Batch, out: list[bytes], is_last: bool) -> int:
        """Cut what is whole; returns where the first unfinished document begins."""
        lines = _Lines(text, self._newline) if self._is_fast else None
        here = 0
        while True:
            after = _BETWEEN.match(text, here).end()  # type: ignore[union-attr]
            self._go(text, here, after)
            here = after
            if here == len(text):
                return here
            if lines and self._is_line_start and (stop := self._emit_plain(lines, here, batch, out)) > here:
                here = stop
                continue
            try:
                after = self._next(text, here, batch, out, is_last)
            except _Incomplete:
                return here
            self._go(text, here, after)
            here = after

    def _go(self, text: bytes, start: int, stop: int) -> None:
        """Count the lines of what is done with."""
        if stop > start:
            self.line += text.count(self._newline, start, stop)
            self._is_line_start = text[stop - 1 : stop] == self._newline

    # -- the fast way ----------------------------------------------------------------------------------

    def _emit_plain(self, lines: _Lines, start: int, batch: Batch, out: list[bytes]) -> int:
        """Hand on the plain lines from ``start``; returns where the first other line begins."""
        first, stop = lines.plain_run(start)
        if first == stop:
            return start
        count = stop - first
        starts, ends = lines.starts[first:stop].tolist(), lines.ends[first:stop].tolist()
        for_copy = [LF] * (3 * count)
        for_copy[0::3] = [self._prefix % line for line in range(self.line, self.line + count)]
        for_copy[1::3] = [lines.text[start:end] for start, end in zip(starts, ends, strict=True)]
        out.append(b"".join(for_copy))
        batch.loaded += count
        self.line += count
        return int(lines.breaks[stop - 1]) + 1

    # -- the careful way -------------------------------------------------------------------------------

    def _next(self, text: bytes, start: int, batch: Batch, out: list[bytes], is_last: bool) -> int:
        """Load or reject the document at ``start``; returns where it ends."""
        end, reason = self._end(text, start, is_last)
        if end is None:
            end = self._resume(text, start, is_last)
            batch.rejects.append(Reject(self.line, text[start:end].rstrip(CR + LF), reason))
            return end
        document = text[start:end]
        reason = _fault(document)
        if reason:
            batch.rejects.append(Reject(self.line, document, reason))
        else:
            quote = LAYOUT.copy_quote
            out.append(self._prefix % self.line + quote + document + quote + LF)
            batch.loaded += 1
        return end

    def _end(self, text: bytes, start: int, is_last: bool) -> tuple[int | None, str]:
        """Where the document at ``start`` ends; None and why when it is none."""
        if text[start : start + 1] != b"{":
            return None, "not a JSON object"
        window = self._window
        while True:
            is_all = start + window >= len(text)
            part = text[start : start + window].decode(errors="surrogateescape")
            try:
                length = _DECODER.raw_decode(part.translate(_CONTROL))[1]
            except RecursionError:
                return None, f"nested more than {MAX_DEPTH} deep"
            except json.JSONDecodeError as error:
                is_cut = error.msg.startswith("Unterminated") or error.pos + _LONGEST_TOKEN >= len(part)
                if not is_cut or (is_all and is_last):
                    return None, f"not JSON: {error.msg}"
            except _Constant as error:
                return None, f"not JSON: {error}"
            else:
                size = len(part[:length].encode(errors="surrogateescape"))
                self._window = max(_FIRST_WINDOW, 2 * size)
                return start + size, ""
            if is_all:
                raise _Incomplete
            window *= 2

    def _resume(self, text: bytes, start: int, is_last: bool) -> int:
        """Where the next line begins that begins a document: at its very start, or indented like this one."""
        line_start = text.rfind(self._newline, 0, start) + 1
        indent = text[line_start:start]
        begins = [self._newline + b"{"]
        if indent and not indent.strip(b" \t"):
            begins.append(self._newline + indent + b"{")
        found = [at for begin in begins if (at := text.find(begin, start)) >= 0]
        if found:
            return min(found) + 1
        if is_last:
            return len(text)
        raise _Incomplete


def _fault(document: bytes) -> str:
    """Why a document that can be parsed cannot be loaded, or nothing."""
    if b"\0" in document:
        return "NUL byte"
    try:
        text = document.decode()
    except UnicodeDecodeError:
        return "not valid utf-8"
    if text.translate(_CONTROL) != text:
        return "not JSON: control character"
    if document.count(b"{") + document.count(b"[") > MAX_DEPTH and _depth(document) > MAX_DEPTH:
        return f"nested more than {MAX_DEPTH} deep"
    return ""


def _depth(document: bytes) -> int:
    codes = np.frombuffer(_STRING.sub(b"", document), np.uint8)
    steps = np.isin(codes, list(b"{[")).astype(np.int64) - np.isin(codes, list(b"}]"))
    return int(steps.cumsum().max())


class _Lines:
    """The whole lines of a text as arrays, and which of them hold one document each."""

    def __init__(self, text: bytes, newline: bytes) -> None:
        self.text = text
        codes = np.frombuffer(text, np.uint8)
        self.breaks = np.flatnonzero(codes == newline[0])
        self.starts = np.empty_like(self.breaks)
        self.starts[:1] = 0
        self.starts[1:] = self.breaks[:-1] + 1
        self.ends = self.breaks.copy()
        if not len(self.breaks):
            self._other = self.breaks
            return
        for byte in (CR, b","):
            if byte != newline and byte + newline in text:
                self.ends -= (codes[self.ends - 1] == byte[0]) & (self.ends > self.starts)
        plain = (self.ends - self.starts >= 2) & (codes[self.starts] == ord("{"))
        plain &= codes[self.ends - 1] == ord("}")
        opened, closed = self._count(codes, b"{"), self._count(codes, b"}")
        plain &= (opened == closed) & (opened + self._count(codes, b"[") <= MAX_DEPTH)
        plain[self._suspicious(codes, newline)] = False
        self._other = np.flatnonzero(~plain)

    def _count(self, codes: NDArray[np.uint8], byte: bytes) -> NDArray[np.intp]:
        return np.diff(np.searchsorted(np.flatnonzero(codes == byte[0]), self.breaks), prepend=0)

    def _suspicious(self, codes: NDArray[np.uint8], newline: bytes) -> NDArray[np.intp]:
        """Lines with more than one document, control characters, or bytes that are not UTF-8."""
        text = self.text
        at = [match.start() for match in _TOUCHING.finditer(text)]
        control = np.flatnonzero(codes < 0x20)
        if len(control) > len(self.breaks):
            inner = control[codes[control] != newline[0]]
            is_end = (codes[inner] == CR[0]) & (codes[np.minimum(inner + 1, len(codes) - 1)] == newline[0])
            at += inner[~is_end].tolist()
        found = np.searchsorted(self.breaks, np.array(at, np.intp))
        if not text.isascii():
            try:
                text[: int(self.breaks[-1])].decode()
            except UnicodeDecodeError:
                found = np.append(found, np.searchsorted(self.breaks, np.flatnonzero(codes > 0x7F)))
        return np.unique(found[found < len(self.breaks)])

    def plain_run(self, start: int) -> tuple[int, int]:
        """The first line at ``start`` and the first that is not plain from there on."""
        first = int(np.searchsorted(self.starts, start))
        if first == len(self.starts) or self.starts[first] != start:
            return first, first
        other = int(np.searchsorted(self._other, first))
        return first, int(self._other[other]) if other < len(self._other) else len(self.starts)
