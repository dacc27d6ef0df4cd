"""How a report reaches its readers: the outbox, a real SMTP server, and never the same report twice."""

from __future__ import annotations

import json
import resource
import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from callhouse.errors import ConfigError, DeliveryError
from callhouse.postgres import connect
from callhouse.reports import Delivery, send
from callhouse.reports.deliver import address, smtp_channel
from callhouse.settings import Settings

from .conftest import Configure, Execute, Mail, mails_in, read_mail

MONDAY = date(2026, 3, 2)
TWO_READERS = ["manager@centre.example", "Owner <owner@centre.example>"]


def send_monday(settings: Settings, connection: str | None = None) -> Delivery:
    delivery = send(settings, "daily", MONDAY, MONDAY, smtp=lambda: connection)
    assert delivery is not None
    return delivery


def set_offered(execute: Execute, value: int) -> None:
    execute(
        "update reports.rpt_daily set value = %s where unit_type = 'centre' and kpi_id = 'offered'", value
    )


def recorded(settings: Settings) -> list[tuple[Any, ...]]:
    with connect(settings) as connection:
        return connection.execute(
            "select recipient, channel, path, message_id, sha256 from ops.deliveries order by delivered_at"
        ).fetchall()


# --- outbox --------------------------------------------------------------------------------------------


def test_the_mail_lies_in_the_outbox_under_a_name_people_can_read(settings: Settings) -> None:
    (message,) = send_monday(settings).messages
    ((recipient, channel, path, message_id, sha256),) = recorded(settings)
    assert message.path == Path(path)
    assert message.path.name == f"daily-2026-03-02-manager@centre.example-{sha256[:8]}.eml"
    assert (recipient, channel) == ("manager@centre.example", "outbox")
    (mail,) = mails_in(settings)
    assert mail.message["Message-ID"] == message_id
    assert mail.message["Auto-Submitted"] == "auto-generated"
    assert mail.message["To"] == "manager@centre.example"
    assert mail.message["Date"].datetime <= datetime.now(UTC) + timedelta(seconds=1)
    assert not list(settings.outbox_dir.glob(".*"))


def test_the_same_report_twice_is_one_mail(settings: Settings) -> None:
    assert send_monday(settings).new_count == 1
    assert send_monday(settings).new_count == 0
    assert len(mails_in(settings)) == 1


def test_asked_for_as_part_of_a_range_it_is_still_the_same_report(settings: Settings) -> None:
    send_monday(settings)
    delivery = send(settings, "daily", date(2026, 2, 1), MONDAY)
    assert delivery and delivery.new_count == 0


def test_the_same_figures_published_again_are_no_new_report(settings: Settings, execute: Execute) -> None:
    send_monday(settings)
    execute("insert into ops.publications (run_id, business_date) values (5, '2026-03-02')")
    execute(
        "insert into marts.quality_results (run_id, stage, rule, principle, severity, business_date, outcome,"
        " violation_count) values (5, 'build', 'no_gap', 'cyclical', 'warning', '2026-03-02', 'fail', 1)"
    )
    execute("update reports.rpt_daily set value = value * 1.000")
    assert send_monday(settings).new_count == 0


def test_a_restated_day_is_sent_again_and_says_what_changed(settings: Settings, execute: Execute) -> None:
    send_monday(settings)
    set_offered(execute, 11)
    (message,) = send_monday(settings).messages
    assert message.is_new and message.is_restated
    first, second = mails_in(settings)
    assert first.message["Message-ID"] != second.message["Message-ID"]
    assert second.subject.startswith("[Restated 更正] Daily report")
    for version in (second.text, second.html.replace("<b>", "").replace("</b>", "")):
        assert "Restated. This replaces the report sent on" in version
        assert "Offered 排队量: 10 → 11" in version
    assert "Restated" not in first.text


def test_a_restated_detail_says_that_the_key_figures_stand(settings: Settings, execute: Execute) -> None:
    send_monday(settings)
    execute("update reports.rpt_daily set value = 5 where unit_type = 'queue' and kpi_id = 'offered'")
    send_monday(settings)
    assert "The key figures are the same; details below have changed." in mails_in(settings)[-1].text


def test_figures_corrected_and_corrected_back_are_news_each_time(
    settings: Settings, execute: Execute
) -> None:
    for offered in (10, 11, 10, 11):
        set_offered(execute, offered)
        assert send_monday(settings).new_count == 1
        assert send_monday(settings).new_count == 0
    assert len({row[3] for row in recorded(settings)}) == 4
    assert ["10 → 11" in mail.text for mail in mails_in(settings)] == [False, True, False, True]


def test_a_restatement_without_the_earlier_mail_still_goes_out(settings: Settings, execute: Execute) -> None:
    (message,) = send_monday(settings).messages
    message.path.unlink()
    set_offered(execute, 11)
    assert send_monday(settings).new_count == 1
    (mail,) = mails_in(settings)
    assert "Restated" in mail.text and "→" not in mail.text


def test_a_reader_added_later_gets_the_report_the_others_do_not(configure: Configure) -> None:
    send_monday(configure())
    delivery = send_monday(configure(recipients=TWO_READERS))
    assert [message.is_new for message in delivery.messages] == [False, True]
    assert [mail.message["To"] for mail in mails_in(configure())] == [
        "manager@centre.example",
        "owner@centre.example",
    ]


def test_two_processes_at_once_send_one_mail(settings: Settings) -> None:
    with ThreadPoolExecutor(2) as pool:
        deliveries = list(pool.map(send_monday, [settings, settings]))
    assert sum(delivery.new_count for delivery in deliveries) == 1
    assert len(recorded(settings)) == 1


def test_a_held_date_makes_the_last_good_day_a_report_of_its_own(settings: Settings) -> None:
    send_monday(settings)
    tuesday = date(2026, 3, 3)
    for expected in (1, 0):
        delivery = send(settings, "daily", MONDAY, tuesday)
        assert delivery is not None and delivery.new_count == expected
        assert [notice.business_date for notice in delivery.notices] == [tuesday]
    assert "Restated" not in mails_in(settings)[-1].subject


def file_in_the_way(outbox: Path) -> None:
    outbox.parent.mkdir(parents=True, exist_ok=True)
    outbox.write_text("")


def test_an_outbox_that_is_a_file_is_an_error_and_nothing_counts_as_delivered(settings: Settings) -> None:
    file_in_the_way(settings.outbox_dir)
    with pytest.raises(DeliveryError, match="move it away") as caught:
        send_monday(settings)
    assert caught.value.where == str(settings.outbox_dir) and caught.value.exit_code == 6
    assert recorded(settings) == []
    settings.outbox_dir.unlink()
    assert send_monday(settings).new_count == 1


def test_a_full_outbox_leaves_no_half_mail(settings: Settings) -> None:
    send_monday(settings)  # the chart's libraries are loaded and their caches written
    Path(recorded(settings)[0][2]).unlink()
    with connect(settings) as connection:
        connection.execute("truncate ops.deliveries")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_192, hard))
    try:
        with pytest.raises(DeliveryError, match="make room"):
            send_monday(settings)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(settings.outbox_dir.iterdir()) == [] and recorded(settings) == []


def test_no_line_break_gets_into_a_header(configure: Configure) -> None:
    settings = configure(centre={"label": {"en": "Centre\r\nBcc: thief@elsewhere.example"}})
    with pytest.raises(ConfigError, match="Subject cannot be written"):
        send_monday(settings)
    assert mails_in(settings) == [] and recorded(settings) == []


@pytest.mark.parametrize(
    "text", ["", "a", "a@", "@b", "a@b\r\nBcc: c@d", "a b@c.example", "<a@b", "a@b, c@d", "x <>"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not an e-mail address"):
        address(text)


# --- SMTP ----------------------------------------------------------------------------------------------

USER, PASSWORD = "robot@centre.example", "s3cret:/?#"


@dataclass
class Mailbox:
    """A real mail server's memory; ``refuse`` is a recipient it does not know."""

    refuse: str | None = None
    received: list[Envelope] = field(default_factory=list)

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, to: str, options: list[str]
    ) -> str:
        if to == self.refuse:
            return f"550 5.1.1 <{to}>: unknown user"
        envelope.rcpt_tos.append(to)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.received.append(envelope)
        return "250 OK"

    @property
    def mails(self) -> list[Mail]:
        return [
            read_mail(envelope.content) for envelope in self.received if isinstance(envelope.content, bytes)
        ]


StartServer = Callable[..., int]


@pytest.fixture
def start_server() -> Iterator[StartServer]:
    with ExitStack() as running:

        def start(mailbox: Mailbox, **options: Any) -> int:
            controller = Controller(mailbox, hostname="127.0.0.1", port=free_port(), **options)
            controller.start()
            running.callback(controller.stop)
            return controller.port

        yield start


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def plain(port: int, **extra: object) -> str:
    return json.dumps(
        {
            "conn_type": "smtp",
            "host": "127.0.0.1",
            "port": port,
            "extra": {"disable_ssl": True, "disable_tls": True, "timeout": 10} | extra,
        }
    )


def test_with_an_smtp_connection_the_mail_goes_to_the_server_and_a_copy_is_kept(
    settings: Settings, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    mailbox = Mailbox()
    port = start_server(mailbox)
    monkeypatch.setenv("AIRFLOW_CONN_SMTP", plain(port, from_email="callhouse@centre.example"))
    for expected in (1, 0):
        delivery = send(settings, "daily", MONDAY, MONDAY)
        assert delivery is not None and delivery.new_count == expected
    (envelope,), (mail,) = mailbox.received, mailbox.mails
    assert envelope.mail_from == "callhouse@centre.example"
    assert envelope.rcpt_tos == ["manager@centre.example"]
    assert mail.message["Message-ID"].endswith("@centre.example>")
    assert "55.6%" in mail.text and len(mail.images) == 1
    ((_, channel, path, message_id, _),) = recorded(settings)
    assert (channel, message_id) == ("smtp", mail.message["Message-ID"])
    kept = read_mail(Path(path).read_bytes())
    assert kept.message["Message-ID"] == message_id
    assert mails_in(settings) == []  # the archive, not the outbox


def login(server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any) -> AuthResult:
    known = isinstance(data, LoginPassword) and (data.login, data.password) == (
        USER.encode(),
        PASSWORD.encode(),
    )
    return AuthResult(success=known, handled=False)


AUTH = {"authenticator": login, "auth_required": True, "auth_require_tls": False}


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_it_logs_in_where_the_server_asks_for_it(settings: Settings, start_server: StartServer) -> None:
    mailbox = Mailbox()
    port = start_server(mailbox, **AUTH)
    uri = f"smtp://robot%40centre.example:s3cret%3A%2F%3F%23@127.0.0.1:{port}/?disable_ssl=True&disable_tls=true"
    assert send_monday(settings, uri).new_count == 1
    (envelope,) = mailbox.received
    assert envelope.mail_from == "callhouse@localhost"


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_a_refused_login_names_the_server_but_not_the_password(
    settings: Settings, start_server: StartServer
) -> None:
    port = start_server(Mailbox(), **AUTH)
    with pytest.raises(DeliveryError, match="refused the login") as caught:
        send_monday(settings, f"smtp://robot:wrong-word@127.0.0.1:{port}/?disable_ssl=true&disable_tls=true")
    assert f"127.0.0.1:{port}" in str(caught.value)
    assert "wrong-word" not in str(caught.value)
    assert recorded(settings) == []


def test_a_refused_reader_is_an_error_and_the_others_get_their_mail_once(
    configure: Configure, start_server: StartServer
) -> None:
    settings = configure(recipients=["gone@centre.example", *TWO_READERS])
    mailbox = Mailbox(refuse="gone@centre.example")
    connection = plain(start_server(mailbox))
    for _ in range(2):
        with pytest.raises(
            DeliveryError, match=r"1 of 3 recipients not served: .*550 5\.1\.1 <address>"
        ) as caught:
            send_monday(settings, connection)
        assert "gone@" not in str(caught.value)
    assert [row[0] for row in recorded(settings)] == ["manager@centre.example", "owner@centre.example"]
    assert len(mailbox.received) == 2
    mailbox.refuse = None
    assert send_monday(settings, connection).new_count == 1


def test_a_server_that_is_away_is_an_error_and_the_next_try_delivers(
    settings: Settings, start_server: StartServer
) -> None:
    with pytest.raises(DeliveryError, match="cannot be used"):
        send_monday(settings, plain(free_port()))
    assert recorded(settings) == []
    assert send_monday(settings, plain(start_server(Mailbox()))).new_count == 1


def test_a_crash_between_sending_and_recording_repeats_the_mail_under_the_same_message_id(
    settings: Settings, execute: Execute, start_server: StartServer
) -> None:
    mailbox = Mailbox()
    connection = plain(start_server(mailbox))
    execute("create function ops.crash() returns trigger language plpgsql as $$ begin raise 'crash'; end $$")
    execute(
        "create constraint trigger crash after insert on ops.deliveries initially deferred "
        "for each row execute function ops.crash()"
    )
    try:
        with pytest.raises(psycopg.errors.RaiseException):
            send_monday(settings, connection)
    finally:
        execute("drop function ops.crash cascade")
    assert send_monday(settings, connection).new_count == 1
    assert len({mail.message["Message-ID"] for mail in mailbox.mails}) == 1
    assert len(mailbox.mails) == 2 and len(recorded(settings)) == 1


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's TLS context with a certificate nobody vouches for."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder(
            name, name, key.public_key(), x509.random_serial_number(), now, now + timedelta(1)
        )
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=True)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_starttls_is_used_and_an_unknown_certificate_is_refused(
    settings: Settings, start_server: StartServer, certificate: ssl.SSLContext
) -> None:
    mailbox = Mailbox()
    port = start_server(mailbox, tls_context=certificate, require_starttls=True)
    with pytest.raises(DeliveryError, match="CERTIFICATE_VERIFY_FAILED"):
        send_monday(settings, f"smtp://127.0.0.1:{port}/?disable_ssl=true")
    send_monday(settings, f"smtp://127.0.0.1:{port}/?disable_ssl=true&ssl_context=none")
    assert len(mailbox.received) == 1


def test_tls_from_the_first_byte_is_the_default(
    settings: Settings, start_server: StartServer, certificate: ssl.SSLContext
) -> None:
    mailbox = Mailbox()
    port = start_server(mailbox, ssl_context=certificate)
    send_monday(settings, f"smtp://127.0.0.1:{port}/?ssl_context=none")
    assert len(mailbox.received) == 1


@pytest.mark.parametrize(
    ("connection", "port", "security"),
    [
        ("smtp://mail.example", 465, "tls"),
        ("smtp://mail.example:587", 587, "starttls"),
        ("smtp://mail.example/?disable_ssl=true", 587, "starttls"),
        ("smtp://mail.example:2525/?disable_ssl=false", 2525, "tls"),
        ("smtp://mail.example:1025/?disable_ssl=true&disable_tls=true", 1025, "none"),
        ('smtp://mail.example/?__extra__={"disable_ssl": true, "disable_tls": true}', 25, "none"),
        ('{"host": "mail.example", "port": "587", "extra": "{}"}', 587, "starttls"),
    ],
)
def test_a_connection_says_how_the_server_is_spoken_to(connection: str, port: int, security: str) -> None:
    channel = smtp_channel(connection, Path("archive"))
    assert (channel.host, channel.port, channel.security) == ("mail.example", port, security)


@pytest.mark.parametrize(
    "connection",
    [
        "hunter2",
        "smtp://",
        "smtp://u:hunter2@",
        "{hunter2",
        '{"password": "hunter2"}',
        "smtp://u:hunter2@h:port",
        "[]",
    ],
)
def test_a_connection_that_is_none_is_refused_without_showing_it(connection: str) -> None:
    with pytest.raises(ConfigError, match="not a mail server's") as caught:
        smtp_channel(connection, Path("archive"))
    assert "hunter2" not in str(caught.value)


def test_a_password_does_not_show_in_the_channels_words() -> None:
    assert "hunter2" not in repr(smtp_channel("smtp://u:hunter2@mail.example", Path("archive")))
