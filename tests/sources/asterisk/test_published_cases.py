"""Cases that another product publishes for its own statistics of the same log, with its figures.

Told again with other names and calls; the durations and what comes of them are the published ones. Where our
definition is another one on purpose, the test says both figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from callhouse.postgres import Warehouse
from callhouse.settings import Settings

from .conftest import MONDAY, asterisk_centre, extract_and_load, log, query, stage_and_build

SYSTEMS = {
    # An agent's time. The last line of a system says how far its data goes.
    "login": """
        09:10:10|NONE|NONE|Agent/701|AGENTCALLBACKLOGIN|21@default
        09:25:10|NONE|NONE|Agent/701|AGENTCALLBACKLOGOFF|21@default|900|CommandLogoff
        09:25:11|NONE|NONE|Agent/701|UNPAUSEALL|
        09:01:00|NONE|NONE|Agent/702|AGENTCALLBACKLOGIN|22@default
        09:01:06|NONE|NONE|Agent/702|AGENTCALLBACKLOGOFF|22@default|6|CommandLogoff
        09:02:00|NONE|NONE|Agent/702|AGENTLOGIN|SIP/702
        09:02:30|NONE|NONE|Agent/702|AGENTLOGOFF|SIP/702|30|CommandLogoff
        09:50:00|NONE|NONE|Agent/702|AGENTCALLBACKLOGIN|22@default
        08:50:01|NONE|NONE|Agent/703|AGENTCALLBACKLOGIN|23@default
        09:01:06|NONE|NONE|Agent/703|AGENTCALLBACKLOGOFF|23@default|665|CommandLogoff
        09:02:00|NONE|NONE|Agent/703|AGENTLOGIN|SIP/703
        09:02:30|NONE|NONE|Agent/703|AGENTLOGOFF|SIP/703|30|CommandLogoff
        08:00:00|NONE|NONE|Agent/704|AGENTCALLBACKLOGOFF|24@default|300|CommandLogoff
        08:00:00|NONE|NONE|Agent/704|AGENTLOGOFF|SIP/704|30|CommandLogoff
        09:07:01|NONE|NONE|Agent/705|AGENTCALLBACKLOGIN|25@default
        09:12:06|NONE|NONE|Agent/705|AGENTCALLBACKLOGOFF|25@default|305|CommandLogoff
        09:45:00|NONE|NONE|Agent/705|AGENTLOGIN|SIP/705
        10:02:30|NONE|NONE|Agent/705|AGENTLOGOFF|SIP/705|1050|CommandLogoff
        -1 08:50:01|NONE|NONE|Agent/706|AGENTCALLBACKLOGIN|26@default
        +1 09:01:06|NONE|NONE|Agent/706|AGENTCALLBACKLOGOFF|26@default|173465|CommandLogoff
        -90 10:00:00|NONE|NONE|Agent/707|AGENTCALLBACKLOGIN|27@default
        10:00:00|NONE|NONE|Agent/708|AGENTCALLBACKLOGOFF|28@default|300|
        """,
    "pause": """
        08:41:09|NONE|NONE|Agent/711|UNPAUSEALL|
        08:41:30|NONE|NONE|Agent/711|PAUSEALL|
        08:46:38|NONE|NONE|Agent/711|UNPAUSEALL|
        08:47:16|NONE|NONE|Agent/711|PAUSEALL|
        08:47:17|NONE|NONE|Agent/711|PAUSEALL|
        08:47:18|NONE|NONE|Agent/711|PAUSEALL|
        08:48:45|NONE|NONE|Agent/711|PAUSEALL|
        08:50:46|NONE|NONE|Agent/711|UNPAUSEALL|
        08:50:59|NONE|NONE|Agent/711|UNPAUSEALL|
        08:54:09|NONE|NONE|Agent/711|UNPAUSEALL|
        09:41:10|NONE|NONE|Agent/711|PAUSEALL|
        10:46:00|NONE|NONE|Agent/711|UNPAUSEALL|
        09:41:10|NONE|NONE|Agent/712|PAUSEALL|
        12:00:00|NONE|NONE|NONE|CONFIGRELOAD|
        """,
    "wrap_up": """
        09:42:47|1|sales|NONE|ENTERQUEUE||2025550101|1
        09:43:05|1|sales|Agent/721|CONNECT|18|x.1|2
        09:43:07|1|sales|Agent/721|COMPLETEAGENT|18|2|1
        09:43:07|NONE|NONE|Agent/721|WRAPUPSTART|15
        """,
    # Calls.
    "six_endings": """
        09:01:02|1|sales|NONE|ENTERQUEUE||
        09:01:06|1|sales|Agent/731|CONNECT|4|x.1
        09:01:10|1|sales|Agent/731|COMPLETEAGENT|4|10
        09:02:01|2|sales|NONE|ENTERQUEUE||
        09:02:06|2|sales|Agent/731|CONNECT|5|x.2
        09:02:10|2|sales|Agent/731|COMPLETECALLER|5|10
        09:03:00|3|sales|NONE|ENTERQUEUE||
        09:03:06|3|sales|Agent/731|CONNECT|6|x.3
        09:03:10|3|sales|Agent/731|TRANSFER|600|default|0|10
        09:04:00|4|sales|NONE|ENTERQUEUE||
        09:04:06|4|sales|Agent/731|CONNECT|6|x.4
        09:04:10|4|sales|Agent/731|BLINDTRANSFER|600|default|0|10
        09:05:00|5|sales|NONE|ENTERQUEUE||
        09:05:06|5|sales|Agent/731|CONNECT|6|x.5
        09:05:10|5|sales|Agent/731|ATTENDEDTRANSFER|BRIDGE|b.1|0|10
        09:06:00|6|sales|NONE|ENTERQUEUE||
        09:06:06|6|sales|Agent/731|CONNECT|6|x.6
        09:06:10|6|sales|Agent/731|ATTENDEDTRANSFER|LINK|SIP/731-1|SIP/732-2|0|10|1
        """,
    "waits": """
        08:00:00|1|sales|NONE|ENTERQUEUE|
        08:10:00|1|sales|NONE|ABANDON|1|1|4
        08:00:00|2|sales|NONE|ENTERQUEUE|
        08:11:00|2|sales|NONE|ABANDON|2|3|5
        08:00:00|3|service|NONE|ENTERQUEUE|
        08:11:00|3|service|NONE|ABANDON|1|1|3
        08:59:59|4|sales|NONE|ENTERQUEUE|
        09:59:59|4|sales|NONE|ABANDON|2|2|2
        09:00:00|5|sales|NONE|ENTERQUEUE|
        09:10:00|5|sales|NONE|ABANDON|4|3|4
        09:59:59|6|sales|NONE|ENTERQUEUE|
        10:59:59|6|sales|NONE|ABANDON|1|4|2
        """,
    "refused": """
        08:00:00|1|sales|NONE|JOINEMPTY|
        08:00:00|2|sales|NONE|CLOSED|
        08:00:00|3|service|NONE|FULL|
        08:59:59|4|sales|NONE|FULL|
        09:00:00|5|sales|NONE|DIVERT_CA_RATIO|
        09:59:59|6|sales|NONE|DIVERT_HOLDTIME|
        """,
    "rate": """
        11:02:29|1|sales|NONE|ENTERQUEUE||2025550102|1
        11:03:00|1|sales|Agent/741|CONNECT|32|x.1|6
        11:03:02|1|sales|Agent/741|COMPLETEAGENT|32|2|1
        11:03:05|2|sales|NONE|ENTERQUEUE||2025550102|1
        11:03:06|2|sales|Agent/741|CONNECT|1|x.2|0
        11:03:08|2|sales|Agent/741|COMPLETEAGENT|1|2|1
        11:03:17|3|sales|NONE|ENTERQUEUE||2025550102|1
        11:03:18|3|sales|NONE|ABANDON|1|1|1
        11:03:20|4|sales|NONE|ENTERQUEUE||2025550102|1
        11:03:21|4|sales|NONE|ABANDON|1|1|1
        11:34:11|5|sales|NONE|CLOSED|
        11:39:16|6|sales|NONE|ENTERQUEUE||2025550102|1
        11:39:18|6|sales|Agent/741|CONNECT|2|x.3|1
        11:39:20|6|sales|Agent/741|COMPLETEAGENT|3|1|1
        11:42:52|7|sales|NONE|ENTERQUEUE||2025550102|1
        11:42:54|7|sales|Agent/741|CONNECT|2|x.4|1
        11:42:55|7|sales|Agent/741|COMPLETEAGENT|2|1|1
        11:42:58|8|sales|NONE|ENTERQUEUE||2025550102|1
        11:42:59|8|sales|NONE|ABANDON|1|1|1
        11:43:02|9|sales|NONE|ENTERQUEUE||2025550102|1
        11:43:17|9|sales|Agent/741|RINGNOANSWER|15000
        11:43:37|9|sales|Agent/741|RINGNOANSWER|15000
        11:43:40|9|sales|NONE|ABANDON|1|1|38
        11:50:00|10|closed all day|NONE|CLOSED|
        """,
    # An entry of one queue, an ending of another: the lines between are lost.
    "partial": """
        11:01:00|1|other|NONE|ENTERQUEUE||1002|1
        11:05:00|1|sales|Agent/751|COMPLETEAGENT|12|6|1
        """,
    # Nobody is in the first queue: on to the second; then an agent sends the caller back to the first.
    "empty": """
        12:35:36|1|night|NONE|ENTERQUEUE||1|1
        12:35:36|1|night|NONE|EXITEMPTY|1|1|0
        12:35:36|1|night|NONE|LEAVEEMPTY|
        12:35:37|1|day|NONE|ENTERQUEUE||1|1
        12:36:59|1|day|Agent/761|RINGNOANSWER|15000
        12:37:25|1|day|Agent/762|CONNECT|108|x.1|4
        12:39:02|1|day|Agent/762|BLINDTRANSFER|600|default|108|97|1
        12:39:02|1|day|Agent/762|WRAPUPSTART|10
        12:39:33|1|night|NONE|ENTERQUEUE||1|1
        12:39:33|1|night|NONE|EXITEMPTY|1|1|0
        12:39:33|1|night|NONE|LEAVEEMPTY|
        12:39:34|1|day|NONE|ENTERQUEUE||1|1
        12:41:57|1|day|Agent/761|CONNECT|143|x.2|4
        12:48:53|1|day|Agent/761|COMPLETECALLER|143|416|1
        """,
}


@pytest.fixture(scope="module")
def built(server: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """All systems, extracted, loaded, staged and built for Monday."""
    sources = {
        name: {"kind": "asterisk_queue_log", "streams": {"queue_log": {"files": [f"{name}/queue_log"]}}}
        for name in SYSTEMS
    }
    with asterisk_centre(server, tmp_path_factory.mktemp("published"), sources=sources) as settings:
        for name, text in SYSTEMS.items():
            (settings.data_dir / name).mkdir()
            (settings.data_dir / name / "queue_log").write_text(log(text), encoding="utf-8")
        run_id = extract_and_load(settings)
        stage_and_build(settings, run_id, [MONDAY])
        yield settings


def by_hour(settings: Settings, agent: str, seconds: str) -> dict[int, int]:
    """Hour of Monday → an agent's seconds, where there are any."""
    return dict(
        query(
            settings,
            f"""
            select extract(hour from interval_start_at at time zone 'UTC')::int, sum({seconds})::int
            from build.fct_agent_intervals where agent_key = %s group by 1 having sum({seconds}) > 0
            """,
            agent,
        )
    )


def kpis(settings: Settings, queue: str, *names: str) -> dict[tuple[str, str], Any]:
    """(KPI, start of the half-hour) → value of a queue."""
    return {
        (kpi, at): value
        for kpi, at, value in query(
            settings,
            """
            select kpi_id, to_char(period_start_at at time zone 'UTC', 'HH24:MI'), round(value, 2)::float
            from build.kpi_values
            where period_type = 'half_hour' and unit_key = %s and kpi_id = any(%s)
            """,
            queue,
            list(names),
        )
    }


def clock(text: str) -> int:
    minutes, seconds = text.split(":")
    return 60 * int(minutes) + int(seconds)


@pytest.mark.parametrize(
    ("agent", "hours"),
    [
        ("701", {9: "15:00"}),
        ("702", {9: "10:36", 10: "60:00", 11: "60:00"}),  # until the data ends
        ("703", {8: "9:59", 9: "1:36"}),
        ("704", {7: "5:00"}),  # none in the hour that begins with the log-off
        ("705", {9: "20:05", 10: "2:30"}),
    ],
)
def test_sessions_are_cut_at_the_hours(built: Settings, agent: str, hours: dict[int, str]) -> None:
    found = by_hour(built, agent, "logged_in_seconds")
    assert {hour: found[hour] for hour in found if hour < 12} == {
        hour: clock(text) for hour, text in hours.items()
    }


def test_who_logs_in_the_day_before_and_off_the_day_after_is_there_all_day(built: Settings) -> None:
    assert by_hour(built, "706", "logged_in_seconds") == dict.fromkeys(range(24), 3600)


def test_a_log_in_of_long_ago_is_no_longer_valid_and_a_log_off_tells_its_own_seconds(built: Settings) -> None:
    # Published: logged in all day since three months ago, and nothing before the lone log-off.
    assert by_hour(built, "707", "logged_in_seconds") == {}
    assert by_hour(built, "708", "logged_in_seconds") == {9: 300}


def test_pauses_repeated_and_ended_twice_count_once(built: Settings) -> None:
    assert by_hour(built, "711", "away_seconds") == {
        8: clock("8:38"), 9: clock("18:50"), 10: clock("46:00"),
    }  # fmt: skip


def test_a_pause_that_nobody_ends_goes_on(built: Settings) -> None:
    found = by_hour(built, "712", "away_seconds")
    assert {hour: found[hour] for hour in found if hour < 12} == {9: clock("18:50"), 10: 3600, 11: 3600}


def test_wrap_up_is_after_call_work_of_its_call(built: Settings) -> None:
    assert by_hour(built, "721", "after_call_seconds") == {9: 15}
    assert by_hour(built, "721", "answered_count") == {9: 1}


def test_six_ways_to_end_a_call_each_tell_their_talk(built: Settings) -> None:
    assert query(
        built,
        """
        select count(*), sum(answered_count), sum(talk_seconds)
        from build.fct_queue_visits where source = 'six_endings'
        """,
    ) == [(6, 6, 60)]
    assert query(
        built,
        "select sum(transferred_count), sum(agent_hung_up_count), sum(ending_known_count)"
        " from build.fct_agent_intervals where agent_key = '731'",
    ) == [(4, 1, 6)]


def test_waits_are_those_told_and_count_where_the_call_came(built: Settings) -> None:
    # Published by the hour, cut to whole seconds: 3 calls with 3 s from 8 h on, 2 calls with 3 s from 9 h on.
    found = kpis(built, "waits:sales", "abandoned", "average_wait", "average_abandon_time", "longest_wait")
    assert found == {
        ("abandoned", "08:00"): 2, ("average_wait", "08:00"): 4.5, ("longest_wait", "08:00"): 5,
        ("abandoned", "08:30"): 1, ("average_wait", "08:30"): 2, ("longest_wait", "08:30"): 2,
        ("abandoned", "09:00"): 1, ("average_wait", "09:00"): 4, ("longest_wait", "09:00"): 4,
        ("abandoned", "09:30"): 1, ("average_wait", "09:30"): 2, ("longest_wait", "09:30"): 2,
        **{
            ("average_abandon_time", at): wait
            for at, wait in (("08:00", 4.5), ("08:30", 2), ("09:00", 4), ("09:30", 2))
        },
    }  # fmt: skip


def test_refused_calls_stand_in_their_hour_with_their_reason(built: Settings) -> None:
    # Published as received; here a refusal was never offered.
    assert query(
        built,
        """
        select date_part('hour', interval_start_at at time zone 'UTC')::int, sum(blocked_count)::int,
            sum(offered_count)::int, string_agg(outcome_reason, ' ' order by outcome_reason)
        from build.fct_queue_visits where queue_key = 'refused:sales' group by 1 order by 1
        """,
    ) == [(8, 3, 0, "closed full joinempty"), (9, 2, 0, "divert_ca_ratio divert_holdtime")]


def test_the_rate_of_answered_leaves_closed_calls_out_and_is_none_where_all_were_closed(
    built: Settings,
) -> None:
    rates = query(
        built,
        """
        select unit_key, numerator::int, denominator::int, value::float from build.kpi_values
        where kpi_id = 'connect_rate' and period_type = 'day' and unit_key like 'rate:%%' order by 1
        """,
    )
    assert rates == [("rate:closed all day", 0, 0, None), ("rate:sales", 4, 8, 0.5)]


def test_an_ending_whose_entry_and_connection_are_lost_is_an_answered_call(built: Settings) -> None:
    # Published: one call received and one answered in the queue of the ending. The other entry stays open.
    assert query(
        built,
        """
        select queue_key, outcome, wait_seconds, talk_seconds
        from build.fct_queue_visits where source = 'partial' order by 1
        """,
    ) == [("partial:other", "in_progress", None, None), ("partial:sales", "answered", 12, 6)]


def test_a_call_that_goes_on_and_comes_back_is_counted_in_each_queue_each_time(built: Settings) -> None:
    assert query(
        built,
        """
        select visit_number, queue_key, outcome, outcome_reason, wait_seconds, talk_seconds,
            transferred_in_count
        from build.fct_queue_visits where source = 'empty' order by 1
        """,
    ) == [
        (1, "empty:night", "flowed_out", "empty", 0, 0, 0),
        (2, "empty:day", "answered", None, 108, 97, 0),
        (3, "empty:night", "flowed_out", "empty", 0, 0, 1),
        (4, "empty:day", "answered", None, 143, 416, 0),
    ]
