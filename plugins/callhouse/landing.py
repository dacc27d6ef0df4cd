"""Extract: copies what a source delivers, unchanged, into immutable landing files with manifests.

::

    <data folder>/pbx/queue_log  ──▶  landing/<centre>/pbx/queue_log/0f3a…__queue_log
                                      landing/<centre>/pbx/queue_log/0f3a…__queue_log.json   the manifest
                                      ops.landing_files

The content's SHA-256 is a landing file's identity: the same bytes again, under whatever name, make no second
copy. A zip archive is landed as the files it holds (``archive.zip/name``), so that the same files packed anew
are known. Manifests hold all that ``ops.landing_files`` holds, so that a lost database is made anew from the
landing files alone (`register`).
"""

from __future__ import annotations

import datetime
import hashlib
import json
import logging
import os
import re
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg

from callhouse import postgres
from callhouse.errors import ConfigError, SourceError
from callhouse.settings import Settings, Source
from callhouse.sources import KINDS, Delivery, Stream, Window, archives, files, streams_of
from callhouse.stores import DRAFT, Folder, open_store

logger = logging.getLogger(__name__)

ROLE = "callhouse_load"
CHUNK = 1 << 20


@dataclass(frozen=True)
class LandedFile:
    """A landing file; ``path`` is below the landing folder, ``is_new`` false when it was there before."""

    source: str
    stream: str
    path: str
    original_name: str
    window_from: datetime.date | None
    window_to: datetime.date | None
    byte_count: int
    sha256: str
    landed_at: datetime.datetime
    is_new: bool = True


@dataclass(frozen=True)
class _Shelf:
    """Where the landing files of a stream go, and the window they are asked for."""

    store: Folder
    stream: Stream
    window: Window
    drafts: Path


def extract(
    settings: Settings, source_name: str, date_from: datetime.date, date_to: datetime.date
) -> list[LandedFile]:
    """Land what a source has for the window: for file sources, every file that matches its globs; for other
    systems, what they answer.

    A file that changes while it is copied is still being written: it is left for the next time.

    Raises:
        ConfigError: the source is not declared, or its entry is wrong.
        SourceError: a required stream never delivered a file, or a file cannot be read. All other files
            are landed first.
    """
    source = settings.sources.get(source_name)
    if source is None:
        raise ConfigError(
            f"unknown source `{source_name}`",
            where=str(settings.config_dir / "sources.yml"),
            do=f"declared sources: {', '.join(settings.sources) or 'none'}",
        )
    streams = streams_of(source)
    landed: list[LandedFile] = []
    errors: list[SourceError] = []
    with (
        postgres.connect(
            settings, ROLE, autocommit=True, name=f"callhouse extract {source_name}"
        ) as connection,
        postgres.advisory_lock(connection, f"landing {source_name}"),
    ):
        for stream in streams.values():
            for outcome in _land_stream(settings, connection, source, stream, (date_from, date_to)):
                if isinstance(outcome, SourceError):
                    errors.append(outcome)
                else:
                    landed.append(outcome)
    if errors:
        raise together(errors)
    return landed


def register(settings: Settings) -> int:
    """Enter landing files that the database does not know, from their manifests; returns how many.

    Raises:
        SourceError: a manifest is damaged.
    """
    with postgres.connect(settings, ROLE, name="callhouse register") as connection:
        return sum(_record(connection, file) for file in _manifests(open_store(settings)))


def together(errors: list[SourceError]) -> SourceError:
    """One error that says all of several."""
    if len(errors) == 1:
        return errors[0]
    return SourceError(
        f"{len(errors)} failures: " + "; ".join(f"{error.what} [{error.where}]" for error in errors),
        do="; ".join(dict.fromkeys(error.do for error in errors if error.do)),
    )


def _land_stream(
    settings: Settings, connection: psycopg.Connection[Any], source: Source, stream: Stream, window: Window
) -> Iterator[LandedFile | SourceError]:
    store = open_store(settings)
    try:
        shelf = _Shelf(store, stream, window, store.drafts(f"{stream.source}/{stream.name}"))
        known = {file.sha256: file for file in _manifests(store, f"{stream.source}/{stream.name}")}
    except SourceError as error:
        yield error
        return
    _record_missing(connection, stream, known)
    pull = KINDS[source.kind].pull
    answers = pull(source, stream, window) if pull else None
    if answers is not None:
        yield from _land_answers(connection, answers, shelf, known)
        return
    try:
        paths = files.find(stream, settings.data_dir)
    except SourceError as error:
        yield error
        return
    if not paths and not known and stream.required:
        yield SourceError(
            f"no file for {stream.source}.{stream.name} ({', '.join(stream.files)})",
            where=str(settings.data_dir),
            do="put the files there, set --data or CALLHOUSE_DATA, or correct `files:` in sources.yml "
            "(`required: false` where a stream may stay empty)",
        )
    for path in paths:
        try:
            for offer in _offers(path, stream):
                file = _land(offer, shelf, known)
                is_new = file.sha256 not in known
                known[file.sha256] = file
                _record(connection, file)
                yield replace(file, is_new=is_new)
        except SourceError as error:
            yield error
        except OSError as error:
            yield _failure(path, error)
        except _StillWritten:
            logger.info("%s: %s is still being written; left for the next time", stream.where, path)


def _land_answers(
    connection: psycopg.Connection[Any],
    deliveries: Iterator[Delivery],
    shelf: _Shelf,
    known: dict[str, LandedFile],
) -> Iterator[LandedFile | SourceError]:
    """Land what a system answers; an answer that breaks off leaves nothing, earlier ones stay.

    Behind an archive that is refused, the next one comes.
    """
    try:
        for delivery in deliveries:
            try:
                file = _keep(delivery.chunks, delivery.name, shelf, known)
            except archives.ArchiveError as error:
                yield error
                continue
            is_new = file.sha256 not in known
            known[file.sha256] = file
            _record(connection, file)
            yield replace(file, is_new=is_new)
    except SourceError as error:
        yield error
    except OSError as error:
        yield _failure(shelf.drafts, error)
    finally:
        if isinstance(deliveries, Generator):  # what it holds open ends now, also when a delivery broke off
            deliveries.close()


def _record_missing(
    connection: psycopg.Connection[Any], stream: Stream, known: dict[str, LandedFile]
) -> None:
    """Enter what a killed run landed and did not enter, or what a new database does not know."""
    rows = connection.execute(
        "select sha256 from ops.landing_files where source = %s and stream = %s", (stream.source, stream.name)
    )
    for sha256 in known.keys() - {row[0] for row in rows}:
        _record(connection, known[sha256])


def _failure(path: Path, error: OSError) -> SourceError:
    reason = error.strerror or str(error)
    if error.filename is None or Path(error.filename) != path:
        return SourceError(
            f"{_shown(path.name)} cannot be copied: {reason}",
            where=_shown(str(error.filename or path)),
            do="free space or give write permission in the landing folder, or set CALLHOUSE_HOME",
        )
    return SourceError(
        f"the file cannot be read: {reason}",
        where=_shown(str(path)),
        do="give the user of Callhouse read permission",
    )


@dataclass(frozen=True)
class _Offer:
    """What may become a landing file: its name, its size in bytes, and its bytes as often as asked for."""

    name: str
    size: int
    chunks: Callable[[], Iterator[bytes]]


def _offers(path: Path, stream: Stream) -> Iterator[_Offer]:
    """A file, or the files in it where it is an archive of such."""
    before = path.stat()
    with path.open("rb") as file:
        if not archives.is_archive(file):
            yield _Offer(_shown(path.name), before.st_size, partial(_chunks, path, before))
            return
        with archives.open_members(file, _shown(str(path)), stream.format.caps) as members:
            for member in members:
                yield _Offer(f"{_shown(path.name)}/{member.name}", member.size, member.chunks)


def _land(offer: _Offer, shelf: _Shelf, known: dict[str, LandedFile]) -> LandedFile:
    """Copy a file to its landing place unless its content is there.

    Raises:
        _StillWritten: it changed meanwhile.
    """
    if any(file.byte_count == offer.size for file in known.values()):
        digest = hashlib.sha256()
        for chunk in offer.chunks():
            digest.update(chunk)
        if (there := known.get(digest.hexdigest())) is not None:
            return there
    return _keep(offer.chunks(), offer.name, shelf, known)


class _StillWritten(Exception):
    """The file changed while it was read."""


def _chunks(path: Path, before: os.stat_result) -> Iterator[bytes]:
    remaining = before.st_size
    with path.open("rb") as file:
        while chunk := file.read(min(CHUNK, remaining)):
            remaining -= len(chunk)
            yield chunk
    after = path.stat()
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise _StillWritten


def _keep(chunks: Iterable[bytes], name: str, shelf: _Shelf, known: dict[str, LandedFile]) -> LandedFile:
    """Write chunks as a landing file, unless its content is there already."""
    stream = shelf.stream
    draft = shelf.drafts / f".{os.getpid()}{DRAFT}"
    try:
        sha256, size = _copy(chunks, draft)
        if sha256 in known:
            return known[sha256]
        landed = LandedFile(
            stream.source,
            stream.name,
            f"{stream.source}/{stream.name}/{sha256[:16]}__{_plain_name(name)}",
            name,
            *shelf.window,
            byte_count=size,
            sha256=sha256,
            landed_at=datetime.datetime.now(datetime.UTC).replace(microsecond=0),
        )
        shelf.store.keep(draft, landed.path)
        _write_manifest(shelf.store, landed)
        return landed
    finally:
        draft.unlink(missing_ok=True)


def _copy(chunks: Iterable[bytes], target: Path) -> tuple[str, int]:
    """Write chunks to disk; returns their SHA-256 and how many bytes they were."""
    digest, size = hashlib.sha256(), 0
    with target.open("wb") as copy:
        for chunk in chunks:
            digest.update(chunk)
            copy.write(chunk)
            size += len(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    return digest.hexdigest(), size


def _shown(name: str) -> str:
    """A file's name as text, also where its bytes are not."""
    return os.fsencode(name).decode(errors="backslashreplace")


def _plain_name(name: str) -> str:
    """A name of letters, digits, ``.``, ``_`` and ``-``, at most 100 characters, that keeps its ending."""
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name)[-100:]


def _write_manifest(store: Folder, file: LandedFile) -> None:
    """Write the manifest beside its landing file; without it the file does not count as landed."""
    content = {key: value for key, value in asdict(file).items() if key != "is_new"}
    content["rows"] = None  # a file says how many rows it has only when it is loaded
    text = json.dumps(content, default=lambda date: date.isoformat(), ensure_ascii=False, indent=2)
    store.write_manifest(file.path, text)


def _manifests(store: Folder, folder: str | None = None) -> Iterator[LandedFile]:
    """What the manifests say of the landing files that are there."""
    for place, text in store.manifests(folder):
        yield _read_manifest(place, text)


def _read_manifest(place: str, text: bytes) -> LandedFile:
    try:
        content = json.loads(text)
        content.pop("rows", None)
        for key in ("window_from", "window_to"):
            content[key] = datetime.date.fromisoformat(content[key]) if content[key] else None
        content["landed_at"] = datetime.datetime.fromisoformat(content["landed_at"])
        return LandedFile(**content, is_new=False)
    except (ValueError, TypeError, KeyError, AttributeError):
        raise SourceError(
            "the manifest of a landing file is damaged",
            where=place,
            do="remove it and its landing file, and extract again",
        ) from None


def _record(connection: psycopg.Connection[Any], file: LandedFile) -> bool:
    """Enter a landing file in the bookkeeping; False when it is there."""
    cursor = connection.execute(
        """
        insert into ops.landing_files
            (source, stream, path, original_name, window_from, window_to, byte_count, sha256, landed_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (source, stream, sha256) do nothing
        """,
        (
            file.source,
            file.stream,
            file.path,
            file.original_name,
            file.window_from,
            file.window_to,
            file.byte_count,
            file.sha256,
            file.landed_at,
        ),
    )
    return cursor.rowcount == 1
