"""Every event of the queue_log's grammar, and every trap in it, against figures counted by hand.

Each system below is a source of its own, so that one scenario's restart does not end another's calls. The
oracles O-11 to O-12d are published cases of other products' tests.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest

from callhouse.postgres import Warehouse
from callhouse.settings import Settings

from .conftest import MONDAY, affected, asterisk_centre, extract_and_load, log, query, stage_and_build

TUESDAY = MONDAY + timedelta(days=1)

SYSTEMS = {
    # O-12: one call, answered in one queue and abandoned in the next
    "o12": """
        11:59:52|1430927991.36|queue2|NONE|ENTERQUEUE||1002|1
        12:00:02|1430927991.36|queue2|SIP/2|CONNECT|10|1430927992.37|9
        12:00:10|1430927991.36|queue2|SIP/2|COMPLETECALLER|10|8|1
        12:00:10|1430927991.36|queue1|NONE|ENTERQUEUE||1002|1
        12:00:25|1430927991.36|queue1|SIP/3|RINGNOANSWER|15000
        12:00:29|1430927991.36|queue1|NONE|ABANDON|1|1|19
        """,
    "o12b": "12:00:29|1|queue1|NONE|ABANDON|1|1|19",
    "o12c": """
        10:57:11|1|sales|NONE|ENTERQUEUE||2025550100|1
        10:57:19|1|sales|Agent/501|CONNECT|8|2.1|6
        11:06:10|1|sales|Agent/501|COMPLETEAGENT|8|531|1
        """,
    # O-12d: answered, abandoned, blocked; an agent's session, pause and wrap-up
    "o12d": """
        09:00:00|NONE|NONE|Agent/510|AGENTCALLBACKLOGIN|1010@default
        09:00:01|answered|sales|NONE|ENTERQUEUE||1001|1
        09:00:01|answered|sales|Agent/510|CONNECT|0|2.1|0
        09:00:02|abandoned|sales|NONE|ENTERQUEUE||1002|1
        09:00:03|abandoned|sales|NONE|ABANDON|1|1|1
        09:00:03|blocked|sales|NONE|FULL
        09:00:06|answered|sales|Agent/510|COMPLETECALLER|0|5|1
        09:00:06|answered|sales|Agent/510|WRAPUPSTART|2
        09:00:03|NONE|NONE|Agent/510|PAUSEALL|Break
        09:00:07|NONE|NONE|Agent/510|UNPAUSEALL|
        09:00:08|NONE|NONE|Agent/510|AGENTCALLBACKLOGOFF|1010@default|8|
        """,
    "transfers": """
        09:00:00|link|sales|NONE|ENTERQUEUE||1|1
        09:00:05|link|sales|SIP/521|CONNECT|5|x|4
        09:01:35|link|sales|SIP/521|ATTENDEDTRANSFER|LINK|SIP/521-0001|SIP/522-0002|5|90|1
        09:00:00|bridge|sales|NONE|ENTERQUEUE||1|1
        09:00:05|bridge|sales|SIP/523|CONNECT|5|x|4
        09:01:35|bridge|sales|SIP/523|ATTENDEDTRANSFER|BRIDGE|b7f5|5|90|1
        09:00:00|app|sales|NONE|ENTERQUEUE||1|1
        09:00:05|app|sales|SIP/524|CONNECT|5|x|4
        09:01:35|app|sales|SIP/524|ATTENDEDTRANSFER|APP|VoiceMail|5|90|1
        09:00:00|blind|sales|NONE|ENTERQUEUE||1|1
        09:00:05|blind|sales|SIP/525|CONNECT|5|x|4
        09:01:35|blind|sales|SIP/525|BLINDTRANSFER|600|queues|5|90|1
        09:00:00|old|sales|NONE|ENTERQUEUE||1|1
        09:00:05|old|sales|SIP/526|CONNECT|5|x
        09:01:35|old|sales|SIP/526|TRANSFER|600|queues|5|90|1
        """,
    "exits": """
        09:00:00|key|sales|NONE|ENTERQUEUE||1|1
        09:00:30|key|sales|NONE|EXITWITHKEY|9|7|8|30
        09:00:00|callback|sales|NONE|ENTERQUEUE||1|1
        09:00:31|callback|sales|NONE|EXITWITHKEY|1|7|8|31
        09:00:00|timeout|sales|NONE|ENTERQUEUE||1|1
        09:02:00|timeout|sales|NONE|EXITWITHTIMEOUT|7|8|120
        09:00:00|both words|sales|NONE|ENTERQUEUE||1|1
        09:00:40|both words|sales|NONE|EXITEMPTY|7|8|40
        09:00:41|both words|sales|NONE|LEAVEEMPTY
        09:00:00|one word|sales|NONE|ENTERQUEUE||1|1
        09:00:42|one word|sales|NONE|LEAVEEMPTY
        09:00:00|no wait|sales|NONE|ENTERQUEUE||1|1
        09:00:43|no wait|sales|NONE|ABANDON|1|1|
        09:00:00|nonsense|sales|NONE|ENTERQUEUE||1|1
        09:00:44|nonsense|sales|NONE|ABANDON|'; drop table raw;--|1|99999999999999999999
        09:00:00|withdrawn|sales|NONE|ENTERQUEUE||1|1
        09:00:45|withdrawn|sales|NONE|WITHDRAW|7|8|45|by the supervisor
        """,
    "refused": """
        09:00:00|1|sales|NONE|FULL
        09:00:00|2|sales|NONE|CLOSED
        09:00:00|3|sales|NONE|JOINEMPTY
        09:00:00|4|sales|NONE|DIVERT_CA_RATIO
        09:00:00|5|sales|NONE|DIVERT_HOLDTIME
        09:00:01|5|overflow|NONE|ENTERQUEUE||1|1
        09:00:03|5|overflow|Agent/530|CONNECT|2|x|1
        09:00:13|5|overflow|Agent/530|COMPLETEAGENT|2|10|1
        """,
    # 2010: ring-all, CONNECT of two parameters, ENTERQUEUE without position
    "ring_all": """
        09:00:00|1|sales|NONE|ENTERQUEUE||1
        09:00:15|1|sales|SIP/541|RINGNOANSWER|15000
        09:00:15|1|sales|SIP/542|RINGNOANSWER|0
        09:00:15|1|sales|SIP/543|RINGNOANSWER|0
        09:00:20|1|sales|SIP/541|CONNECT|20|1274371213.8
        09:01:20|1|sales|SIP/541|COMPLETECALLER|20|60
        09:02:00|2|sales|NONE|ENTERQUEUE||1
        09:02:09|2|sales|SIP/544|RINGCANCELED|9000
        09:02:09|2|sales|NONE|ABANDON|1|1|9
        """,
    "restart": """
        09:00:00|talking|sales|NONE|ENTERQUEUE||1|1
        09:00:10|talking|sales|Agent/551|CONNECT|10|x|3
        09:00:30|waiting|sales|NONE|ENTERQUEUE||1|1
        08:00:00|NONE|NONE|Agent/551|AGENTLOGIN|SIP/551
        08:30:00|NONE|NONE|Agent/551|PAUSEALL|Training
        09:05:00|NONE|NONE|NONE|QUEUESTART|
        09:06:00|later|sales|NONE|ENTERQUEUE||1|1
        09:06:05|later|sales|Agent/552|CONNECT|5|x|3
        09:06:10|NONE|NONE|Agent/551|AGENTLOGIN|SIP/551
        09:10:00|NONE|NONE|Agent/551|AGENTLOGOFF|SIP/551|230
        09:20:00|NONE|NONE|Agent/553|AGENTLOGOFF|SIP/553|7200
        09:30:00|NONE|NONE|NONE|CONFIGRELOAD|
        """,
    "lost": """
        09:00:20|entry|sales|Agent/561|CONNECT|20|x|4
        09:01:20|entry|sales|Agent/561|COMPLETECALLER|20|60|1
        00:00:10|over midnight|sales|Agent/562|CONNECT|30|x|4
        00:01:10|over midnight|sales|Agent/562|COMPLETECALLER|30|60|1
        10:00:00|second entry|sales|NONE|ENTERQUEUE||1|1
        10:00:05|second entry|sales|Agent/563|CONNECT|5|x|4
        10:00:15|second entry|sales|Agent/563|BLINDTRANSFER|600|queues|5|10|1
        10:00:27|second entry|sales|Agent/564|CONNECT|7|x|4
        10:00:47|second entry|sales|Agent/564|COMPLETEAGENT|7|20|1
        11:00:00|no connect|sales|NONE|ENTERQUEUE||1|1
        11:01:10|no connect|sales|Agent/565|ATTENDEDTRANSFER|BRIDGE|b|10|60|1
        12:00:00|no end|sales|NONE|ENTERQUEUE||1|1
        12:00:10|no end|sales|Agent/566|CONNECT|10|x|3
        13:00:00|next|sales|NONE|ENTERQUEUE||1|1
        13:00:10|next|sales|Agent/566|CONNECT|10|x|3
        13:00:20|next|sales|Agent/566|COMPLETEAGENT|10|10|1
        """,
    # two queues' wrap-ups of one agent overlap
    "wrap_ups": """
        09:00:00|1|sales|NONE|ENTERQUEUE||1|1
        09:00:05|1|sales|Agent/571|CONNECT|5|x|3
        09:01:00|1|sales|Agent/571|COMPLETEAGENT|5|55|1
        09:01:00|1|sales|Agent/571|WRAPUPSTART|30
        09:00:50|2|service|NONE|ENTERQUEUE||1|1
        09:01:10|2|service|Agent/571|CONNECT|20|x|3
        09:01:20|2|service|Agent/571|COMPLETEAGENT|20|10|1
        09:01:20|2|service|Agent/571|WRAPUPSTART|30
        09:01:20|2|service|Agent/571|WRAPUPSTART|
        """,
    # O-11: two sessions; a session from hour to hour. O-11b: sessions over midnight with their own seconds.
    "sessions": """
        01:05:00|NONE|NONE|Agent/581|AGENTCALLBACKLOGIN|1@default
        01:15:00|NONE|NONE|Agent/581|AGENTCALLBACKLOGOFF|1@default|600|
        01:20:00|NONE|NONE|Agent/581|AGENTCALLBACKLOGIN|1@default
        02:20:00|NONE|NONE|Agent/581|AGENTCALLBACKLOGOFF|1@default|3600|CommandLogoff
        01:00:00|NONE|NONE|Agent/582|AGENTLOGIN|SIP/582
        05:00:00|NONE|NONE|Agent/582|AGENTLOGOFF|SIP/582|14400
        06:00:00|NONE|NONE|Agent/583|AGENTLOGOFF|SIP/583|25200
        06:05:00|NONE|NONE|Agent/583|AGENTLOGIN|SIP/583
        06:30:00|NONE|NONE|Agent/583|AGENTLOGOFF|SIP/583|1500
        06:40:00|NONE|NONE|Agent/583|AGENTLOGIN|SIP/583
        06:45:00|NONE|NONE|Agent/583|AGENTLOGOFF|SIP/583|300
        07:00:00|NONE|NONE|Agent/584|AGENTLOGOFF|SIP/584|
        20:00:00|NONE|NONE|Agent/585|AGENTLOGIN|SIP/585
        08:00:00|NONE|NONE|Agent/586|AGENTLOGIN|SIP/586
        09:00:00|NONE|NONE|Agent/586|AGENTLOGIN|SIP/586
        10:00:00|NONE|NONE|Agent/586|AGENTLOGOFF|SIP/586|3600
        -1 22:00:00|NONE|NONE|Agent/587|AGENTLOGIN|SIP/587
        +1 02:00:00|NONE|NONE|Agent/588|AGENTLOGOFF|SIP/588|10800
        23:00:00|NONE|NONE|Agent/588|AGENTLOGIN|SIP/588
        """,
    "pauses": """
        10:00:00|NONE|NONE|Agent/591|PAUSEALL|
        10:00:00|NONE|sales|Agent/591|PAUSE|Lunch
        10:00:00|NONE|service|Agent/591|PAUSE|Lunch
        10:30:00|NONE|NONE|Agent/591|UNPAUSEALL|
        10:30:00|NONE|sales|Agent/591|UNPAUSE|
        10:30:00|NONE|service|Agent/591|UNPAUSE|
        11:00:00|NONE|NONE|Agent/591|PAUSEALL|Break
        11:05:00|NONE|NONE|Agent/591|PAUSEALL|Training
        11:10:00|NONE|NONE|Agent/591|UNPAUSEALL|
        12:00:00|NONE|sales|Agent/592|PAUSE|A
        12:10:00|NONE|sales|Agent/592|UNPAUSE|
        12:10:00|NONE|sales|Agent/592|PAUSE|B
        12:15:00|NONE|sales|Agent/592|UNPAUSE|
        13:00:00|NONE|sales|Agent/592|PAUSE|C
        13:00:00|NONE|sales|Agent/592|UNPAUSE|
        08:00:00|NONE|NONE|Agent/593|AGENTLOGIN|SIP/593
        16:00:00|NONE|sales|Agent/593|PAUSE|
        17:00:00|NONE|NONE|Agent/593|AGENTLOGOFF|SIP/593|32400
        """,
    "members": """
        08:00:00|NONE|sales|Local/601@from-queue/n|ADDMEMBER|
        08:00:00|NONE|service|Local/601@from-queue/n|ADDMEMBER|
        12:00:00|NONE|sales|Local/601@from-queue/n|REMOVEMEMBER|
        13:00:00|NONE|service|Local/601@from-queue/n|REMOVEMEMBER|
        08:00:00|NONE|sales|PJSIP/602|ADDMEMBER|PAUSED
        08:10:00|NONE|sales|PJSIP/602|UNPAUSE|
        09:00:00|NONE|sales|PJSIP/602|REMOVEMEMBER|
        08:00:00|NONE|NONE|Agent/603|AGENTLOGIN|SIP/603
        08:30:00|NONE|NONE|Agent/603|AGENTLOGOFF|SIP/603|1800
        07:00:00|NONE|sales|Local/id-61@agentcallback|ADDMEMBER|
        09:00:00|NONE|sales|Local/id-61@agentcallback|REMOVEMEMBER|
        08:00:00|NONE|sales|Ana O'Hara|ADDMEMBER|
        08:01:00|NONE|sales|Ana O'Hara|REMOVEMEMBER|
        """,
    "diagnostics": """
        09:00:00|NONE|NONE|NONE|QUEUESTART|
        09:00:01|NONE|NONE|NONE|CONFIGRELOAD|
        09:00:02|1|sales|NONE|DID|5550100
        09:00:02|REALTIME|sales|Agent/611|PENALTY|5
        09:00:02|MANAGER|sales|Agent/611|ADDMEMBER|
        09:00:02|CLI|service|Agent/611|ADDMEMBER|
        09:00:03|1|sales|Agent/611|SYSCOMPAT
        09:00:04|1|sales|Agent/611|AGENTDUMP
        09:00:05|1|sales|Agent/611|SOMETHING_NEW|a|b|c|d|e|f
        """,
}
OPTIONS: dict[str, dict[str, Any]] = {
    "exits": {"callback_keys": ["1"]},
    "members": {"agents": {"Local/id-61@agentcallback": "603", "Ana O'Hara": "O'Hara"}},
}


LEGS = "select agent_key, outcome, ring_seconds from build.fct_agent_legs where source = %s order by 1, 2"


def source(name: str) -> dict[str, Any]:
    options = dict(OPTIONS.get(name, {}))
    stream = {"files": [f"{name}/queue_log*"]} | {
        key: options.pop(key) for key in ("agents",) if key in options
    }
    return {"kind": "asterisk_queue_log", "streams": {"queue_log": stream}, **options}


@pytest.fixture(scope="module")
def built(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All systems, extracted, loaded, staged and built for Monday."""
    folder = tmp_path_factory.mktemp("asterisk")
    with asterisk_centre(server, folder, sources={name: source(name) for name in SYSTEMS}) as settings:
        for name, text in SYSTEMS.items():
            (settings.data_dir / name).mkdir()
            (settings.data_dir / name / "queue_log").write_text(log(text), encoding="utf-8")
        run_id = extract_and_load(settings)
        stage_and_build(settings, run_id, [MONDAY])
        yield settings


def visits(settings: Settings, name: str, columns: str) -> list[tuple[Any, ...]]:
    return query(
        settings,
        f"select {columns} from intermediate.int_asterisk_queue_log__queue_visits "
        "where source = %s order by entered_at, contact_id, visit_number",
        name,
    )


def spans(settings: Settings, name: str, agent: str, state: str) -> list[tuple[Any, ...]]:
    """``(from, to, is_end_inferred)`` of an agent's spans, times as ``DD HH:MM:SS``."""
    return query(
        settings,
        """
        select to_char(started_at, 'DD HH24:MI:SS'), to_char(ended_at, 'DD HH24:MI:SS'), is_end_inferred
        from intermediate.int_asterisk_queue_log__agent_spans
        where source = %s and agent_id = %s and state = %s order by started_at, ended_at
        """,
        name, agent, state,
    )  # fmt: skip


def seconds_on_monday(settings: Settings, name: str, agent: str, state: str) -> int:
    """The union of an agent's spans within Monday."""
    ((seconds,),) = query(
        settings,
        """
        select coalesce(sum(extract(epoch from upper(span) - lower(span))), 0)::integer
        from (
            select unnest(range_agg(
                tstzrange(started_at, ended_at) * '[2025-01-06 00:00Z,2025-01-07 00:00Z)'
            )) as span
            from intermediate.int_asterisk_queue_log__agent_spans
            where source = %s and agent_id = %s and state = %s
        ) as united
        """,
        name, agent, state,
    )  # fmt: skip
    return int(seconds)


# -- calls -------------------------------------------------------------------------------------------------


def test_o12_a_call_answered_in_one_queue_and_abandoned_in_the_next_is_two_visits_of_one_contact(
    built: Settings,
) -> None:
    columns = (
        "visit_number, queue_id, to_char(interval_start_at, 'HH24:MI'), outcome, wait_seconds, talk_seconds"
    )
    assert visits(built, "o12", columns) == [
        (1, "queue2", "11:30", "answered", 10, 8),
        (2, "queue1", "12:00", "abandoned", 19, 0),
    ]
    assert query(
        built, "select outcome, visit_count, leg_count from build.fct_contacts where source = 'o12'"
    ) == [("answered", 2, 2)]
    assert query(built, LEGS, "o12") == [
        ("2", "answered", 9), ("3", "missed", 15),
    ]  # fmt: skip


def test_o12b_an_abandon_without_entry_is_no_visit_and_stays_in_staging(built: Settings) -> None:
    assert visits(built, "o12b", "contact_id") == []
    assert query(built, "select event from staging.stg_asterisk_queue_log__events where source = 'o12b'") == [
        ("ABANDON",)
    ]


def test_o12c_a_call_over_the_hour_is_one_visit_in_the_half_hour_of_its_entry(built: Settings) -> None:
    columns = (
        "to_char(interval_start_at, 'HH24:MI'), outcome, wait_seconds, ring_seconds, talk_seconds, hung_up_by"
    )
    assert visits(built, "o12c", columns) == [("10:30", "answered", 8, 6, 531, "agent")]


def test_o12d_three_calls_and_an_agents_day(built: Settings) -> None:
    assert query(
        built,
        """
        select sum(offered_count), sum(answered_count), sum(abandoned_count), sum(blocked_count),
            sum(talk_seconds), sum(after_call_seconds)
        from build.fct_queue_visits where source = 'o12d'
        """,
    ) == [(2, 1, 1, 1, 5, 2)]  # received 3: offered and blocked
    assert seconds_on_monday(built, "o12d", "510", "available") == 8
    assert seconds_on_monday(built, "o12d", "510", "away") == 4
    assert seconds_on_monday(built, "o12d", "510", "after_call") == 2
    assert seconds_on_monday(built, "o12d", "510", "talk") == 5


def test_every_transfer_has_its_wait_talk_and_kind_whatever_its_parameters(built: Settings) -> None:
    columns = "contact_id, outcome, wait_seconds, talk_seconds, transfer_kind, transfer_target"
    assert visits(built, "transfers", columns) == [
        ("app", "answered", 5, 90, "attended", None),
        ("blind", "answered", 5, 90, "blind", "600"),
        ("bridge", "answered", 5, 90, "attended", None),
        ("link", "answered", 5, 90, "attended", None),
        ("old", "answered", 5, 90, "blind", "600"),
    ]


def test_every_way_out_without_an_agent_has_its_wait_and_reason(built: Settings) -> None:
    assert visits(built, "exits", "contact_id, outcome, outcome_reason, wait_seconds") == [
        ("both words", "flowed_out", "empty", 40),
        ("callback", "called_back", None, 31),
        ("key", "flowed_out", "key", 30),
        ("no wait", "abandoned", None, None),
        ("nonsense", "abandoned", None, None),
        ("one word", "flowed_out", "empty", 42),
        ("timeout", "flowed_out", "timeout", 120),
        ("withdrawn", "flowed_out", "withdrawn", 45),
    ]


def test_refused_calls_are_blocked_with_their_reason_and_never_offered(built: Settings) -> None:
    assert visits(built, "refused", "contact_id, queue_id, outcome, outcome_reason, wait_seconds") == [
        ("1", "sales", "blocked", "full", None),
        ("2", "sales", "blocked", "closed", None),
        ("3", "sales", "blocked", "joinempty", None),
        ("4", "sales", "blocked", "divert_ca_ratio", None),
        ("5", "sales", "blocked", "divert_holdtime", None),
        ("5", "overflow", "answered", None, 2),
    ]
    counts = "select sum(offered_count), sum(answered_count), sum(blocked_count) from build.fct_queue_visits"
    assert query(built, f"{counts} where source = 'refused'") == [(1, 1, 5)]
    outcomes = (
        "select outcome, count(*) from build.fct_contacts where source = 'refused' group by 1 order by 1"
    )
    assert query(built, outcomes) == [("answered", 1), ("blocked", 4)]


def test_in_a_ring_all_queue_only_telephones_that_rang_missed_the_offer(built: Settings) -> None:
    assert visits(built, "ring_all", "contact_id, outcome, wait_seconds, ring_seconds, talk_seconds") == [
        ("1", "answered", 20, 0, 60),
        ("2", "abandoned", 9, None, 0),
    ]
    assert query(built, LEGS, "ring_all") == [("541", "answered", 0), ("541", "missed", 15)]
    assert spans(built, "ring_all", "544", "ringing") == [("06 09:02:00", "06 09:02:09", False)]


def test_a_restart_closes_what_was_open_and_nothing_that_came_after(built: Settings) -> None:
    columns = (
        "contact_id, outcome, outcome_reason, wait_seconds, talk_seconds, to_char(left_at, 'HH24:MI:SS')"
    )
    assert visits(built, "restart", columns) == [
        ("talking", "answered", None, 10, 290, "09:00:10"),
        ("waiting", "flowed_out", "restart", None, 0, "09:05:00"),
        ("later", "answered", None, 5, None, "09:06:05"),
    ]
    contacts = "select contact_id, outcome from build.fct_contacts where source = 'restart' order by 1"
    assert query(built, contacts) == [
        ("later", "in_progress"),
        ("talking", "answered"),
        ("waiting", "flowed_out"),
    ]
    assert spans(built, "restart", "551", "available") == [
        ("06 08:00:00", "06 09:05:00", True),
        ("06 09:06:10", "06 09:10:00", False),
    ]
    assert spans(built, "restart", "551", "away") == [("06 08:30:00", "06 09:05:00", True)]
    assert spans(built, "restart", "553", "available") == [("06 09:05:00", "06 09:20:00", False)]
    assert spans(built, "restart", "551", "talk") == [("06 09:00:10", "06 09:05:00", False)]


def test_lost_lines_are_recovered_from_those_that_speak_of_them(built: Settings) -> None:
    columns = (
        "contact_id, visit_number, business_date, to_char(entered_at, 'HH24:MI:SS'), outcome, "
        "wait_seconds, talk_seconds"
    )
    sunday = MONDAY - timedelta(days=1)
    assert visits(built, "lost", columns) == [
        ("over midnight", 1, sunday, "23:59:40", "answered", 30, 60),
        ("entry", 1, MONDAY, "09:00:00", "answered", 20, 60),
        ("second entry", 1, MONDAY, "10:00:00", "answered", 5, 10),
        ("second entry", 2, MONDAY, "10:00:20", "answered", 7, 20),
        ("no connect", 1, MONDAY, "11:00:00", "answered", 10, 60),
        ("no end", 1, MONDAY, "12:00:00", "answered", 10, None),
        ("next", 1, MONDAY, "13:00:00", "answered", 10, 10),
    ]
    assert sunday in affected_dates(built)
    assert spans(built, "lost", "566", "talk") == [
        ("06 12:00:10", "06 13:00:10", True),  # until the agent answers again
        ("06 13:00:10", "06 13:00:20", False),
    ]


def affected_dates(settings: Settings) -> list[date]:
    return [row[0] for row in query(settings, "select business_date from ops.affected_dates order by 1")]


def test_overlapping_wrap_ups_are_merged_on_the_wall_clock(built: Settings) -> None:
    # 09:01:00 to 09:01:50: 30 s of the first, and the 20 s that the second goes beyond it
    assert visits(built, "wrap_ups", "contact_id, after_call_seconds") == [("1", 30), ("2", 20)]
    assert seconds_on_monday(built, "wrap_ups", "571", "after_call") == 50


def test_diagnostic_and_unknown_events_are_kept_and_count_for_nothing(built: Settings) -> None:
    assert visits(built, "diagnostics", "contact_id") == []
    staged = "select count(*), count(call_id) from staging.stg_asterisk_queue_log__events where source = %s"
    assert query(built, staged, "diagnostics") == [(9, 4)]  # NONE, REALTIME, MANAGER and CLI are no calls
    assert query(
        built, "select data5 from staging.stg_asterisk_queue_log__events where event = 'SOMETHING_NEW'"
    ) == [("e|f",)]


# -- agents ------------------------------------------------------------------------------------------------


def test_o11_sessions_and_their_seconds(built: Settings) -> None:
    assert seconds_on_monday(built, "sessions", "581", "available") == 10 * 60 + 60 * 60
    assert seconds_on_monday(built, "sessions", "582", "available") == 4 * 3600


def test_o11b_a_log_off_brings_its_own_seconds_and_reconciles_with_the_lines(built: Settings) -> None:
    assert spans(built, "sessions", "583", "available") == [
        ("05 23:00:00", "06 06:00:00", False),
        ("06 06:05:00", "06 06:30:00", False),
        ("06 06:40:00", "06 06:45:00", False),
    ]
    assert seconds_on_monday(built, "sessions", "583", "available") == 6 * 3600 + 1500 + 300
    assert spans(built, "sessions", "584", "available") == [("06 00:00:00", "06 07:00:00", False)]


def test_a_lost_log_off_is_the_next_log_in_or_midnight_and_flagged(built: Settings) -> None:
    assert spans(built, "sessions", "585", "available") == [("06 20:00:00", "07 00:00:00", True)]
    assert spans(built, "sessions", "586", "available") == [
        ("06 08:00:00", "06 09:00:00", True),
        ("06 09:00:00", "06 10:00:00", False),
    ]
    assert spans(built, "sessions", "587", "available") == [("05 22:00:00", "06 00:00:00", True)]
    assert spans(built, "sessions", "588", "available") == [("06 23:00:00", "07 02:00:00", False)]


def test_pauses_of_one_queue_and_of_all_are_united_and_the_first_counts(built: Settings) -> None:
    assert seconds_on_monday(built, "pauses", "591", "away") == 30 * 60 + 10 * 60
    reasons = """
        select distinct to_char(started_at, 'HH24:MI'), reason
        from intermediate.int_asterisk_queue_log__agent_spans
        where source = 'pauses' and agent_id = '591' and state = 'away' order by 1
        """
    assert query(built, reasons) == [("10:00", "Lunch"), ("11:00", "Break"), ("11:05", "Training")]


def test_a_change_of_reason_in_one_second_is_two_pauses_and_a_pause_of_no_second_is_none(
    built: Settings,
) -> None:
    assert spans(built, "pauses", "592", "away") == [
        ("06 12:00:00", "06 12:10:00", False),
        ("06 12:10:00", "06 12:15:00", False),
    ]


def test_who_logs_off_is_no_longer_paused(built: Settings) -> None:
    assert spans(built, "pauses", "593", "away") == [("06 16:00:00", "06 17:00:00", False)]


def test_membership_counts_as_logged_in_only_for_those_who_never_log_in(built: Settings) -> None:
    assert seconds_on_monday(built, "members", "601", "available") == 5 * 3600
    assert seconds_on_monday(built, "members", "602", "available") == 3600
    assert seconds_on_monday(built, "members", "602", "away") == 600
    assert seconds_on_monday(built, "members", "603", "available") == 1800  # id-61 is 603, says `agents`
    assert seconds_on_monday(built, "members", "O'Hara", "available") == 60
    staged = (
        "select distinct agent_id from staging.stg_asterisk_queue_log__events where source = %s order by 1"
    )
    assert query(built, staged, "members") == [
        ("601",), ("602",), ("603",), ("O'Hara",),
    ]  # fmt: skip


# -- files -------------------------------------------------------------------------------------------------


def one_log(options: dict[str, Any] | None = None) -> dict[str, Any]:
    stream = {"files": ["pbx/queue_log*"]} | (options or {})
    return {"pbx": {"kind": "asterisk_queue_log", "streams": {"queue_log": stream}}}


def test_rotated_files_under_two_names_and_packed_ones_are_loaded_once(
    make_centre: Callable[..., Settings],
) -> None:
    settings = make_centre(sources=one_log())
    folder = settings.data_dir / "pbx"
    folder.mkdir()
    begin = log("08:00:00|NONE|NONE|Agent/1|AGENTLOGIN|SIP/1\n09:00:00|1|q|NONE|ENTERQUEUE||1|1")
    end = log("09:00:09|1|q|NONE|ABANDON|1|1|\n+1 01:00:00|NONE|NONE|Agent/1|AGENTLOGOFF|SIP/1|61200")
    (folder / "queue_log").write_text(begin + end)
    (folder / "queue_log.1").write_text(begin)  # the same lines, rotated
    (folder / "queue_log.2.gz").write_bytes(gzip.compress(end.replace("|1|1|\n", "|1|1\n").encode()))
    run_id = extract_and_load(settings)
    stage_and_build(settings, run_id, [MONDAY, TUESDAY])
    assert query(settings, "select sum(rows_in), sum(rows_loaded), sum(rows_duplicate) from ops.loads") == [
        (8, 4, 4)
    ]
    assert visits(settings, "pbx", "contact_id, outcome, wait_seconds") == [("1", "abandoned", None)]
    assert spans(settings, "pbx", "1", "available") == [("06 08:00:00", "07 01:00:00", False)]


def test_a_databases_times_in_a_file_are_times_too_and_odd_lines_harm_no_other(
    make_centre: Callable[..., Settings],
) -> None:
    sources = one_log()
    sources["pbx"]["time_zone"] = "Asia/Shanghai"
    settings = make_centre(sources=sources)
    folder = settings.data_dir / "pbx"
    folder.mkdir()
    (folder / "queue_log").write_text(
        "1736150400|1|q|NONE|ENTERQUEUE||1|1\n"  # 08:00 UTC
        "1736150410.999999|1|q|Agent/1|CONNECT|10|x|1\n"
        "2025-01-06 16:01:10.435678|1|q|Agent/1|COMPLETEAGENT|10|60|1\n"
        "2025-01-06 08:02:00.1+00|2|q|NONE|ENTERQUEUE||1|1\n"
        "2025-01-06T09:02:09+01:00|2|q|NONE|ABANDON|1|1|9\n"
        "2025-01-06 16:02:09+99|3|q|NONE|ENTERQUEUE||1|1\n"
        "2025-02-30 16:00:00|4|q|NONE|ENTERQUEUE||1|1\n"
        "17361504000|5|q|NONE|ENTERQUEUE||1|1\n"
        "5|6|q|NONE|ENTERQUEUE||1|1\n"
        "whenever|7|q|NONE|ENTERQUEUE||1|1\n"
        "1736150400|8|q|NONE||\n"
        "not a line of a queue log\n"
    )
    run_id = extract_and_load(settings)
    stage_and_build(settings, run_id, [MONDAY])
    columns = "contact_id, to_char(entered_at, 'HH24:MI:SS'), to_char(left_at, 'HH24:MI:SS'), talk_seconds"
    assert visits(settings, "pbx", columns) == [
        ("1", "08:00:00", "08:00:10", 60), ("2", "08:02:00", "08:02:09", 0),
    ]  # fmt: skip
    reasons = "select line, reason from ops.rejects order by line"
    assert query(settings, reasons) == [
        (6, "time: not a time"),
        (7, "time: not a time"),
        (8, "time: not a time"),
        (9, "time: not between 1990 and 2100"),
        (10, "time: not a time"),
        (11, "event: empty"),
        (12, "wrong number of fields: expected 5 to 10, found 1"),
    ]


def test_a_line_touches_the_days_of_what_it_ends_and_no_other(make_centre: Callable[..., Settings]) -> None:
    settings = make_centre(sources=one_log())
    folder = settings.data_dir / "pbx"
    folder.mkdir()

    def news(name: str, text: str) -> list[date]:
        (folder / f"queue_log.{name}").write_text(log(text))
        run_id = extract_and_load(settings)
        from callhouse import transform

        transform.stage(settings, run_id)
        return affected(settings)

    assert news("1", "-1 12:00:00|0|q|NONE|DID|1\n12:00:00|1|q|NONE|DID|1\n+1 12:00:00|2|q|NONE|DID|1") == [
        MONDAY - timedelta(days=1), MONDAY, TUESDAY,
    ]  # fmt: skip
    assert news("2", "10:00:00|a|q|NONE|ENTERQUEUE||1|1") == [MONDAY]
    assert news("3", "+1 00:00:10|b|q|Agent/1|CONNECT|30|x|1") == [MONDAY, TUESDAY]  # its entry is lost
    assert news("4", "+1 06:00:00|NONE|NONE|Agent/2|AGENTLOGOFF|x|25200") == [MONDAY, TUESDAY]
    assert news(
        "5", "+1 07:00:00|NONE|NONE|Agent/3|AGENTLOGIN|x\n+1 08:00:00|NONE|NONE|Agent/3|AGENTLOGOFF|x|3600"
    ) == [TUESDAY]
    assert news("6", "+1 09:00:00|NONE|NONE|NONE|QUEUESTART|") == [MONDAY, TUESDAY]  # call a was waiting
    assert news("7", "10:00:05|a|q|NONE|ABANDON|1|1|5") == [MONDAY]
    assert news("8", "+1 09:30:00|NONE|NONE|NONE|QUEUESTART|") == [TUESDAY]
    assert news("9", "11:00:00|MANAGER|q|Agent/4|PENALTY|1") == [MONDAY]
    assert news("10", "+1 11:00:00|MANAGER|q|Agent/4|PENALTY|2") == [TUESDAY]  # is no call of both days
