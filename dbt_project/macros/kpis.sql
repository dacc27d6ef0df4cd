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
                {%- do measures.update({measure.name: {'model': semantic_model.name, 'expr': measure.expr or measure.name}}) -%}
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
            }) -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(definitions) }}
{% endmacro %}

{#
  Numerators and denominators of the KPIs of one semantic model, per day and half-hour, centre and queue. Sums of
  sums only: no ratio is made here, so any coarser period or unit is a sum of these rows.

  relation  the fact; columns business_date and, where given, the ones named next
  interval  its column with the half-hour, or none where a half-hour has no meaning
  queue     its column with the queue, or none
#}
{% macro kpi_sums(semantic_model, relation, interval=none, queue=none) %}
    {%- set kpis = kpi_definitions() | selectattr('semantic_model', 'equalto', semantic_model) | list -%}
    select
        kpi.kpi_id,
        case when grouped.interval_start_at is null then 'day' else 'half_hour' end as period_type,
        coalesce(grouped.interval_start_at, {{ local_midnight('grouped.business_date') }}) as period_start_at,
        grouped.business_date as period_start_date,
        case when grouped.queue_key is null then 'centre' else 'queue' end as unit_type,
        coalesce(grouped.queue_key, 'centre') as unit_key,
        coalesce(kpi.numerator, 0)::numeric as numerator,
        case when kpi.is_ratio then coalesce(kpi.denominator, 0)::numeric end as denominator
    from (
        select
            business_date,
            {{ interval or 'null::timestamptz' }} as interval_start_at,
            {{ queue or 'null::text' }} as queue_key
            {%- for kpi in kpis %},
            sum({{ kpi.numerator }}) as numerator_{{ loop.index }}
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
            {{ 'grouped.denominator_' ~ loop.index if kpi.is_ratio else 'null' }}::numeric, {{ kpi.is_ratio }}
        ){{ ',' if not loop.last }}
        {%- else %}
        (null::text, null::numeric, null::numeric, null::boolean)
        {%- endfor %}
    ) as kpi (kpi_id, numerator, denominator, is_ratio)
{% endmacro %}
