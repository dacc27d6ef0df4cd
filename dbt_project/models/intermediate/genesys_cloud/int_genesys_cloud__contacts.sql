{{ config(materialized='ephemeral') }}
{#-
  A conversation is a contact, however many sessions it has; calls that no queue saw count too. A number that
  customers share names none of them.
-#}
with customers_by_number as (
    {{ customers_by_number() }}
),

conversations as (
    select *
    from {{ ref('stg_genesys_cloud__conversations') }}
    where {{ near_run('business_date', 31, 1) }} and dates && {{ run_dates() }}
),

queue_calls as (
    select
        source,
        contact_id,
        min(entered_at) as entered_at,
        min(queue_id) filter (where visit_number = 1) as first_queue_id,
        min(queue_id) filter (where visit_number = visit_count) as last_queue_id,
        min(agent_id) filter (where outcome = 'answered' and answered_number = 1) as first_agent_id,
        min(agent_id) filter (
            where outcome = 'answered' and answered_number = answered_count
        ) as last_agent_id,
        count(*)::integer as visit_count,
        bool_or(outcome = 'answered') as is_answered,
        min(outcome) filter (where visit_number = visit_count) as last_outcome,
        sum(wait_seconds)::integer as wait_seconds,
        sum(talk_seconds)::integer as talk_seconds,
        sum(hold_seconds)::integer as hold_seconds,
        sum(after_call_seconds)::integer as after_call_seconds
    from {{ ref('int_genesys_cloud__queue_visits') }}
    group by source, contact_id
),

parties as (
    select
        source,
        contact_id,
        bool_or(purpose in ('customer', 'external')) as has_customer,
        bool_or(purpose in ('ivr', 'workflow')) as has_ivr,
        bool_or(purpose in ('agent', 'user') and answered_at is not null) as has_agent,
        bool_or(purpose in ('customer', 'external') and answered_at is not null) as is_customer_reached,
        max(ended_at) filter (where purpose in ('customer', 'external')) as customer_left_at,
        (array_agg(media_type order by participant_number, session_number) filter (
            where purpose in ('customer', 'external')
        ))[1] as media_type,
        round(sum(ivr_seconds))::integer as ivr_seconds,
        round(sum(talk_seconds) filter (where purpose in ('agent', 'user')))::integer as talk_seconds,
        round(sum(held_seconds) filter (where purpose in ('agent', 'user')))::integer as hold_seconds,
        round(
            sum(after_call_seconds) filter (where purpose in ('agent', 'user'))
        )::integer as after_call_seconds
    from {{ ref('int_genesys_cloud__sessions') }}
    group by source, contact_id
),

contacts as (
    select
        conversations.source,
        conversations.conversation_id as contact_id,
        coalesce(queue_calls.entered_at, conversations.started_at) as counted_at,
        coalesce(parties.media_type, 'voice') as channel,
        case
            when not coalesce(parties.has_customer, false) then 'internal'
            when conversations.direction = 'outbound' then 'outbound'
            else 'inbound'
        end as direction,
        conversations.customer_number,
        conversations.started_at,
        case
            when conversations.ended_at is not null
                then coalesce(parties.customer_left_at, conversations.ended_at)
        end as ended_at,
        parties.ivr_seconds,
        queue_calls.first_queue_id,
        queue_calls.last_queue_id,
        queue_calls.first_agent_id,
        queue_calls.last_agent_id,
        coalesce(queue_calls.visit_count, 0) as visit_count,
        case
            when conversations.ended_at is null then 'in_progress'
            when queue_calls.is_answered then 'answered'
            when queue_calls.visit_count is not null then queue_calls.last_outcome
            when conversations.direction = 'outbound' and not coalesce(parties.is_customer_reached, false)
                then 'void'
            when parties.has_agent then 'answered'
            when parties.has_ivr then 'left_in_ivr'
            when not coalesce(parties.has_customer, false) then 'void'
            else 'abandoned'
        end as outcome,
        queue_calls.wait_seconds,
        case when queue_calls.visit_count is null then parties.talk_seconds else queue_calls.talk_seconds end
            as talk_seconds,
        case when queue_calls.visit_count is null then parties.hold_seconds else queue_calls.hold_seconds end
            as hold_seconds,
        case
            when queue_calls.visit_count is null then parties.after_call_seconds
            else queue_calls.after_call_seconds
        end as after_call_seconds
    from conversations
    left join parties
        on conversations.source = parties.source and conversations.conversation_id = parties.contact_id
    left join queue_calls
        on
            conversations.source = queue_calls.source
            and conversations.conversation_id = queue_calls.contact_id
)

select
    contacts.source,
    contacts.contact_id,
    {#- A contact lies on the day of its first visit, wherever the menu before it began. #}
    {{ local_date('contacts.counted_at') }} as business_date,
    contacts.channel,
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
