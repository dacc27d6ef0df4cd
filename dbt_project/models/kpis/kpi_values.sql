{#- KPI × period × unit, generated from the metrics in kpis.yml. -#}
-- depends_on: {{ ref('fct_queue_intervals') }} {{ ref('fct_contacts') }}
-- depends_on: {{ ref('fct_surveys') }} {{ ref('fct_attendance') }} {{ ref('fct_agent_intervals') }}
with contacts as (
    select
        *,
        {{ half_hour_of('started_at', 'business_date') }} as interval_start_at
    from {{ ref('fct_contacts') }}
),

counted as (
    {{
        kpi_sums(
            'queue_intervals', ref('fct_queue_intervals'), interval='interval_start_at', queue='queue_key'
        )
    }}
    union all
    {{ kpi_sums('contacts', 'contacts', interval='interval_start_at') }}
    union all
    {{ kpi_sums('surveys', ref('fct_surveys'), queue='queue_key') }}
    union all
    {{ kpi_sums('attendance', ref('fct_attendance')) }}
    union all
    {{
        kpi_sums(
            'agent_intervals', ref('fct_agent_intervals'), interval='interval_start_at', agent='agent_key'
        )
    }}
),

{#- Every KPI has a row for the centre on every day of the run, also where nothing happened. -#}
run_dates as (
    select run_date as business_date
    from unnest({{ run_dates() }}) as run_date
),

expected as (
    select
        dim_kpi.kpi_id,
        'day'::text as period_type,
        {{ local_midnight('run_dates.business_date') }} as period_start_at,
        run_dates.business_date as period_start_date,
        'centre'::text as unit_type,
        'centre'::text as unit_key,
        case when dim_kpi.is_ratio or dim_kpi.unit = 'count' then 0::numeric end as numerator,
        case when dim_kpi.is_ratio then 0::numeric end as denominator
    from run_dates
    cross join {{ ref('dim_kpi') }} as dim_kpi
),

days_and_half_hours as (
    select * from counted
    union all
    select expected.*
    from expected
    where not exists (
        select from counted
        where
            counted.kpi_id = expected.kpi_id
            and counted.period_type = 'day'
            and counted.period_start_date = expected.period_start_date
            and counted.unit_type = 'centre'
    )
),

{#- A month is the sum of its days, or the longest: those of this run and the published ones of the rest. -#}
days_of_months as (
    select kpi_id, period_start_date, unit_type, unit_key, numerator, denominator
    from days_and_half_hours
    where period_type = 'day'
    union all
    select kpi_id, period_start_date, unit_type, unit_key, numerator, denominator
    from {{ source('marts', 'kpi_values') }}
    where
        period_type = 'day'
        and not {{ in_run('period_start_date') }}
        and date_trunc('month', period_start_date) in (
            select date_trunc('month', business_date) from run_dates
        )
),

months as (
    select
        days_of_months.kpi_id,
        'month'::text as period_type,
        {{ local_midnight("date_trunc('month', period_start_date::timestamp)") }} as period_start_at,
        date_trunc('month', period_start_date::timestamp)::date as period_start_date,
        unit_type,
        unit_key,
        case when dim_kpi.aggregate = 'max' then max(numerator) else sum(numerator) end as numerator,
        sum(denominator) as denominator
    from days_of_months
    inner join {{ ref('dim_kpi') }} as dim_kpi on days_of_months.kpi_id = dim_kpi.kpi_id
    group by
        days_of_months.kpi_id,
        dim_kpi.aggregate,
        date_trunc('month', period_start_date::timestamp),
        unit_type,
        unit_key
),

periods as (
    select * from days_and_half_hours
    union all
    select * from months
),

targets (kpi_id, unit_key, valid_from, target) as (
    values {{ target_rows() }}
),

aimed as (
    select
        periods.*,
        dim_kpi.direction,
        case
            when not dim_kpi.is_ratio then periods.numerator
            else periods.numerator / nullif(periods.denominator, 0)
        end as value,
        (
            select targets.target
            from targets
            where
                targets.kpi_id = periods.kpi_id
                and (
                    targets.unit_key is null
                    or targets.unit_key = periods.unit_key
                    {#- A queue may be named without its source. #}
                    or periods.unit_type = 'queue'
                    and targets.unit_key = substr(periods.unit_key, strpos(periods.unit_key, ':') + 1)
                )
                and targets.valid_from <= periods.period_start_date
            order by targets.unit_key asc nulls last, targets.valid_from desc
            limit 1
        ) as target
    from periods
    inner join {{ ref('dim_kpi') }} as dim_kpi on periods.kpi_id = dim_kpi.kpi_id
)

select
    kpi_id,
    period_type,
    period_start_at,
    period_start_date,
    unit_type,
    unit_key,
    numerator,
    denominator,
    value,
    target,
    case
        when value is null then 'no_value'
        when target is null then 'no_target'
        when direction = 'lower' and value <= target then 'met'
        when direction <> 'lower' and value >= target then 'met'
        else 'missed'
    end as status
from aimed
