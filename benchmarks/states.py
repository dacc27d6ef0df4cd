"""A million spans of agents' states over one day's half-hours: the model's SQL, and the best by hand.

Both read the same table and write one row per agent and half-hour with the seconds of each state; the two
results are compared. The spans lie between random instants of the day, 500 for each agent, so that most are
inside one half-hour and some go over several.
"""

from __future__ import annotations

import psycopg

from benchmarks import pipeline
from benchmarks.data import DAY, Case
from benchmarks.measure import Clock
from callhouse import postgres
from callhouse.errors import CallhouseError

SPANS = 1_000_000
SPANS_OF_AGENT = 500
RUNS = 3
SMALL_DAY = 1000  # calls

MAKE_SPANS = """
truncate build.fct_agent_states;
insert into build.fct_agent_states (
    agent_key, started_at, ended_at, business_date, state, state_seconds, is_end_inferred, is_log_in_known
)
select
    'agent-' || agent, started_at, ended_at, %(day)s,
    (array['available', 'ringing', 'talk', 'hold', 'after_call', 'away'])[1 + place %% 6],
    extract(epoch from ended_at - started_at), false, true
from (
    select
        agent, place, at as started_at,
        lead(at, 1, (%(day)s + 1)::timestamptz) over (partition by agent order by at, place) as ended_at
    from (
        select
            agent, place,
            %(day)s::timestamptz
            + make_interval(secs => abs(hashint8(agent * 1000 + place)::bigint) %% 86400) as at
        from generate_series(1, %(agents)s) as agent
        cross join generate_series(0, %(places)s - 1) as place
    ) as instants
) as spans
where started_at < ended_at;
analyze build.fct_agent_states;
"""

BY_HAND = """
with spans as (
    select
        agent_key, state,
        extract(epoch from started_at)::bigint as begins, extract(epoch from ended_at)::bigint as ends
    from build.fct_agent_states
),

pieces as (
    select agent_key, state, begins / 1800 as half_hour, ends - begins as seconds
    from spans
    where begins / 1800 = (ends - 1) / 1800
    union all
    select
        agent_key, state, half_hour, least(ends, (half_hour + 1) * 1800) - greatest(begins, half_hour * 1800)
    from spans, generate_series(begins / 1800, (ends - 1) / 1800) as half_hour
    where begins / 1800 < (ends - 1) / 1800
)

select
    agent_key, to_timestamp(half_hour * 1800) as interval_start_at,
    sum(seconds)::bigint as logged_in_seconds,
    coalesce(sum(seconds) filter (where state = 'available'), 0)::bigint as available_seconds,
    coalesce(sum(seconds) filter (where state = 'ringing'), 0)::bigint as ringing_seconds,
    coalesce(sum(seconds) filter (where state = 'talk'), 0)::bigint as talk_seconds,
    coalesce(sum(seconds) filter (where state = 'hold'), 0)::bigint as hold_seconds,
    coalesce(sum(seconds) filter (where state = 'after_call'), 0)::bigint as after_call_seconds,
    coalesce(sum(seconds) filter (where state = 'away'), 0)::bigint as away_seconds
from pieces
group by agent_key, half_hour
"""

DIFFERENT = """
with ours as (
    select
        agent_key, interval_start_at, logged_in_seconds, available_seconds, ringing_seconds, talk_seconds,
        hold_seconds, after_call_seconds, away_seconds
    from build.states_ours
    where logged_in_seconds > 0
)

select count(*)
from (
    (table ours except all table build.states_baseline)
    union all
    (table build.states_baseline except all table ours)
) as different
"""


def ours(case: Case) -> tuple[Clock, float]:
    """What dbt made of the model `fct_agent_intervals`; its other tables come from a small day."""
    pipeline.ours(case)
    with postgres.connect(case.settings, name="spans") as connection:
        psycopg.ClientCursor(connection).execute(
            MAKE_SPANS.encode(), {"day": DAY, "agents": SPANS // SPANS_OF_AGENT, "places": SPANS_OF_AGENT}
        )
    return _measured(case, "ours", pipeline.compiled(case.settings, "marts", "fct_agent_intervals")), 0.0


def baseline(case: Case) -> tuple[Clock, float]:
    """The best statement by hand.

    Raises:
        CallhouseError: it ends in other rows than ours.
    """
    clock = _measured(case, "baseline", BY_HAND)
    with postgres.connect(case.settings, name="compare") as connection:
        row = connection.execute(DIFFERENT.encode()).fetchone()
    if row != (0,):
        raise CallhouseError(
            "the split by hand ends in other rows",
            where="benchmarks/states.py",
            do="bring it in line with the model fct_agent_intervals (or the model with it)",
        )
    return clock, 0.0


def _measured(case: Case, name: str, query: str) -> Clock:
    """Make a table of the query a few times; the median counts."""
    clocks = []
    with postgres.connect(case.settings, autocommit=True, name=name) as connection:
        for _ in range(RUNS):
            connection.execute(f"drop table if exists build.states_{name}".encode())
            clocks.append(Clock())
            with clocks[-1]("split"):
                connection.execute(f"create table build.states_{name} as {query}".encode())
    return sorted(clocks, key=lambda clock: clock.stages["split"])[RUNS // 2]
