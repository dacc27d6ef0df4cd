"""What goes wrong outside ends in a clear error or a reject with its reason, and harms nothing else."""

from __future__ import annotations

import email
import email.policy
import shutil
from pathlib import Path

import pytest

from callhouse import postgres, reports
from callhouse.errors import DeliveryError, WarehouseError
from callhouse.settings import Settings

from .conftest import DAYS
from .test_main_late_data import answered_call, at, write_log
from .warehouse import MainJob, digests, kpi, query, run_warehouse


def test_empty_cut_binary_and_foreign_files_change_no_figure_and_each_says_why(published: Settings) -> None:
    before = digests(published)
    crm, attendance = published.data_dir / "crm", published.data_dir / "attendance"
    cases = next(iter(sorted(crm.glob("cases-*.csv")))).read_text(encoding="utf-8")
    (crm / "cases-empty.csv").write_bytes(b"")
    (crm / "cases-header.csv").write_text(cases.splitlines()[0] + "\n", encoding="utf-8")
    (crm / "cases-semicolon.csv").write_text(cases.replace(",", ";"), encoding="utf-8")
    (crm / "cases-binary.csv").write_bytes(bytes(range(256)) * 64)
    header, line = cases.splitlines()[:2]
    (crm / "cases-broken.csv").write_text(f"{header}\n{line}\nbroken\n", encoding="utf-8")
    (attendance / "punches-foreign.csv").write_text("a,b\n1,2\n", encoding="utf-8")

    run_warehouse(published, DAYS[0], DAYS[-1])

    assert digests(published) == before
    ends = {
        name: (state, rejected, message)
        for name, state, rejected, message in query(
            published,
            "select original_name, state, rows_rejected, message from ops.loads inner join ops.landing_files"
            " using (landing_id) where original_name ~ '-[a-z]+.csv'",
        )
    }
    assert "the file is empty" in ends["cases-empty.csv"][2]
    assert "only a header" in ends["cases-header.csv"][2]
    state, _, message = ends["cases-semicolon.csv"]
    assert state == "failed"
    assert "wrong delimiter?" in message and "crm" in message
    assert ends["cases-binary.csv"][0] == "failed"
    assert ends["cases-broken.csv"][:2] == ("staged", 1)
    assert ends["punches-foreign.csv"][0] == "failed"
    assert "lacks `employee_no`" in ends["punches-foreign.csv"][2]
    ((line_number, content, reason),) = query(published, "select line, bytes, reason from ops.rejects")
    assert (line_number, bytes(content).strip(), bool(reason)) == (3, b"broken", True)
    warned = query(
        published,
        "select distinct rule from marts.quality_latest"
        " where outcome = 'fail' and rule = 'landed_files_are_loaded'",
    )
    assert warned == [("landed_files_are_loaded",)]


def test_a_broken_line_of_the_telephone_log_is_set_aside_and_its_neighbours_count(
    published: Settings,
) -> None:
    offered = kpi(published, "offered", "day", DAYS[1])[0]
    calls = [line for n in range(20) for line in answered_call(at(DAYS[1], f"12:{n:02}:00"), f"9.{n}")]
    write_log(
        published,
        "queue_log-late",
        [*calls[:7], "1772424\x00broken", calls[7][: len(calls[7]) // 4], *calls[7:]],
    )
    run_warehouse(published, DAYS[1])
    assert kpi(published, "offered", "day", DAYS[1])[0] == offered + 20
    rejects = query(published, "select line, reason from ops.rejects order by line")
    assert [line for line, _ in rejects] == [8, 9]
    assert all(reason for _, reason in rejects)


def test_a_source_without_its_files_fails_alone(fresh: Settings, simulated: Path) -> None:
    shutil.copytree(simulated / "pbx", fresh.data_dir / "pbx")
    job = MainJob(fresh, DAYS[0], DAYS[0])
    for _, step in job.steps:
        step()
    assert sorted(job.failed_sources) == ["attendance", "crm"]
    error = job.failed_sources["attendance"]
    assert error.exit_code == 3
    assert (
        "attendance.shifts" in str(error)
        and str(fresh.data_dir) in str(error)
        and "put the files there" in error.do
    )
    assert kpi(fresh, "offered", "day", DAYS[0])[0] > 300


def test_a_wrong_password_is_said_without_the_password_and_harms_nothing(
    published: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = digests(published)
    warehouse = postgres.open_warehouse(published)
    with monkeypatch.context() as patch:
        secret = "not-the-password"
        patch.setenv(
            "AIRFLOW_CONN_WAREHOUSE",
            f"postgres://{warehouse.user}:{secret}@{warehouse.host}:{warehouse.port}/{warehouse.dbname}",
        )
        with pytest.raises(WarehouseError) as refused:
            run_warehouse(published, DAYS[0])
    assert refused.value.exit_code == 5
    assert "password" in refused.value.what and secret not in str(refused.value)
    assert str(warehouse.port) in refused.value.where and refused.value.do
    assert digests(published) == before


def test_an_outbox_that_cannot_be_written_fails_the_report_and_not_the_figures(published: Settings) -> None:
    before = digests(published)
    published.outbox_dir.parent.mkdir(parents=True, exist_ok=True)
    published.outbox_dir.write_text("in the way", encoding="utf-8")
    with pytest.raises(DeliveryError) as failed:
        reports.send(published, "daily", DAYS[-1], DAYS[-1])
    assert failed.value.exit_code == 6
    assert str(published.outbox_dir) in str(failed.value) and failed.value.do
    assert digests(published) == before
    published.outbox_dir.unlink()
    assert reports.send(published, "daily", DAYS[-1], DAYS[-1]).new_count == 1


def test_a_field_that_nobody_declared_is_warned_of_in_the_report_of_its_date(published: Settings) -> None:
    path = sorted((published.data_dir / "crm").glob("surveys-*.csv"))[0]
    header, *rows = path.read_text(encoding="utf-8").splitlines()
    reordered = [",".join([*row.split(",")[::-1], "calm"]) for row in rows]
    text = "\n".join([",".join([*header.split(",")[::-1], "mood"]), *reordered]) + "\n"
    path.with_name("surveys-new.csv").write_text(text, encoding="utf-8")

    run_warehouse(published, DAYS[-1])

    found = query(
        published,
        "select outcome, detail from marts.quality_latest"
        " where rule = 'no_field_is_unknown' and business_date = %s",
        DAYS[-1],
    )
    assert found == [("fail", "crm.surveys: mood")]
    (extra,) = query(published, "select distinct _extra from raw.crm__surveys where _extra is not null")
    assert extra == ({"mood": "calm"},)
    (sent,) = reports.send(published, "daily", DAYS[-1], DAYS[-1]).messages
    mail = email.message_from_bytes(sent.path.read_bytes(), policy=email.policy.default)
    assert "have no field that nobody declared" in mail.get_body(("plain",)).get_content()
