{{ config(materialized='ephemeral') }}
{#- A call's contact is summed up from its visits. A number that customers share names none of them. -#}
with customers_by_number as (
    select
        phone_number,
        min(customer_id) as customer_id
    from {{ ref('stg_delimited__customers') }}
    where phone_number is not null
    group by phone_number
    having count(*) = 1
),

calls as (
    select
        source,
        contact_id,
        min(business_date) as business_date,
        'voice'::text as channel,
        'inbound'::text as direction,
        min(caller_number) filter (where visit_number = 1) as caller_number,
        min(entered_at) as started_at,
        case
            when bool_and(outcome <> 'in_progress' and (outcome <> 'answered' or ended_at is not null))
                then max(coalesce(ended_at, left_at))
        end as ended_at,
        null::integer as ivr_seconds,
        min(queue_id) filter (where visit_number = 1) as first_queue_id,
        min(queue_id) filter (where visit_number = visit_count) as last_queue_id,
        min(agent_id) filter (where outcome = 'answered' and answered_number = 1) as first_agent_id,
        min(agent_id) filter (
            where outcome = 'answered' and answered_number = answered_count
        ) as last_agent_id,
        count(*)::integer as visit_count,
        case
            when bool_or(outcome = 'answered' and ended_at is null or outcome = 'in_progress')
                then 'in_progress'
            when bool_or(outcome = 'answered') then 'answered'
            else min(outcome) filter (where visit_number = visit_count)
        end as outcome,
        sum(wait_seconds)::integer as wait_seconds,
        sum(talk_seconds)::integer as talk_seconds,
        sum(hold_seconds)::integer as hold_seconds,
        sum(after_call_seconds)::integer as after_call_seconds,
        null::text as topic,
        null::boolean as is_resolved
    from {{ ref('int_asterisk_queue_log__queue_visits') }}
    group by source, contact_id
)

select
    calls.source,
    calls.contact_id,
    calls.business_date,
    calls.channel,
    calls.direction,
    customers_by_number.customer_id,
    calls.started_at,
    calls.ended_at,
    calls.ivr_seconds,
    calls.first_queue_id,
    calls.last_queue_id,
    calls.first_agent_id,
    calls.last_agent_id,
    calls.visit_count,
    calls.outcome,
    calls.wait_seconds,
    calls.talk_seconds,
    calls.hold_seconds,
    calls.after_call_seconds,
    calls.topic,
    calls.is_resolved
from calls
left join customers_by_number on calls.caller_number = customers_by_number.phone_number
