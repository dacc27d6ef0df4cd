{{
    config(
        affects = "
            select business_date from changed
            union
            select " ~ local_date('joined_at') ~ " from changed
            union
            select business_date + 1 from changed where " ~ local_date('ended_at') ~ " > business_date
            union
            select sibling.business_date
            from staging.stg_freeswitch__calls as sibling
            where
                sibling.business_date between
                (select min(business_date) - 1 from changed) and (select max(business_date) + 1 from changed)
                and (sibling.source, sibling.contact_id) in (select source, contact_id from changed)
        ",
    )
}}
{#- A row is a channel, written once it has ended; a second export of it replaces the first. The
    caller's channel is the contact; an agent's channel names it. A row touches its own days and those of its contact. -#}
{%- set streams = streams_of_kind('freeswitch') | selectattr('stream', 'equalto', 'xml_cdr') | list -%}
{#- 0 and nothing mean "never"; data frames write whole seconds with a decimal. -#}
{%- set epoch = "case when %s ~ '^[1-9][0-9]{0,9}([.]0+)?$' then to_timestamp(%s::numeric) end" -%}
{%- set epochs = [
    'answer_epoch', 'end_epoch', 'cc_queue_joined_epoch', 'cc_queue_answered_epoch', 'cc_queue_canceled_epoch',
    'cc_queue_terminated_epoch'
] -%}
{%- set columns = [
    'xml_cdr_uuid', 'start_epoch', 'end_epoch', 'answer_epoch', 'hangup_cause', 'cc_side', 'cc_queue',
    'cc_agent', 'cc_member_uuid', 'cc_member_session_uuid', 'cc_queue_joined_epoch', 'cc_queue_answered_epoch',
    'cc_queue_canceled_epoch', 'cc_cancel_reason', 'direction', 'leg', 'caller_id_number',
    'destination_number', 'hold_accum_seconds', 'bridge_uuid', 'sip_hangup_disposition', 'sip_refer_to',
    'cc_agent_uuid', 'cc_agent_type', 'cc_queue_terminated_epoch', 'cc_exit_key'
] -%}
with channels as (
    {%- for stream in streams %}
    {{ 'union all' if not loop.first }}
    select
        '{{ stream.source }}'::text as source,
        '{{ stream.stream }}'::text as stream,
        _load_id,
        _line,
        {%- for column in columns %}
        nullif(btrim({{ column }}), '') as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    from {{ stream.relation }}
    where {{ only_loads(stream) }}
    {%- else %}
    select
        null::text as source, null::text as stream, null::bigint as _load_id, null::bigint as _line,
        {%- for column in columns %}
        null::text as {{ column }}{{ ',' if not loop.last }}
        {%- endfor %}
    where false
    {%- endfor %}
),

judged as (
    select
        *,
        row({{ columns | join(', ') }})::text as record,
        case
            when xml_cdr_uuid is null then 'xml_cdr_uuid: empty'
            when
                coalesce(start_epoch, '') !~ '^[0-9]{1,10}([.]0+)?$'
                then 'start_epoch: not seconds since 1970'
            when start_epoch::numeric < 631152000 then 'start_epoch: before 1990, the clock was not set'
            {%- for column in epochs %}
            when {{ column }} !~ '^[0-9]{1,10}([.]0+)?$' then '{{ column }}: not seconds since 1970'
            {%- endfor %}
            when cc_queue_joined_epoch::numeric between 1 and 631151999
                then 'cc_queue_joined_epoch: before 1990, the clock was not set'
            when cc_side = 'agent' and coalesce(cc_member_uuid, cc_member_session_uuid) is null
                then 'cc_side agent: neither cc_member_uuid nor cc_member_session_uuid'
        end as _reject_reason
    from channels
    offset 0
),

typed as (
    select
        *,
        {{ epoch | replace('%s', 'start_epoch') }} as started_at,
        case when cc_side in ('member', 'agent') then cc_side end as side,
        {{ epoch | replace('%s', 'cc_queue_joined_epoch') }} as joined_at
    from judged
)

select
    source,
    stream,
    hashtextextended(xml_cdr_uuid, 0) as record_key,
    hashtextextended(record, 0) as record_hash,
    null::timestamptz as version_at,
    case when _reject_reason is null then
        {{ local_date("case when side = 'member' then coalesce(joined_at, started_at) else started_at end") }}
    end as business_date,
    xml_cdr_uuid as call_id,
    side,
    case when side = 'agent' then coalesce(cc_member_session_uuid, cc_member_uuid) else xml_cdr_uuid end
        as contact_id,
    cc_member_uuid as member_id,
    regexp_replace(cc_queue, '@.*$', '') as queue_id,
    regexp_replace(cc_agent, '@.*$', '') as agent_id,
    cc_agent_uuid as agent_call_id,
    cc_agent_type as agent_type,
    leg,
    direction,
    caller_id_number as caller_number,
    destination_number,
    substring(sip_refer_to from 'sips?:([^@;>]+)') as refer_target,
    started_at,
    {{ epoch | replace('%s', 'answer_epoch') }} as answered_at,
    {{ epoch | replace('%s', 'end_epoch') }} as ended_at,
    joined_at,
    {{ epoch | replace('%s', 'cc_queue_answered_epoch') }} as queue_answered_at,
    {{ epoch | replace('%s', 'cc_queue_canceled_epoch') }} as queue_canceled_at,
    {{ epoch | replace('%s', 'cc_queue_terminated_epoch') }} as queue_terminated_at,
    cc_cancel_reason as cancel_reason,
    cc_exit_key as exit_key,
    coalesce(round(ops.try_number(hold_accum_seconds)), 0)::integer as hold_seconds,
    bridge_uuid is not null as is_bridged,
    hangup_cause,
    sip_hangup_disposition as hangup_disposition,
    _load_id,
    _line,
    _reject_reason,
    case when _reject_reason is not null then record end as _raw
from typed
