{#- Cutting states into half-hours loses no second and counts none twice. -#}
with states as (
    select
        agent_key,
        business_date,
        sum(state_seconds) as seconds
    from {{ ref('fct_agent_states') }}
    where state not in ('offline', 'unknown')
    group by agent_key, business_date
),

half_hours as (
    select
        agent_key,
        business_date,
        sum(
            talk_seconds + hold_seconds + after_call_seconds + ringing_seconds + away_seconds
            + coalesce(available_seconds, 0)
        ) as seconds
    from {{ ref('fct_agent_intervals') }}
    group by agent_key, business_date
)

select
    agent_key,
    business_date,
    states.seconds as seconds_of_states,
    half_hours.seconds as seconds_of_half_hours
from states
full join half_hours using (agent_key, business_date)
where coalesce(states.seconds, 0) <> coalesce(half_hours.seconds, 0)
