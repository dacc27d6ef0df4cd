"""What the daily report says, against figures counted by hand (days.sql)."""

from __future__ import annotations

import logging
import re
from datetime import date

import pytest

from callhouse.errors import ConfigError
from callhouse.reports import send
from callhouse.settings import Settings

from .conftest import Configure, Execute, Mail, mails_in

MONDAY = date(2026, 3, 2)
TUESDAY = date(2026, 3, 3)


def report_on(settings: Settings, date_from: date = MONDAY, date_to: date | None = None) -> Mail:
    assert send(settings, "daily", date_from, date_to or date_from)
    return mails_in(settings)[-1]


def row_of(mail: Mail, label: str) -> list[str]:
    """The cells of the text table's first row that begins with the label."""
    line = next(line for line in mail.text.splitlines() if line.startswith(label + " "))
    return re.split(r"\s{2,}", line)[1:]


def shown(mail: Mail) -> str:
    """The HTML's visible text on one line."""
    body = re.sub(r"<style.*?</style>", "", mail.html, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def test_the_figures_are_those_counted_by_hand(configure: Configure) -> None:
    mail = report_on(configure(language="en"))
    assert row_of(mail, "Offered") == ["10", "8 (▲ 2)", "12 (▼ 2)", "–"]
    assert row_of(mail, "Answered") == ["7", "8 (▼ 1 worse)", "6 (▲ 1 better)", "–"]
    assert row_of(mail, "Abandonment rate") == [
        "20.0%",
        "0.0% (▲ 20.0 pp worse)",
        "25.0% (▼ 5.0 pp better)",
        "≤ 10.0% missed",
    ]
    assert row_of(mail, "Service level F3") == [
        "55.6%",
        "100.0% (▼ 44.4 pp worse)",
        "50.0% (▲ 5.6 pp better)",
        "≥ 80.0% missed",
    ]
    assert row_of(mail, "Average speed of answer") == [
        "50 s",
        "50 s (= same)",
        "1:02 (▼ 12 s better)",
        "≤ 1:00 met",
    ]
    assert row_of(mail, "Average handling time") == ["4:23", "3:20 (▲ 1:03)", "5:00 (▼ 37 s)", "–"]


def test_html_and_text_state_the_same_figures(settings: Settings) -> None:
    mail = report_on(settings)
    html = shown(mail)
    for figure in ("55.6%", "▼ 44.4 pp", "4:23", "≤ 10.0%", "F2 71.4%", "2026-03-02 10:29 Asia/Shanghai"):
        assert figure in html and figure in mail.text


def test_no_value_is_a_dash_and_zero_is_zero(configure: Configure) -> None:
    mail = report_on(configure(language="en"))
    assert row_of(mail, "Satisfaction") == ["–", "90.0%", "–", "≥ 85.0%"]
    assert row_of(mail, "Left in the menu") == ["0", "4 (▼ 4 better)", "–", "–"]
    assert row_of(mail, "sales") == ["6", "5", "0 s"]
    assert row_of(mail, "support") == ["4", "2", "–"]


def test_the_busiest_queue_stands_first(settings: Settings) -> None:
    text = report_on(settings).text
    assert text.index("sales") < text.index("support")


def test_reasons_stand_by_kpi_the_greatest_part_first(configure: Configure) -> None:
    mail = report_on(configure(language="en"))
    lines = [re.split(r"\s{2,}", line) for line in mail.text.split("== By reason ==")[1].splitlines()[2:5]]
    assert lines == [
        ["Flow-out rate", "key", "1", "10.0%"],
        ["Away rate", "lunch", "40:00", "8.3%"],
        ["Away rate", "–", "8:00", "1.7%"],
    ]
    assert "By reason" in shown(mail) and "40:00" in shown(mail)
    assert "By reason" not in report_on(configure(language="en"), date(2026, 2, 23)).text


def test_half_hours_without_calls_between_others_are_shown_as_zeros(configure: Configure) -> None:
    mail = report_on(configure(language="en"))
    assert row_of(mail, "09:00") == ["5", "4", "1", "0", "80.0%"]
    assert row_of(mail, "09:30") == ["0", "0", "0", "0", "–"]
    assert row_of(mail, "10:00") == ["5", "3", "1", "1", "25.0%"]
    assert "\n10:30" not in mail.text


def test_the_chart_is_a_picture_within_the_mail_with_words_for_those_who_do_not_see_it(
    settings: Settings,
) -> None:
    mail = report_on(settings)
    ((content_id, png),) = mail.images.items()
    assert png.startswith(b"\x89PNG") and len(png) > 5_000
    assert f'src="cid:{content_id.strip("<>")}"' in mail.html
    assert "10 offered, 7 answered, 2 abandoned, 1 other; busiest half-hour 09:00 with 5" in mail.html
    assert "http:" not in mail.html and "https:" not in mail.html and "data:" not in mail.html


def test_the_gate_shows_seven_letters_and_the_rules_that_did_not_pass(configure: Configure) -> None:
    text = report_on(configure(language="en")).text
    chips = re.findall(r"^([CRUIAL])  (\d+ / \d+ / \d+)  ", text, flags=re.MULTILINE)
    assert "".join(letter for letter, _ in chips) == "CRUCIAL"
    assert [counts for _, counts in chips] == [
        "1 / 0 / 0", "0 / 0 / 0", "0 / 1 / 0", "0 / 1 / 0", "0 / 0 / 0", "0 / 0 / 0", "1 / 0 / 0",
    ]  # fmt: skip
    assert "warning: No half-hour is missing. (1 violations)" in text
    assert "note: Worth knowing." in text


def test_only_the_official_service_level_is_a_key_figure_and_the_footer_says_which(
    settings: Settings,
) -> None:
    text = report_on(settings).text
    assert "Official service level: F3, T = 20 s" in text
    assert "其他公式: F2 71.4%" in text
    assert "Answered in T / (answered + abandoned)." in text
    assert "Answered in T / answered." not in text


@pytest.mark.parametrize(
    ("language", "has", "has_not"),
    [
        ("en", "Key figures", "关键指标"),
        ("zh", "关键指标", "Key figures"),
        ("both", "Key figures 关键指标", "\ufffd"),
    ],
)
def test_labels_are_in_the_configured_language(
    configure: Configure, language: str, has: str, has_not: str
) -> None:
    mail = report_on(configure(language=language))
    assert has in mail.text and has_not not in mail.text
    assert has in shown(mail) and has_not not in mail.html


def test_the_last_published_date_of_the_range_is_reported(settings: Settings) -> None:
    mail = report_on(settings, date(2026, 2, 1), MONDAY)
    assert "2026-03-02" in mail.subject
    assert "not published" not in mail.text


def test_a_range_without_a_published_date_sends_nothing_and_says_so(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        assert send(settings, "daily", TUESDAY, TUESDAY) is None
    assert "Figures of 2026-03-03 are not published" in caplog.text
    assert mails_in(settings) == []


def hold(execute: Execute, day: date, run_id: int = 4) -> None:
    execute(
        """
        insert into marts.quality_results (run_id, stage, rule, principle, severity, sentence_en, sentence_zh,
            business_date, outcome, violation_count)
        values (%s, 'build', 'identity', 'logical', 'critical', 'Offered adds up.', '排队量相符。', %s,
            'fail', 2)
        """,
        run_id,
        day,
    )


def test_a_held_day_is_named_in_a_banner_with_the_rules_that_hold_it(
    settings: Settings, execute: Execute
) -> None:
    hold(execute, TUESDAY)
    mail = report_on(settings, MONDAY, TUESDAY)
    for version in (mail.text, shown(mail)):
        assert "Figures of 2026-03-03 are not published: Offered adds up." in version
        assert "2026-03-03 的数据未发布：排队量相符。" in version
    assert mail.subject.startswith("[Data held back] Daily report 日报 2026-03-02")


def test_a_held_day_in_the_middle_of_the_range_is_named_too(settings: Settings, execute: Execute) -> None:
    hold(execute, date(2026, 2, 28))
    assert "Figures of 2026-02-28 are not published" in report_on(settings, date(2026, 2, 20), MONDAY).text


def test_a_published_day_whose_newer_data_is_held_says_that_older_figures_are_shown(
    settings: Settings, execute: Execute
) -> None:
    hold(execute, MONDAY)
    text = report_on(settings).text
    assert (
        "Newer figures of 2026-03-02 are held back; shown are those published before: Offered adds up."
        in text
    )
    assert "L  1 / 0 / 0" in text  # the gate that let the shown figures through


def test_a_rule_that_failed_before_the_publication_is_no_news(settings: Settings, execute: Execute) -> None:
    hold(execute, MONDAY, run_id=2)
    assert "held back" not in report_on(settings).text


def test_a_published_day_without_calls_makes_a_report_that_says_so(
    settings: Settings, execute: Execute
) -> None:
    execute("insert into ops.publications (run_id, business_date) values (5, '2026-03-03')")
    mail = report_on(settings, TUESDAY)
    assert "No figures for this day." in mail.text and "No calls were offered on this day." in shown(mail)
    assert "No rule result is recorded" in mail.text
    assert mail.images == {}


HOSTILE = [
    "<script>alert(1)</script>",
    "=cmd|'/C calc'!A0",
    "x" * 2000,
    "\u202eevil\u202c خدمة",
    "☎️ 👩‍💻 客服",
    "a\r\nBcc: b",
]


def test_hostile_queue_names_stay_text(settings: Settings, execute: Execute) -> None:
    for number, name in enumerate(HOSTILE):
        execute(
            """
            insert into reports.rpt_daily (business_date, unit_type, unit_key, unit_label, kpi_id, sort_order,
                label_en, label_zh, unit, direction, value, status)
            values ('2026-03-02', 'queue', %s, %s, 'offered', 10, 'Offered', '排队量', 'count', 'none', 1,
                'no_target')
            """,
            f"hostile-{number}",
            name,
        )
    mail = report_on(settings)
    assert "<script" not in mail.html and "&lt;script&gt;alert(1)&lt;/script&gt;" in mail.html
    assert "\u202e" not in mail.html + mail.text
    assert "x" * 61 not in mail.html and "x" * 59 + "…" in mail.text
    assert "a Bcc: b" in mail.text and "Bcc" not in mail.message
    assert "☎️ 👩‍💻 客服" in mail.text and "=cmd|'/C calc'!A0" in mail.text


@pytest.mark.parametrize("queues", [40, 300])
def test_many_queues_stay_below_100_kb_and_none_is_forgotten(
    settings: Settings, execute: Execute, queues: int
) -> None:
    execute(
        """
        insert into reports.rpt_daily (business_date, unit_type, unit_key, unit_label, kpi_id, sort_order,
            label_en, label_zh, unit, direction, value, target, status)
        select '2026-03-02', 'queue', 'many-' || number, '<客服 & support> ' || number || repeat('&', 60),
            kpi_id, sort_order, label_en, label_zh, unit, direction, 123, 1, 'missed'
        from generate_series(1, %s) as number, marts.dim_kpi
        """,
        queues,
    )
    mail = report_on(settings)
    assert len(mail.html.encode()) < 100_000
    listed = mail.html.count("<bdi>") - 3  # three are reasons
    left_out = re.search(r"(\d+) more queues", mail.text)
    assert listed + (int(left_out[1]) if left_out else 0) == queues + 2


def test_figures_of_another_schema_object_cannot_be_reached(configure: Configure) -> None:
    with pytest.raises(ConfigError, match="no view"):
        send(configure(model='rpt_daily"; drop table x; --'), "daily", MONDAY, MONDAY)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"recipients": []}, "no recipients"),
        ({"recipients": ["nobody"]}, "not an e-mail address"),
        ({"recipients": ["a@b.example\r\nBcc: c@d.example"]}, "not an e-mail address"),
        ({"sender": "x@y.example\nBcc: c@d.example"}, "not an e-mail address"),
        ({"language": "fr"}, "unknown language"),
        ({"template": "../../secret.html"}, "no report template"),
        ({"label": {"en": "Report\r\nBcc: c@d.example"}}, "Subject cannot be written"),
    ],
)
def test_a_wrong_setting_is_refused_and_nothing_is_sent(
    configure: Configure, options: dict[str, object], complaint: str
) -> None:
    settings = configure(**options)
    with pytest.raises(ConfigError, match=complaint):
        send(settings, "daily", MONDAY, MONDAY)
    assert mails_in(settings) == []


def test_an_unknown_report_is_refused_with_the_names_there_are(settings: Settings) -> None:
    with pytest.raises(ConfigError, match="use one of: daily"):
        send(settings, "dialy", MONDAY, MONDAY)
