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
        (array_agg(queue_id order by visit_number))[1] as first_queue_id,
        (array_agg(queue_id order by visit_number desc))[1] as last_queue_id,
        count(*)::integer as visit_count,
        (array_agg(outcome order by visit_number desc))[1] as last_outcome,
        sum(wait_seconds)::integer as wait_seconds,
        {#- Whom a queue let go without an agent has spoken with nobody there. #}
        case when bool_or(outcome not in ('answered', 'in_progress')) then 0 end as unanswered_seconds
    from {{ ref('int_genesys_cloud__queue_visits') }}
    group by source, contact_id
),

{#- Agents who were only asked, or only listened, are left out. -#}
agents as (
    select
        source,
        contact_id,
        (array_agg(agent_id order by answered_at, participant_number, session_number))[1] as first_agent_id,
        (array_agg(agent_id order by answered_at desc, participant_number desc, session_number desc))[1]
            as last_agent_id,
        sum(talk_seconds)::integer as talk_seconds,
        sum(hold_seconds)::integer as hold_seconds,
        sum(after_call_seconds)::integer as after_call_seconds
    from {{ ref('int_genesys_cloud__answers') }}
    where leg_kind not in ('consult', 'conference', 'monitor')
    group by source, contact_id
),

parties as (
    select
        source,
        contact_id,
        bool_or(purpose in ('ivr', 'workflow')) as has_ivr,
        bool_or(purpose in ('customer', 'external') and answered_at is not null) as is_customer_reached,
        max(ended_at) filter (where purpose in ('customer', 'external')) as customer_left_at,
        (array_agg(media_type order by participant_number, session_number) filter (
            where purpose in ('customer', 'external')
        ))[1] as media_type,
        round(sum(ivr_seconds))::integer as ivr_seconds
    from {{ ref('int_genesys_cloud__sessions') }}
    group by source, contact_id
),

contacts as (
    select
        conversations.source,
        conversations.conversation_id as contact_id,
        coalesce(queue_calls.entered_at, conversations.started_at) as counted_at,
        coalesce(nullif(parties.media_type, 'callback'), 'voice') as channel,
        conversations.direction,
        conversations.customer_number,
        conversations.started_at,
        case
            when conversations.ended_at is not null
                then coalesce(parties.customer_left_at, conversations.ended_at)
        end as ended_at,
        parties.ivr_seconds,
        queue_calls.first_queue_id,
        queue_calls.last_queue_id,
        agents.first_agent_id,
        agents.last_agent_id,
        coalesce(queue_calls.visit_count, 0) as visit_count,
        case
            when conversations.ended_at is null then 'in_progress'
            when
                queue_calls.visit_count is not null and agents.contact_id is null
                then queue_calls.last_outcome
            when
                queue_calls.visit_count is null
                and conversations.direction = 'outbound'
                and not coalesce(parties.is_customer_reached, false)
                then 'void'
            when agents.contact_id is not null then 'answered'
            when parties.has_ivr then 'left_in_ivr'
            when conversations.direction = 'internal' then 'void'
            else 'abandoned'
        end as outcome,
        queue_calls.wait_seconds,
        coalesce(agents.talk_seconds, queue_calls.unanswered_seconds) as talk_seconds,
        coalesce(agents.hold_seconds, queue_calls.unanswered_seconds) as hold_seconds,
        coalesce(agents.after_call_seconds, queue_calls.unanswered_seconds) as after_call_seconds
    from conversations
    left join parties
        on conversations.source = parties.source and conversations.conversation_id = parties.contact_id
    left join agents
        on conversations.source = agents.source and conversations.conversation_id = agents.contact_id
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
