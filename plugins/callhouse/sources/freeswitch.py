"""Kind ``freeswitch``: calls of FreeSWITCH's mod_callcenter, as FusionPBX keeps them in ``v_xml_cdr``.

::

    v_xml_cdr, or its CSV ───▶ xml_cdr       one row per channel: the caller's (member) and each agent's
    callcenter::info events ─▶ agent_status  one row per change of an agent's status

    streams:
      xml_cdr:
        files: ["freeswitch/xml_cdr*.csv"]
        # or: connection: fusionpbx_db, table: v_xml_cdr, lag_days: 1
      agent_status:                          # optional: without it nobody's log-ins are known
        files: ["freeswitch/agent_status*.csv"]
    callback_keys: ["1"]                     # keys with which a waiting caller asks to be called back

Files are CSV with a header, matched by name in any order; columns not named here are kept in ``_extra``. A
stream takes ``delimiter``, ``quote``, ``encoding``, ``required``, ``max_bytes``, ``max_ratio`` and
``time_zone`` as kind ``delimited`` does. What the fields mean, and what FreeSWITCH does not tell:
docs/sources/freeswitch.md.
"""

from __future__ import annotations

from collections.abc import Iterator

from callhouse.settings import Source
from callhouse.sources import databases, delimited, kinds
from callhouse.sources.kinds import Column, Delivery, FileFormat, Kind, Stream, Window

# Columns the models need; the others of an export are kept in _extra.
REQUIRED = {
    "xml_cdr": (
        "xml_cdr_uuid",
        "start_epoch",
        "end_epoch",
        "answer_epoch",
        "hangup_cause",
        "cc_side",
        "cc_queue",
        "cc_agent",
        "cc_member_uuid",
        "cc_member_session_uuid",
        "cc_queue_joined_epoch",
        "cc_queue_answered_epoch",
        "cc_queue_canceled_epoch",
        "cc_cancel_reason",
    ),
    "agent_status": ("Event-Date-Timestamp", "CC-Agent", "CC-Agent-Status"),
}
OPTIONAL = {
    "xml_cdr": (
        "direction",
        "leg",
        "caller_id_number",
        "destination_number",
        "hold_accum_seconds",
        "bridge_uuid",
        "sip_hangup_disposition",
        "sip_refer_to",
        "cc_agent_uuid",
        "cc_agent_type",
        "cc_queue_terminated_epoch",
        "cc_exit_key",
    ),
    "agent_status": ("CC-Action",),
}
TABLE = "v_xml_cdr"
TIMES = ("start_epoch",)
OPTIONS = kinds.FILE_OPTIONS | {"delimiter", "quote", "time_zone", "label", "description"}
TABLE_OPTIONS = databases.DATABASE_OPTIONS | {"files", "time_zone", "label", "description"}


def streams(source: Source) -> dict[str, Stream]:
    """The streams ``xml_cdr`` and, where it is exported, ``agent_status``.

    Raises:
        ConfigError: an option is missing, unknown or has a value that cannot be used.
    """
    where = f"config/sources.yml, {source.name}"
    kinds.check_options(source.options, ("streams", "callback_keys"), where)
    kinds.check_options(source.streams, REQUIRED, f"{where}.streams")
    return {name: _stream(source, name) for name in REQUIRED if name in source.streams or name == "xml_cdr"}


def _stream(source: Source, name: str) -> Stream:
    options = source.streams.get(name) or {}
    where = f"config/sources.yml, {source.name}.{name}"
    is_table = name == "xml_cdr" and "connection" in options
    kinds.check_name(source.name, name)
    kinds.check_options(options, TABLE_OPTIONS if is_table else OPTIONS, where)
    if is_table:
        databases.check_no_files(options, where)
        databases.read_connection(options, where)
        databases.read_lag(options, where)
        databases.read_table(options, where, TABLE)
    columns = [Column(column) for column in REQUIRED[name]]
    columns += [Column(column, required=False) for column in OPTIONAL[name]]
    return Stream(
        source=source.name,
        name=name,
        columns=tuple(columns),
        files=() if is_table else kinds.read_files(options, where),
        format=FileFormat() if is_table else delimited.read_format(options, where),
        required=bool(options.get("required", True)),
    )


def pull(source: Source, stream: Stream, window: Window) -> Iterator[Delivery] | None:
    """The table's rows of a window, one delivery per local day; None where the stream is files.

    Raises:
        ConfigError: the connection is missing or cannot be read.
        SourceError: the database cannot be reached, or the table is missing or another one.
    """
    if "connection" not in source.streams[stream.name]:
        return None
    columns = [column.name for column in stream.columns]
    return databases.by_day(source, stream, window, TABLE, columns, TIMES)


KIND = Kind("freeswitch", streams, pull)
