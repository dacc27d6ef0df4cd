"""Kind ``asterisk_cdr``: Asterisk's call detail records, one per leg of a call.

::

    cdr-csv/Master.csv, or table cdr ──▶ landing ──▶ raw.<source>__cdr ──▶ stg_asterisk_cdr__records
        ──▶ int_asterisk_calls__calls, one row per linkedid

::

    queue_log_source: pbx             # the queue_log of the same telephone system, which knows the outcomes
    trunks: ["PJSIP/provider"]        # how channels to the outside begin; else long numbers are outside
    streams:
      cdr:
        files: ["pbx/cdr-csv/Master*.csv"]
        columns: [clid, src, dst, …]  # the order of cdr_custom.conf; default: that of cdr_csv
        header: true                  # or: the file names its columns
    # or
      cdr: {connection: pbx_db, table: asteriskcdrdb.cdr, lag_days: 1}

Times are local times of the source's ``time_zone`` (``usegmtime=yes`` in cdr.conf: give the source
``time_zone: UTC``). The queue answers the caller's channel, so ``disposition`` says ANSWERED of abandoned
calls too: outcomes of calls in queues come from the queue_log. docs/sources/asterisk_cdr.md has the rest.
"""

from __future__ import annotations

from collections.abc import Iterator

from callhouse.settings import Source
from callhouse.sources import asterisk_records
from callhouse.sources.asterisk_records import Records
from callhouse.sources.kinds import Delivery, Kind, Stream, Window

# The order of cdr_csv; what stands behind amaflags is written where cdr.conf says so.
ORDER = (
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start",
    "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield", "peeraccount",
    "linkedid", "sequence",
)  # fmt: skip

RECORDS = Records(
    stream="cdr",
    columns=(*ORDER, "calldate"),
    required=("src", "dst", "channel", "disposition"),
    order=ORDER,
    least=16,
    times=("start", "calldate"),
)


def streams(source: Source) -> dict[str, Stream]:
    """The one stream ``cdr``.

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


KIND = Kind("asterisk_cdr", streams, pull)
