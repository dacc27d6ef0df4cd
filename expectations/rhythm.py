"""Cyclical: the data keeps the rhythm of the business."""

from __future__ import annotations

from expectations.crucial import Principle, rule

rule(
    "data_reaches_the_last_date",
    Principle.CYCLICAL,
    "warning",
    en="Calls have arrived up to the last date asked for.",
    zh="通话数据已到达所要求的最后日期。",
    stage="staging",
    subject="all calls",
    date_column=None,
    query="""
    select null::date as business_date, 1 as checked_count,
      case
        when greatest(
          (select max(business_date) from staging.stg_asterisk_queue_log__events),
          (select max(business_date) from staging.stg_delimited__calls)
        ) >= %(date_to)s::date then 0
        else 1
      end as violation_count
    """,
    remedy="The telephone system's newest file is missing or late: run its extract again.",
)

rule(
    "the_date_has_calls",
    Principle.CYCLICAL,
    "warning",
    en="The date has calls.",
    zh="当天有来电。",
    stage="build",
    subject="fct_contacts",
    query="""
    select days.business_date, 1 as checked_count,
      case
        when exists (select from build.fct_contacts where fct_contacts.business_date = days.business_date) then 0
        else 1
      end as violation_count
    from unnest(%(dates)s::date[]) as days (business_date)
    """,
    kpis=("offered",),
    remedy="A closed day needs nothing; otherwise the telephone system's file of that date is missing.",
)

rule(
    "no_half_hour_is_missing",
    Principle.CYCLICAL,
    "warning",
    en="On a date with queue visits, every half-hour of the opening hours has some.",
    zh="有来电的日期，营业时间内每个半小时都有数据。",
    stage="build",
    subject="fct_queue_intervals",
    query="""
    with present as (
      select distinct business_date, (interval_start_at at time zone %(time_zone)s)::time as local_time
      from build.fct_queue_intervals
      where business_date = any(%(dates)s)
    ),
    half_hours as (
      select (time '00:00' + number * interval '30 minutes')::time as local_time
      from generate_series(0, 47) as numbers (number)
    ),
    opening as (
      select local_time
      from half_hours
      where case
          when %(opens_at)s::time < %(closes_at)s::time
            then local_time >= %(opens_at)s::time and local_time < %(closes_at)s::time
          else local_time >= %(opens_at)s::time or local_time < %(closes_at)s::time
        end
    )
    select open_dates.business_date, count(*) as checked_count,
      count(*) filter (where present.local_time is null) as violation_count
    from (select distinct business_date from present) as open_dates
    cross join opening
    left join present using (business_date, local_time)
    group by open_dates.business_date
    """,
    kpis=("offered", "service_level_f3"),
    remedy="A quiet half-hour needs nothing; several in a row mean a hole in the telephone system's file.",
)
