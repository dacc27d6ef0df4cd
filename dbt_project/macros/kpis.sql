{#
  KPI definitions, read from the semantic layer: a metric with `meta.kpi: true` (models/kpis/kpis.yml) is one.
  A ratio metric has a numerator and a denominator; a simple metric has a numerator alone. Everything generated
  from a definition (kpi_values, dim_kpi, the catalogue page) comes through here.
#}
{% macro kpi_definitions() %}
    {%- set definitions = [] -%}
    {%- if execute -%}
        {%- set measures = {} -%}
        {%- for semantic_model in graph.semantic_models.values() -%}
            {%- for measure in semantic_model.measures -%}
                {%- do measures.update({measure.name: {'model': semantic_model.name, 'expr': measure.expr or measure.name, 'agg': measure.agg}}) -%}
            {%- endfor -%}
        {%- endfor -%}
        {%- set metrics = {} -%}
        {%- for metric in graph.metrics.values() -%}
            {%- do metrics.update({metric.name: metric}) -%}
        {%- endfor -%}
        {%- for metric in metrics.values() | selectattr('config.meta.kpi') | sort(attribute='config.meta.sort_order') -%}
            {%- set is_ratio = metric.type == 'ratio' -%}
            {%- set numerator = metrics[metric.type_params.numerator.name] if is_ratio else metric -%}
            {%- set numerator_measure = measures[numerator.type_params.measure.name] -%}
            {%- set denominator_measure = measures[metrics[metric.type_params.denominator.name].type_params.measure.name] if is_ratio else none -%}
            {%- do definitions.append({
                'kpi_id': metric.name,
                'label_en': metric.label,
                'definition': metric.description,
                'meta': metric.config.meta,
                'is_ratio': is_ratio,
                'semantic_model': numerator_measure.model,
                'numerator': numerator_measure.expr,
                'denominator': denominator_measure.expr if is_ratio else none,
                'aggregate': numerator_measure.agg,
            }) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(definitions) }}
{% endmacro %}

{# Whether nothing is nothing: a count of no rows is 0. How long somebody was logged in, or waited the longest, is not known. #}
{% macro is_zero_without_rows(kpi) -%}
    {{ kpi.is_ratio or kpi.meta.unit == 'count' }}
{%- endmacro %}

{#
  Numerators and denominators of the KPIs of one semantic model, per day and half-hour, centre and queue, and per day
  and agent. Sums of sums only (or the longest of the longest): no ratio is made here, so any coarser period or unit
  is a sum of these rows.

  relation  the fact; columns business_date and, where given, the ones named next
  interval  its column with the half-hour, or none where a half-hour has no meaning
  queue     its column with the queue, or none
  agent     its column with the agent, or none; an agent has the KPIs that say `by_agent` in their meta
#}
{% macro kpi_sums(semantic_model, relation, interval=none, queue=none, agent=none) %}
    {%- set kpis = kpi_definitions() | selectattr('semantic_model', 'equalto', semantic_model) | list -%}
    select
        kpi.kpi_id,
        case when grouped.interval_start_at is null then 'day' else 'half_hour' end as period_type,
        coalesce(grouped.interval_start_at, {{ local_midnight('grouped.business_date') }}) as period_start_at,
        grouped.business_date as period_start_date,
        case
            when grouped.queue_key is not null then 'queue'
            when grouped.agent_key is not null then 'agent'
            else 'centre'
        end as unit_type,
        coalesce(grouped.queue_key, grouped.agent_key, 'centre') as unit_key,
        case when kpi.is_zero_without_rows then coalesce(kpi.numerator, 0) else kpi.numerator end::numeric as numerator,
        case when kpi.is_ratio then coalesce(kpi.denominator, 0)::numeric end as denominator
    from (
        select
            business_date,
            {{ interval or 'null::timestamptz' }} as interval_start_at,
            {{ queue or 'null::text' }} as queue_key,
            {{ agent or 'null::text' }} as agent_key
            {%- for kpi in kpis %},
            {{ kpi.aggregate or 'sum' }}({{ kpi.numerator }}) as numerator_{{ loop.index }}
            {%- if kpi.is_ratio %},
            sum({{ kpi.denominator }}) as denominator_{{ loop.index }}
            {%- endif %}
            {%- endfor %}
        from {{ relation }}
        group by grouping sets (
            (business_date)
            {%- if interval %}, (business_date, {{ interval }}){% endif %}
            {%- if queue %}, (business_date, {{ queue }}){% endif %}
            {%- if interval and queue %}, (business_date, {{ interval }}, {{ queue }}){% endif %}
            {%- if agent %}, (business_date, {{ agent }}){% endif %}
        )
        {%- if queue %}
        {#- Rows that know no queue count for the centre alone. #}
        having grouping({{ queue }}) = 1 or {{ queue }} is not null
        {%- endif %}
    ) as grouped
    cross join lateral (
        values
        {%- for kpi in kpis %}
        (
            '{{ kpi.kpi_id }}'::text, grouped.numerator_{{ loop.index }}::numeric,
            {{ 'grouped.denominator_' ~ loop.index if kpi.is_ratio else 'null' }}::numeric, {{ kpi.is_ratio }},
            {{ is_zero_without_rows(kpi) }}, {{ kpi.meta.by_agent is true }}
        ){{ ',' if not loop.last }}
        {%- else %}
        (null::text, null::numeric, null::numeric, null::boolean, null::boolean, null::boolean)
        {%- endfor %}
    ) as kpi (kpi_id, numerator, denominator, is_ratio, is_zero_without_rows, is_by_agent)
    {%- if agent %}
    where grouped.agent_key is null or kpi.is_by_agent
    {%- endif %}
{% endmacro %}
