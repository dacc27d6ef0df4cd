"""The registry of the kinds of source systems: one module per kind, found by the entry's ``kind``."""

from __future__ import annotations

import difflib

from callhouse.errors import ConfigError
from callhouse.settings import Source
from callhouse.sources import (
    amazon_connect,
    asterisk_cdr,
    asterisk_cel,
    asterisk_queue_log,
    delimited,
    freeswitch,
    genesys_cloud,
    sql,
)
from callhouse.sources.kinds import Column, Delivery, FileFormat, Kind, Stream, Window

__all__ = ["KINDS", "Column", "Delivery", "FileFormat", "Kind", "Stream", "Window", "streams_of"]

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        amazon_connect.KIND,
        asterisk_cdr.KIND,
        asterisk_cel.KIND,
        asterisk_queue_log.KIND,
        delimited.KIND,
        freeswitch.KIND,
        genesys_cloud.KIND,
        sql.KIND,
    )
}


def streams_of(source: Source) -> dict[str, Stream]:
    """The streams of an entry of ``sources.yml``, checked.

    Raises:
        ConfigError: the kind is unknown, or an option is missing, unknown or unusable.
    """
    kind = KINDS.get(source.kind)
    if kind is None:
        near = difflib.get_close_matches(source.kind, KINDS, n=1)
        hint = f"did you mean `{near[0]}`? " if near else ""
        raise ConfigError(
            f"unknown kind `{source.kind}`",
            where=f"config/sources.yml, {source.name}",
            do=f"{hint}known kinds: {', '.join(sorted(KINDS))}",
        )
    return kind.streams(source)
