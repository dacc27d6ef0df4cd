"""Cuts delimited text into records for COPY, a block of whole lines at a time.

Two ways lead to the same rows. The careful one (``Cutter._next``) reads a record byte by byte and is the
definition of a record; the fast one looks at a whole block with NumPy and hands every record about which
nothing is remarkable to COPY as it stands. Only what is remarkable goes the careful way.

A field is quoted when its first character is the quote; the quote inside it is doubled, and the closing one
is followed by a delimiter or a line end. A quote anywhere else is an ordinary character. Delimiters and
line ends inside quotes belong to the field. A line of no characters is no record. A line that cannot be a
record is rejected alone, and reading goes on with the next: a record over several lines that
turns out bad costs only its first line, so that one stray quote cannot swallow its neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

# A record over several lines that is longer than this is taken for a quote that never closes.
MAX_RECORD = 1 << 20

CR, LF = b"\r", b"\n"


@dataclass(frozen=True)
class Layout:
    """The form of a record. One byte each: ``delimiter``, ``quote`` (None: no quoting), ``newline``.

    ``bare_quotes`` admits quotes that are not doubled within a quoted field of one line, which then ends at a
    quote before a delimiter. ``null`` and ``copy_quote`` are the bytes that stand for NULL and for a quote on
    the way into COPY.
    """

    fields: int
    min_fields: int
    join_surplus: bool = False
    delimiter: bytes = b","
    quote: bytes | None = b'"'
    newline: bytes = LF
    bare_quotes: bool = False

    @property
    def null(self) -> bytes:
        return self._spare[0]

    @property
    def copy_quote(self) -> bytes:
        return self.quote or self._spare[1]

    @property
    def _spare(self) -> list[bytes]:
        # Control characters hardly ever in a file; where they are, the record is written with quotes.
        control = (b"\x02", b"\x01", b"\x03", b"\x04")
        return [byte for byte in control if byte not in (self.delimiter, self.quote)]

    @property
    def copy_options(self) -> str:
        """The options of the COPY that takes what ``Cutter.feed`` gives."""
        return (
            f"format csv, delimiter {_literal(self.delimiter)}, quote {_literal(self.copy_quote)}, "
            f"null {_literal(self.null)}, encoding 'UTF8'"
        )


@dataclass(frozen=True)
class Reject:
    """A physical line (counted from 1) that is no record: its bytes without the line end, and why."""

    line: int
    content: bytes
    reason: str


@dataclass
class Batch:
    """What a block gave: rows for COPY (each begins with the load's number and the line's) and rejects."""

    copy: bytes = b""
    loaded: int = 0
    rejects: list[Reject] = field(default_factory=list)


class _Incomplete(Exception):
    """The record goes on behind the end of the block."""


class Cutter:
    """Cuts the text it is fed into rows for COPY.

    Args:
        layout: the form of a record.
        load_id: the number that every row begins with.
        line: the physical line at which the text begins.
        is_fast: False sends everything the careful way (the tests compare both).
    """

    def __init__(self, layout: Layout, load_id: int, line: int = 1, *, is_fast: bool = True) -> None:
        self.layout = layout
        self.line = line
        delimiter = layout.delimiter.replace(b"%", b"%%")
        self._prefix = b"%d" % load_id + delimiter + b"%d" + delimiter  # % the line's number
        self._is_fast = is_fast
        self._rest = b""
        short = range(layout.fields + 1)
        self._tails = [(layout.delimiter + layout.null) * (layout.fields - n) + LF for n in short]

    def feed(self, block: bytes, *, is_last: bool) -> Batch:
        """Cut a block of UTF-8 bytes; what is not yet a whole record is kept for the next one."""
        buffer = self._rest + block if self._rest else block
        if is_last:
            if buffer and not buffer.endswith(self.layout.newline):
                buffer += self.layout.newline
            end = len(buffer)
        else:
            end = buffer.rfind(self.layout.newline) + 1
        batch = Batch()
        out: list[bytes] = []
        text = buffer[:end] if end < len(buffer) else buffer
        done = self._fast(text, batch, out, is_last) if self._is_fast and text else 0
        done = self._careful(text, done, batch, out, is_last)
        self._rest = buffer[done:]
        batch.copy = b"".join(out)
        return batch

    @property
    def pending(self) -> int:
        """How many bytes wait for the next block."""
        return len(self._rest)

    # -- the careful way -------------------------------------------------------------------------------

    def _careful(self, text: bytes, start: int, batch: Batch, out: list[bytes], is_last: bool) -> int:
        """Cut ``text`` from ``start`` record by record; returns where the first unfinished record begins."""
        try:
            while start < len(text):
                start = self._next(text, start, batch, out, is_last)
        except _Incomplete:
            pass
        return start

    def _next(self, text: bytes, start: int, batch: Batch, out: list[bytes], is_last: bool) -> int:
        """Load or reject the record at ``start``; returns where the next one begins."""
        newline = self.layout.newline
        line_end = text.index(newline, start)
        line = _without_cr(text[start:line_end], newline)
        if not line:
            self.line += 1
            return line_end + 1
        values, end, reason = self._fields(text, start, is_last)
        if reason and self.layout.bare_quotes and (bare := _bare_fields(line, self.layout)):
            values, end, reason = bare, line_end + 1, ""
        reason = reason or self._fault(text[start:end], values)
        if reason:
            batch.rejects.append(Reject(self.line, line, reason))
            self.line += 1
            return line_end + 1
        out.append(self._row(values))
        batch.loaded += 1
        self.line += text.count(newline, start, end)
        return end

    def _fields(self, text: bytes, start: int, is_last: bool) -> tuple[list[bytes], int, str]:
        """The fields of the record at ``start``, where the next record begins, and what is wrong with it."""
        values: list[bytes] = []
        layout, here = self.layout, start
        delimiter, newline, quote = layout.delimiter, layout.newline, layout.quote
        line_end = text.index(newline, start)
        limit = max(start + MAX_RECORD, line_end)
        if quote is None or quote not in text[start:line_end]:
            return _without_cr(text[start:line_end], newline).split(delimiter), line_end + 1, ""
        while True:
            if text[here : here + 1] == quote:
                close = self._closing_quote(text, here, limit, is_last)
                if close < 0:
                    return values, line_end + 1, "quote not closed"
                values.append(text[here + 1 : close].replace(quote * 2, quote))
                here = close + 1
                if text[here : here + 2] == CR + newline:
                    here += 1
                if text[here : here + 1] == newline:
                    return values, here + 1, ""
                if text[here : here + 1] != delimiter:
                    return values, line_end + 1, "text after a closing quote"
            else:
                line_end = text.index(newline, here)
                comma = text.find(delimiter, here, line_end)
                if comma < 0:
                    values.append(_without_cr(text[here:line_end], newline))
                    return values, line_end + 1, ""
                values.append(text[here:comma])
                here = comma
            here += 1

    def _closing_quote(self, text: bytes, opening: int, limit: int, is_last: bool) -> int:
        """Where the quote opened at ``opening`` closes; -1 when it does not before ``limit``."""
        quote = self.layout.quote or b""
        here = opening + 1
        while True:
            here = text.find(quote, here, limit)
            if here < 0:
                if len(text) < limit and not is_last:
                    raise _Incomplete
                return -1
            if text[here + 1 : here + 2] != quote:
                return here
            here += 2

    def _fault(self, record: bytes, values: list[bytes]) -> str:
        """Why a record with these fields cannot be loaded, or nothing."""
        layout, found = self.layout, len(values)
        if b"\0" in record:
            return "NUL byte"
        try:
            record.decode()
        except UnicodeDecodeError:
            return "not valid utf-8"
        if layout.min_fields <= found <= layout.fields or (layout.join_surplus and found > layout.fields):
            return ""
        least = "" if layout.min_fields == layout.fields else f"{layout.min_fields} to "
        return f"wrong number of fields: expected {least}{layout.fields}, found {found}"

    def _row(self, values: list[bytes]) -> bytes:
        layout, quote = self.layout, self.layout.copy_quote
        if len(values) > layout.fields:
            last = layout.fields - 1
            values = [*values[:last], layout.delimiter.join(values[last:])]
        quoted = (quote + value.replace(quote, quote * 2) + quote for value in values)
        return self._prefix % self.line + layout.delimiter.join(quoted) + self._tails[len(values)]

    # -- the fast way ----------------------------------------------------------------------------------

    def _fast(self, text: bytes, batch: Batch, out: list[bytes], is_last: bool) -> int:
        """Cut all of ``text`` but the records the careful way must see; returns how far it came."""
        view = _View(text, self.layout)
        plain_from = 0
        for index in view.remarkable().tolist():
            self._emit(view, plain_from, index, batch, out)
            start = int(view.starts[index])
            if view.is_unsure(index):
                return start
            self._next(text, start, batch, out, is_last)
            plain_from = index + 1
        self._emit(view, plain_from, view.size, batch, out)
        return view.end

    def _emit(self, view: _View, first: int, stop: int, batch: Batch, out: list[bytes]) -> None:
        """Hand the records ``first`` to ``stop`` on as they stand."""
        if first >= stop:
            return
        prefix, text = self._prefix, view.text
        lines, starts, ends, counts = view.run(first, stop, self.line)
        for_copy = [LF] * (3 * len(starts))
        for_copy[0::3] = [prefix % line for line in lines]
        for_copy[1::3] = [text[start:end] for start, end in zip(starts, ends, strict=True)]
        if counts is not None:
            tails = self._tails
            for_copy[2::3] = [tails[count] for count in counts]
        out.append(b"".join(for_copy))
        batch.loaded += len(starts)
        self.line += view.line_count(first, stop)


def _bare_fields(line: bytes, layout: Layout) -> list[bytes]:
    """The fields of a line whose quotes are not doubled; none when a quoted one does not end."""
    quote = layout.quote or b""
    values: list[bytes] = []
    pieces = iter(line.split(layout.delimiter))
    for value in pieces:
        if value.startswith(quote):
            while len(value) == 1 or not value.endswith(quote):
                piece = next(pieces, None)
                if piece is None:
                    return []
                value += layout.delimiter + piece
            value = value[1:-1].replace(quote * 2, quote)
        values.append(value)
    return values


class _View:
    """A block of whole lines as arrays: where its records begin and end, and how many fields they have."""

    def __init__(self, text: bytes, layout: Layout) -> None:
        self.text, self.layout = text, layout
        self.bytes = np.frombuffer(text, np.uint8)
        self.newlines = np.flatnonzero(self.bytes == layout.newline[0])
        self._inside: NDArray[np.bool_] | None = None
        self._misplaced = len(text)
        if layout.quote and layout.quote in text:
            self._read_quotes(layout.quote[0])
        else:
            self.breaks = self.newlines
        self.starts = np.empty_like(self.breaks)
        self.starts[:1] = 0
        self.starts[1:] = self.breaks[:-1] + 1
        self.ends = self.breaks
        if layout.newline == LF and CR in text:
            self.ends = self.breaks - (self.bytes[self.breaks - 1] == CR[0]) * (self.breaks > self.starts)
        self.size = len(self.breaks)
        self.end = int(self.breaks[-1]) + 1 if self.size else 0
        self.counts = self._field_counts()
        self.is_one_line = len(self.newlines) == self.size

    def _read_quotes(self, quote: int) -> None:
        """Tell inside from outside by parity, and find the first quote that is not at a field's edge."""
        quotes = self.bytes == quote
        inside = self._inside = _parity(quotes)
        self.breaks = self.newlines[~inside[self.newlines]]
        at = np.flatnonzero(quotes)
        opening, closing = at[0::2], at[1::2]
        edge = np.zeros(256, bool)
        edge[[quote, self.layout.delimiter[0], self.layout.newline[0]]] = True
        before = opening[1:] if len(opening) and opening[0] == 0 else opening
        after = closing + 1
        good = edge[self.bytes[after]]
        if self.layout.newline == LF:
            cr = np.flatnonzero(self.bytes[after] == CR[0])
            good[cr] = self.bytes[after[cr] + 1] == LF[0]
        bad = np.concatenate([before[~edge[self.bytes[before - 1]]], closing[~good]])
        if len(bad):
            self._misplaced = int(bad.min())

    def _field_counts(self) -> NDArray[np.intp] | None:
        """Fields per record; None when every record has exactly the layout's number (the usual case)."""
        delimiters = self._outside(self.layout.delimiter)
        wanted = self.layout.fields - 1
        if len(delimiters) == self.size * wanted and (
            wanted == 0
            or (
                bool((delimiters[wanted - 1 :: wanted] < self.breaks).all())
                and bool((delimiters[wanted::wanted] > self.breaks[:-1]).all())
            )
        ):
            return None
        return np.diff(np.searchsorted(delimiters, self.breaks), prepend=0) + 1

    def _outside(self, byte: bytes) -> NDArray[np.intp]:
        """Where a byte stands outside quotes."""
        found = self.bytes == byte[0]
        if self._inside is not None:
            found &= ~self._inside
        return np.flatnonzero(found)

    def remarkable(self) -> NDArray[np.intp]:
        """The records, in order, that may not be handed on as they stand."""
        text, layout = self.text, self.layout
        flags = np.zeros(self.size + 1, bool)  # one more for what follows the last whole record
        if self._misplaced < len(text):
            flags[np.searchsorted(self.breaks, self._misplaced)] = True
        if self.counts is not None:
            flags[:-1] |= (self.counts < layout.min_fields) | (self.counts > layout.fields)
        flags[:-1] |= self.ends == self.starts
        for byte in {b"\0", layout.null} | (set() if layout.quote else {layout.copy_quote}):
            if byte in text:
                flags[np.searchsorted(self.breaks, np.flatnonzero(self.bytes == byte[0]))] = True
        if not _is_utf8(text):
            flags[np.searchsorted(self.breaks, np.flatnonzero(self.bytes > 0x7F))] = True
        for byte in {CR, LF} - {layout.newline}:
            if byte in text:
                at = self._outside(byte)
                if byte == CR:
                    at = at[self.bytes[at + 1] != LF[0]]
                flags[np.searchsorted(self.breaks, at)] = True
        if not self.is_one_line:
            flags[:-1] |= self.breaks - self.starts >= MAX_RECORD
        return np.flatnonzero(flags[:-1])

    def is_unsure(self, index: int) -> bool:
        """Whether the cut behind this record is in doubt: a quote is amiss, or it has several lines."""
        start, end = int(self.starts[index]), int(self.breaks[index])
        return start <= self._misplaced <= end or self.line_count(index, index + 1) > 1

    def run(
        self, first: int, stop: int, line: int
    ) -> tuple[range | list[int], list[int], list[int], list[int] | None]:
        """Line numbers, starts, ends and field counts (None: all as wanted) of ``first`` to ``stop``."""
        counts = None if self.counts is None else self.counts[first:stop].tolist()
        lines: range | list[int] = range(line, line + stop - first)
        if not self.is_one_line:
            at = np.searchsorted(self.newlines, self.starts[first:stop])
            lines = (at - at[0] + line).tolist()
        return lines, self.starts[first:stop].tolist(), self.ends[first:stop].tolist(), counts

    def line_count(self, first: int, stop: int) -> int:
        """Physical lines from the record ``first`` up to ``stop``."""
        if self.is_one_line or first >= stop:
            return stop - first
        ends = np.searchsorted(self.newlines, [self.starts[first], self.breaks[stop - 1]])
        return int(ends[1] - ends[0]) + 1


def _parity(flags: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether the number of set flags up to and with each place is odd.

    A prefix XOR over 64 places at a time: ten times faster than ``np.bitwise_xor.accumulate``.
    """
    packed = np.packbits(flags, bitorder="little")
    words = np.zeros(-(-len(packed) // 8), "<u8")
    words.view(np.uint8)[: len(packed)] = packed
    for shift in (1, 2, 4, 8, 16, 32):
        words ^= words << np.uint64(shift)
    carry = np.bitwise_xor.accumulate(words >> np.uint64(63))
    words[1:] ^= -carry[:-1]  # all ones where the words before hold an odd number
    return np.unpackbits(words.view(np.uint8), count=len(flags), bitorder="little").view(bool)


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _without_cr(line: bytes, newline: bytes) -> bytes:
    return line[:-1] if newline == LF and line.endswith(CR) else line


def _literal(byte: bytes) -> str:
    """A byte as an SQL string."""
    return f"E'\\x{byte[0]:02x}'"


def read_header(layout: Layout, text: bytes) -> tuple[list[str], int, int, str]:
    """The first record's names (blank lines skipped), where it ends, its last line, and what is wrong."""
    cutter = Cutter(replace(layout, min_fields=0, join_surplus=True), 0)
    start, lines, size = 0, 0, len(text)
    if not text.endswith(layout.newline):
        text += layout.newline
    while start < size:
        end = text.index(layout.newline, start)
        if _without_cr(text[start:end], layout.newline):
            values, after, reason = cutter._fields(text, start, is_last=True)
            reason = reason or cutter._fault(text[start:after], values)
            names = [value.decode(errors="replace") for value in values]
            return names, min(after, size), lines + text.count(layout.newline, start, after), reason
        start, lines = end + 1, lines + 1
    return [], min(start, size), lines, ""
