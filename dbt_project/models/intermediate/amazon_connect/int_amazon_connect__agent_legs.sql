{{ config(materialized='ephemeral') }}
{#-
  Answered legs come from the contact records, rings and missed offers from the agent events. Offers that only the
  record's AgentConnectionAttempts counts, because no event tells of them, are missed ones by nobody known.
-#}
with answered as (
    select
        member.source,
        member.contact_chain_id as contact_id,
        case when member.leg_kind = 'primary' then member.visit_number end::integer as visit_number,
        member.queue_id,
        member.agent_id,
        member.answered_at - make_interval(secs => coalesce(offer.ring_seconds, 0)) as offered_at,
        offer.ring_seconds,
        'answered'::text as outcome,
        member.answered_at,
        member.agent_left_at as ended_at,
        case when member.agent_left_at is not null then coalesce(member.talk_seconds, 0) end as talk_seconds,
        case when member.agent_left_at is not null then coalesce(member.hold_seconds, 0) end as hold_seconds,
        case
            when member.agent_left_at is not null then coalesce(member.after_call_seconds, 0)
        end as after_call_seconds,
        case when member.transfer_kind is null then
            case member.disconnect_reason
                when 'AGENT_DISCONNECT' then 'agent'
                when 'CUSTOMER_DISCONNECT' then 'customer'
            end
        end as hung_up_by,
        member.transfer_kind,
        member.transfer_target,
        member.leg_kind
    from {{ ref('int_amazon_connect__members') }} as member
    left join {{ ref('int_amazon_connect__offers') }} as offer
        on
            member.source = offer.source
            and member.record_key = offer.contact_id
            and member.agent_id = offer.agent_id
            and offer.result = 'CONNECTED'
    where member.answered_at is not null
),

{#- A caller who hangs up while it rings has not been missed by anyone. -#}
missed as (
    select
        member.source,
        member.contact_chain_id as contact_id,
        case when member.leg_kind = 'primary' then member.visit_number end::integer as visit_number,
        member.queue_id,
        offer.agent_id,
        offer.offered_at,
        offer.ring_seconds,
        'missed'::text as outcome,
        null::timestamptz as answered_at,
        offer.ended_at,
        0 as talk_seconds,
        0 as hold_seconds,
        0 as after_call_seconds,
        null::text as hung_up_by,
        null::text as transfer_kind,
        null::text as transfer_target,
        member.leg_kind
    from {{ ref('int_amazon_connect__offers') }} as offer
    inner join {{ ref('int_amazon_connect__members') }} as member
        on offer.source = member.source and offer.contact_id = member.record_key
    where
        offer.result in ('MISSED', 'REJECTED', 'ERROR')
        and offer.ring_seconds > 0
        and not coalesce(
            member.disconnect_reason = 'CUSTOMER_DISCONNECT'
            and date_trunc('second', offer.ended_at) >= member.disconnected_at,
            false
        )
),

seen as (
    select
        source,
        contact_id,
        count(*) as seen_count
    from {{ ref('int_amazon_connect__offers') }}
    group by source, contact_id
),

unseen as (
    select
        member.source,
        member.contact_chain_id as contact_id,
        case when member.leg_kind = 'primary' then member.visit_number end::integer as visit_number,
        member.queue_id,
        null::text as agent_id,
        coalesce(member.enqueued_at, member.initiated_at) as offered_at,
        null::integer as ring_seconds,
        'missed'::text as outcome,
        null::timestamptz as answered_at,
        null::timestamptz as ended_at,
        0 as talk_seconds,
        0 as hold_seconds,
        0 as after_call_seconds,
        null::text as hung_up_by,
        null::text as transfer_kind,
        null::text as transfer_target,
        member.leg_kind
    from {{ ref('int_amazon_connect__members') }} as member
    left join seen on member.source = seen.source and member.record_key = seen.contact_id
    cross join lateral generate_series(
        1,
        least(member.attempt_count, 1000)
        - greatest(coalesce(seen.seen_count, 0), (member.answered_at is not null)::integer)
    )
)

select * from answered
union all
select * from missed
union all
select * from unseen
