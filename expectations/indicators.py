"""Reportable, usable, improvable: the indicators are all there, have owners, and can be compared."""

from __future__ import annotations

from expectations.crucial import Principle, rule

rule(
    "every_indicator_is_there",
    Principle.REPORTABLE,
    "critical",
    en="Every registered indicator is there for the centre, for the day and its month.",
    zh="每个已登记的指标都有全中心的日值与月值。",
    stage="build",
    subject="kpi_values",
    query="""
    select days.business_date, count(*) as checked_count,
      count(*) filter (where kpi_values.kpi_id is null) as violation_count
    from unnest(%(dates)s::date[]) as days (business_date)
    cross join build.dim_kpi
    cross join (values ('day'), ('month')) as periods (period_type)
    left join build.kpi_values
      on kpi_values.kpi_id = dim_kpi.kpi_id
      and kpi_values.period_type = periods.period_type
      and kpi_values.unit_type = 'centre'
      and kpi_values.period_start_date = case periods.period_type
        when 'day' then days.business_date
        else date_trunc('month', days.business_date)::date
      end
    group by days.business_date
    """,
    remedy="The indicator's metric is not built for that unit: see the models in dbt_project/models/kpis.",
)

rule(
    "every_busy_queue_has_its_indicators",
    Principle.REPORTABLE,
    "critical",
    en="Every indicator kept by queue and half-hour is there for each queue with offered visits.",
    zh="按队列与半小时统计的每个指标，在每个有来电的队列都有日值。",
    stage="build",
    subject="kpi_values",
    query="""
    with day_values as (
      select kpi_id, period_start_date as business_date, unit_key
      from build.kpi_values
      where period_type = 'day' and unit_type = 'queue' and period_start_date = any(%(dates)s)
    ),
    busy_queues as (
      select business_date, queue_key::text as unit_key
      from build.fct_queue_intervals
      where business_date = any(%(dates)s)
      group by business_date, queue_key
      having sum(offered_count) > 0
    )
    select busy_queues.business_date, count(*) as checked_count,
      count(*) filter (where day_values.kpi_id is null) as violation_count
    from busy_queues
    cross join (
      select kpi_id from build.kpi_values where period_type = 'half_hour' and unit_type = 'queue'
      union
      select 'offered'
    ) as kept
    left join day_values
      on day_values.kpi_id = kept.kpi_id
      and day_values.business_date = busy_queues.business_date
      and day_values.unit_key = busy_queues.unit_key
    group by busy_queues.business_date
    """,
    kpis=("offered",),
    remedy="A queue is left out of dbt_project/models/kpis, perhaps one without a row in dim_queue.",
)

rule(
    "numerator_and_denominator_are_kept",
    Principle.REPORTABLE,
    "critical",
    en="Every value comes with its numerator and, if it is a ratio or a mean, its denominator.",
    zh="每个指标值都保留分子，比率与均值还保留分母。",
    stage="build",
    subject="kpi_values",
    query="""
    select kpi_values.period_start_date as business_date, count(*) as checked_count,
      count(*) filter (
        where kpi_values.numerator is null
          or (kpi_values.denominator is null and dim_kpi.is_ratio is distinct from false)
      ) as violation_count
    from build.kpi_values
    left join build.dim_kpi using (kpi_id)
    where kpi_values.value is not null
      and kpi_values.period_type in ('half_hour', 'day')
      and kpi_values.period_start_date = any(%(dates)s)
    group by kpi_values.period_start_date
    """,
    remedy="The metric stores a ratio only: build it from two measures.",
)

rule(
    "indicators_are_labelled",
    Principle.REPORTABLE,
    "warning",
    en="Every indicator has a unit, a definition and a name in English and Chinese.",
    zh="每个指标都有单位、定义和中英文名称。",
    stage="build",
    subject="dim_kpi",
    date_column=None,
    violates="""
    coalesce(btrim(label_en), '') = '' or coalesce(btrim(label_zh), '') = ''
    or coalesce(btrim(unit), '') = '' or coalesce(btrim(definition), '') = ''
    """,
    remedy="Complete the metric's `meta` in its YAML.",
)

rule(
    "targets_have_an_owner",
    Principle.USABLE,
    "warning",
    en="Every indicator with a target has an owner.",
    zh="每个有目标的指标都有负责人。",
    stage="build",
    subject="dim_kpi",
    date_column=None,
    violates="coalesce(btrim(owner), '') = ''",
    where="kpi_id in (select kpi_values.kpi_id from build.kpi_values where kpi_values.target is not null)",
    remedy="Name the owner in the metric's `meta`.",
)

rule(
    "status_agrees_with_the_target",
    Principle.USABLE,
    "critical",
    en="An indicator's status is what its value, target and direction say.",
    zh="指标状态与其数值、目标和方向一致。",
    stage="build",
    subject="kpi_values",
    query="""
    select kpi_values.period_start_date as business_date, count(*) as checked_count,
      count(*) filter (
        where not case
            when kpi_values.value is null and kpi_values.target is null
              then coalesce(kpi_values.status in ('no_value', 'no_target'), false)
            when kpi_values.value is null then kpi_values.status is not distinct from 'no_value'
            when kpi_values.target is null then kpi_values.status is not distinct from 'no_target'
            when dim_kpi.direction = 'higher'
              then kpi_values.status is not distinct from
                case when kpi_values.value >= kpi_values.target then 'met' else 'missed' end
            when dim_kpi.direction = 'lower'
              then kpi_values.status is not distinct from
                case when kpi_values.value <= kpi_values.target then 'met' else 'missed' end
            else false
          end
      ) as violation_count
    from build.kpi_values
    left join build.dim_kpi using (kpi_id)
    where kpi_values.period_type in ('half_hour', 'day') and kpi_values.period_start_date = any(%(dates)s)
    group by kpi_values.period_start_date
    """,
    remedy="A target needs a direction (higher or lower) in the metric's `meta`; see the status in kpi_values.",
)

rule(
    "definitions_are_unchanged",
    Principle.IMPROVABLE,
    "info",
    en="No indicator's definition differs from the one last published.",
    zh="指标定义与上次发布时相同。",
    stage="build",
    subject="dim_kpi",
    date_column=None,
    query="""
    select null::date as business_date, count(*) as checked_count,
      count(*) filter (where built.definition_hash is distinct from published.definition_hash) as violation_count
    from build.dim_kpi as built
    join marts.dim_kpi as published using (kpi_id)
    """,
    remedy="Note the change in DECISIONS.md; compare periods across it only after rebuilding the older ones.",
)

rule(
    "three_periods_can_be_compared",
    Principle.IMPROVABLE,
    "info",
    en="The same weekday is published for at least three earlier weeks.",
    zh="此前至少有三周的同一星期几已发布，可供比较。",
    stage="build",
    subject="kpi_values",
    query="""
    select days.business_date, 3 as checked_count,
      3 - least(3, count(published.period_start_date)) as violation_count
    from unnest(%(dates)s::date[]) as days (business_date)
    left join (
      select distinct period_start_date
      from marts.kpi_values
      where kpi_id = 'offered' and period_type = 'day' and unit_type = 'centre' and value > 0
    ) as published
      on published.period_start_date < days.business_date
      and extract(isodow from published.period_start_date) = extract(isodow from days.business_date)
    group by days.business_date
    """,
    remedy="Backfill earlier weeks if their files exist; a trend needs at least three comparable periods.",
)

rule(
    "days_are_the_sum_of_their_half_hours",
    Principle.ACCURATE,
    "critical",
    en="An indicator's day is the sum of its half-hours, numerator and denominator each (or their longest).",
    zh="指标的日值等于各半小时之和（分子、分母分别相加；最长值取最大）。",
    stage="build",
    subject="kpi_values",
    query="""
    with sums as (
      select period_start_date as business_date, kpi_id, unit_type, unit_key,
        coalesce(sum(numerator) filter (where period_type = 'day'), 0) as day_numerator,
        coalesce(case
          when kpi_id in (select kpi_id from build.dim_kpi where aggregate = 'max')
            then max(numerator) filter (where period_type = 'half_hour')
          else sum(numerator) filter (where period_type = 'half_hour')
        end, 0) as half_hours_numerator,
        coalesce(sum(denominator) filter (where period_type = 'day'), 0) as day_denominator,
        coalesce(sum(denominator) filter (where period_type = 'half_hour'), 0) as half_hours_denominator
      from build.kpi_values
      where period_type in ('half_hour', 'day')
        and period_start_date = any(%(dates)s)
        and unit_type <> 'agent'
        and kpi_id in (select kpi_id from build.kpi_values where period_type = 'half_hour')
      group by period_start_date, kpi_id, unit_type, unit_key
    )
    select sums.business_date, count(*) as checked_count,
      count(*) filter (
        where sums.day_numerator <> sums.half_hours_numerator
          or sums.day_denominator <> sums.half_hours_denominator
      ) as violation_count
    from sums
    group by sums.business_date
    """,
    remedy="The two periods are built from different rows: both must come from fct_queue_intervals.",
)

rule(
    "ratios_lie_between_zero_and_one",
    Principle.LOGICAL,
    "critical",
    en="A ratio lies between 0 and 1.",
    zh="比率在 0 与 1 之间。",
    stage="build",
    subject="kpi_values",
    query="""
    select kpi_values.period_start_date as business_date, count(*) as checked_count,
      count(*) filter (where kpi_values.value not between 0 and 1) as violation_count
    from build.kpi_values
    join build.dim_kpi using (kpi_id)
    where dim_kpi.unit = 'ratio'
      and kpi_values.value is not null
      and kpi_values.period_type in ('half_hour', 'day')
      and kpi_values.period_start_date = any(%(dates)s)
    group by kpi_values.period_start_date
    """,
    remedy="Numerator and denominator count different things: compare their measures in the metric.",
)
