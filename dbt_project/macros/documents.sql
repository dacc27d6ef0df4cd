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

{#
  An ISO 8601 text as a timestamptz: in UTC (2025-01-31T23:59:59Z) or with its offset (+01:00), with or without a
  fraction; else null. No zone is guessed.
#}
{% macro utc_instant(text) -%}
    case when substr({{ text }}, 20) ~ '^([.][0-9]{1,9})?(Z|[+-](0[0-9]|1[0-4]):?[0-5][0-9])$' then
        ops.try_time(translate(left({{ text }}, 19), 'T', ' '), 'ymd') at time zone 'UTC'
        + case substr({{ text }}, 20, 1)
            when '.' then make_interval(secs => substring({{ text }} from '[.][0-9]+')::double precision)
            else interval '0'
        end
        - case right({{ text }}, 1)
            when 'Z' then interval '0'
            else regexp_replace({{ text }}, '^.*([+-][0-9]{2}):?([0-9]{2})$', '\1:\2')::interval
        end
    end
{%- endmacro %}

{# Why a text that is there is no such value; null when it is one, or is not there. #}
{% macro unless_read(name, text, value, type) -%}
    case when {{ value }} is null and {{ text }} <> '' then '{{ name }}: not a {{ type }}' end
{%- endmacro %}
