{#- Whole years around the run's dates, so that a calendar in a BI tool has no holes. -#}
with years as (
    select
        make_date(min(extract(year from run_date))::integer, 1, 1) as first_date,
        make_date(max(extract(year from run_date))::integer, 12, 31) as last_date
    from unnest({{ run_dates() }}) as run_date
),

days as (
    select day::date as business_date
    from
        years,
        generate_series(years.first_date::timestamp, years.last_date::timestamp, interval '1 day') as day
)

select
    business_date,
    extract(isoyear from business_date)::integer as iso_year,
    extract(week from business_date)::integer as iso_week,
    extract(year from business_date)::integer as year,
    extract(quarter from business_date)::integer as quarter,
    extract(month from business_date)::integer as month,
    extract(day from business_date)::integer as day,
    date_trunc('month', business_date)::date as month_start_date,
    extract(isodow from business_date)::integer as weekday_iso,
    (array['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday'])[
        extract(isodow from business_date)::integer
    ] as weekday_en,
    (array['星期一', '星期二', '星期三', '星期四', '星期五', '星期六', '星期日'])[
        extract(isodow from business_date)::integer
    ] as weekday_zh,
    extract(isodow from business_date) >= 6 as is_weekend
from days
