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
        {{ setting.get('promise_threshold_seconds') or 'null' }}::integer
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

{#
  The sources of Asterisk's call records, as rows (source, contact_source, trunks): whose contacts their calls are (the
  queue_log's, where `queue_log_source` names one), and how the channels of trunks begin.
#}
{% macro asterisk_call_sources() -%}
    {%- set sources = [] -%}
    {%- for name, source in var('sources').items() if source.kind in ['asterisk_cdr', 'asterisk_cel'] -%}
        {%- set patterns = [] -%}
        {%- for trunk in source.options.get('trunks', []) -%}
            {%- do patterns.append("'" ~ (trunk | replace("'", "''") | replace('\\', '\\\\') | replace('_', '\\_') | replace('%', '\\%')) ~ "%'") -%}
        {%- endfor -%}
        {%- do sources.append("('" ~ name ~ "', '" ~ source.options.get('queue_log_source', name) ~ "', array["
            ~ patterns | join(', ') ~ "]::text[])") -%}
    {%- endfor -%}
    {%- if sources -%}
    (values {{ sources | join(', ') }}) as call_sources (source, contact_source, trunks)
    {%- else -%}
    (select null::text as source, null::text as contact_source, null::text[] as trunks where false) as call_sources
    {%- endif -%}
{%- endmacro %}
