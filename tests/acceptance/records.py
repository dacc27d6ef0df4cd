"""Records as telephone systems tell them, and the files that hold them.

A record is a list of fields (a line), a mapping of texts (a row below a header) or a JSON document. A form
makes a file of records. What a demand does to records works on all of them alike.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

Record = Any
Form = Callable[[list[Record], int], bytes]

_INSTANT = re.compile(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d:\d\d)(\.\d+)?(Z?)|(\d{10})(\.\d+)?|(\d{16})")


def lines(records: list[Record], style: int) -> bytes:
    """A line per record, its fields between bars."""
    return "".join("|".join(record) + "\n" for record in records).encode(errors="surrogatepass")


def rows(records: list[Record], style: int) -> bytes:
    """CSV below a header of all columns; every second style has the columns in another order."""
    columns = list(dict.fromkeys(column for record in records for column in record))
    file = io.StringIO()
    writer = csv.DictWriter(file, columns[::-1] if style % 2 else columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return file.getvalue().encode(errors="surrogatepass")


def documents(records: list[Record], style: int) -> bytes:
    """JSON documents: one a line, end to end, or as the elements of one array."""
    written = [json.dumps(record, ensure_ascii=_has_surrogate(record)) for record in records]
    if style % 3 == 2:
        return f"[{', '.join(written)}]".encode()
    return ("\n" if style % 3 == 0 else "").join([*written, ""]).encode()


def answers(name: str) -> Form:
    """JSON documents as an API answers them: a list under a name, page after page; or one by one."""

    def form(records: list[Record], style: int) -> bytes:
        if style % 2:
            return documents(records, 0)
        pages = [records[begin : begin + 100] for begin in range(0, len(records), 100)] or [[]]
        return documents([{name: page, "totalHits": len(records)} for page in pages], 0)

    return form


def _has_surrogate(record: Record) -> bool:
    return any("\ud800" <= letter <= "\udfff" for _, text in texts(record) for letter in text)


def texts(record: Record, path: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Every text of a record and where it stands; keys are no texts."""
    if isinstance(record, str):
        yield path, record
    elif isinstance(record, dict):
        for key, value in record.items():
            yield from texts(value, (*path, key))
    elif isinstance(record, list):
        for index, value in enumerate(record):
            yield from texts(value, (*path, index))


def with_text(record: Record, path: tuple[Any, ...], text: Any) -> Record:
    """The record with another value at a place."""
    if not path:
        return text
    changed = record.copy()
    changed[path[0]] = with_text(record[path[0]], path[1:], text)
    return changed


def moved(record: Record, move: Callable[[datetime], datetime]) -> Record:
    """The record with every time in it moved, in the form in which it stands there."""
    for path, text in list(texts(record)):
        found = _INSTANT.fullmatch(text)
        if found:
            record = with_text(record, path, _moved(found, move))
    return record


def _moved(found: re.Match[str], move: Callable[[datetime], datetime]) -> str:
    day, between, clock, fraction, zone, seconds, more, micros = found.groups(default="")
    if day:
        at = move(datetime.fromisoformat(f"{day}T{clock}+00:00"))
        return f"{at:%Y-%m-%d}{between}{at:%H:%M:%S}{fraction}{zone}"
    at = move(datetime.fromtimestamp(int(seconds or micros[:10]), UTC))
    return f"{int(at.timestamp())}{more}{micros[10:]}" if seconds else str(int(at.timestamp()) * 1_000_000)


def a_day_earlier(record: Record) -> Record:
    return moved(record, lambda at: at - timedelta(days=1))


def renewed(record: Record) -> list[Record]:
    """What a later version of the system writes: a field more, or an event more."""
    if isinstance(record, list):
        return [record, [*record[:4], "SOMETHINGNEW", "x", "", "y"]]
    return [{**record, "something_new": "of a later version"}]


def at_epoch_zero(record: Record) -> Record:
    """Whose clock was not set."""
    return moved(record, lambda at: datetime.fromtimestamp(0, UTC))


def in_the_future(record: Record) -> Record:
    return moved(record, lambda at: at + timedelta(days=36525))
