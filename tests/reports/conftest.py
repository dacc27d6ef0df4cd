"""A real warehouse with three published days, made anew for every test, and a centre with one report."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest

from callhouse.postgres import connect
from callhouse.settings import Settings

HERE = Path(__file__).parent
CENTRE: dict[str, Any] = {
    "label": {"en": "Test centre", "zh": "测试中心"},
    "service_level": [
        {
            "valid_from": date(2000, 1, 1),
            "threshold_seconds": 30,
            "short_abandon_seconds": 5,
            "official": "F2",
        },
        {
            "valid_from": date(2026, 1, 1),
            "threshold_seconds": 20,
            "short_abandon_seconds": 5,
            "official": "F3",
        },
    ],
}
REPORT: dict[str, Any] = {
    "label": {"en": "Daily report", "zh": "日报"},
    "model": "rpt_daily",
    "template": "daily.html",
    "recipients": ["manager@centre.example"],
}

Execute = Callable[..., None]
Configure = Callable[..., Settings]


@pytest.fixture
def configure(make_settings: Callable[..., Settings], monkeypatch: pytest.MonkeyPatch) -> Configure:
    """``configure(language="en")``: settings whose report ``daily`` has such options, on the three days."""
    monkeypatch.delenv("AIRFLOW_CONN_SMTP", raising=False)

    def write(centre: dict[str, Any] | None = None, **options: Any) -> Settings:
        return make_settings(centre=CENTRE | (centre or {}), reports={"daily": REPORT | options})

    with connect(write()) as connection:
        connection.execute((HERE / "warehouse.sql").read_bytes())
        connection.execute((HERE / "days.sql").read_bytes())
    return write


@pytest.fixture
def settings(configure: Configure) -> Settings:
    """The centre with its three published days, counted by hand in days.sql."""
    return configure()


@pytest.fixture
def execute(settings: Settings) -> Execute:
    """Run a statement as the warehouse's owner."""

    def run(statement: str, *parameters: object) -> None:
        with connect(settings) as connection:
            connection.execute(statement.encode(), parameters or None)

    return run


@dataclass(frozen=True)
class Mail:
    """A kept mail: headers, plain text, HTML, the pictures by content id."""

    message: EmailMessage
    text: str
    html: str
    images: dict[str, bytes]

    @property
    def subject(self) -> str:
        return str(self.message["Subject"])


def read_mail(content: bytes) -> Mail:
    message = message_from_bytes(content, policy=policy.default)
    assert isinstance(message, EmailMessage)
    text, html = message.get_body(("plain",)), message.get_body(("html",))
    assert text is not None and html is not None
    images = {
        part["Content-ID"]: part.get_content()
        for part in message.walk()
        if part.get_content_maintype() == "image"
    }
    return Mail(message, text.get_content().replace("\r\n", "\n"), html.get_content(), images)


def mails_in(settings: Settings) -> list[Mail]:
    """The outbox's mails, the oldest first."""
    files = sorted(settings.outbox_dir.glob("*.eml"), key=lambda path: path.stat().st_mtime_ns)
    return [read_mail(path.read_bytes()) for path in files]
