{#-
  Overlapping spans → one state per agent and second: talk > hold > after-call > ringing > away > available. Where
  no span covers a second between two others the agent was offline, or unknown where no log-in tells.

  One sort per step, no joins by range: overlapping spans of one state are cut so that each second belongs to the
  span opened first (its reason counts), then every start adds its state's bit to the agent's level and every
  end takes it away: the highest bit standing is the state.
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
        max(ended_at) over (
            partition by agent_id, state
            order by started_at asc, ended_at desc, source asc, reason asc
            rows between unbounded preceding and 1 preceding
        ) as covered_until
    from spans
),

cut as (
    select
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

edges as (
    select
        agent_id,
        started_at as at,
        state,
        started_at as opened_at,
        1 as direction
    from cut
    union all
    select
        agent_id,
        ended_at as at,
        state,
        null as opened_at,
        -1 as direction
    from cut
),

levels as (
    select
        agent_id,
        at as started_at,
        lead(at) over agent as ended_at,
        sum(direction * case state
            when 'talk' then 32
            when 'hold' then 16
            when 'after_call' then 8
            when 'ringing' then 4
            when 'away' then 2
            else 1
        end) over agent_until_now as level,
        {%- for state in agent_states() %}
        max(opened_at) filter (where state = '{{ state }}') over agent_until_now as {{ state }}_opened_at
        {{- ',' if not loop.last }}
        {%- endfor %}
    from edges
    window
        agent as (partition by agent_id order by at),
        agent_until_now as (partition by agent_id order by at range unbounded preceding)
),

stretches as (
    select
        agent_id,
        started_at,
        ended_at,
        {{ highest_state("'{state}'", "'none'") }} as state,
        {{ highest_state('{state}_opened_at', 'null') }} as opened_at
    from levels
    where ended_at > started_at
),

{#- Neighbouring stretches of one span are one row again. -#}
changes as (
    select
        *,
        coalesce(lag(state) over agent, '') <> state
        or coalesce(lag(opened_at) over agent, '-infinity') <> coalesce(opened_at, '-infinity') as is_change,
        max(ended_at) over (partition by agent_id) as last_ended_at
    from stretches
    window agent as (partition by agent_id order by started_at)
),

states as (
    select
        agent_id,
        state,
        opened_at,
        started_at,
        lead(started_at, 1, last_ended_at) over (partition by agent_id order by started_at) as ended_at
    from changes
    where is_change
),

agents_with_log_ins as (
    select distinct agent_id
    from cut
    where state = 'available'
)

select
    states.agent_id,
    case
        when states.state <> 'none' then states.state
        when agents_with_log_ins.agent_id is not null then 'offline'
        else 'unknown'
    end as state,
    cut.reason,
    cut.source,
    states.started_at,
    states.ended_at,
    coalesce(cut.is_end_inferred and cut.ended_at = states.ended_at, false) as is_end_inferred,
    agents_with_log_ins.agent_id is not null as is_log_in_known
from states
left join cut
    on
        states.agent_id = cut.agent_id
        and states.state = cut.state
        and states.opened_at = cut.started_at
left join agents_with_log_ins on states.agent_id = agents_with_log_ins.agent_id
