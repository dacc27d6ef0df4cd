with run_dates as (
    select run_date as business_date
    from unnest({{ run_dates() }}) as run_date
),

{#- Counted in absolute time between two local midnights: 48 half-hours, or two more or less. -#}
half_hours as (
    select
        run_dates.business_date,
        generate_series(
            {{ local_midnight('run_dates.business_date') }},
            {{ local_midnight('run_dates.business_date + 1') }} - interval '1 second',
            interval '30 minutes'
        ) as interval_start_at
    from run_dates
)

select
    interval_start_at,
    business_date,
    to_char(interval_start_at at time zone '{{ var("time_zone") }}', 'HH24:MI') as local_start_time,
    1800 as interval_seconds
from half_hours
