{#-
  A call detail record is written once, when its leg is over: unique id and sequence tell records apart, where there is
  no sequence their whole content. A record touches the days from its beginning to its end, on which its call has
  queue visits, and those of the call's other legs.
-#}
{%- set affects -%}
    {{ asterisk_call_affects('stg_asterisk_cdr__records') }}
    union
    select {{ local_date('ended_at') }} as business_date
    from changed
    where {{ local_date('ended_at') }} = business_date + 1
{%- endset -%}
{{ config(same_date=true, affects=affects) }}
{%- set fields = {
    'caller_name': 'clid', 'caller_number': 'src', 'called_number': 'dst', 'context': 'dcontext', 'channel': 'channel',
    'target_channel': 'dstchannel', 'application': 'lastapp', 'application_data': 'lastdata',
    'disposition': 'disposition', 'account_code': 'accountcode', 'peer_account': 'peeraccount',
    'user_field': 'userfield'
} -%}
{%- set streams = streams_of_kind('asterisk_cdr') %}
with records as (
    {%- for stream in streams %}
    {{ 'union all' if not loop.first }}
    select
        '{{ stream.source }}'::text as source,
        '{{ stream.stream }}'::text as stream,
        {%- for name, column in fields.items() %}
        {{ raw_text(stream, column) }} as {{ name }},
        {%- endfor %}
        {{ raw_text(stream, 'uniqueid') }} as unique_id,
        {{ raw_text(stream, 'linkedid') }} as linked_id,
        {{ raw_text(stream, 'sequence') }} as sequence,
        {#- Whole seconds, though the database may count their parts. #}
        {{ queue_log_seconds("split_part(" ~ raw_text(stream, 'duration') ~ ", '.', 1)") }} as duration_seconds,
        {{ queue_log_seconds("split_part(" ~ raw_text(stream, 'billsec') ~ ", '.', 1)") }} as billed_seconds,
        coalesce({{ raw_text(stream, 'start') }}, {{ raw_text(stream, 'calldate') }}) as start_text,
        {{ asterisk_time('coalesce(' ~ raw_text(stream, 'start') ~ ', ' ~ raw_text(stream, 'calldate') ~ ')', stream.time_zone) }}
            as started_at,
        {{ asterisk_time(raw_text(stream, 'answer'), stream.time_zone) }} as answered_at,
        {{ asterisk_time(raw_text(stream, 'end'), stream.time_zone) }} as ended_at,
        {{ queue_log_agent(raw_text(stream, 'channel'), {}) }} as agent_id,
        {{ queue_log_agent(raw_text(stream, 'dstchannel'), {}) }} as target_agent_id,
        {{ not (stream.options.get('columns') or stream.options.get('header') or 'connection' in stream.options) }}
            as has_standard_columns,
        _load_id,
        _line,
        jsonb_strip_nulls(to_jsonb(raw_row) - '_load_id' - '_line' - '_extra')::text as content
    from {{ stream.relation }} as raw_row
    where {{ only_loads(stream) }}
    {%- else %}
    select
        null::text as source,
        null::text as stream,
        {%- for name in fields %}
        null::text as {{ name }},
        {%- endfor %}
        null::text as unique_id,
        null::text as linked_id,
        null::text as sequence,
        null::integer as duration_seconds,
        null::integer as billed_seconds,
        null::text as start_text,
        null::timestamptz as started_at,
        null::timestamptz as answered_at,
        null::timestamptz as ended_at,
        null::text as agent_id,
        null::text as target_agent_id,
        null::boolean as has_standard_columns,
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
        hashtextextended(content, 0) as record_hash,
        coalesce(
            {{ asterisk_time_fault('start', 'start_text', 'started_at') }},
            case when has_standard_columns and peer_account is not null and sequence is null
                then 'columns: 19 or 20, of which it is not clear what they are; name them in sources.yml'
            end
        ) as _reject_reason
    from records
    offset 0
)

select
    source,
    stream,
    case
        when sequence is not null and unique_id is not null
            then concat_ws('|', unique_id, sequence, extract(epoch from started_at))
        else record_hash::text
    end as record_key,
    record_hash,
    null::timestamptz as version_at,
    case when _reject_reason is null then {{ local_date('started_at') }} end as business_date,
    coalesce(linked_id, unique_id, to_hex(record_hash)) as linked_id,
    unique_id,
    sequence,
    started_at,
    {#- The tables of old have no times but the first: the durations give the others. #}
    coalesce(
        answered_at,
        case when billed_seconds > 0
            then started_at + make_interval(secs => greatest(0, duration_seconds - billed_seconds))
        end
    ) as answered_at,
    coalesce(ended_at, started_at + make_interval(secs => coalesce(duration_seconds, 0))) as ended_at,
    {%- for name in fields %}
    {{ name }},
    {%- endfor %}
    agent_id,
    target_agent_id,
    duration_seconds,
    billed_seconds,
    _load_id,
    _line,
    _reject_reason,
    case when _reject_reason is not null then content end as _raw
from judged
