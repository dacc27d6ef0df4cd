"""A real warehouse with three published days, made anew for every test, and a centre with one report."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import pytest
import yaml

from callhouse.postgres import connect, stop
from callhouse.settings import Settings, load_settings

HERE = Path(__file__).parent
CENTRE = """
name: reported
label: {en: Test centre, zh: 测试中心}
time_zone: Asia/Shanghai
service_level:
  - {valid_from: 2000-01-01, threshold_seconds: 30, short_abandon_seconds: 5, official: F2}
  - {valid_from: 2026-01-01, threshold_seconds: 20, short_abandon_seconds: 5, official: F3}
"""
REPORT: dict[str, Any] = {
    "label": {"en": "Daily report", "zh": "日报"},
    "model": "rpt_daily",
    "template": "daily.html",
    "recipients": ["manager@centre.example"],
}

Execute = Callable[..., None]
Configure = Callable[..., Settings]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    root = tmp_path_factory.mktemp("reported")
    (root / "config").mkdir()
    (root / "config" / "sources.yml").write_text("sources: {}\n")
    (root / "config" / "centre.yml").write_text(CENTRE)
    settings = load_settings(config=root / "config", home=root / "home")
    with connect(settings) as connection:
        connection.execute((HERE / "warehouse.sql").read_bytes())
    yield settings
    stop(settings)


@pytest.fixture
def configure(server: Settings, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Settings whose report ``daily`` has other options: ``configure(language="en")``; outbox empty."""
    monkeypatch.delenv("AIRFLOW_CONN_SMTP", raising=False)
    if server.outbox_dir.is_dir():
        shutil.rmtree(server.outbox_dir)
    else:
        server.outbox_dir.unlink(missing_ok=True)

    def write(centre: dict[str, Any] | None = None, **options: Any) -> Settings:
        entry = {key: value for key, value in (REPORT | options).items() if value is not None}
        (server.config_dir / "reports.yml").write_text(yaml.safe_dump({"reports": {"daily": entry}}))
        (server.config_dir / "centre.yml").write_text(yaml.safe_dump(yaml.safe_load(CENTRE) | (centre or {})))
        return replace(server)  # without what the other one has cached

    return write


@pytest.fixture
def settings(configure: Configure, execute: Execute) -> Settings:
    """The centre with its three published days, counted by hand in days.sql."""
    return configure()


@pytest.fixture
def execute(server: Settings) -> Execute:
    """Run a statement as the warehouse's owner, on the three days of days.sql."""
    with connect(server) as connection:
        connection.execute(
            """
            truncate marts.dim_kpi, marts.fct_contacts, marts.fct_queue_intervals, marts.kpi_values,
                marts.quality_results, reports.rpt_daily, ops.publications, ops.deliveries, ops.runs cascade
            """
        )
        connection.execute((HERE / "days.sql").read_bytes())

    def run(statement: str, *parameters: object) -> None:
        with connect(server) as connection:
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
