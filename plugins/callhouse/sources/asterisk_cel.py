"""Kind ``asterisk_cel``: Asterisk's channel event log, one event of one channel per line or row.

::

    cel-custom/Master.csv, or table cel ──▶ landing ──▶ raw.<source>__cel ──▶ stg_asterisk_cel__events
        ──▶ int_asterisk_calls__calls, one row per linkedid

::

    queue_log_source: pbx             # as for the kind asterisk_cdr
    trunks: ["PJSIP/provider"]
    streams:
      cel:
        files: ["pbx/cel-custom/Master*.csv"]
        columns: [eventtype, …]       # the order of cel_custom.conf; default: that of its sample
        header: true                  # or: the file names its columns
    # or
      cel: {connection: pbx_db, table: asteriskcdrdb.cel, lag_days: 1}

Order is certain only within a channel: events are sorted by linkedid and time. A call is over at
LINKEDID_END, never because nothing more came. docs/sources/asterisk_cel.md has the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from callhouse.settings import Source
from callhouse.sources import asterisk_records
from callhouse.sources.asterisk_records import Records
from callhouse.sources.kinds import Delivery, Kind, Stream, Window

# The order of the sample in cel_custom.conf.
ORDER = (
    "eventtype", "eventtime", "cid_name", "cid_num", "cid_ani", "cid_rdnis", "cid_dnid", "exten", "context",
    "channame", "appname", "appdata", "amaflags", "accountcode", "uniqueid", "linkedid", "peer", "userfield",
    "userdeftype", "extra",
)  # fmt: skip

RECORDS = Records(
    stream="cel",
    columns=(*ORDER, "peeraccount"),
    required=("eventtype", "eventtime", "channame", "uniqueid", "linkedid"),
    order=ORDER,
    least=18,
    times=("eventtime",),
)


def streams(source: Source) -> dict[str, Stream]:
    """The one stream ``cel``.

    Raises:
        ConfigError: an option is missing, unknown or has a value that cannot be used.
    """
    return asterisk_records.streams(source, RECORDS)


def pull(source: Source, stream: Stream, window: Window) -> Iterator[Delivery] | None:
    """A table's rows of a window, one delivery per local day; None where the stream is files.

    Raises:
        ConfigError: the connection is missing or cannot be read.
        SourceError: the database cannot be reached, or the table is missing or another one.
    """
    return asterisk_records.pull(source, stream, window, RECORDS)


KIND = Kind("asterisk_cel", streams, pull)
