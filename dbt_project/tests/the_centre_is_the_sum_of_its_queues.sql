{#- Of every KPI that is kept by queue and half-hour, numerator and denominator each. -#}
select
    kpi_id,
    period_start_at
from {{ ref('kpi_values') }}
where period_type = 'half_hour'
group by kpi_id, period_start_at
having
    count(*) filter (where unit_type = 'queue') > 0
    and (
        sum(numerator) filter (where unit_type = 'centre')
        is distinct from sum(numerator) filter (where unit_type = 'queue')
        or sum(denominator) filter (where unit_type = 'centre')
        is distinct from sum(denominator) filter (where unit_type = 'queue')
    )
