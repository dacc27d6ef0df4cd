{#- The catalogue of KPIs, from the metrics in kpis.yml; the hash tells when a definition changed. -#}
{%- set definitions = kpi_definitions() %}
select *
from (
    values
    {%- for kpi in definitions %}
    (
        '{{ kpi.kpi_id }}'::text,
        {{ kpi.meta.kpi_number }}::integer,
        '{{ kpi.label_en | replace("'", "''") }}'::text,
        '{{ kpi.meta.label_zh | replace("'", "''") }}'::text,
        '{{ kpi.meta.unit }}'::text,
        '{{ kpi.meta.direction }}'::text,
        '{{ kpi.meta.class }}'::text,
        '{{ kpi.meta.owner }}'::text,
        '{{ kpi.meta.attribution }}'::text,
        '{{ kpi.definition | replace("'", "''") }}'::text,
        '{{ local_md5(kpi.semantic_model ~ kpi.numerator ~ '/' ~ kpi.denominator) }}'::text,
        {{ kpi.is_ratio }},
        {{ kpi.meta.sort_order }}::integer,
        '{{ kpi.aggregate }}'::text,
        {{ kpi.meta.daily is not false }}
    ){{ ', ' if not loop.last }}
    {%- else %}
    (
        null::text, null::integer, null::text, null::text, null::text, null::text, null::text,
        null::text, null::text, null::text, null::text, null::boolean, null::integer, null::text,
        null::boolean
    )
    {%- endfor %}
) as kpi (
    kpi_id, kpi_number, label_en, label_zh, unit, direction, class,
    owner, attribution, definition, definition_hash, is_ratio, sort_order, aggregate, is_in_daily_report
)
