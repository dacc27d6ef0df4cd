"""Files that appear all at once: written beside their place, moved into it at the end."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import TextIO


class Outputs:
    """The files of one simulation. On success every file replaces its older version; on failure none does.

    A temporary file's name begins with a dot, so that no source's pattern (``pbx/queue_log*``) matches it.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file_count = 0
        self.row_counts: dict[str, int] = {}
        self._open: dict[Path, TextIO] = {}
        self._written: list[Path] = []

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            for path in list(self._open):
                self.close(path)
            if kind is None:
                for path in self._written:
                    _temporary(path).replace(path)
        finally:
            for path in self._written:
                _temporary(path).unlink(missing_ok=True)

    def open(self, name: str) -> TextIO:
        """A new text file (UTF-8, LF), by its path below the folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self._written.append(path)
        self._open[path] = _temporary(path).open("w", encoding="utf-8", newline="", buffering=1 << 18)
        self.file_count += 1
        return self._open[path]

    def close(self, name: str | Path) -> None:
        self._open.pop(self.folder / name).close()

    def count(self, what: str, rows: int = 1) -> None:
        self.row_counts[what] = self.row_counts.get(what, 0) + rows


class CsvFile:
    """One CSV file with a header, rows counted under ``what``."""

    def __init__(self, outputs: Outputs, name: str, columns: Sequence[str], what: str) -> None:
        self._outputs, self._what = outputs, what
        self._writer = csv.writer(outputs.open(name), lineterminator="\n")
        self._writer.writerow(columns)
        outputs.count(what, 0)

    def write(self, row: Iterable[object]) -> None:
        self._writer.writerow(row)
        self._outputs.count(self._what)


class DailyCsv:
    """One CSV file per local day, ``<stem>-YYYYMMDD.csv``; a day without rows has its header only."""

    def __init__(self, outputs: Outputs, stem: str, columns: Sequence[str]) -> None:
        self._outputs, self._stem, self._columns = outputs, stem, columns
        self._files: dict[date, CsvFile] = {}

    def begin(self, day: date) -> None:
        """Make sure that the day has a file, even when no row follows."""
        if day not in self._files:
            self._files[day] = CsvFile(self._outputs, self._name(day), self._columns, self._stem)

    def end(self, day: date) -> None:
        """No more rows for this day."""
        if self._files.pop(day, None):
            self._outputs.close(self._name(day))

    def write(self, day: date, row: Iterable[object]) -> None:
        self.begin(day)
        self._files[day].write(row)

    def _name(self, day: date) -> str:
        return f"{self._stem}-{day:%Y%m%d}.csv"


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")
