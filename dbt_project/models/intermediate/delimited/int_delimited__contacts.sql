{{ config(materialized='ephemeral') }}
select
    source,
    call_id as contact_id,
    business_date,
    channel,
    direction,
    customer_id,
    started_at,
    ended_at,
    ivr_seconds,
    case when is_visit then coalesce(queue_id, '-') end as first_queue_id,
    case when is_visit then coalesce(queue_id, '-') end as last_queue_id,
    case when outcome = 'answered' then agent_id end as first_agent_id,
    case when outcome = 'answered' then agent_id end as last_agent_id,
    is_visit::integer as visit_count,
    outcome,
    wait_seconds,
    talk_seconds,
    hold_seconds,
    after_call_seconds,
    topic,
    is_resolved
from {{ ref('int_delimited__calls') }}
