"""Getting a report to its readers: an ``.eml`` file in the outbox, or SMTP.

**Nobody gets the same report twice.** What was delivered stands in ``ops.deliveries``; one transaction
per recipient takes a lock, looks there, inserts the row, delivers, commits. Whatever fails before the mail
left rolls the row back. Only a crash between the mail server's "accepted" and the commit can send again
(at least once, chosen because a lost report is worse than a second copy); the copy then carries the same
Message-ID, by which mail systems know it. In the outbox it is the same file.

The connection ``smtp`` is Airflow's, as a URI or JSON. Extras, named as in Airflow's SMTP provider:
``disable_ssl``, ``disable_tls``, ``timeout`` (s), ``from_email``, ``ssl_context`` (``default`` or ``none``).
TLS from the first byte, or STARTTLS when ``disable_ssl`` is set or the port is 25 or 587; no encryption only
when both are disabled.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import smtplib
import ssl
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from email import message_from_bytes, policy
from email.errors import HeaderParseError
from email.headerregistry import Address
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from psycopg import errors

from callhouse.errors import ConfigError, DeliveryError
from callhouse.reports.render import Restatement

if TYPE_CHECKING:
    from psycopg import Connection

SMTP_TIMEOUT_SECONDS = 30.0
FIGURES_HEADER = "X-Callhouse-Figures"
ARCHIVE = "archive"
STARTTLS_PORTS = (25, 587)


@dataclass(frozen=True)
class Key:
    """What a delivery is of: one report on one period for one recipient, with the content's SHA-256."""

    report: str
    period_from: date
    period_to: date
    recipient: str
    content: str


@dataclass(frozen=True)
class Message:
    """One recipient's mail and the file that keeps it. ``is_new`` is false when it was delivered before."""

    recipient: str
    message_id: str
    channel: str
    path: Path
    is_new: bool
    is_restated: bool = False


class Channel(Protocol):
    """A way out, with the folder that keeps its mails."""

    name: ClassVar[str]

    @property
    def folder(self) -> Path: ...

    @property
    def sender(self) -> str | None:
        """The address that mails come from, where the channel has one of its own."""

    def deliver(self, message: EmailMessage, path: Path) -> None:
        """Keep the mail at ``path`` and send it; raises DeliveryError."""


Compose = Callable[[Key, str, Restatement | None], EmailMessage]


# --- once per recipient --------------------------------------------------------------------------------


def deliver_once(
    connection: Connection[Any],
    key: Key,
    channel: Channel,
    compose: Compose,
) -> Message:
    """Deliver, unless the recipient's latest mail of this report and period says the same.

    Args:
        connection: in autocommit, role ``callhouse_report``.
        compose: makes the mail from the key, its fingerprint and the earlier report it replaces, if any.

    Raises:
        DeliveryError: the channel refused, or another process is sending this report.
    """
    who = (key.report, key.period_from, key.period_to, key.recipient)
    try:
        with connection.transaction():
            connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", (repr(who),))
            earlier = connection.execute(
                """
                select sha256, message_id, channel, path, delivered_at from ops.deliveries
                where report = %s and period_from = %s and period_to = %s and recipient = %s
                order by delivered_at
                """,
                who,
            ).fetchall()
            before, latest = [None, None, *earlier][-2:]
            if latest and latest[0] == linked(key.content, before and before[0]):
                return Message(key.recipient, latest[1], latest[2], Path(latest[3]), is_new=False)
            fingerprint = linked(key.content, latest and latest[0])
            restatement = latest and Restatement(latest[4], figures_of(Path(latest[3])))
            message = compose(key, fingerprint, restatement)
            message_id, path = str(message["Message-ID"]), channel.folder / file_name(key, fingerprint)
            # The row first: a database that refuses it must do so before the mail is out.
            connection.execute(
                """
                insert into ops.deliveries (report, period_from, period_to, recipient, message_id, sha256,
                    channel, path, delivered_at) values (%s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp())
                """,
                (*who, message_id, fingerprint, channel.name, str(path)),
            )
            channel.deliver(message, path)
            return Message(key.recipient, message_id, channel.name, path, True, is_restated=bool(latest))
    except errors.LockNotAvailable:
        raise DeliveryError(
            f"another process is sending the report {key.report!r}",
            where="ops.deliveries",
            do="try again later",
        ) from None


def linked(content: str, previous: str | None) -> str:
    """The fingerprint of a mail that follows another: figures corrected and corrected back are news again."""
    return content if previous is None else hashlib.sha256(f"{previous} {content}".encode()).hexdigest()


def file_name(key: Key, fingerprint: str) -> str:
    """``<report>-<date>-<recipient>-<fingerprint8>.eml``, safe on every file system."""
    recipient = re.sub(r"[^A-Za-z0-9.@+_-]", "_", key.recipient)[:80]
    return f"{key.report}-{key.period_from.isoformat()}-{recipient}-{fingerprint[:8]}.eml"


# --- the mail ------------------------------------------------------------------------------------------


def compose_mail(
    *,
    key: Key,
    fingerprint: str,
    centre: str,
    sender: str,
    subject: str,
    html: str,
    text: str,
    images: dict[str, bytes],
    figures: dict[str, Decimal | None],
) -> EmailMessage:
    """The mail: text, HTML beside it, images within the HTML by content id.

    The same report to the same recipient has the same Message-ID, whenever it is made.

    Raises:
        ConfigError: a header would hold a line break, or an address is none.
    """
    stem = hashlib.sha256(f"{centre} {key.recipient} {fingerprint}".encode()).hexdigest()[:32]
    domain = address(sender).domain or "localhost"
    message = EmailMessage(policy=policy.SMTP)
    headers = {
        "From": str(address(sender)),
        "To": key.recipient,
        "Subject": subject,
        "Date": format_datetime(datetime.now(UTC)),
        "Message-ID": f"<{key.report}.{key.period_from.isoformat()}.{stem}@{domain}>",
        "Auto-Submitted": "auto-generated",
        "X-Auto-Response-Suppress": "All",
        FIGURES_HEADER: json.dumps({name: None if v is None else str(v) for name, v in figures.items()}),
    }
    for name, value in headers.items():
        try:
            message[name] = _no_line_break(value)
        except ValueError as error:
            raise ConfigError(
                f"the mail's {name} cannot be written: {error}",
                where="reports.yml, centre.yml",
                do="take line breaks and control characters out of labels and addresses",
            ) from None
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    page = message.get_payload()[1]  # type: ignore[index]
    for cid, png in images.items():
        page.add_related(  # type: ignore[union-attr]
            png, "image", "png", cid=f"<{cid}>", disposition="inline", filename=f"{cid.partition('@')[0]}.png"
        )
    for number, part in enumerate(part for part in message.walk() if part.is_multipart()):
        part.set_boundary(f"=_{stem}_{number}")
    return message


def address(text: str) -> Address:
    """``name@example`` or ``Name <name@example>`` as an address.

    Raises:
        ConfigError: it is none.
    """
    named = re.fullmatch(r"\s*([^<>\r\n]*?)\s*<([^<>\s]+)>\s*", text)
    name, plain = named.groups() if named else ("", text)
    try:
        parsed = Address(_no_line_break(name).strip('"'), addr_spec=_no_line_break(plain))
    except (ValueError, IndexError, HeaderParseError):
        parsed = None
    if parsed is None or not parsed.username or not parsed.domain:
        raise ConfigError(
            "an entry of `recipients:` or `sender:` is not an e-mail address",
            where="reports.yml",
            do="write it as name@example.com",
        )
    return parsed


def figures_of(path: Path) -> dict[str, Decimal | None] | None:
    """The key figures that a kept mail stated; None when it is gone or of another make."""
    try:
        stated = message_from_bytes(path.read_bytes(), policy=policy.default)[FIGURES_HEADER]
        return {name: None if v is None else Decimal(v) for name, v in json.loads(stated).items()}
    except (OSError, TypeError, ValueError, ArithmeticError, AttributeError):
        return None


def _no_line_break(value: str) -> str:
    if any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise ValueError("it holds a line break or control character")
    return value


# --- outbox --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outbox:
    """A local folder; a mail appears in it whole or not at all."""

    folder: Path
    sender: str | None = None
    name: ClassVar[str] = "outbox"

    def deliver(self, message: EmailMessage, path: Path) -> None:
        partial: Path | None = None
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            handle, partial_name = tempfile.mkstemp(dir=self.folder, prefix=".", suffix=".part")
            partial = Path(partial_name)
            with os.fdopen(handle, "wb") as file:
                file.write(message.as_bytes())
                file.flush()
                os.fsync(file.fileno())
            partial.chmod(0o640)
            partial.replace(path)
        except OSError as error:
            if partial is not None:
                partial.unlink(missing_ok=True)
            raise DeliveryError(
                f"the report cannot be written: {error.strerror or error}",
                where=str(self.folder),
                do=_what_to_do(error),
            ) from None


def _what_to_do(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return "make room on that disk and send the report again"
    if error.errno in (errno.ENOTDIR, errno.EEXIST):
        return "a file stands where the outbox folder belongs: move it away"
    return "make the folder writable for this user, or set CALLHOUSE_HOME to one that is"


# --- SMTP ----------------------------------------------------------------------------------------------


def smtp_from_environment() -> str | None:
    """The Airflow connection ``smtp`` as the environment sets it: a URI or JSON."""
    return os.environ.get("AIRFLOW_CONN_SMTP") or None


@dataclass(frozen=True)
class Smtp:
    """A mail server. ``security`` is ``tls``, ``starttls`` or ``none``."""

    host: str
    port: int
    folder: Path
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    security: str = "tls"
    is_verified: bool = True
    timeout_seconds: float = SMTP_TIMEOUT_SECONDS
    sender: str | None = None
    name: ClassVar[str] = "smtp"

    def deliver(self, message: EmailMessage, path: Path) -> None:
        """Keep the mail in the archive, then hand it to the server."""
        Outbox(self.folder).deliver(message, path)
        try:
            with self._connect() as server:
                server.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            code, reply = next(iter(error.recipients.values()))
            raise self._error(f"the mail server refused the recipient ({_reply(code, reply)})") from None
        except smtplib.SMTPAuthenticationError as error:
            raise self._error(
                f"the mail server refused the login ({_reply(error.smtp_code, error.smtp_error)})"
            ) from None
        except smtplib.SMTPResponseException as error:
            raise self._error(
                f"the mail server refused the mail ({_reply(error.smtp_code, error.smtp_error)})"
            ) from None
        except (smtplib.SMTPException, OSError, ValueError) as error:
            raise self._error(f"the mail server cannot be used: {error}") from None

    def _connect(self) -> smtplib.SMTP:
        context = ssl.create_default_context()
        if not self.is_verified:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        if self.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                self.host, self.port, timeout=self.timeout_seconds, context=context
            )
        else:
            server = smtplib.SMTP(self.host, self.port, timeout=self.timeout_seconds)
        try:
            if self.security == "starttls":
                server.starttls(context=context)
            if self.user:
                server.login(self.user, self.password or "")
        except BaseException:
            server.close()
            raise
        return server

    def _error(self, what: str) -> DeliveryError:
        return DeliveryError(
            what,
            where=f"{self.host}:{self.port}",
            do="check the connection `smtp` and the recipients in reports.yml, then send the report again",
        )


def smtp_channel(connection: str, archive: Path) -> Smtp:
    """The mail server of an Airflow connection given as a URI or JSON.

    Raises:
        ConfigError: it is neither, or names no host. The message never holds the connection's text.
    """
    try:
        fields = json.loads(connection) if connection.lstrip().startswith("{") else _uri_fields(connection)
        extra = fields.get("extra") or {}
        extra = json.loads(extra) if isinstance(extra, str) else extra
        host = str(fields.get("host") or "")
        port = int(fields.get("port") or 0)
        timeout = float(extra.get("timeout") or SMTP_TIMEOUT_SECONDS)
    except (ValueError, TypeError, AttributeError):
        host, fields, extra, port, timeout = "", {}, {}, 0, 0.0
    if not host or timeout <= 0:
        raise ConfigError(
            "the connection is not a mail server's",
            where="Airflow connection `smtp` (AIRFLOW_CONN_SMTP)",
            do="write it as smtp://user:password@host:587/?from_email=callhouse%40example.com, or as JSON",
        )
    if extra.get("disable_ssl") is None:
        security = "starttls" if port in STARTTLS_PORTS else "tls"
    else:
        security = "starttls" if _is_true(extra["disable_ssl"]) else "tls"
    if security == "starttls" and _is_true(extra.get("disable_tls")):
        security = "none"
    return Smtp(
        host=host,
        port=port or {"tls": 465, "starttls": 587, "none": 25}[security],
        folder=archive,
        user=fields.get("login") or None,
        password=fields.get("password") or None,
        security=security,
        is_verified=extra.get("ssl_context") != "none",
        timeout_seconds=timeout,
        sender=extra.get("from_email") or None,
    )


def _uri_fields(uri: str) -> dict[str, Any]:
    """An Airflow connection URI's fields; extras are the query, or JSON in its ``__extra__``."""
    parts = urlsplit(uri)
    extra = dict(parse_qsl(parts.query, keep_blank_values=True))
    return {
        "host": unquote(parts.hostname or ""),
        "port": parts.port,
        "login": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "extra": json.loads(extra["__extra__"]) if "__extra__" in extra else extra,
    }


def _is_true(value: object) -> bool:
    return str(value).strip().lower() in ("true", "1", "yes", "on", "t")


def _reply(code: int, reply: bytes | str) -> str:
    """A server's answer without the addresses it may repeat."""
    words = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else reply
    words = re.sub(r"<?[^\s<>]+@[^\s<>]+>?", "<address>", " ".join(words.split()))
    return f"{code} {words[:200]}"
