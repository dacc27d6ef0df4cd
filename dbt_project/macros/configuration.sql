{# What config/ says, as SQL; plugins/callhouse/transform.py hands it over as variables. #}

{# Keys with which a waiting caller asks to be called back (option `callback_keys` of a queue_log source). #}
{% macro callback_keys() -%}
    {%- set keys = [] -%}
    {%- for source in var('sources').values() -%}
        {%- for key in source.get('options', {}).get('callback_keys', []) -%}{%- do keys.append(key | string) -%}{%- endfor -%}
    {%- endfor -%}
    array[{% for key in keys | unique %}'{{ key }}'{{ ', ' if not loop.last }}{% endfor %}]::text[]
{%- endmacro %}

{#
  The service-level settings in force: one row per queue (null: every other queue) and valid-from date.
  Thresholds never change the past: a visit is judged by what was in force on its business date.
#}
{% macro service_level_rows() -%}
    {%- set rows = [] -%}
    {%- for setting in var('service_level') -%}{%- do rows.append((none, setting)) -%}{%- endfor -%}
    {%- for queue_id, settings in var('queue_service_levels').items() -%}
        {%- for setting in settings -%}{%- do rows.append((queue_id, setting)) -%}{%- endfor -%}
    {%- endfor -%}
    {%- for queue_id, setting in rows -%}
    (
        {{ "null" if queue_id is none else "'" ~ (queue_id | replace("'", "''")) ~ "'" }}::text,
        '{{ setting.valid_from }}'::date,
        {{ setting.threshold_seconds }},
        {{ setting.short_abandon_seconds }},
        '{{ setting.official }}'::text,
        {{ setting.target }}::numeric
    ){{ ', ' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

{# The targets of KPIs: one row per KPI, unit (null: every other unit) and valid-from date. #}
{% macro target_rows() -%}
    (null::text, null::text, null::date, null::numeric)
    {%- for target in var('targets') %},
    (
        '{{ target.kpi }}',
        {{ "'" ~ (target.unit_key | replace("'", "''")) ~ "'" if target.unit_key else 'null' }},
        '{{ target.valid_from }}',
        {{ target.target }}
    )
    {%- endfor -%}
{%- endmacro %}
