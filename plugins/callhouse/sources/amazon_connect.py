"""Kind ``amazon_connect``: contact records, agent events and evaluations of Amazon Connect, as JSON.

::

    Firehose / S3 export ──▶ files or objects ──▶ raw.<source>__contact_records   (column `document`)
                                              ──▶ raw.<source>__agent_events
                                              ──▶ raw.<source>__evaluations

    streams:                             # any of the three
      contact_records:
        files: ["connect/contact_records/**/*"]
      agent_events:
        files: ["connect/agent_events/%Y/%m/%d/**/*"]
      evaluations:
        files: ["connect/evaluations/**/*.json"]
    location: s3://bucket/prefix         # optional: objects instead of files below the data folder
    connection: aws_default              # optional: Airflow connection that opens the location
    exit_reason: queue_exit              # optional: contact attribute in which flows note why a caller left

Files hold JSON documents one a line, pretty-printed, in an array, or end to end as Firehose delivers them;
plain, gzipped or in zip archives. With a ``location``, ``files`` are globs below it; ``%Y``, ``%m``, ``%d``
in them are filled in with the dates asked for and a day on either side, for Firehose names its folders in
UTC.

Traps: records come at least once, late and corrected: per ContactId the newest LastUpdateTimestamp counts.
Firehose writes nothing between two documents. Times are UTC. After-call work is no event of its own.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import PurePosixPath
from typing import Any

from callhouse.errors import ConfigError, SourceError
from callhouse.settings import Source
from callhouse.sources import archives, kinds, object_storage
from callhouse.sources.kinds import Delivery, Kind, Stream, Window

# Streams, and the objects in their documents whose keys are fields (not Attributes, References, Tags …).
STREAMS = {
    "contact_records": (
        "Agent", "Agent.HierarchyGroups", "Agent.RoutingProfile", "Campaign", "ContactDetails",
        "CustomerEndpoint", "CustomerVoiceActivity", "DisconnectDetails", "MediaStreams", "QualityMetrics",
        "Queue", "Recording", "Recordings", "SystemEndpoint", "TransferredToEndpoint", "VoiceIdResult",
    ),
    "agent_events": (
        "CurrentAgentSnapshot", "CurrentAgentSnapshot.AgentStatus", "CurrentAgentSnapshot.Configuration",
        "CurrentAgentSnapshot.Configuration.RoutingProfile", "CurrentAgentSnapshot.Contacts",
        "CurrentAgentSnapshot.Contacts.Queue", "CurrentAgentSnapshot.NextAgentStatus",
    ),
    "evaluations": ("metadata", "metadata.score", "sections", "questions", "questions.answer"),
}  # fmt: skip
OPTIONS = ("streams", "location", "connection", "exit_reason")

_CHUNK = 1 << 20
_ONE_DAY = datetime.timedelta(days=1)


def streams(source: Source) -> dict[str, Stream]:
    """The streams declared, of `STREAMS`.

    Raises:
        ConfigError: an option is missing, unknown or has a value that cannot be used.
    """
    where = f"config/sources.yml, {source.name}"
    kinds.check_options(source.options, OPTIONS, where)
    kinds.check_options(source.streams, STREAMS, f"{where}.streams")
    if not source.streams:
        raise ConfigError("no `streams`", where=where, do=f"declare one or more of {', '.join(STREAMS)}")
    for option in OPTIONS[1:]:
        given = source.options.get(option)
        if given is not None and not (isinstance(given, str) and given):
            raise ConfigError(f"`{option}: {given!r}` is no text", where=where, do="correct or remove it")
    location = source.options.get("location")
    if location is not None and "://" not in location:
        raise ConfigError(
            f"`location: {location}` names no scheme", where=where, do="write it like s3://bucket/prefix"
        )
    return {name: kinds.document_stream(source, name, objects=STREAMS[name]) for name in source.streams}


def pull(source: Source, stream: Stream, window: Window) -> Iterator[Delivery] | None:
    """The objects of a stream below the source's ``location``; None for a source of local files.

    Raises:
        SourceError: a package or connection is missing, or the location cannot be read. While reading, too.
    """
    if "location" not in source.options:
        return None
    return _objects(source, stream, window)


def _objects(source: Source, stream: Stream, window: Window) -> Iterator[Delivery]:
    location, connection = source.options["location"], source.options.get("connection")
    with _explained(location, stream):
        root = object_storage.open_location(location, connection)
        found = {
            str(path): path
            for pattern in _patterns(stream.files, window)
            for path in root.glob(pattern)
            if path.is_file()
        }
    # A date may be without objects; a stream that never has any is a mistake.
    if not found and stream.required and not any("%" in pattern for pattern in stream.files):
        raise SourceError(
            f"no object matches {', '.join(stream.files)} below {location}",
            where=stream.where,
            do="correct `location` or `files` (`required: false` where a stream may stay empty)",
        )
    for name, path in sorted(found.items()):
        yield from _deliveries(path, PurePosixPath(name).name, location, stream)


def _explained(location: str, stream: Stream) -> AbstractContextManager[None]:
    what = "`location`, and the Airflow connection that `connection` names"
    return object_storage.explained(location, stream.where, what)


def _patterns(globs: Iterable[str], window: Window) -> list[str]:
    """The globs with their dates filled in, one day more on either side: folders are named in UTC."""
    first, last = window
    days = [first - _ONE_DAY + number * _ONE_DAY for number in range((last - first).days + 3)]
    filled = [day.strftime(pattern) for pattern in globs for day in days]
    return list(dict.fromkeys(filled))


def _deliveries(path: Any, name: str, location: str, stream: Stream) -> Iterator[Delivery]:
    """An object, or the files in it where it is an archive of such."""

    def told(chunks: Iterable[bytes]) -> Iterator[bytes]:
        with _explained(location, stream):
            yield from chunks

    with _explained(location, stream), path.open("rb") as file:
        if not archives.is_archive(file):
            file.seek(0)
            yield Delivery(stream.name, name, told(iter(lambda: file.read(_CHUNK), b"")))
            return
        try:
            with archives.open_members(file, str(path), stream.format.caps) as members:
                for member in members:
                    yield Delivery(stream.name, f"{name}/{member.name}", told(member.chunks()))
        except archives.ArchiveError as error:
            yield Delivery(
                stream.name, name, map(_raise, [error])
            )  # told where it is landed; the next one comes


def _raise(error: SourceError) -> bytes:
    raise error


KIND = Kind("amazon_connect", streams, pull)
