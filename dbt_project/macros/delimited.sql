{#
  Records a mapping in config/sources.yml may fill (source kinds `delimited` and `sql`). Per record:
    fields   canonical name → {type, required, default, values}; a mapped text is parsed by the type
    key      the fields that tell one record from another; the mapping's `key` may name raw columns instead
    date     SQL over the parsed fields: the business date the record belongs to
  Types: text, time (timestamptz, read in the stream's zone), date, integer, number, seconds (plain or h:mm:ss),
  boolean (y/yes/true/1 …).
#}
{% macro delimited_record(record) %}
    {%- set local_date = "(%s at time zone '" ~ var('time_zone') ~ "')::date" -%}
    {%- set records = {
        'call': {
            'fields': {
                'call_id': {'type': 'text'},
                'business_date': {'type': 'date'},
                'channel': {'type': 'text', 'default': "'voice'"},
                'direction': {'type': 'text', 'default': "'inbound'", 'allowed': ['inbound', 'outbound', 'internal']},
                'customer_id': {'type': 'text'},
                'started_at': {'type': 'time', 'required': true},
                'ended_at': {'type': 'time'},
                'ivr_seconds': {'type': 'seconds'},
                'queue_id': {'type': 'text'},
                'queue_entered_at': {'type': 'time'},
                'wait_seconds': {'type': 'seconds'},
                'outcome': {'type': 'text', 'required': true, 'allowed': [
                    'answered', 'abandoned', 'flowed_out', 'called_back', 'in_progress', 'blocked', 'left_in_ivr', 'void'
                ]},
                'outcome_reason': {'type': 'text'},
                'agent_id': {'type': 'text'},
                'answered_at': {'type': 'time'},
                'talk_seconds': {'type': 'seconds'},
                'hold_seconds': {'type': 'seconds'},
                'after_call_seconds': {'type': 'seconds'},
                'hung_up_by': {'type': 'text', 'allowed': ['agent', 'customer']},
                'topic': {'type': 'text'},
                'is_resolved': {'type': 'boolean'},
                'satisfaction_score': {'type': 'number'},
                'satisfaction_max': {'type': 'number'},
                'updated_at': {'type': 'time'},
            },
            'key': ['call_id'],
            'date': 'coalesce(business_date, ' ~ (local_date % 'started_at') ~ ')',
        },
        'agent': {
            'fields': {
                'agent_id': {'type': 'text', 'required': true},
                'agent_name': {'type': 'text'},
                'team': {'type': 'text'},
                'site': {'type': 'text'},
                'supervisor_name': {'type': 'text'},
                'updated_at': {'type': 'time'},
            },
            'key': ['agent_id'],
            'date': 'null::date',
        },
        'queue': {
            'fields': {
                'queue_id': {'type': 'text', 'required': true},
                'queue_name': {'type': 'text'},
                'queue_source': {'type': 'text'},
                'updated_at': {'type': 'time'},
            },
            'key': ['queue_id'],
            'date': 'null::date',
        },
        'customer': {
            'fields': {
                'customer_id': {'type': 'text', 'required': true},
                'customer_name': {'type': 'text'},
                'phone_number': {'type': 'text'},
                'segment': {'type': 'text'},
                'since_date': {'type': 'date'},
                'updated_at': {'type': 'time'},
            },
            'key': ['customer_id'],
            'date': 'null::date',
        },
        'case': {
            'fields': {
                'case_id': {'type': 'text', 'required': true},
                'customer_id': {'type': 'text'},
                'contact_source': {'type': 'text'},
                'contact_id': {'type': 'text'},
                'topic': {'type': 'text'},
                'status': {'type': 'text'},
                'opened_at': {'type': 'time', 'required': true},
                'due_at': {'type': 'time'},
                'closed_at': {'type': 'time'},
                'updated_at': {'type': 'time'},
            },
            'key': ['case_id'],
            'date': local_date % 'opened_at',
        },
        'survey': {
            'fields': {
                'survey_id': {'type': 'text'},
                'customer_id': {'type': 'text'},
                'contact_source': {'type': 'text'},
                'contact_id': {'type': 'text'},
                'question': {'type': 'text'},
                'score': {'type': 'number'},
                'min_score': {'type': 'number', 'default': '1'},
                'max_score': {'type': 'number'},
                'answered_at': {'type': 'time', 'required': true},
                'updated_at': {'type': 'time'},
            },
            'key': ['survey_id', 'question'],
            'date': local_date % 'answered_at',
        },
        'shift': {
            'fields': {
                'agent_id': {'type': 'text', 'required': true},
                'agent_name': {'type': 'text'},
                'business_date': {'type': 'date', 'required': true},
                'shift_code': {'type': 'text'},
                'planned_start_at': {'type': 'time', 'required': true},
                'planned_end_at': {'type': 'time', 'required': true},
                'updated_at': {'type': 'time'},
            },
            'key': ['agent_id', 'business_date', 'planned_start_at'],
            'date': 'business_date',
        },
        'punch': {
            'fields': {
                'agent_id': {'type': 'text', 'required': true},
                'punched_at': {'type': 'time', 'required': true},
                'direction': {'type': 'text'},
                'device': {'type': 'text'},
            },
            'key': ['agent_id', 'punched_at', 'direction'],
            'date': local_date % 'punched_at',
        },
    } -%}
    {{ return(records[record]) }}
{% endmacro %}

{% macro delimited_type(type) -%}
    {{ return({'time': 'timestamptz', 'date': 'date', 'integer': 'bigint', 'number': 'numeric',
               'seconds': 'integer', 'boolean': 'boolean'}.get(type, 'text')) }}
{%- endmacro %}

{# A field's text → its typed value, NULL where the text is not one. #}
{% macro delimited_parse(type, text, stream) -%}
    {%- set order = stream.options.get('day_order', 'ymd') -%}
    {%- set instant = "ops.try_instant(" ~ text ~ ", '" ~ order ~ "', '" ~ stream.time_zone ~ "')" -%}
    {%- if type == 'time' -%} {{ instant }}
    {%- elif type == 'date' -%}
        coalesce(ops.try_date({{ text }}, '{{ order }}'), ({{ instant }} at time zone '{{ stream.time_zone }}')::date)
    {%- elif type == 'integer' -%} ops.try_integer({{ text }})
    {%- elif type == 'number' -%} ops.try_number({{ text }})
    {%- elif type == 'seconds' -%} ops.try_seconds({{ text }})
    {%- elif type == 'boolean' -%}
        case
            when lower({{ text }}) in ('y', 'yes', 'true', 't', '1', '1.0', 'on', '√', '✓', '是', '对', '有') then true
            when lower({{ text }}) in ('n', 'no', 'false', 'f', '0', '0.0', 'off', '×', '✗', '否', '错', '无') then false
        end
    {%- else -%} {{ text }}
    {%- endif -%}
{%- endmacro %}

{# A type of `delimited_record` as the reason of a reject says it. #}
{% macro type_in_words(type) -%}
    {{ {'seconds': 'a duration', 'integer': 'a whole number', 'boolean': 'yes or no'}.get(type, 'a ' ~ type) }}
{%- endmacro %}

{# A column's name in SQL, whatever characters it has. #}
{% macro quoted(name) -%}
    {{ adapter.quote(name | replace('"', '""')) }}
{%- endmacro %}

{# A text without the blanks around it: tab, line end and the blanks of web pages and Chinese text among them. #}
{% macro trimmed(text) -%}
    btrim({{ text }}, U&' \0009\000A\000D\00A0\202F\3000\FEFF')
{%- endmacro %}

{#
  A field's text, without what the stream declares to mean nothing. Of types whose reader passes over blanks by itself
  (`delimited_parse`) it keeps them: to trim a text costs as much as to read a number.
#}
{% macro delimited_text(type, text, stream) -%}
    {%- set text = '(' ~ text ~ ')::text' -%}
    {%- set words = [] -%}
    {%- for word in stream.options.get('missing', []) -%}
        {%- do words.append("'" ~ word | replace("'", "''") ~ "'") -%}
    {%- endfor -%}
    {%- if words -%} case when {{ trimmed(text) }} not in ({{ words | join(', ') }}) then {{ trimmed(text) }} end
    {%- elif type in ('time', 'date', 'seconds') -%} {{ text }}
    {%- else -%} {{ trimmed(text) }}
    {%- endif -%}
{%- endmacro %}

{# Whether a field's text says nothing: it is empty, or MySQL's date that is none. #}
{% macro delimited_is_missing(type, text) -%}
    coalesce({{ trimmed(text) }}, '') = ''
    {%- if type in ('time', 'date') %} or {{ text }} like '0000-00-00%'{% endif %}
{%- endmacro %}

{#
  All streams whose `record` is this one, mapped: canonical fields, the technical columns of the `staged`
  materialization. A mapping's value is the name of a raw column, or an SQL expression over them that gives
  text, or {sql: …} for an expression that gives the field's own type.
#}
{% macro delimited_records(record) %}
    {%- set definition = delimited_record(record) -%}
    {%- set streams = streams_of_kind(['delimited', 'sql'], record) -%}
    {%- for stream in streams %}
    {{ 'union all' if not loop.first }}
    {{ delimited_stream(definition, stream) }}
    {%- else %}
    select
        null::text as source,
        null::text as stream,
        null::text as record_key,
        null::bigint as record_hash,
        null::timestamptz as version_at,
        null::date as business_date,
        {%- for name, field in definition.fields.items() if name != 'business_date' %}
        null::{{ delimited_type(field.type) }} as {{ name }},
        {%- endfor %}
        null::bigint as _load_id,
        null::bigint as _line,
        null::text as _reject_reason,
        null::text as _raw
    where false
    {%- endfor %}
{% endmacro %}

{% macro delimited_stream(definition, stream) %}
    {%- set map = stream.options.get('map', {}) -%}
    {%- set raw_columns = [] -%}
    {%- for column in stream.options.get('columns', []) -%}
        {%- do raw_columns.append(column.name if column is mapping else column) -%}
    {%- endfor -%}
    {%- set unknown = map.keys() | reject('in', definition.fields.keys()) | list -%}
    {%- if unknown -%}
        {{ exceptions.raise_compiler_error("config/sources.yml, " ~ stream.source ~ "." ~ stream.stream ~ ": map names "
            ~ unknown | join(', ') ~ "; the record has " ~ definition.fields.keys() | join(', ')) }}
    {%- endif -%}
    {%- set wanting = [] -%}
    {%- for name, field in definition.fields.items() if field.required and name not in map -%}
        {%- do wanting.append(name) -%}
    {%- endfor -%}
    {%- if wanting -%}
        {{ exceptions.raise_compiler_error("config/sources.yml, " ~ stream.source ~ "." ~ stream.stream ~ ": map lacks "
            ~ wanting | join(', ') ~ "; name a column, or give {sql: …}, for each") }}
    {%- endif -%}
    {%- set key = stream.options.get('key') -%}
    select
        source,
        stream,
        {% if key -%}
        concat_ws('|', {% for column in key %}(_raw_row).{{ quoted(column) }}{{ ', ' if not loop.last }}{% endfor %})
        {%- elif 'call_id' in definition.fields and 'call_id' not in map or 'survey_id' in definition.fields and 'survey_id' not in map -%}
        record_hash::text
        {%- else -%}
        concat_ws('|', {{ definition.key | join(', ') }})
        {%- endif %} as record_key,
        record_hash,
        {{ 'updated_at' if 'updated_at' in definition.fields else 'null::timestamptz' }} as version_at,
        {{ definition.date }} as business_date,
        {%- for name, field in definition.fields.items() if name != 'business_date' %}
        {%- if name in ('call_id', 'survey_id') and name not in map %}
        to_hex(record_hash) as {{ name }},
        {%- else %}
        {{ name }},
        {%- endif %}
        {%- endfor %}
        _load_id,
        _line,
        _reject_reason,
        case when _reject_reason is not null
            then (to_jsonb(_raw_row) - '_load_id' - '_line' - '_extra')::text
        end as _raw
    from (
        {{ computed_once() }}
        select
            parsed.*,
            nullif(concat_ws('; ',
                {%- for name, field in definition.fields.items() if name in map or field.required %}
                {%- if field.type == 'text' and (field.required or name in ('call_id', 'survey_id')) %}
                case when coalesce({{ name }}, '') = '' then '{{ name }}: missing' end,
                {%- elif field.type != 'text' %}
                case when {{ name }} is null then case when {{ delimited_is_missing(field.type, '_text_' ~ name) }}
                    then {{ "'" ~ name ~ ": missing'" if field.required else 'null' }}
                    else '{{ name }}: not {{ type_in_words(field.type) }}' end end,
                {%- endif %}
                {%- if field.allowed %}
                case when {{ name }} not in ('{{ field.allowed | join("', '") }}') then '{{ name }}: not one of {{ field.allowed | join(", ") }}' end,
                {%- endif %}
                {%- endfor %}
                {% if 'business_date' in definition.fields or 'punched_at' in definition.fields or 'opened_at' in definition.fields -%}
                case when {{ definition.date }} not between '1990-01-01' and '2100-01-01' then 'date: not between 1990 and 2100' end,
                {%- endif %}
                null
            ), '') as _reject_reason
        from (
            {{ computed_once() }}
            select
                texts.*
                {%- for name, field in definition.fields.items() %},
                {%- if name not in map %}
                {{ field.default or 'null' }}::{{ delimited_type(field.type) }} as {{ name }}
                {%- elif map[name] is mapping %}
                _text_{{ name }}_typed as {{ name }}
                {%- elif field.type == 'text' %}
                coalesce(nullif(_text_{{ name }}, ''), {{ field.default or 'null' }}) as {{ name }}
                {%- else %}
                {{ delimited_parse(field.type, '_text_' ~ name, stream) }} as {{ name }}
                {%- endif %}
                {%- endfor %}
            from (
                {{ computed_once() }}
                select
                    '{{ stream.source }}'::text as source,
                    '{{ stream.stream }}'::text as stream,
                    hashtextextended(concat_ws(e'\x1f'
                        {%- for column in raw_columns %}, coalesce({{ quoted(column) }}, e'\x1e'){% endfor %}), 0) as record_hash,
                    _raw_row._load_id,
                    _raw_row._line,
                    _raw_row
                    {%- for name, field in definition.fields.items() if name in map %}
                    {%- set value = map[name] %}
                    {%- if value is mapping %},
                    ({{ value.sql }})::text as _text_{{ name }},
                    ({{ value.sql }})::{{ delimited_type(field.type) }} as _text_{{ name }}_typed
                    {%- else %},
                    {{ delimited_text(field.type, quoted(value) if value in raw_columns else value, stream) }} as _text_{{ name }}
                    {%- endif %}
                    {%- endfor %}
                from {{ stream.relation }} as _raw_row
                where {{ only_loads(stream) }}
            ) as texts
        ) as parsed
    ) as judged
{% endmacro %}
