{{ config(materialized='ephemeral') }}
{#-
  A call's contact is summed up from its visits. Call detail records or channel events, where the telephone system
  gives them, tell when it began and ended for the caller, and from where it came. A number that customers share
  names none of them.
-#}
with customers_by_number as (
    {{ customers_by_number() }}
),

calls as (
    select
        source,
        contact_id,
        min(business_date) as business_date,
        'voice'::text as channel,
        min(caller_number) filter (where visit_number = 1) as caller_number,
        min(entered_at) as started_at,
        case
            when bool_and(outcome <> 'in_progress' and (outcome <> 'answered' or ended_at is not null))
                then max(coalesce(ended_at, left_at))
        end as ended_at,
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
    case when recorded.is_direction_known then recorded.direction else 'inbound' end as direction,
    customers_by_number.customer_id,
    least(calls.started_at, recorded.started_at) as started_at,
    case when calls.ended_at is not null then greatest(calls.ended_at, recorded.ended_at) end as ended_at,
    case
        when recorded.started_at is not null
            then greatest(0, {{ seconds_between('recorded.started_at', 'calls.started_at') }})
    end as ivr_seconds,
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
left join {{ ref('int_asterisk_calls__calls') }} as recorded
    on calls.source = recorded.source and calls.contact_id = recorded.call_id
left join customers_by_number
    on coalesce(nullif(calls.caller_number, ''), recorded.caller_number) = customers_by_number.phone_number
