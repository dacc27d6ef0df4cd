{# Streams of JSON documents (raw tables with the one column `document`) and the values in them. #}

{#
  The documents of a kind's stream, parsed: source, stream, time_zone, document, doc (jsonb, null where the text is
  no JSON), _load_id, _line.
#}
{% macro documents_of(kind, stream_name) %}
    {%- set streams = [] -%}
    {%- for stream in streams_of_kind(kind) if stream.stream == stream_name -%}{%- do streams.append(stream) -%}{%- endfor -%}
    {%- for stream in streams %}
    {{ 'union all' if not loop.first }}
    select
        '{{ stream.source }}'::text as source,
        '{{ stream.stream }}'::text as stream,
        document,
        ops.to_json(document) as doc,
        _load_id,
        _line
    from {{ stream.relation }}
    where {{ only_loads(stream) }}
    {%- else %}
    select
        null::text as source, null::text as stream, null::text as document, null::jsonb as doc,
        null::bigint as _load_id, null::bigint as _line
    where false
    {%- endfor %}
{% endmacro %}

{# An ISO 8601 text in UTC, with or without a fraction (2025-01-31T23:59:59.123Z), as a timestamptz; else null. #}
{% macro utc_instant(text) -%}
    case when substr({{ text }}, 20) ~ '^([.][0-9]{1,9})?Z$' then (
        ops.try_time(translate(left({{ text }}, 19), 'T', ' '), 'ymd')
        + make_interval(secs => coalesce(nullif(rtrim(substr({{ text }}, 20), 'Z'), ''), '0')::double precision)
    ) at time zone 'UTC' end
{%- endmacro %}

{# Why a text that is there is no such value; null when it is one, or is not there. #}
{% macro unless_read(name, text, value, type) -%}
    case when {{ value }} is null and {{ text }} <> '' then '{{ name }}: not a {{ type }}' end
{%- endmacro %}
