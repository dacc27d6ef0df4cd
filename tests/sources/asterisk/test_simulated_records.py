"""The simulated centre's records and events beside its queue_log: its truth, and the time in the menu."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import pytest
import yaml

from callhouse.settings import PROJECT, Settings
from callhouse.simulate import Plan, simulate

from ...main_job.warehouse import differences_from_truth, query, run_warehouse

DAY = date(2026, 3, 2)
PLAN = Plan(DAY, days=1, calls_per_day=300, seed=11, systems=("asterisk_queue_log", "asterisk_cdr"))


@pytest.mark.parametrize(
    "kinds", [("asterisk_cdr", "asterisk_cel"), pytest.param(("asterisk_cel",), marks=pytest.mark.long)]
)
def test_marts_of_a_queue_log_with_its_records_equal_the_truth_and_know_the_menu(
    make_settings: Callable[..., Settings], kinds: tuple[str, ...]
) -> None:
    sources = yaml.safe_load((PROJECT / "config" / "sources.yml").read_text(encoding="utf-8"))["sources"]
    for kind in kinds:
        stream = kind.removeprefix("asterisk_")
        sources[f"pbx_{stream}"] = {
            "kind": kind,
            "queue_log_source": "pbx",
            "trunks": ["PJSIP/provider"],
            "streams": {stream: {"files": [f"asterisk/{stream}-*.csv"], "header": True}},
        }
    settings = make_settings(sources=sources)
    simulate(PLAN, settings.data_dir)
    run_warehouse(settings, DAY)
    assert differences_from_truth(settings) == []
    assert query(settings, "select count(*) > 100, min(ivr_seconds) > 0 from marts.fct_contacts") == [
        (True, True)
    ]
