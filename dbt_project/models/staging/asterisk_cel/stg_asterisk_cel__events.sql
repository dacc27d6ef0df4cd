{#-
  A channel event is never corrected: its whole content is its key. It also touches the days before and after on which
  its call has others.
-#}
{{ config(same_date=true, affects=asterisk_call_affects('stg_asterisk_cel__events')) }}
{%- set fields = {
    'caller_name': 'cid_name', 'caller_number': 'cid_num', 'called_number': 'cid_dnid',
    'extension': 'exten', 'context': 'context', 'channel': 'channame', 'application': 'appname',
    'application_data': 'appdata', 'unique_id': 'uniqueid', 'account_code': 'accountcode', 'peer': 'peer',
    'user_field': 'userfield', 'extra': 'extra'
} -%}
{%- set streams = streams_of_kind('asterisk_cel') %}
with events as (
    {%- for stream in streams %}
    {{ 'union all' if not loop.first }}
    select
        '{{ stream.source }}'::text as source,
        '{{ stream.stream }}'::text as stream,
        {{ cel_event(raw_text(stream, 'eventtype')) }} as event,
        {%- for name, column in fields.items() %}
        {{ raw_text(stream, column) }} as {{ name }},
        {%- endfor %}
        {{ raw_text(stream, 'linkedid') }} as linked_id,
        {{ raw_text(stream, 'eventtime') }} as time_text,
        {{ asterisk_time(raw_text(stream, 'eventtime'), stream.time_zone) }} as event_at,
        {{ queue_log_agent(raw_text(stream, 'channame'), {}) }} as agent_id,
        _load_id,
        _line,
        jsonb_strip_nulls(to_jsonb(raw_row) - '_load_id' - '_line' - '_extra')::text as content
    from {{ stream.relation }} as raw_row
    where {{ only_loads(stream) }}
    {%- else %}
    select
        null::text as source,
        null::text as stream,
        null::text as event,
        {%- for name in fields %}
        null::text as {{ name }},
        {%- endfor %}
        null::text as linked_id,
        null::text as time_text,
        null::timestamptz as event_at,
        null::text as agent_id,
        null::bigint as _load_id,
        null::bigint as _line,
        null::text as content
    where false
    {%- endfor %}
    {#- A fence: the planner would read each time once per use. #}
    offset 0
),

judged as (
    select
        *,
        coalesce(
            {{ asterisk_time_fault('eventtime', 'time_text', 'event_at') }},
            case when event is null then 'eventtype: missing' end
        ) as _reject_reason
    from events
)

select
    source,
    stream,
    hashtextextended(content, 0)::text as record_key,
    0::bigint as record_hash,
    null::timestamptz as version_at,
    case when _reject_reason is null then {{ local_date('event_at') }} end as business_date,
    coalesce(linked_id, unique_id) as linked_id,
    event_at,
    event,
    {%- for name in fields %}
    {{ name }},
    {%- endfor %}
    agent_id,
    _load_id,
    _line,
    _reject_reason,
    case when _reject_reason is not null then content end as _raw
from judged
