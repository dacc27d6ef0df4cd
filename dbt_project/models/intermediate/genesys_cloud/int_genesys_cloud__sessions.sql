{#-
  Sessions with what their metrics and segments sum up to. A metric may come several times (a hold each); where an
  export leaves metrics out, segments tell the same. Metrics are in milliseconds.
-#}
with metrics as (
    select
        conversations.source,
        conversations.conversation_id as contact_id,
        participants.participant_number,
        sessions.session_number,
        metrics.metric ->> 'name' as name,
        ops.try_number(metrics.metric ->> 'value') / 1000 as seconds,
        {{ utc_instant("metrics.metric ->> 'emitDate'") }} as emitted_at
    from {{ ref('stg_genesys_cloud__conversations') }} as conversations
    cross join lateral jsonb_path_query(conversations.conversation, '$.participants[*]')
        with ordinality as participants (participant, participant_number)
    cross join lateral jsonb_path_query(participants.participant, '$.sessions[*]')
        with ordinality as sessions (session, session_number)
    cross join lateral jsonb_path_query(sessions.session, '$.metrics[*]') as metrics (metric)
    where {{ near_run('conversations.business_date', 31, 1) }} and conversations.dates && {{ run_dates() }}
),

measured as (
    select
        source,
        contact_id,
        participant_number,
        session_number,
        min(emitted_at) filter (where name = 'nOffered') as offered_at,
        min(seconds) filter (where name = 'tAnswered') as answered_seconds,
        min(emitted_at) filter (where name = 'tAnswered') as answered_at,
        min(seconds) filter (where name in ('tAbandon', 'tShortAbandon')) as abandoned_seconds,
        min(seconds) filter (where name = 'tFlowOut') as flowed_out_seconds,
        min(seconds) filter (where name = 'tAcd') as acd_seconds,
        sum(seconds) filter (where name = 'tAlert') as alert_seconds,
        sum(seconds) filter (where name = 'tNotResponding') as not_responding_seconds,
        sum(seconds) filter (where name = 'tTalk') as talk_seconds,
        sum(seconds) filter (where name = 'tHeld') as held_seconds,
        sum(seconds) filter (where name = 'tAcw') as after_call_seconds,
        sum(seconds) filter (where name = 'tIvr') as ivr_seconds,
        bool_or(name = 'nConsultTransferred') as is_consult_transfer,
        bool_or(name in ('nBlindTransferred', 'nTransferred')) as is_transfer
    from metrics
    group by source, contact_id, participant_number, session_number
),

lasting as (
    select
        *,
        extract(epoch from ended_at - started_at) as seconds
    from {{ ref('int_genesys_cloud__segments') }}
),

summed as (
    select
        source,
        contact_id,
        direction,
        participant_number,
        session_number,
        purpose,
        agent_id,
        media_type,
        flow_out_type,
        destination,
        min(queue_id) as queue_id,
        bool_or(segment_type in ('monitoring', 'coaching', 'barging')) as is_monitor,
        coalesce(bool_or(is_conference), false) as is_conference,
        min(started_at) as started_at,
        case when bool_and(ended_at is not null) then max(ended_at) end as ended_at,
        case
            when bool_and(ended_at is not null) filter (where segment_type <> 'wrapup')
                then max(ended_at) filter (where segment_type <> 'wrapup')
        end as left_at,
        min(started_at) filter (where segment_type = 'alert') as alert_at,
        max(ended_at) filter (where segment_type = 'alert') as alert_ended_at,
        min(started_at) filter (where segment_type = 'interact') as interact_at,
        extract(
            epoch from max(ended_at) filter (where segment_type = 'alert')
            - min(started_at) filter (where segment_type = 'alert')
        ) as alert_seconds,
        sum(seconds) filter (where segment_type = 'interact') as talk_seconds,
        sum(seconds) filter (where segment_type = 'hold') as held_seconds,
        sum(seconds) filter (where segment_type = 'wrapup') as after_call_seconds,
        (array_agg(disconnect_type order by segment_number desc) filter (
            where segment_type <> 'wrapup' and disconnect_type is not null
        ))[1] as disconnect_type
    from lasting
    group by
        source, contact_id, direction, participant_number, session_number, purpose, agent_id, media_type,
        flow_out_type, destination
)

select
    summed.source,
    summed.contact_id,
    summed.direction,
    summed.participant_number,
    summed.session_number,
    summed.purpose,
    summed.agent_id,
    summed.media_type,
    summed.is_monitor,
    summed.is_conference,
    coalesce(summed.queue_id, '-') as queue_id,
    coalesce(measured.offered_at, summed.started_at) as started_at,
    summed.ended_at,
    summed.left_at,
    summed.alert_at,
    summed.alert_ended_at,
    coalesce(measured.answered_at, summed.interact_at) as answered_at,
    measured.offered_at is not null as is_offered,
    measured.answered_seconds,
    measured.abandoned_seconds,
    measured.flowed_out_seconds,
    measured.acd_seconds,
    coalesce(measured.alert_seconds, summed.alert_seconds) as alert_seconds,
    measured.not_responding_seconds,
    coalesce(measured.talk_seconds, summed.talk_seconds) as talk_seconds,
    coalesce(measured.held_seconds, summed.held_seconds, 0) as held_seconds,
    coalesce(measured.after_call_seconds, summed.after_call_seconds, 0) as after_call_seconds,
    measured.ivr_seconds,
    summed.disconnect_type,
    summed.flow_out_type,
    {#- A short number is an extension; anything else, a telephone number or a mail, goes no further. #}
    substring(summed.destination from '^(?:tel:|sip:)?([0-9]{1,6})$') as extension,
    case
        when
            measured.is_consult_transfer
            or summed.disconnect_type in ('consultTransfer', 'conferenceTransfer')
            then 'attended'
        when measured.is_transfer or summed.disconnect_type ilike '%transfer' then 'blind'
    end as transfer_kind
from summed
left join measured
    on
        summed.source = measured.source
        and summed.contact_id = measured.contact_id
        and summed.participant_number = measured.participant_number
        and summed.session_number = measured.session_number
