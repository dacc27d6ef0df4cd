{#- A shift and what the clock says of it: punches from two hours before to two hours after are its own. -#}
with shifts as (
    select *
    from {{ ref('stg_delimited__shifts') }}
    where {{ in_run('business_date') }}
),

punches as (
    select agent_id, punched_at
    from {{ ref('stg_delimited__punches') }}
    where {{ near_run('business_date') }}
),

attended as (
    select
        shifts.agent_id,
        shifts.business_date,
        shifts.shift_code,
        shifts.planned_start_at,
        shifts.planned_end_at,
        min(punches.punched_at) as first_in_at,
        max(punches.punched_at) as last_out_at
    from shifts
    left join punches
        on
            shifts.agent_id = punches.agent_id
            and punches.punched_at between
            shifts.planned_start_at - interval '2 hours' and shifts.planned_end_at + interval '2 hours'
    group by
        shifts.agent_id,
        shifts.business_date,
        shifts.shift_code,
        shifts.planned_start_at,
        shifts.planned_end_at
),

clipped as (
    select
        *,
        greatest(first_in_at, planned_start_at) as counted_from_at,
        least(last_out_at, planned_end_at) as counted_to_at
    from attended
)

select
    agent_id || ':' || business_date || ':' || extract(epoch from planned_start_at)::bigint as attendance_key,
    agent_id as agent_key,
    business_date,
    shift_code,
    planned_start_at,
    planned_end_at,
    first_in_at,
    last_out_at,
    1 as scheduled_count,
    (first_in_at is not null)::integer as attended_count,
    {{ seconds_between('planned_start_at', 'planned_end_at') }} as scheduled_seconds,
    case
        when first_in_at is null then 0
        else greatest(0, {{ seconds_between('counted_from_at', 'counted_to_at') }})
    end as present_seconds,
    case
        when first_in_at is not null
            then greatest(0, {{ seconds_between('planned_start_at', 'first_in_at') }})
    end as late_seconds
from clipped
