"""Zip archives that hold files: each file in one is landed by itself, as if it lay beside the archive.

An archive is refused whole, before anything of it is landed, when it has a password, names a file outside of
itself, holds links, or unpacks to more than allowed.
"""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

from callhouse.errors import SourceError
from callhouse.sources.files import SPREADSHEET_PARTS, ZIP
from callhouse.sources.kinds import Caps

MAX_FILES = 10_000
CHUNK = 1 << 20

_ENCRYPTED = 0x1
_DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)


class ArchiveError(SourceError):
    """An archive, or a file in one, that is not taken; what lies beside it is."""


@dataclass(frozen=True)
class Member:
    """A file in an open archive: its name there, its unpacked size, its bytes as often as asked for."""

    name: str
    size: int
    _where: str
    _archive: zipfile.ZipFile
    _info: zipfile.ZipInfo

    def chunks(self) -> Iterator[bytes]:
        """The unpacked bytes.

        Raises:
            ArchiveError: they are damaged, or packed in a way that is not understood.
        """
        try:
            with self._archive.open(self._info) as file:
                while chunk := file.read(CHUNK):
                    yield chunk
        except _DAMAGE as error:
            raise ArchiveError(
                f"the file `{self.name}` in the zip archive cannot be unpacked: {error}",
                where=self._where,
                do="deliver the archive again, packed by the usual method (deflate)",
            ) from None


def is_archive(file: BinaryIO) -> bool:
    """Whether the content (not the name) is a whole zip archive and no spreadsheet."""
    file.seek(0)
    if file.read(len(ZIP)) != ZIP:
        return False
    try:
        with zipfile.ZipFile(file) as archive:
            return not SPREADSHEET_PARTS & set(archive.namelist())
    except zipfile.BadZipFile:
        return False


@contextmanager
def open_members(file: BinaryIO, where: str, caps: Caps) -> Iterator[list[Member]]:
    """The files of an archive, without folders and what desktops hide in archives.

    Raises:
        ArchiveError: the archive is refused.
    """
    packed = file.seek(0, os.SEEK_END)
    with zipfile.ZipFile(file) as archive:
        files = [info for info in archive.infolist() if not info.is_dir()]
        reason = _fault(files, packed, caps)
        if reason:
            raise ArchiveError(reason[0], where=where, do=reason[1])
        yield [
            Member(info.filename, info.file_size, where, archive, info)
            for info in files
            if not _is_hidden(info)
        ]


def _fault(files: list[zipfile.ZipInfo], packed: int, caps: Caps) -> tuple[str, str] | None:
    """Why an archive is refused and what to do, or None."""
    total = sum(info.file_size for info in files)
    if caps.refuses(total, packed):
        return (
            f"the zip archive unpacks to {total} bytes out of {packed}, more than allowed",
            "if it is genuine, raise the stream's `max_bytes` or `max_ratio` in sources.yml",
        )
    if len(files) > MAX_FILES:
        return f"the zip archive holds {len(files)} files", f"deliver at most {MAX_FILES} in one"
    if any(info.flag_bits & _ENCRYPTED for info in files):
        return "the zip archive has a password", "deliver it without one"
    if any(_leads_outside(info) for info in files):
        return "the zip archive names a file outside of itself, or a link", "pack plain files by plain names"
    return None


def _leads_outside(info: zipfile.ZipInfo) -> bool:
    name = PurePosixPath(info.filename.replace("\\", "/"))
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    return is_link or name.is_absolute() or ".." in name.parts or ":" in name.parts[0]


def _is_hidden(info: zipfile.ZipInfo) -> bool:
    parts = PurePosixPath(info.filename).parts
    return parts[0] == "__MACOSX" or parts[-1].startswith(".")
