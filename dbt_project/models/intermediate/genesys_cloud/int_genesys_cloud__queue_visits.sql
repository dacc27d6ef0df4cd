{#-
  ACD sessions → queue visits, agents' sessions beside them: an agent's session belongs to the last visit of its
  queue that began by then. Whole seconds, rounded; a wait is what Genesys measured, else entry to answer.
-#}
with entries as (
    select
        *,
        row_number() over (
            partition by source, contact_id order by started_at, participant_number, session_number
        ) as visit_number,
        lead(started_at) over (
            partition by source, contact_id, queue_id order by started_at, participant_number, session_number
        ) as next_at,
        lead(queue_id) over (
            partition by source, contact_id order by started_at, participant_number, session_number
        ) as next_queue_id,
        lead(started_at) over (
            partition by source, contact_id order by started_at, participant_number, session_number
        ) as moved_on_at
    from {{ ref('int_genesys_cloud__sessions') }}
    where purpose = 'acd'
),

agents as (
    select
        *,
        answered_seconds is not null or answered_at is not null as is_answered
    from {{ ref('int_genesys_cloud__sessions') }}
    where purpose in ('agent', 'user') and agent_id is not null
),

answers as (
    select
        entries.source,
        entries.contact_id,
        entries.visit_number,
        agents.participant_number as agent_participant_number,
        agents.session_number as agent_session_number,
        agents.agent_id,
        agents.started_at as offered_at,
        agents.alert_seconds,
        agents.answered_at,
        agents.answered_seconds,
        agents.left_at as ended_at,
        agents.ended_at is null as is_going_on,
        agents.talk_seconds,
        agents.held_seconds,
        agents.after_call_seconds,
        agents.disconnect_type,
        agents.transfer_kind,
        agents.destination,
        row_number() over (
            partition by entries.source, entries.contact_id, entries.visit_number
            order by agents.answered_at, agents.participant_number, agents.session_number
        ) as answer_number
    from entries
    inner join agents
        on
            entries.source = agents.source
            and entries.contact_id = agents.contact_id
            and entries.queue_id = agents.queue_id
            and entries.started_at <= agents.started_at
            and coalesce(entries.next_at > agents.started_at, true)
    where agents.is_answered
),

callbacks as (
    select
        source,
        contact_id,
        max(started_at) as asked_at
    from {{ ref('int_genesys_cloud__sessions') }}
    where media_type = 'callback'
    group by source, contact_id
),

visits as (
    select
        entries.source,
        entries.contact_id,
        entries.visit_number,
        entries.queue_id,
        entries.started_at as entered_at,
        case
            when answers.agent_id is not null then 'answered'
            when entries.abandoned_seconds is not null then 'abandoned'
            when entries.left_at is null then 'in_progress'
            when
                callbacks.asked_at >= entries.started_at
                and coalesce(entries.moved_on_at > callbacks.asked_at, true)
                and entries.media_type <> 'callback'
                then 'called_back'
            when entries.flowed_out_seconds is not null or entries.disconnect_type like '%transfer%'
                then 'flowed_out'
            else 'abandoned'
        end as outcome,
        coalesce(
            answers.answered_seconds,
            extract(epoch from answers.answered_at - entries.started_at),
            entries.abandoned_seconds,
            entries.flowed_out_seconds,
            entries.acd_seconds,
            extract(epoch from entries.left_at - entries.started_at)
        ) as wait_seconds,
        entries.left_at,
        entries.disconnect_type as acd_disconnect_type,
        answers.agent_id,
        answers.agent_participant_number,
        answers.agent_session_number,
        answers.offered_at,
        answers.alert_seconds,
        answers.answered_at,
        answers.ended_at,
        answers.is_going_on,
        answers.talk_seconds,
        answers.held_seconds,
        answers.after_call_seconds,
        case
            when answers.transfer_kind is not null then null
            when answers.disconnect_type in ('client', 'endpoint') then 'agent'
            when answers.disconnect_type = 'peer' then 'customer'
        end as hung_up_by,
        answers.transfer_kind,
        case
            when answers.transfer_kind is not null then coalesce(answers.destination, entries.next_queue_id)
        end as transfer_target
    from entries
    left join answers
        on
            entries.source = answers.source
            and entries.contact_id = answers.contact_id
            and entries.visit_number = answers.visit_number
            and answers.answer_number = 1
    left join callbacks on entries.source = callbacks.source and entries.contact_id = callbacks.contact_id
)

select
    source,
    contact_id,
    queue_id,
    visit_number,
    count(*) over (partition by source, contact_id) as visit_count,
    count(*) filter (where outcome = 'answered') over contact as answered_number,
    count(*) filter (where outcome = 'answered') over (partition by source, contact_id) as answered_count,
    agent_participant_number,
    agent_session_number,
    {{ local_date('entered_at') }} as business_date,
    {{ half_hour('entered_at') }} as interval_start_at,
    entered_at,
    case outcome
        when 'answered'
            then coalesce(answered_at, entered_at + make_interval(secs => wait_seconds::double precision))
        else left_at
    end as left_at,
    case when outcome <> 'in_progress' then round(wait_seconds)::integer end as wait_seconds,
    outcome,
    case when outcome = 'flowed_out' and acd_disconnect_type = 'timeout' then 'timeout' end as outcome_reason,
    agent_id,
    offered_at,
    answered_at,
    ended_at,
    round(alert_seconds)::integer as ring_seconds,
    case
        when outcome = 'answered' and ended_at is not null then round(coalesce(talk_seconds, 0))::integer
        when outcome not in ('answered', 'in_progress') then 0
    end as talk_seconds,
    case
        when outcome = 'answered' and ended_at is not null then round(held_seconds)::integer
        when outcome not in ('answered', 'in_progress') then 0
    end as hold_seconds,
    case
        when outcome = 'answered' and not is_going_on then round(after_call_seconds)::integer
        when outcome not in ('answered', 'in_progress') then 0
    end as after_call_seconds,
    hung_up_by,
    transfer_kind,
    transfer_target
from visits
window contact as (
    partition by source, contact_id order by visit_number rows between unbounded preceding and current row
)
