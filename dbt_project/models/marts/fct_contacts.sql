with contacts as (
    select *
    from {{ ref('int_contacts') }}
    where {{ in_run('business_date') }}
),

{#- Legs lie on the day of their offer; a contact counts all of its own, whatever day they fell on. -#}
legs as (
    select
        source,
        contact_id,
        count(*)::integer as leg_count
    from {{ ref('int_agent_legs') }}
    group by source, contact_id
)

select
    contacts.source || ':' || contacts.contact_id as contact_key,
    contacts.source,
    contacts.contact_id,
    contacts.business_date,
    contacts.channel,
    contacts.direction,
    contacts.customer_id,
    contacts.started_at,
    contacts.ended_at,
    contacts.ivr_seconds,
    contacts.source || ':' || contacts.first_queue_id as first_queue_key,
    contacts.source || ':' || contacts.last_queue_id as last_queue_key,
    contacts.first_agent_id as first_agent_key,
    contacts.last_agent_id as last_agent_key,
    contacts.visit_count,
    coalesce(legs.leg_count, 0) as leg_count,
    contacts.outcome,
    contacts.outcome = 'in_progress' as is_in_progress,
    contacts.wait_seconds,
    contacts.talk_seconds,
    contacts.hold_seconds,
    contacts.after_call_seconds,
    contacts.topic,
    contacts.is_resolved,
    (contacts.outcome <> 'void')::integer as contact_count,
    (contacts.outcome = 'left_in_ivr')::integer as left_in_ivr_count
from contacts
left join legs
    on contacts.source = legs.source and contacts.contact_id = legs.contact_id
