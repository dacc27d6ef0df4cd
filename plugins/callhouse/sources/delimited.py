"""Kind ``delimited``: CSV, TSV and spreadsheets, one stream per shape of file.

    streams:
      cases:
        files: ["crm/cases*.csv"]             # globs below the data folder; .gz, .bz2, .xz, .zip are unpacked
        columns: [case_no, {name: topic, required: false}]
        header: true                          # false: columns by position
        skip_lines: 0                         # lines above the header: titles, `sep=;`
        delimiter: ","                        # "\\t" ";" "|" …
        quote: '"'                            # none: no quoting
        encoding: utf-8                       # any codec of Python; a byte-order mark always wins
        sheet: Cases                          # spreadsheets: name or number from 0; default the first
        required: true                        # false: no file at all is fine
        max_bytes: 21474836480                # caps for unpacked files
        max_ratio: 200

A header is matched by name in any order, surrounding blanks ignored. Undeclared columns are kept in
``_extra``. What a record means (``record``, ``map`` …) is the business of the staging models.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from callhouse.errors import ConfigError
from callhouse.settings import Source
from callhouse.sources import kinds
from callhouse.sources.kinds import FileFormat, Kind, Stream

OPTIONS = kinds.FILE_OPTIONS | kinds.STAGING_OPTIONS | {
    "columns", "header", "skip_lines", "delimiter", "quote", "sheet",
}  # fmt: skip


def streams(source: Source) -> dict[str, Stream]:
    """The declared streams of an entry.

    Raises:
        ConfigError: an option is missing, unknown or has a value that cannot be used.
    """
    where = f"config/sources.yml, {source.name}"
    kinds.check_options(source.options, ("streams",), where)
    if not source.streams:
        raise ConfigError("no `streams`", where=where, do="name at least one stream with files and columns")
    return {name: _stream(source.name, str(name), options) for name, options in source.streams.items()}


def _stream(source: str, name: str, options: Mapping[str, Any]) -> Stream:
    where = f"config/sources.yml, {source}.{name}"
    kinds.check_name(source, name)
    kinds.check_options(options, OPTIONS, where)
    kinds.check_missing(options, where)
    return Stream(
        source=source,
        name=name,
        columns=kinds.read_columns(options.get("columns"), where),
        files=kinds.read_files(options, where),
        format=read_format(options, where),
        required=bool(options.get("required", True)),
    )


def read_format(options: Mapping[str, Any], where: str) -> FileFormat:
    """The form of delimited files from a stream's options.

    Raises:
        ConfigError: an option has a value that cannot be used.
    """
    delimiter = kinds.read_character(options, "delimiter", ",", where)
    unquoted = "quote" in options and options["quote"] in (None, "", "none")
    quote = None if unquoted else kinds.read_character(options, "quote", '"', where)
    if delimiter == quote:
        raise ConfigError("`delimiter` and `quote` are the same", where=where, do="change one of them")
    skip_lines = options.get("skip_lines", 0)
    if not isinstance(skip_lines, int) or isinstance(skip_lines, bool) or skip_lines < 0:
        raise ConfigError(
            f"`skip_lines: {skip_lines!r}` is not a number of lines", where=where, do="correct it"
        )
    sheet = options.get("sheet", 0)
    return FileFormat(
        delimiter=delimiter,
        quote=quote,
        header=bool(options.get("header", True)),
        skip_lines=skip_lines,
        encoding=kinds.read_encoding(options, where),
        sheet=sheet if isinstance(sheet, int) else str(sheet),
        caps=kinds.read_caps(options, where),
    )


KIND = Kind("delimited", streams)
