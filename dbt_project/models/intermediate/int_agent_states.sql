{#-
  Overlapping spans → one state per agent and second: talk > hold > after-call > ringing > away > available. Where
  no span covers a second between two others the agent was offline, or unknown where no log-in tells.

  One sort per step, no joins by range: overlapping spans of one state are cut so that each second belongs to the
  span opened first (its reason counts). Of each state at most one span is open then, so that the sum of the
  numbers of those that began less those that ended is the open one's number: the first state that has one wins.
  Agents of a single state, as a list of calls tells of them, are done with when their spans are cut.
-#}
with spans as (
    select
        source,
        agent_id,
        state,
        reason,
        is_end_inferred,
        date_trunc('second', started_at) as started_at,
        date_trunc('second', ended_at) as ended_at
    from {{ ref('int_agent_spans') }}
    where agent_id is not null and date_trunc('second', ended_at) > date_trunc('second', started_at)
),

covered as (
    select
        *,
        row_number() over (
            order by
                agent_id asc, state asc, started_at asc, ended_at desc, source asc, reason asc,
                is_end_inferred asc
        )::integer as span_number,
        max(ended_at) over (
            partition by agent_id, state
            order by started_at asc, ended_at desc, source asc, reason asc, is_end_inferred asc
            rows between unbounded preceding and 1 preceding
        ) as covered_until
    from spans
),

cut as (
    select
        span_number,
        source,
        agent_id,
        state,
        reason,
        is_end_inferred,
        greatest(started_at, covered_until) as started_at,
        ended_at
    from covered
    where covered_until is null or ended_at > covered_until
),

agents as (
    select
        agent_id,
        min(state) = max(state) as has_one_state,
        bool_or(state = 'available') as is_log_in_known
    from cut
    group by agent_id
),

edges as (
    select
        agent_id,
        started_at as at,
        state,
        span_number as number
    from cut
    where agent_id in (
        select agent_id
        from agents
        where not has_one_state
    )
    union all
    select
        agent_id,
        ended_at as at,
        state,
        -span_number as number
    from cut
    where agent_id in (
        select agent_id
        from agents
        where not has_one_state
    )
),

levels as (
    select
        agent_id,
        at as started_at,
        lead(at) over agent as ended_at,
        coalesce(
            {%- for state in agent_states() %}
            nullif(sum(number) filter (where state = '{{ state }}') over agent_until_now, 0),
            {%- endfor %}
            0
        ) as span_number
    from edges
    window
        agent as (partition by agent_id order by at),
        agent_until_now as (partition by agent_id order by at range unbounded preceding)
),

{#- Neighbouring stretches of one span are one row again; an agent's last edge only ends what came before. -#}
changes as (
    select
        *,
        span_number <> lag(span_number, 1, 0::bigint) over agent as is_change
    from levels
    where ended_at > started_at or ended_at is null
    window agent as (partition by agent_id order by started_at)
),

states as (
    select
        agent_id,
        span_number,
        started_at,
        lead(started_at) over (partition by agent_id order by started_at) as ended_at
    from changes
    where is_change
),

merged as (
    select
        states.agent_id,
        cut.state,
        cut.reason,
        cut.source,
        states.started_at,
        states.ended_at,
        coalesce(cut.is_end_inferred and cut.ended_at = states.ended_at, false) as is_end_inferred
    from states
    left join cut on states.span_number = cut.span_number
    where states.ended_at is not null
),

single as (
    select
        *,
        lead(started_at) over (partition by agent_id order by span_number) as next_at
    from cut
    where agent_id in (
        select agent_id
        from agents
        where has_one_state
    )
),

told as (
    select * from merged
    union all
    select
        agent_id,
        state,
        reason,
        source,
        started_at,
        ended_at,
        is_end_inferred
    from single
    union all
    select
        agent_id,
        null as state,
        null as reason,
        null as source,
        ended_at as started_at,
        next_at as ended_at,
        false as is_end_inferred
    from single
    where next_at > ended_at
)

select
    told.agent_id,
    coalesce(told.state, case when agents.is_log_in_known then 'offline' else 'unknown' end) as state,
    told.reason,
    told.source,
    told.started_at,
    told.ended_at,
    told.is_end_inferred,
    agents.is_log_in_known
from told
inner join agents on told.agent_id = agents.agent_id
