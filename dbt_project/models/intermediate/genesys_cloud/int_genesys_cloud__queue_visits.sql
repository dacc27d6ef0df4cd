{#-
  ACD sessions → queue visits, with the first agent's session that answered; the talk is that of all who spoke with the
  customer until the next queue. Whole seconds, rounded; a wait is what Genesys measured, else entry to answer. A
  callback that the customer asked for while waiting is no second visit; one without that is asked for without a wait.
-#}
with answers as (
    select
        *,
        (sum(talk_seconds) over visit)::integer as visit_talk_seconds,
        (sum(hold_seconds) over visit)::integer as visit_hold_seconds,
        (sum(after_call_seconds) over visit)::integer as visit_after_call_seconds,
        bool_or(talk_seconds is null) over visit as is_talk_open,
        bool_or(after_call_seconds is null) over visit as is_after_call_open
    from {{ ref('int_genesys_cloud__answers') }}
    where leg_kind = 'primary' and acd_session_number is not null
    window visit as (partition by source, contact_id, acd_participant_number, acd_session_number)
),

callbacks as (
    select
        source,
        contact_id,
        min(started_at) as asked_at
    from {{ ref('int_genesys_cloud__sessions') }}
    where media_type = 'callback'
    group by source, contact_id
),

entries as (
    select
        *,
        coalesce(media_type, '') = 'callback' as is_callback,
        min(started_at) filter (where coalesce(media_type, '') <> 'callback') over (
            partition by source, contact_id order by started_at, participant_number, session_number
            rows between 1 following and unbounded following
        ) as moved_on_at
    from {{ ref('int_genesys_cloud__sessions') }}
    where purpose = 'acd'
),

decided as (
    select
        entries.source,
        entries.contact_id,
        entries.participant_number,
        entries.session_number,
        entries.is_callback,
        entries.queue_id,
        entries.started_at as entered_at,
        case
            when entries.is_callback then 'called_back'
            when answers.agent_id is not null then 'answered'
            when entries.abandoned_seconds is not null then 'abandoned'
            when entries.left_at is null then 'in_progress'
            when
                callbacks.asked_at >= entries.started_at
                and coalesce(entries.moved_on_at >= callbacks.asked_at, true)
                then 'called_back'
            when entries.flowed_out_seconds is not null or entries.disconnect_type ilike '%transfer'
                then 'flowed_out'
            else 'abandoned'
        end as outcome,
        case when entries.is_callback then 0 else
            coalesce(
                answers.answered_seconds,
                extract(epoch from answers.answered_at - entries.started_at),
                entries.abandoned_seconds,
                entries.flowed_out_seconds,
                entries.acd_seconds,
                extract(epoch from entries.left_at - entries.started_at)
            )
        end as wait_seconds,
        case when entries.is_callback then entries.started_at else entries.left_at end as left_at,
        coalesce(
            lower(entries.flow_out_type), case entries.disconnect_type when 'timeout' then 'timeout' end
        ) as flow_out_reason,
        answers.agent_id,
        answers.answered_at,
        case when not answers.is_talk_open then answers.visit_talk_seconds end as talk_seconds,
        case when not answers.is_talk_open then answers.visit_hold_seconds end as hold_seconds,
        case when not answers.is_after_call_open then answers.visit_after_call_seconds end
            as after_call_seconds
    from entries
    left join answers
        on
            entries.source = answers.source
            and entries.contact_id = answers.contact_id
            and entries.participant_number = answers.acd_participant_number
            and entries.session_number = answers.acd_session_number
            and answers.answer_number = 1
    left join callbacks on entries.source = callbacks.source and entries.contact_id = callbacks.contact_id
),

asked as (
    select
        *,
        outcome = 'called_back' and count(*) filter (where outcome = 'called_back') over (
            partition by source, contact_id order by entered_at, participant_number, session_number
        ) > 1 as is_repeated
    from decided
)

select
    source,
    contact_id,
    participant_number,
    session_number,
    queue_id,
    row_number() over contact as visit_number,
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
    case when outcome = 'flowed_out' then flow_out_reason end as outcome_reason,
    agent_id,
    case when outcome = 'answered' then talk_seconds when outcome <> 'in_progress' then 0 end as talk_seconds,
    case when outcome = 'answered' then hold_seconds when outcome <> 'in_progress' then 0 end as hold_seconds,
    case
        when outcome = 'answered' then after_call_seconds when outcome <> 'in_progress' then 0
    end as after_call_seconds
from asked
where not (is_callback and is_repeated)
window contact as (partition by source, contact_id order by entered_at, participant_number, session_number)
