{{ config(materialized='ephemeral') }}
select
    source,
    call_id as contact_id,
    1::bigint as visit_number,
    business_date,
    {#- The source's own date wins where its clock and its date part at midnight. -#}
    {{ half_hour_of('entered_at', 'business_date') }} as interval_start_at,
    coalesce(queue_id, '-') as queue_id,
    agent_id,
    entered_at,
    coalesce(
        case when outcome = 'answered' then answered_at end,
        entered_at + make_interval(secs => wait_seconds)
    ) as left_at,
    wait_seconds,
    outcome,
    outcome_reason,
    talk_seconds,
    hold_seconds,
    after_call_seconds
from {{ ref('int_delimited__calls') }}
where is_visit
