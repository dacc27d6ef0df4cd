"""Reports: read a published day, render it, keep it, deliver it.

`send` is the way in. A report's entry in ``reports.yml``: ``label`` (en, zh), ``model`` (the view in the
schema ``reports``), ``template`` (in ``templates/``), ``recipients``; optional ``language`` (``both``,
``en``, ``zh``) and ``sender``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from functools import cache

from callhouse.errors import ConfigError, DeliveryError
from callhouse.postgres import connect
from callhouse.reports import charts, data, deliver, render
from callhouse.reports.phrases import LANGUAGES, PHRASES
from callhouse.settings import NAME, Settings

log = logging.getLogger(__name__)

ROLE = "callhouse_report"
SENDER = "callhouse@localhost"


@dataclass(frozen=True)
class Delivery:
    """What became of a report: the day it shows, and one message per recipient.

    ``notices`` are the dates asked for whose current data is not published; the mail says the same.
    """

    report: str
    business_date: date
    messages: tuple[deliver.Message, ...]
    notices: tuple[data.Notice, ...]

    @property
    def new_count(self) -> int:
        """Mails sent by this call; the others had been delivered before."""
        return sum(message.is_new for message in self.messages)


@dataclass(frozen=True)
class _Entry:
    """A checked entry of ``reports.yml``."""

    name: str
    title: tuple[str, str]
    model: str
    template: str
    recipients: tuple[str, ...]
    language: str
    sender: str | None


def send(
    settings: Settings,
    name: str,
    date_from: date,
    date_to: date,
    *,
    smtp: Callable[[], str | None] = deliver.smtp_from_environment,
) -> Delivery | None:
    """Send the report ``name`` on the last published date of ``[date_from, date_to]``.

    Each recipient gets it once; a day whose figures changed since is sent again, marked as restated. Dates
    of the range whose data is held back are named in the mail.

    Args:
        smtp: gives the Airflow connection ``smtp`` as a URI or JSON, or None for the local outbox.

    Returns:
        The delivery, or None when no date of the range is published: then nothing is sent and the reason
        is logged.

    Raises:
        ConfigError: the report, a setting of it or the connection is wrong.
        DeliveryError: a recipient could not be served; the others were.
    """
    entry = _entry(settings, name)
    channel = _channel(settings, smtp())
    with connect(settings, role=ROLE, autocommit=True, name=f"callhouse report {name}") as connection:
        report = data.read(connection, settings, entry.model, date_from, date_to)
        if not isinstance(report, data.DailyReport):
            for notice in report:
                log.warning("Report %s not sent. %s", name, render.notice_text(notice, "en")[0])
            return None

        messages, failures = [], []
        compose = _composer(settings, entry, report, channel)
        for recipient in entry.recipients:
            key = _key(entry.name, report, recipient)
            try:
                messages.append(deliver.deliver_once(connection, key, channel, compose))
            except DeliveryError as error:
                failures.append(error)
    if failures:
        raise DeliveryError(
            f"report {name} of {report.business_date}: {len(failures)} of {len(entry.recipients)} recipients "
            f"not served: {failures[0].what}",
            where=failures[0].where,
            do=failures[0].do,
        )
    for message in messages:
        if not message.is_new:
            log.info("Report %s of %s: already delivered, not sent again", name, report.business_date)
    return Delivery(name, report.business_date, tuple(messages), report.notices)


def _composer(
    settings: Settings, entry: _Entry, report: data.DailyReport, channel: deliver.Channel
) -> deliver.Compose:
    """How a recipient's mail is made. The chart is drawn once, and only when a mail is to be sent."""
    sender = entry.sender or channel.sender or SENDER
    centre = _pair(settings.centre.get("label"), settings.centre_name)
    official = next((kpi for kpi in report.headline if kpi.kpi_id == report.service_level.kpi_id), None)

    @cache
    def chart() -> bytes:
        return charts.half_hour_chart(
            report.half_hours, official.target if official else None, entry.language
        )

    def compose(key: deliver.Key, fingerprint: str, restatement: render.Restatement | None) -> EmailMessage:
        images = {f"half-hours.{fingerprint[:16]}@callhouse": chart()} if report.half_hours else {}
        html, text = render.render(
            report,
            template=entry.template,
            title=render.chosen(entry.title, entry.language),
            centre=render.chosen(centre, entry.language),
            language=entry.language,
            chart_cid=next(iter(images), None),
            restatement=restatement,
        )
        return deliver.compose_mail(
            key=key,
            fingerprint=fingerprint,
            centre=settings.centre_name,
            sender=sender,
            subject=_subject(entry, centre, report, restatement is not None),
            html=html,
            text=text,
            images=images,
            figures={kpi.kpi_id: kpi.value for kpi in report.headline},
        )

    return compose


def _subject(entry: _Entry, centre: tuple[str, str], report: data.DailyReport, is_restated: bool) -> str:
    words = [
        " ".join(render.chosen(entry.title, entry.language)),
        render.date_words(report.business_date, entry.language),
        "·",
        render.chosen(centre, entry.language)[0],
    ]
    if report.notices:
        words.insert(0, f"[{render.chosen(PHRASES['held_word'], entry.language)[0]}]")
    if is_restated:
        words.insert(0, f"[{' '.join(render.chosen(PHRASES['restated_word'], entry.language))}]")
    return " ".join(words)


def _key(name: str, report: data.DailyReport, recipient: str) -> deliver.Key:
    """One day's report is one period, however it was asked for.

    While later dates are held back, the report on the last good day is another one: its period runs to the
    last date held, so that it is sent although the day itself was reported before.
    """
    last = max([report.business_date, *(notice.business_date for notice in report.notices)])
    return deliver.Key(name, report.business_date, last, recipient, report.fingerprint)


def _channel(settings: Settings, connection: str | None) -> deliver.Channel:
    if connection:
        return deliver.smtp_channel(connection, settings.outbox_dir / deliver.ARCHIVE)
    return deliver.Outbox(settings.outbox_dir)


def _entry(settings: Settings, name: str) -> _Entry:
    where = str(settings.config_dir / "reports.yml")
    entry = settings.reports.get(name)
    if not isinstance(entry, dict) or not NAME.fullmatch(name):
        raise ConfigError(
            f"there is no report {name!r}",
            where=where,
            do=f"use one of: {', '.join(settings.reports) or 'none'}",
        )
    recipients = entry.get("recipients")
    if not isinstance(recipients, list) or not recipients:
        raise ConfigError(
            f"report {name!r} has no recipients", where=where, do="list addresses under `recipients:`"
        )
    language = str(entry.get("language", LANGUAGES[0]))
    if language not in LANGUAGES:
        raise ConfigError(
            f"unknown language {language!r}", where=where, do=f"use one of: {', '.join(LANGUAGES)}"
        )
    sender = entry.get("sender")
    return _Entry(
        name=name,
        title=_pair(entry.get("label"), name),
        model=str(entry.get("model", f"rpt_{name}")),
        template=str(entry.get("template", f"{name}.html")),
        recipients=tuple(dict.fromkeys(deliver.address(str(item)).addr_spec for item in recipients)),
        language=language,
        sender=str(sender) if sender else None,
    )


def _pair(label: object, default: str) -> tuple[str, str]:
    """A label of the config, plain or {en, zh}, as (English, Chinese)."""
    if isinstance(label, dict):
        english = str(label.get("en") or label.get("zh") or default)
        return english, str(label.get("zh") or english)
    text = str(label or default)
    return text, text
