{{ config(materialized='ephemeral') }}
{#- A contact is its chain, summed up; legs of agents who were only asked, or only listened, left out. -#}
with customers_by_number as (
    {{ customers_by_number() }}
),

visits as (
    select
        source,
        contact_id,
        min(entered_at) as first_entered_at,
        count(*) as visit_count,
        (array_agg(queue_id order by visit_number))[1] as first_queue_id,
        (array_agg(queue_id order by visit_number desc))[1] as last_queue_id,
        (array_agg(outcome order by visit_number desc))[1] as last_outcome,
        sum(wait_seconds) as wait_seconds,
        bool_or(outcome = 'in_progress') as is_waiting
    from {{ ref('int_amazon_connect__queue_visits') }}
    group by source, contact_id
),

chains as (
    select
        source,
        contact_chain_id,
        (array_agg(channel order by initiated_at, record_key))[1] as channel,
        min(direction) as direction,
        (array_agg(customer_number order by initiated_at, record_key) filter (
            where customer_number is not null
        ))[1] as customer_number,
        min(initiated_at) as started_at,
        max(disconnected_at) as ended_at,
        {#- A callback still to be made keeps nobody on the line. #}
        bool_or(
            disconnected_at is null and (initiation_method <> 'CALLBACK' or answered_at is not null)
        ) as is_open,
        (array_agg(agent_id order by answered_at, record_key) filter (
            where answered_at is not null and leg_kind not in ('consult', 'monitor')
        ))[1] as first_agent_id,
        (array_agg(agent_id order by answered_at desc, record_key desc) filter (
            where answered_at is not null and leg_kind not in ('consult', 'monitor')
        ))[1] as last_agent_id,
        bool_or(answered_at is not null and leg_kind not in ('consult', 'monitor')) as is_answered,
        sum(coalesce(talk_seconds, 0)) filter (where leg_kind not in ('consult', 'monitor')) as talk_seconds,
        sum(coalesce(hold_seconds, 0)) filter (where leg_kind not in ('consult', 'monitor')) as hold_seconds,
        sum(coalesce(after_call_seconds, 0)) filter (
            where leg_kind not in ('consult', 'monitor')
        ) as after_call_seconds,
        max(coalesce(dequeued_at, disconnected_at)) as last_at
    from {{ ref('int_amazon_connect__members') }}
    group by source, contact_chain_id
)

select
    chains.source,
    chains.contact_chain_id as contact_id,
    {{ local_date('coalesce(visits.first_entered_at, chains.started_at)') }} as business_date,
    coalesce(chains.channel, 'voice') as channel,
    chains.direction,
    customers_by_number.customer_id,
    chains.started_at,
    case when not chains.is_open then chains.ended_at end as ended_at,
    case when chains.direction = 'inbound' then
        greatest(
            0, {{ seconds_between('chains.started_at', 'coalesce(visits.first_entered_at, chains.last_at)') }}
        )
    end as ivr_seconds,
    visits.first_queue_id,
    visits.last_queue_id,
    chains.first_agent_id,
    chains.last_agent_id,
    coalesce(visits.visit_count, 0)::integer as visit_count,
    case
        when chains.is_open or visits.is_waiting then 'in_progress'
        when chains.is_answered then 'answered'
        when visits.last_outcome is not null then visits.last_outcome
        when chains.direction = 'inbound' then 'left_in_ivr'
        else 'void'
    end as outcome,
    visits.wait_seconds::integer as wait_seconds,
    case when not chains.is_open then chains.talk_seconds end::integer as talk_seconds,
    case when not chains.is_open then chains.hold_seconds end::integer as hold_seconds,
    case when not chains.is_open then chains.after_call_seconds end::integer as after_call_seconds,
    null::text as topic,
    null::boolean as is_resolved
from chains
left join visits on chains.source = visits.source and chains.contact_chain_id = visits.contact_id
left join customers_by_number on chains.customer_number = customers_by_number.phone_number
