{{ config(materialized='ephemeral') }}
{#-
  A caller's channel is a contact, with its visits where it has any. Calls that no queue saw count too: outbound and
  internal ones, and callers who never came to a queue. A number that customers share names none of them.
-#}
with customers_by_number as (
    {{ customers_by_number() }}
),

queue_calls as (
    select
        source,
        contact_id,
        min(entered_at) as entered_at,
        max(ended_at) as talked_until,
        bool_or(transfer_kind is not null) filter (where visit_number = visit_count) as is_passed_on,
        min(queue_id) filter (where visit_number = 1) as first_queue_id,
        min(queue_id) filter (where visit_number = visit_count) as last_queue_id,
        min(agent_id) filter (where outcome = 'answered' and answered_number = 1) as first_agent_id,
        min(agent_id) filter (
            where outcome = 'answered' and answered_number = answered_count
        ) as last_agent_id,
        count(*)::integer as visit_count,
        bool_or(outcome = 'in_progress') as is_waiting,
        bool_or(outcome = 'answered') as is_answered,
        min(outcome) filter (where visit_number = visit_count) as last_outcome,
        sum(wait_seconds)::integer as wait_seconds,
        sum(talk_seconds)::integer as talk_seconds,
        sum(hold_seconds)::integer as hold_seconds,
        sum(after_call_seconds)::integer as after_call_seconds
    from {{ ref('int_freeswitch__queue_visits') }}
    group by source, contact_id
),

callers as (
    select *
    from {{ ref('stg_freeswitch__calls') }}
    where
        {{ near_run('business_date') }}
        and side is distinct from 'agent'
        and (side = 'member' or coalesce(leg, 'a') = 'a')
),

contacts as (
    select
        source,
        contact_id,
        coalesce(callers.started_at, queue_calls.entered_at) as started_at,
        coalesce(queue_calls.entered_at, callers.started_at) as counted_at,
        case
            when callers.call_id is not null then callers.ended_at
            when not queue_calls.is_passed_on then queue_calls.talked_until
        end as ended_at,
        case callers.direction
            when 'outbound' then 'outbound'
            when 'local' then 'internal'
            else 'inbound'
        end as direction,
        case callers.direction
            when 'outbound' then callers.destination_number
            else callers.caller_number
        end as customer_number,
        case
            when queue_calls.visit_count is not null
                then {{ seconds_between('callers.started_at', 'queue_calls.entered_at') }}
            when callers.direction = 'inbound' and not callers.is_bridged
                then {{ seconds_between('callers.started_at', 'callers.ended_at') }}
        end as ivr_seconds,
        queue_calls.first_queue_id,
        queue_calls.last_queue_id,
        queue_calls.first_agent_id,
        queue_calls.last_agent_id,
        coalesce(queue_calls.visit_count, 0) as visit_count,
        case
            when queue_calls.is_waiting then 'in_progress'
            when callers.call_id is null and queue_calls.is_passed_on then 'in_progress'
            when queue_calls.is_answered then 'answered'
            when queue_calls.visit_count is not null then queue_calls.last_outcome
            when callers.is_bridged and callers.answered_at is not null then 'answered'
            when callers.direction in ('outbound', 'local') then 'void'
            else 'left_in_ivr'
        end as outcome,
        queue_calls.wait_seconds,
        case
            when queue_calls.visit_count is not null then queue_calls.talk_seconds
            when callers.is_bridged
                then greatest(
                    {{ seconds_between('callers.answered_at', 'callers.ended_at') }} - callers.hold_seconds, 0
                )
        end as talk_seconds,
        case
            when queue_calls.visit_count is not null then queue_calls.hold_seconds
            when callers.is_bridged then callers.hold_seconds
        end as hold_seconds,
        queue_calls.after_call_seconds
    from callers
    full join queue_calls using (source, contact_id)
)

select
    contacts.source,
    contacts.contact_id,
    {#- A contact lies on the day of its first visit, wherever the menu before it began. #}
    {{ local_date('contacts.counted_at') }} as business_date,
    'voice'::text as channel,
    contacts.direction,
    customers_by_number.customer_id,
    contacts.started_at,
    contacts.ended_at,
    contacts.ivr_seconds,
    contacts.first_queue_id,
    contacts.last_queue_id,
    contacts.first_agent_id,
    contacts.last_agent_id,
    contacts.visit_count,
    contacts.outcome,
    contacts.wait_seconds,
    contacts.talk_seconds,
    contacts.hold_seconds,
    contacts.after_call_seconds,
    null::text as topic,
    null::boolean as is_resolved
from contacts
left join customers_by_number on contacts.customer_number = customers_by_number.phone_number
