{{ config(materialized='ephemeral') }}
{#- A visit's talk is that of its own agent and of agents it was handed to without another queue between. -#}
with handled as (
    select
        source,
        contact_chain_id,
        visit_number,
        min(answered_at) as answered_at,
        sum(coalesce(talk_seconds, 0)) as talk_seconds,
        sum(coalesce(hold_seconds, 0)) as hold_seconds,
        sum(coalesce(after_call_seconds, 0)) as after_call_seconds,
        bool_or(agent_left_at is null) as is_open
    from {{ ref('int_amazon_connect__members') }}
    where leg_kind = 'primary' and answered_at is not null and visit_number is not null
    group by source, contact_chain_id, visit_number
),

visits as (
    select
        member.*,
        case
            when member.initiation_method = 'CALLBACK' then 0
            when member.visit_outcome <> 'in_progress' then coalesce(
                member.queue_seconds,
                {{ seconds_between(
                    'member.entered_at',
                    'coalesce(member.dequeued_at, member.answered_at, member.disconnected_at)',
                ) }}
            )
        end as wait_seconds
    from {{ ref('int_amazon_connect__members') }} as member
    where member.entered_at is not null
)

select
    visits.source,
    visits.contact_chain_id as contact_id,
    visits.visit_number::integer as visit_number,
    {{ local_date('visits.entered_at') }} as business_date,
    {{ half_hour('visits.entered_at') }} as interval_start_at,
    coalesce(visits.queue_id, '-') as queue_id,
    case when visits.visit_outcome = 'answered' then visits.agent_id end as agent_id,
    visits.entered_at,
    visits.entered_at + make_interval(secs => visits.wait_seconds) as left_at,
    visits.wait_seconds,
    visits.visit_outcome as outcome,
    case when visits.visit_outcome = 'flowed_out' then coalesce(
        visits.exit_reason,
        case
            when visits.is_moved_on or visits.is_passed_on then 'queue_transfer'
            when visits.transferred_at is not null then 'external'
            when visits.disconnect_reason = 'EXPIRED' then 'expired'
            else 'flow'
        end
    ) end as outcome_reason,
    case
        when visits.visit_outcome = 'in_progress' then null
        when visits.visit_outcome <> 'answered' then 0
        when not handled.is_open then handled.talk_seconds
    end::integer as talk_seconds,
    case
        when visits.visit_outcome = 'in_progress' then null
        when visits.visit_outcome <> 'answered' then 0
        when not handled.is_open then handled.hold_seconds
    end::integer as hold_seconds,
    case
        when visits.visit_outcome = 'in_progress' then null
        when visits.visit_outcome <> 'answered' then 0
        when not handled.is_open then handled.after_call_seconds
    end::integer as after_call_seconds
from visits
left join handled
    on
        visits.source = handled.source
        and visits.contact_chain_id = handled.contact_chain_id
        and visits.visit_number = handled.visit_number
