"""Kind ``freeswitch``: calls of FreeSWITCH's mod_callcenter, as FusionPBX exports ``v_xml_cdr``.

::

    v_xml_cdr ─ CSV export ─▶ xml_cdr        one row per channel: the caller's (member) and each agent's
    callcenter::info events ─▶ agent_status  one row per change of an agent's status

    streams:
      xml_cdr:
        files: ["freeswitch/xml_cdr*.csv"]
      agent_status:                          # optional: without it nobody's log-ins are known
        files: ["freeswitch/agent_status*.csv"]
    callback_keys: ["1"]                     # keys with which a waiting caller asks to be called back

Both are CSV with a header, matched by name in any order; columns not named here are kept in ``_extra``. A
stream takes ``delimiter``, ``quote``, ``encoding``, ``required``, ``max_bytes``, ``max_ratio`` and
``time_zone`` as kind ``delimited`` does. What the fields mean, and what FreeSWITCH does not tell:
docs/sources/freeswitch.md.
"""

from __future__ import annotations

from callhouse.settings import Source
from callhouse.sources import delimited, kinds
from callhouse.sources.kinds import Column, Kind, Stream

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
OPTIONS = kinds.FILE_OPTIONS | {"delimiter", "quote", "time_zone", "label", "description"}


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
    kinds.check_name(source.name, name)
    kinds.check_options(options, OPTIONS, where)
    columns = [Column(column) for column in REQUIRED[name]]
    columns += [Column(column, required=False) for column in OPTIONAL[name]]
    return Stream(
        source=source.name,
        name=name,
        columns=tuple(columns),
        files=kinds.read_files(options, where),
        format=delimited.read_format(options, where),
        required=bool(options.get("required", True)),
    )


KIND = Kind("freeswitch", streams)
