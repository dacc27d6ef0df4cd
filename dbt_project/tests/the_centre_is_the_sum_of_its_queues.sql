{#- Of every KPI that is kept by queue and half-hour, numerator and denominator each. -#}
select
    kpi_id,
    period_start_at
from {{ ref('kpi_values') }}
where
    period_type = 'half_hour'
    and kpi_id not in (select dim_kpi.kpi_id from {{ ref('dim_kpi') }} as dim_kpi where dim_kpi.aggregate = 'max')
group by kpi_id, period_start_at
having
    count(*) filter (where unit_type = 'queue') > 0
    and (
        sum(numerator) filter (where unit_type = 'centre')
        is distinct from sum(numerator) filter (where unit_type = 'queue')
        or sum(denominator) filter (where unit_type = 'centre')
        is distinct from sum(denominator) filter (where unit_type = 'queue')
    )
