{#- Three KPIs of the centre by reason: the numerators add up to the KPI's, the denominator is the KPI's. -#}
with away as (
    select
        business_date,
        'away_rate' as kpi_id,
        reason,
        sum(state_seconds)::numeric as numerator
    from {{ source('marts', 'fct_agent_states') }}
    where state = 'away' and is_log_in_known
    group by business_date, reason
),

visits as (
    select
        business_date,
        case outcome when 'blocked' then 'blocked_rate' else 'flow_out_rate' end as kpi_id,
        outcome_reason as reason,
        count(*)::numeric as numerator
    from {{ source('marts', 'fct_queue_visits') }}
    where outcome in ('blocked', 'flowed_out')
    group by business_date, outcome, outcome_reason
),

by_reason as (
    select * from away
    union all
    select * from visits
)

select
    by_reason.business_date,
    by_reason.kpi_id,
    dim_kpi.sort_order,
    dim_kpi.label_en,
    dim_kpi.label_zh,
    case by_reason.kpi_id when 'away_rate' then 'seconds' else 'count' end as numerator_unit,
    by_reason.reason,
    by_reason.numerator,
    days.denominator,
    by_reason.numerator / nullif(days.denominator, 0) as value
from by_reason
inner join {{ source('marts', 'dim_kpi') }} as dim_kpi on by_reason.kpi_id = dim_kpi.kpi_id
left join {{ source('marts', 'kpi_values') }} as days
    on
        by_reason.kpi_id = days.kpi_id
        and by_reason.business_date = days.period_start_date
        and days.period_type = 'day'
        and days.unit_type = 'centre'
