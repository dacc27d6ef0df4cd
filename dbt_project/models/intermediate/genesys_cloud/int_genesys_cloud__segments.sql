{#- The segments of all sessions, flat: what a session did from when to when. -#}
with conversations as (
    select *
    from {{ ref('stg_genesys_cloud__conversations') }}
    where {{ near_run('business_date', 31, 1) }} and dates && {{ run_dates() }}
),

sessions as (
    select
        conversations.source,
        conversations.conversation_id as contact_id,
        conversations.direction,
        participants.participant_number,
        sessions.session_number,
        participants.participant ->> 'purpose' as purpose,
        participants.participant ->> 'userId' as agent_id,
        sessions.session
    from conversations
    cross join lateral jsonb_path_query(conversations.conversation, '$.participants[*]')
        with ordinality as participants (participant, participant_number)
    cross join lateral jsonb_path_query(participants.participant, '$.sessions[*]')
        with ordinality as sessions (session, session_number)
),

segments as (
    select
        sessions.source,
        sessions.contact_id,
        sessions.direction,
        sessions.participant_number,
        sessions.session_number,
        sessions.purpose,
        sessions.agent_id,
        sessions.session ->> 'mediaType' as media_type,
        sessions.session ->> 'flowOutType' as flow_out_type,
        sessions.session -> 'destinationAddresses' ->> 0 as destination,
        segments.segment_number,
        segments.segment ->> 'segmentType' as segment_type,
        segments.segment ->> 'queueId' as queue_id,
        segments.segment ->> 'disconnectType' as disconnect_type,
        segments.segment ->> 'conference' = 'true' as is_conference,
        {{ utc_instant("segments.segment ->> 'segmentStart'") }} as started_at,
        {{ utc_instant("segments.segment ->> 'segmentEnd'") }} as ended_at
    from sessions
    cross join lateral jsonb_path_query(sessions.session, '$.segments[*]')
        with ordinality as segments (segment, segment_number)
)

select
    *,
    {{ local_midnight(local_date('started_at') ~ ' + 1') }} as midnight_at
from segments
where started_at is not null
