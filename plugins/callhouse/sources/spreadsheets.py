"""Spreadsheets (xlsx, xlsb, xls, ods) as rows of text, the way a careful person would type them."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterator
from pathlib import Path

from callhouse.errors import SourceError
from callhouse.sources.kinds import FileFormat


def rows(path: Path, form: FileFormat) -> Iterator[tuple[int, list[str]]]:
    """The rows of a sheet that are not empty: row number from 1 and the cells as text.

    Dates are ISO 8601, times ``HH:MM:SS``, durations ``H:MM:SS``, whole numbers without ``.0``, booleans
    ``true`` and ``false``; a cell with an error is empty.

    Raises:
        SourceError: the file is damaged, protected, too large unpacked, or has no such sheet.
    """
    import python_calamine

    _check_caps(path, form)
    try:
        with python_calamine.load_workbook(str(path)) as workbook:
            names = workbook.sheet_names
            sheet = form.sheet if isinstance(form.sheet, str) else dict(enumerate(names)).get(form.sheet)
            if sheet not in names:
                raise SourceError(
                    f"the workbook has no sheet {form.sheet!r}",
                    where=path.name,
                    do=f"set `sheet:` to one of: {', '.join(names)}",
                )
            cells = workbook.get_sheet_by_name(sheet).to_python(skip_empty_area=False)
    except python_calamine.PasswordError:
        raise SourceError(
            "the workbook has a password", where=path.name, do="deliver it without one"
        ) from None
    except (python_calamine.CalamineError, OSError, ValueError) as error:
        raise SourceError(
            f"the spreadsheet cannot be read: {error}", where=path.name, do="deliver the file again"
        ) from None
    for number, row in enumerate(cells, 1):
        texts = [text(cell) for cell in row]
        if any(texts):
            yield number, texts


def _check_caps(path: Path, form: FileFormat) -> None:
    if not zipfile.is_zipfile(path):
        return
    with zipfile.ZipFile(path) as archive:
        total = sum(member.file_size for member in archive.infolist())
    if form.caps.refuses(total, path.stat().st_size):
        raise SourceError(
            f"the spreadsheet unpacks to {total} bytes, more than allowed",
            where=path.name,
            do="if it is genuine, raise the stream's `max_bytes` or `max_ratio` in sources.yml",
        )


def text(cell: object) -> str:
    """A cell's value as text."""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float):
        return f"{cell:.0f}" if cell.is_integer() else repr(cell)
    if isinstance(cell, datetime.datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    if isinstance(cell, datetime.timedelta):
        sign = "-" if cell < datetime.timedelta() else ""
        minutes, seconds = divmod(round(abs(cell.total_seconds())), 60)
        return f"{sign}{minutes // 60}:{minutes % 60:02d}:{seconds:02d}"
    return str(cell)
