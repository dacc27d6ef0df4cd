"""What every kind of source tells the loader: its streams, their columns and the form of their files."""

from __future__ import annotations

import codecs
import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Any

from callhouse.errors import ConfigError
from callhouse.settings import NAME, Source

# Options of a stream that only the staging models read. They are accepted here, so that a misspelt
# name is found when the source is first used, and not when a figure is missing.
STAGING_OPTIONS = frozenset(
    {"record", "map", "key", "missing", "no_agent", "time_zone", "day_order", "label", "description"}
)
FILE_OPTIONS = frozenset({"files", "encoding", "required", "max_bytes", "max_ratio"})

DOCUMENT = "document"  # the one column of a stream of JSON documents

# Columns that raw tables or PostgreSQL itself own.
RESERVED_COLUMNS = frozenset(
    {"_extra", "_load_id", "_line", "ctid", "xmin", "xmax", "cmin", "cmax", "tableoid"}
)
IDENTIFIER_BYTES = 63
RATIO_APPLIES_FROM = 100 << 20  # short repetitive files pack better than any bomb


@dataclass(frozen=True)
class Column:
    """A column by the name the source gives it; a missing optional one is loaded as NULL."""

    name: str
    required: bool = True


@dataclass(frozen=True)
class Caps:
    """How much a packed file may unpack to: bytes, and times its packed size."""

    max_bytes: int = 20 * 1024**3
    max_ratio: int = 200

    def refuses(self, unpacked: int, packed: int) -> bool:
        """Whether ``unpacked`` bytes out of ``packed`` ones are too many."""
        is_bomb = unpacked > RATIO_APPLIES_FROM and unpacked > self.max_ratio * packed
        return unpacked > self.max_bytes or is_bomb


@dataclass(frozen=True)
class FileFormat:
    """How the bytes of a stream's files become records.

    ``delimiter`` and ``quote`` are one ASCII character (``quote`` None: no quoting at all; ``bare_quotes``:
    those within a quoted field need not be doubled). ``min_fields`` below the number of columns admits short
    lines, whose missing fields are NULL; ``join_surplus`` keeps the surplus fields of a long line, delimiters
    included, in the last column. ``skip_lines`` lines (rows of a sheet) stand above the header, or the first
    record, and are none of it. ``sheet`` names or counts (from 0) a spreadsheet's sheet. ``documents``: the
    file holds JSON documents, whose text goes whole into the one column `DOCUMENT`; what says how fields are
    cut has no meaning then.
    """

    delimiter: str = ","
    quote: str | None = '"'
    header: bool = True
    skip_lines: int = 0
    encoding: str = "utf-8"
    sheet: str | int = 0
    min_fields: int | None = None
    join_surplus: bool = False
    bare_quotes: bool = False
    documents: bool = False
    caps: Caps = Caps()


@dataclass(frozen=True)
class Stream:
    """One kind of record that a source delivers; ``files`` are globs below the data folder.

    ``objects`` are the paths (``Agent.RoutingProfile``) of the objects, or lists of such, in documents whose
    keys are fields. In other objects a key may be data, such as a customer's name.
    """

    source: str
    name: str
    columns: tuple[Column, ...]
    files: tuple[str, ...]
    format: FileFormat
    required: bool = True
    objects: tuple[str, ...] = ()

    @property
    def table(self) -> str:
        """The raw table's name, without its schema."""
        return f"{self.source}__{self.name}"

    @property
    def where(self) -> str:
        return f"config/sources.yml, {self.source}.{self.name}"


@dataclass(frozen=True)
class Delivery:
    """What a source system answered for a window: the bytes of one landing file, unchanged, in chunks.

    ``name`` is the landing file's name; it says which part of the window it is and plays no part in its
    identity, which is the content's.
    """

    stream: str
    name: str
    chunks: Iterable[bytes]


Window = tuple[date, date]
"""First and last business date asked for, in the source's zone."""


@dataclass(frozen=True)
class Kind:
    """A kind of source system.

    ``streams`` reads an entry of ``sources.yml``, or raises ConfigError. ``pull`` asks a system that is not
    a folder of files for a window, stream by stream; it raises SourceError with what, where and what to do,
    and gives None where this source is one, all the same.
    """

    name: str
    streams: Callable[[Source], dict[str, Stream]]
    pull: Callable[[Source, Stream, Window], Iterator[Delivery] | None] | None = None


def check_options(given: Iterable[str], known: Iterable[str], where: str) -> None:
    """Raise ConfigError for the first option that is not known, with the nearest known name."""
    names = sorted(known)
    for option in given:
        if option not in names:
            near = difflib.get_close_matches(str(option), names, n=1)
            do = f"did you mean `{near[0]}`?" if near else f"known options: {', '.join(names)}"
            raise ConfigError(f"unknown option `{option}`", where=where, do=do)


def check_name(source: str, stream: str) -> None:
    """Raise ConfigError when a stream's name cannot become a table's."""
    if not NAME.fullmatch(stream) or len(f"{source}__{stream}") > IDENTIFIER_BYTES:
        raise ConfigError(
            f"the stream's name {stream!r} is not a plain word, or too long together with its source's",
            where=f"config/sources.yml, {source}",
            do="use lower-case letters, digits and _",
        )


def document_stream(
    source: Source, name: str, *, objects: Iterable[str] = (), needs_files: bool = True
) -> Stream:
    """A stream of JSON documents in files, from its entry in ``sources.yml``.

    Args:
        objects: see `Stream`.
        needs_files: False where the system answers instead of lying in a folder, and `files` may be missing.

    Raises:
        ConfigError: an option is missing, unknown or has a value that cannot be used.
    """
    options = source.streams.get(name) or {}
    where = f"config/sources.yml, {source.name}.{name}"
    check_name(source.name, name)
    check_options(options, FILE_OPTIONS | STAGING_OPTIONS, where)
    form = FileFormat(
        header=False,
        encoding=read_encoding(options, where),
        documents=True,
        caps=read_caps(options, where),
    )
    globs = read_files(options, where) if needs_files or "files" in options else ()
    required = bool(options.get("required", True))
    return Stream(source.name, name, (Column(DOCUMENT),), globs, form, required, tuple(objects))


def read_columns(declared: Any, where: str) -> tuple[Column, ...]:
    """The columns of an option: a list of names or of ``{name: x, required: false}``."""
    if not isinstance(declared, list) or not declared:
        raise ConfigError("no list of `columns`", where=where, do="list the columns as the file names them")
    columns = []
    for entry in declared:
        if isinstance(entry, Mapping):
            check_options(entry, ("name", "required"), where)
            columns.append(Column(str(entry.get("name", "")), bool(entry.get("required", True))))
        else:
            columns.append(Column(str(entry)))
    names = [column.name for column in columns]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"the column `{name}` is declared twice", where=where, do="name it once")
        if name in RESERVED_COLUMNS or not 0 < len(name.encode()) <= IDENTIFIER_BYTES or "\0" in name:
            raise ConfigError(
                f"`{name}` cannot be a column of a raw table",
                where=where,
                do="leave it out of `columns`: undeclared columns are kept in `_extra`",
            )
    return tuple(columns)


def check_missing(options: Mapping[str, Any], where: str) -> None:
    """Raise ConfigError when the option ``missing`` is no list of words."""
    given = options.get("missing", [])
    if not isinstance(given, list) or not all(isinstance(word, str) and word for word in given):
        raise ConfigError(
            "`missing` is not a list of words",
            where=where,
            do='list in quotes what the source writes for nothing: `missing: ["NULL", "-"]`',
        )


def read_files(options: Mapping[str, Any], where: str) -> tuple[str, ...]:
    """The globs of an option ``files``: relative to the data folder, and never leading out of it."""
    given = options.get("files")
    patterns = [given] if isinstance(given, str) else given
    if not isinstance(patterns, list) or not patterns or not all(isinstance(p, str) and p for p in patterns):
        raise ConfigError("no `files`", where=where, do='give a list of globs such as ["crm/cases*.csv"]')
    for pattern in patterns:
        if PurePosixPath(pattern).is_absolute() or ".." in PurePosixPath(pattern).parts:
            raise ConfigError(
                f"`files: {pattern}` leads out of the data folder",
                where=where,
                do="write it relative to the data folder (--data or CALLHOUSE_DATA), without `..`",
            )
    return tuple(patterns)


def read_encoding(options: Mapping[str, Any], where: str) -> str:
    """The canonical name of the option ``encoding`` (default utf-8)."""
    given = str(options.get("encoding", "utf-8"))
    try:
        "\n".encode(given)
        return codecs.lookup(given).name
    except (LookupError, UnicodeError):
        raise ConfigError(
            f"unknown encoding {given!r}", where=where, do="use a name such as utf-8, utf-16 or gb18030"
        ) from None


def read_character(options: Mapping[str, Any], option: str, default: str, where: str) -> str:
    """An option that is one printable ASCII character or a tab."""
    given = options.get(option, default)
    if (
        isinstance(given, str)
        and len(given) == 1
        and given.isascii()
        and not given.isalnum()
        and given not in "\r\n\0 .-"
    ):
        return given
    raise ConfigError(
        f"`{option}: {given!r}` is not one character",
        where=where,
        do='use one ASCII character, in double quotes: "," ";" "\\t" "|"',
    )


def read_caps(options: Mapping[str, Any], where: str) -> Caps:
    """The options ``max_bytes`` and ``max_ratio``."""
    given = {option: options[option] for option in ("max_bytes", "max_ratio") if option in options}
    for option, value in given.items():
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise ConfigError(f"`{option}: {value!r}` is not a positive number", where=where, do="correct it")
    return Caps(**given)
