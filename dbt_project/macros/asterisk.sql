{# What Asterisk's call detail records and channel events have in common. #}

{# A column of a raw table, NULL where its files never had it. #}
{% macro raw_text(stream, name) -%}
    {%- set names = adapter.get_columns_in_relation(stream.relation) | map(attribute='name') | list -%}
    {{ 'nullif(' ~ quoted(name) ~ ", '')" if name in names else 'null::text' }}
{%- endmacro %}

{#
  A time as Asterisk or its database writes it: seconds since 1970, or local time, each with or without a fraction; an
  offset from UTC behind it is believed.
#}
{% macro asterisk_time(text, time_zone) -%}
    case
        {#- Not {9,10}: a bounded repetition costs twice as much. #}
        when {{ text }} ~ '^[0-9]+([.][0-9]+)?$' and length(split_part({{ text }}, '.', 1)) in (9, 10)
            then to_timestamp(({{ text }})::double precision)
        when {{ text }} ~ ':[0-9.]+(Z|[+-](0[0-9]|1[0-4])(:?[0-5][0-9])?)$'
            then (
                ops.try_time(regexp_replace({{ text }}, '(Z|[+-][0-9:]+)$', ''), 'ymd')::text
                || substring({{ text }} from '(?:Z|[+-][0-9:]+)$')
            )::timestamptz
        else
            ops.try_time(regexp_replace({{ text }}, '[.][0-9]+$', ''), 'ymd') at time zone '{{ time_zone }}'
            + make_interval(secs => coalesce(substring({{ text }} from '[.][0-9]{1,6}$'), '0')::double precision)
    end
{%- endmacro %}

{# The name of a channel event; into a column of numbers cel_odbc writes one (those of Asterisk 12 and later). #}
{% macro cel_event(text) -%}
    case {{ text }}
        {%- for name in [
            'CHAN_START', 'CHAN_END', 'HANGUP', 'ANSWER', 'APP_START', 'APP_END', 'BRIDGE_ENTER', 'BRIDGE_EXIT', 'PARK_START',
            'PARK_END', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'USER_DEFINED', 'LINKEDID_END', 'PICKUP', 'FORWARD',
            'LOCAL_OPTIMIZE', 'LOCAL_OPTIMIZE_BEGIN',
        ] %}
        when '{{ loop.index }}' then '{{ name }}'
        {%- endfor %}
        else {{ text }}
    end
{%- endmacro %}

{# Why a record cannot be used, or null: its time is missing, is none, or is not of this age. #}
{% macro asterisk_time_fault(name, text, instant) -%}
    case
        when {{ text }} is null then '{{ name }}: missing'
        when {{ instant }} is null then '{{ name }}: not a time'
        when {{ instant }} not between '1990-01-01Z' and '2100-01-01Z' then '{{ name }}: not between 1990 and 2100'
    end
{%- endmacro %}

{# Whether a number is one of the outside world: at least seven digits, or withheld. #}
{% macro is_outside_number(number) -%}
    (length(regexp_replace(coalesce({{ number }}, ''), '[^0-9]', '', 'g')) >= 7
    or coalesce(lower({{ number }}), '') in ('', 'anonymous', 'unknown', 'unavailable', 'withheld', 'restricted'))
{%- endmacro %}

{# The dates on which a call has other records, and those up to its end. #}
{% macro asterisk_call_affects(model) %}
    select business_date from changed
    union
    select neighbour.business_date
    from staging.{{ model }} as neighbour
    where
        neighbour.business_date between
        (select min(business_date) - 1 from changed) and (select max(business_date) + 1 from changed)
        and (neighbour.source, neighbour.linked_id) in (select source, linked_id from changed)
{% endmacro %}
