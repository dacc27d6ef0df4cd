with legs as (
    select
        *,
        {{ local_date('offered_at') }} as business_date
    from {{ ref('int_agent_legs') }}
),

numbered as (
    select
        *,
        row_number() over (
            partition by source, contact_id, visit_number order by offered_at, ended_at, agent_id, outcome
        ) as leg_number
    from legs
)

select
    concat_ws(':', source, contact_id, coalesce(visit_number, 0), leg_number) as leg_key,
    source || ':' || contact_id || ':' || visit_number as visit_key,
    source || ':' || contact_id as contact_key,
    source,
    business_date,
    source || ':' || queue_id as queue_key,
    agent_id as agent_key,
    visit_number::integer as visit_number,
    leg_number::integer as leg_number,
    leg_kind,
    offered_at,
    ring_seconds,
    outcome,
    answered_at,
    ended_at,
    talk_seconds,
    hold_seconds,
    after_call_seconds,
    hung_up_by,
    transfer_kind,
    transfer_target
from numbered
where {{ in_run('business_date') }}
