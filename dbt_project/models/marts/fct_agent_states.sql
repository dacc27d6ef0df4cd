{#-
  States cut at local midnight. Being offline from the last log-off of one day to the first log-in of another is
  no state.
-#}
with states as not materialized (
    select
        *,
        {{ local_date('started_at') }} as first_date,
        {{ local_date("(ended_at - interval '1 second')") }} as last_date
    from {{ ref('int_agent_states') }}
),

within_a_day as (
    select
        agent_id,
        state,
        reason,
        source,
        started_at,
        ended_at,
        is_end_inferred,
        is_log_in_known,
        first_date as business_date
    from states
    where first_date = last_date
),

over_midnight as (
    select
        states.agent_id,
        states.state,
        states.reason,
        states.source,
        greatest(states.started_at, {{ local_midnight('day::date') }}) as started_at,
        least(states.ended_at, {{ local_midnight('day::date + 1') }}) as ended_at,
        states.is_end_inferred and day::date = states.last_date as is_end_inferred,
        states.is_log_in_known,
        day::date as business_date
    from states
    cross join lateral generate_series(
        states.first_date::timestamp, states.last_date::timestamp, interval '1 day'
    ) as day
    where states.first_date < states.last_date
),

cut as (
    select * from within_a_day
    union all
    select * from over_midnight
)

select
    agent_id as agent_key,
    started_at,
    ended_at,
    business_date,
    state,
    reason,
    source,
    {{ seconds_between('started_at', 'ended_at') }} as state_seconds,
    is_end_inferred,
    is_log_in_known
from cut
where
    {{ in_run('business_date') }}
    and (
        state not in ('offline', 'unknown')
        or (
            started_at > {{ local_midnight('business_date') }}
            and ended_at < {{ local_midnight('business_date + 1') }}
        )
    )
