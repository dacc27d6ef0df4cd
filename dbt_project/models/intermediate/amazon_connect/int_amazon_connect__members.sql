{#-
  Contact records of the run's dates and of every chain that reaches into them, each with what its followers in the
  chain say of it. A chain (one InitialContactId) is one contact; its records are queue visits, talks with agents, or
  both. A record's own end is no end of handling: a customer may stay with a third party after the agent left.
-#}
with near as (
    select *
    from {{ ref('stg_amazon_connect__contact_records') }}
    where
        {{ near_run('business_date') }}
        or (channel <> 'voice' and {{ near_run('business_date', 7) }})
),

{#- Chains of several records may have some on far dates. -#}
chains as (
    select distinct
        source,
        contact_chain_id
    from near
    where initial_contact_id is not null or next_contact_id is not null
),

far as (
    select first_record.*
    from chains
    inner join {{ ref('stg_amazon_connect__contact_records') }} as first_record
        on chains.source = first_record.source and chains.contact_chain_id = first_record.record_key
    union
    select later_record.*
    from chains
    inner join {{ ref('stg_amazon_connect__contact_records') }} as later_record
        on chains.source = later_record.source and chains.contact_chain_id = later_record.initial_contact_id
),

records as (
    select * from near
    union all
    select far.*
    from far
    left join near on far.source = near.source and far.record_key = near.record_key
    where near.record_key is null
),

{#-
  When the agent left the customer: talk and hold are over, whatever comes after. What a disconnect flow does behind a
  contact counts when it brings the customer to a queue or an agent; a survey does not.
-#}
timed as (
    select
        *,
        {{ amazon_connect_agent_left() }} as agent_left_at
    from records
    where
        coalesce(initiation_method, '') <> 'DISCONNECT'
        or enqueued_at is not null
        or answered_at is not null
),

{#-
  Whom an agent called in, here or by dialling out: left alone with the customer (blind), spoken to first (attended), only
  asked.
-#}
followers as (
    select
        record.source,
        record.record_key,
        follower.record_key as follower_key,
        follower.initiation_method,
        follower.queue_id,
        follower.agent_id,
        follower.initiated_at,
        case when follower.initiation_method in ('TRANSFER', 'EXTERNAL_OUTBOUND') then
            case
                when follower.disconnected_at < record.agent_left_at then 'consult'
                when coalesce(follower.answered_at, follower.connected_at) < record.agent_left_at
                    then 'attended'
                else 'blind'
            end
        end as transfer_kind
    from timed as record
    inner join timed as follower
        on
            record.source = follower.source
            and record.contact_chain_id = follower.contact_chain_id
            and record.record_key <> follower.record_key
    where
        follower.previous_contact_id = record.record_key
        or (follower.previous_contact_id is null and follower.record_key = record.next_contact_id)
),

followed as (
    select
        source,
        record_key,
        bool_or(initiation_method = 'CALLBACK') as is_called_back,
        bool_or(initiation_method = 'QUEUE_TRANSFER') as is_moved_on,
        (array_agg(transfer_kind order by initiated_at) filter (
            where transfer_kind <> 'consult'
        ))[1] as transfer_kind,
        (array_agg(coalesce(queue_id, agent_id, 'external') order by initiated_at) filter (
            where transfer_kind <> 'consult'
        ))[1] as transfer_target
    from followers
    group by source, record_key
),

consulted as (
    select distinct
        source,
        follower_key
    from followers
    where transfer_kind = 'consult'
),

beginnings as (
    select distinct on (source, contact_chain_id)
        source,
        contact_chain_id,
        case
            when {{ amazon_connect_is_outbound('initiation_method') }} then 'outbound'
            when initiation_method = 'API' and channel = 'voice' then 'outbound'
            when initiation_method = 'TRANSFER' and initial_contact_id is null then 'internal'
            else 'inbound'
        end as direction
    from timed
    order by
        source asc, contact_chain_id asc, record_key = contact_chain_id desc, initiated_at asc, record_key asc
),

described as (
    select
        timed.*,
        beginnings.direction,
        coalesce(followed.is_called_back, false) as is_called_back,
        coalesce(followed.is_moved_on, false) as is_moved_on,
        timed.next_contact_id is not null and flows.record_key is null as is_passed_on,
        coalesce(
            followed.transfer_kind,
            case when timed.answered_at is not null and timed.transferred_at is not null then 'blind' end
        ) as transfer_kind,
        case
            when followed.transfer_kind is not null then followed.transfer_target
            when timed.answered_at is not null and timed.transferred_at is not null then 'external'
        end as transfer_target,
        case
            when consulted.follower_key is not null then 'consult'
            when timed.initiation_method in ('MONITOR', 'SILENT_MONITOR', 'BARGE') then 'monitor'
            when timed.initiation_method = 'CALLBACK' then 'outbound'
            when {{ amazon_connect_is_outbound('timed.initiation_method') }} then 'outbound'
            when beginnings.direction = 'internal' then 'internal'
            else 'primary'
        end as leg_kind
    from timed
    inner join beginnings
        on timed.source = beginnings.source and timed.contact_chain_id = beginnings.contact_chain_id
    left join followed on timed.source = followed.source and timed.record_key = followed.record_key
    left join records as flows
        on
            timed.source = flows.source
            and timed.next_contact_id = flows.record_key
            and flows.initiation_method = 'DISCONNECT'
    left join consulted on timed.source = consulted.source and timed.record_key = consulted.follower_key
),

{#- Entering a queue is a visit; so is asking for a callback without having waited, at that moment. -#}
visiting as (
    select
        described.*,
        case
            when leg_kind = 'primary' then enqueued_at
            when
                initiation_method = 'CALLBACK'
                and not bool_or(leg_kind = 'primary' and enqueued_at is not null and is_called_back) over (
                    partition by source, contact_chain_id
                )
                then coalesce(enqueued_at, initiated_at)
        end as entered_at
    from described
),

numbered as (
    select
        *,
        case when leg_kind in ('primary', 'outbound') then
            nullif(count(entered_at) over (
                partition by source, contact_chain_id
                order by coalesce(entered_at, answered_at, initiated_at), initiated_at, record_key
            ), 0)
        end as latest_visit,
        case
            when entered_at is null then null
            when initiation_method = 'CALLBACK' or (answered_at is null and is_called_back) then 'called_back'
            when answered_at is not null then 'answered'
            when is_moved_on then 'flowed_out'
            when exit_reason = 'callback' then 'called_back'
            when coalesce(dequeued_at, disconnected_at) is null then 'in_progress'
            when
                (exit_reason is not null and coalesce(disconnect_reason, '') <> 'CUSTOMER_DISCONNECT')
                or disconnect_reason in ('CONTACT_FLOW_DISCONNECT', 'EXPIRED')
                or transferred_at is not null
                or is_passed_on
                then 'flowed_out'
            else 'abandoned'
        end as visit_outcome
    from visiting
)

{#- A record without a queue of its own belongs to the visit before it, if that one reached an agent. -#}
select
    numbered.*,
    case
        when
            entered_at is not null
            or bool_or(visit_outcome = 'answered') over (partition by source, contact_chain_id, latest_visit)
            then latest_visit
    end as visit_number
from numbered
