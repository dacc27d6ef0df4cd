{#- The daily report's figures: its KPIs for the centre and the queues, with the day and the week before. -#}
with days as (
    select *
    from {{ source('marts', 'kpi_values') }}
    where period_type = 'day' and unit_type in ('centre', 'queue')
)

select
    days.period_start_date as business_date,
    days.unit_type,
    days.unit_key,
    coalesce(dim_queue.queue_name, '{{ var("centre_label", "Centre") | replace("'", "''") }}') as unit_label,
    days.kpi_id,
    dim_kpi.sort_order,
    dim_kpi.label_en,
    dim_kpi.label_zh,
    dim_kpi.unit,
    dim_kpi.direction,
    dim_kpi.definition,
    days.value,
    days.numerator,
    days.denominator,
    days.target,
    days.status,
    previous_day.value as previous_day_value,
    previous_week.value as previous_week_value
from days
inner join {{ source('marts', 'dim_kpi') }} as dim_kpi on days.kpi_id = dim_kpi.kpi_id
left join {{ source('marts', 'dim_queue') }} as dim_queue
    on days.unit_type = 'queue' and days.unit_key = dim_queue.queue_key
left join days as previous_day
    on
        days.kpi_id = previous_day.kpi_id
        and days.unit_type = previous_day.unit_type
        and days.unit_key = previous_day.unit_key
        and days.period_start_date - 1 = previous_day.period_start_date
left join days as previous_week
    on
        days.kpi_id = previous_week.kpi_id
        and days.unit_type = previous_week.unit_type
        and days.unit_key = previous_week.unit_key
        and days.period_start_date - 7 = previous_week.period_start_date
where dim_kpi.is_in_daily_report is not false
