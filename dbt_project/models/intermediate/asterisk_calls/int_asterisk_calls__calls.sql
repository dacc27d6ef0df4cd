{#-
  Call detail records and channel events → one row per call, by linkedid. Where both tell of a call, the records give
  its parties and the events its end: a call is over at LINKEDID_END. Outcomes of calls in queues are the queue_log's:
  the queue answers the caller's channel, so the records say ANSWERED of abandoned calls too.
-#}
with call_sources as (
    select * from {{ asterisk_call_sources() }}
),

records as (
    select
        call_sources.contact_source,
        call_sources.trunks,
        legs.*,
        legs.channel like any(call_sources.trunks) as is_from_trunk,
        legs.target_channel like any(call_sources.trunks) as is_to_trunk,
        {#- 8 is how cdr_odbc writes it. #}
        legs.disposition in ('ANSWERED', '8') and legs.target_channel is not null as is_talk,
        row_number() over (
            partition by call_sources.contact_source, legs.linked_id
            order by legs.started_at, ops.try_integer(legs.sequence), legs.record_key
        ) as leg_number
    from {{ ref('stg_asterisk_cdr__records') }} as legs
    inner join call_sources on legs.source = call_sources.source
    where {{ near_run('legs.business_date') }}
),

recorded as (
    select
        contact_source,
        linked_id,
        min(started_at) as started_at,
        max(ended_at) as ended_at,
        min(caller_number) filter (where leg_number = 1) as caller_number,
        min(called_number) filter (where leg_number = 1) as called_number,
        bool_or(cardinality(trunks) > 0) as has_trunks,
        bool_or(is_from_trunk) filter (where leg_number = 1) as is_from_trunk,
        bool_or(is_to_trunk) as is_to_trunk,
        bool_or(is_talk) as is_answered,
        min(answered_at) filter (where is_talk) as answered_at,
        {#- One talk's seconds are Asterisk's own, which it counts before it rounds the times. #}
        case when count(*) filter (where is_talk) = 1
            then min(billed_seconds) filter (where is_talk)
        end as billed_seconds,
        min(agent_id) filter (where leg_number = 1) as calling_agent_id,
        {#- A Local channel is a way to a telephone: the telephone's own leg says whose it is. #}
        (
            array_agg(target_agent_id order by target_channel like 'Local/%', leg_number) filter (
                where is_talk
            )
        )[1] as called_agent_id
    from records
    group by contact_source, linked_id
),

events as (
    select
        call_sources.contact_source,
        call_sources.trunks,
        channel_events.*,
        channel_events.channel like any(call_sources.trunks) as is_trunk,
        channel_events.event = 'ANSWER'
        and channel_events.application in ('AppDial', 'AppQueue') as is_called_answer,
        channel_events.event = 'BRIDGE_START'
        or (channel_events.event = 'BRIDGE_ENTER' and channel_events.peer is not null) as is_bridge,
        row_number() over (
            partition by call_sources.contact_source, channel_events.linked_id
            order by
                channel_events.event <> 'CHAN_START',
                channel_events.unique_id <> channel_events.linked_id,
                channel_events.event_at,
                channel_events.record_key
        ) as place
    from {{ ref('stg_asterisk_cel__events') }} as channel_events
    inner join call_sources on channel_events.source = call_sources.source
    where {{ near_run('channel_events.business_date') }}
),

watched as (
    select
        contact_source,
        linked_id,
        min(event_at) as started_at,
        max(event_at) filter (where event = 'LINKEDID_END') as ended_at,
        min(caller_number) filter (where place = 1) as caller_number,
        min(coalesce(extension, called_number)) filter (where place = 1) as called_number,
        bool_or(cardinality(trunks) > 0) as has_trunks,
        bool_or(is_trunk) filter (where place = 1) as is_from_trunk,
        bool_or(is_trunk) filter (where place > 1 and event = 'CHAN_START') as is_to_trunk,
        bool_or(is_called_answer or is_bridge) as is_answered,
        min(event_at) filter (where is_called_answer or is_bridge) as answered_at,
        min(agent_id) filter (where place = 1) as calling_agent_id,
        (
            array_agg(agent_id order by event_at, record_key) filter (where is_called_answer)
        )[1] as called_agent_id
    from events
    group by contact_source, linked_id
),

calls as (
    select
        contact_source as source,
        linked_id as call_id,
        date_trunc('second', coalesce(recorded.started_at, watched.started_at)) as started_at,
        date_trunc('second', coalesce(watched.ended_at, recorded.ended_at)) as ended_at,
        coalesce(recorded.caller_number, watched.caller_number) as caller_number,
        coalesce(recorded.called_number, watched.called_number) as called_number,
        coalesce(recorded.has_trunks, watched.has_trunks) as has_trunks,
        coalesce(recorded.is_from_trunk, watched.is_from_trunk, false) as is_from_trunk,
        coalesce(recorded.is_to_trunk, watched.is_to_trunk, false) as is_to_trunk,
        coalesce(recorded.is_answered, watched.is_answered, false) as is_answered,
        date_trunc('second', coalesce(recorded.answered_at, watched.answered_at)) as answered_at,
        recorded.billed_seconds,
        coalesce(recorded.calling_agent_id, watched.calling_agent_id) as calling_agent_id,
        coalesce(recorded.called_agent_id, watched.called_agent_id) as called_agent_id
    from recorded
    full join watched using (contact_source, linked_id)
),

{#- Without trunks a number tells: enough for calls between telephones, not for a caller in a queue. -#}
directed as (
    select
        *,
        case
            when has_trunks and is_from_trunk then 'inbound'
            when has_trunks and is_to_trunk then 'outbound'
            when has_trunks then 'internal'
            when {{ is_outside_number('caller_number') }} then 'inbound'
            when {{ is_outside_number('called_number') }} then 'outbound'
            else 'internal'
        end as direction
    from calls
)

select
    source,
    call_id,
    {{ local_date('started_at') }} as business_date,
    started_at,
    ended_at,
    direction,
    has_trunks as is_direction_known,
    caller_number,
    called_number,
    case when direction = 'outbound' then called_number else caller_number end as customer_number,
    is_answered,
    answered_at,
    case when is_answered then
        case when direction = 'outbound' then calling_agent_id else called_agent_id end
    end as agent_id,
    case when is_answered
        then coalesce(billed_seconds, {{ seconds_between('answered_at', 'ended_at') }})
    end as talk_seconds
from directed
