{#-
  Sessions in which an agent spoke, each with the queue's session it belongs to: the last one of its queue that began by
  then, else, for whoever was handed a customer without a queue between, the last that reached an agent. Who came later
  and left earlier only advised. An agent's second session while the first goes on (to ask a colleague, to dial a
  callback) is no leg of its own.
-#}
with agents as (
    select
        *,
        max(coalesce(left_at, 'infinity')) over (
            partition by source, contact_id, agent_id
            order by started_at, participant_number, session_number
            rows between unbounded preceding and 1 preceding
        ) as busy_until
    from {{ ref('int_genesys_cloud__sessions') }}
    where
        purpose in ('agent', 'user')
        and agent_id is not null
        and (answered_seconds is not null or answered_at is not null)
),

entries as (
    select
        source,
        contact_id,
        participant_number,
        session_number,
        media_type,
        queue_id,
        started_at,
        lead(queue_id) over (
            partition by source, contact_id order by started_at, participant_number, session_number
        ) as next_queue_id
    from {{ ref('int_genesys_cloud__sessions') }}
    where purpose = 'acd'
),

placed as (
    select
        agents.*,
        entries.participant_number as acd_participant_number,
        entries.session_number as acd_session_number,
        entries.media_type as acd_media_type,
        entries.next_queue_id,
        entries.queue_id = agents.queue_id as is_own_queue,
        row_number() over (
            partition by agents.source, agents.contact_id, agents.participant_number, agents.session_number
            order by
                entries.queue_id = agents.queue_id desc nulls last,
                entries.started_at desc,
                entries.participant_number desc,
                entries.session_number desc
        ) as entry_rank
    from agents
    left join entries
        on
            agents.source = entries.source
            and agents.contact_id = entries.contact_id
            and agents.started_at >= entries.started_at
    where coalesce(agents.busy_until <= agents.started_at, true)
),

nearest as (
    select
        *,
        bool_or(is_own_queue) over (
            partition by source, contact_id, acd_participant_number, acd_session_number
        ) as is_answer
    from placed
    where entry_rank = 1
),

compared as (
    select
        *,
        coalesce(left_at, 'infinity') < max(coalesce(left_at, 'infinity')) over (
            partition by source, contact_id, acd_participant_number, acd_session_number
            order by coalesce(answered_at, started_at), participant_number, session_number
            rows between unbounded preceding and 1 preceding
        ) as has_left_first
    from nearest
),

named as (
    select
        *,
        case
            when is_monitor then 'monitor'
            when direction = 'internal' then 'internal'
            when has_left_first then case when is_conference then 'conference' else 'consult' end
            when direction = 'outbound' and not coalesce(is_answer, false) then 'outbound'
            when acd_media_type = 'callback' then 'outbound'
            else 'primary'
        end as leg_kind
    from compared
)

select
    source,
    contact_id,
    participant_number,
    session_number,
    case when is_answer then acd_participant_number end as acd_participant_number,
    case when is_answer then acd_session_number end as acd_session_number,
    leg_kind,
    row_number() over in_order as answer_number,
    agent_id,
    queue_id,
    started_at as offered_at,
    round(alert_seconds)::integer as ring_seconds,
    answered_at,
    answered_seconds,
    left_at as ended_at,
    case when left_at is not null then round(coalesce(talk_seconds, 0))::integer end as talk_seconds,
    case when left_at is not null then round(held_seconds)::integer end as hold_seconds,
    case when ended_at is not null then round(after_call_seconds)::integer end as after_call_seconds,
    case
        when transfer_kind is not null then null
        when disconnect_type in ('client', 'endpoint') then 'agent'
        when disconnect_type = 'peer' then 'customer'
    end as hung_up_by,
    transfer_kind,
    case when transfer_kind is not null then
        coalesce(extension, lead(agent_id) over in_order, next_queue_id, 'external')
    end as transfer_target
from named
window in_order as (
    partition by source, contact_id, acd_participant_number, acd_session_number, leg_kind
    order by coalesce(answered_at, started_at), participant_number, session_number
)
