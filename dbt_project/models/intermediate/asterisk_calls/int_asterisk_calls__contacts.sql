{{ config(materialized='ephemeral') }}
{#- A call that never came to a queue is a contact of its own. A number that customers share names none. -#}
with customers_by_number as (
    {{ customers_by_number() }}
)

select
    calls.source,
    calls.call_id as contact_id,
    calls.business_date,
    'voice'::text as channel,
    calls.direction,
    customers_by_number.customer_id,
    calls.started_at,
    calls.ended_at,
    case
        when calls.direction = 'inbound' and not calls.is_answered
            then {{ seconds_between('calls.started_at', 'calls.ended_at') }}
    end as ivr_seconds,
    null::text as first_queue_id,
    null::text as last_queue_id,
    calls.agent_id as first_agent_id,
    calls.agent_id as last_agent_id,
    0 as visit_count,
    case
        when calls.ended_at is null then 'in_progress'
        when calls.is_answered then 'answered'
        when calls.direction = 'inbound' then 'left_in_ivr'
        else 'void'
    end as outcome,
    null::integer as wait_seconds,
    calls.talk_seconds,
    case when calls.is_answered and calls.ended_at is not null then 0 end as hold_seconds,
    case when calls.is_answered and calls.ended_at is not null then 0 end as after_call_seconds,
    null::text as topic,
    null::boolean as is_resolved
from {{ ref('int_asterisk_calls__unqueued') }} as calls
left join customers_by_number on calls.customer_number = customers_by_number.phone_number
