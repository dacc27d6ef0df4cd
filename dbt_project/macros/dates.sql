{# The business dates of the run at hand, an array. Everything that depends on the run comes through here. #}
{% macro run_dates() -%}
    (select build_state.dates from ops.build_state)::date[]
{%- endmacro %}

{# Whether a date is one of them, as a condition: `where {{ in_run('visits.business_date') }}`. #}
{% macro in_run(column) -%}
    {{ column }} = any({{ run_dates() }})
{%- endmacro %}

{# The same with some days on both sides, for events of calls and shifts that cross midnight. #}
{% macro near_run(column, days_before=1, days_after=1) -%}
    {{ column }} between
        (select min(run_date) - {{ days_before }} from unnest({{ run_dates() }}) as run_date)
        and (select max(run_date) + {{ days_after }} from unnest({{ run_dates() }}) as run_date)
{%- endmacro %}

{# The local business date of an instant. #}
{% macro local_date(instant) -%}
    (({{ instant }}) at time zone '{{ var("time_zone") }}')::date
{%- endmacro %}

{#
  The instant a local date begins: a second after the last one of the day before, for where the clock goes back over
  midnight, 00:00 is there twice and PostgreSQL would take the later one.
#}
{% macro local_midnight(date) -%}
    (
        (({{ date }})::timestamp - interval '1 second') at time zone '{{ var("time_zone") }}' + interval '1 second'
    )
{%- endmacro %}

{#
  The start of the half-hour an instant lies in, counted in absolute time from a local midnight: a day of 25 hours
  has 50 half-hours. (Zones shift by whole half-hours, so the cut stays on the local clock's half-hours.)
#}
{% macro half_hour(instant) -%}
    date_bin('30 minutes', {{ instant }}, timestamp '2000-01-01' at time zone '{{ var("time_zone") }}')
{%- endmacro %}

{#
  The half-hour of a date in which something counts that the source, or its first visit, puts on that date: the one its
  instant lies in, else the date's first or last.
#}
{% macro half_hour_of(instant, date) -%}
    greatest(
        least({{ half_hour(instant) }}, {{ local_midnight(date ~ ' + 1') }} - interval '30 minutes'),
        {{ local_midnight(date) }}
    )
{%- endmacro %}

{# Whole seconds from one instant to another. #}
{% macro seconds_between(from_instant, to_instant) -%}
    extract(epoch from {{ to_instant }} - {{ from_instant }})::integer
{%- endmacro %}
