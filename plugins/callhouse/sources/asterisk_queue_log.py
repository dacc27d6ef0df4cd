"""Kind ``asterisk_queue_log``: the file Asterisk's app_queue writes, one event per line.

    streams:
      queue_log:
        files: ["pbx/queue_log*"]
    callback_keys: ["1"]        # keys with which a waiting caller asks to be called back; for staging

A line is ``time|callid|queuename|agent|event|data1|…|data5`` without quoting or header. Events carry 0 to
5 data fields: missing ones are NULL. ``ATTENDEDTRANSFER`` with method ``LINK`` writes a ``|`` inside a
field, so surplus fields stay together in ``data5`` as they stand (docs.asterisk.org, "Queue Logs").
"""

from __future__ import annotations

from callhouse.settings import Source
from callhouse.sources import kinds
from callhouse.sources.kinds import Column, FileFormat, Kind, Stream

STREAM = "queue_log"
COLUMNS = ("time", "callid", "queuename", "agent", "event", "data1", "data2", "data3", "data4", "data5")
EVENT_FIELDS = 5


def streams(source: Source) -> dict[str, Stream]:
    """The one stream ``queue_log``.

    Raises:
        ConfigError: an option is missing, unknown or has a value that cannot be used.
    """
    kinds.check_options(source.options, ("streams", "callback_keys"), f"config/sources.yml, {source.name}")
    kinds.check_options(source.streams, (STREAM,), f"config/sources.yml, {source.name}.streams")
    options = source.streams.get(STREAM) or {}
    where = f"config/sources.yml, {source.name}.{STREAM}"
    kinds.check_name(source.name, STREAM)
    kinds.check_options(options, kinds.FILE_OPTIONS | kinds.STAGING_OPTIONS, where)
    form = FileFormat(
        delimiter="|",
        quote=None,
        header=False,
        encoding=kinds.read_encoding(options, where),
        min_fields=EVENT_FIELDS,
        join_surplus=True,
        caps=kinds.read_caps(options, where),
    )
    columns = tuple(Column(name) for name in COLUMNS)
    required = bool(options.get("required", True))
    return {STREAM: Stream(source.name, STREAM, columns, kinds.read_files(options, where), form, required)}


KIND = Kind("asterisk_queue_log", streams)
