"""Accurate and logical: calls, queue visits and agent legs."""

from __future__ import annotations

from expectations.crucial import Principle, rule

_MEASURES = (
    "offered_count", "answered_count", "abandoned_count", "flowed_out_count", "called_back_count",
    "in_progress_count", "blocked_count", "answered_in_threshold_count", "abandoned_in_threshold_count",
    "short_abandoned_count", "wait_seconds", "talk_seconds", "hold_seconds", "after_call_seconds",
    "transferred_in_count",
)  # fmt: skip

# Grouping takes half the time of count(distinct), which sorts.
_COUNTED_ONCE = """
select business_date, sum(row_count)::bigint as checked_count,
  (sum(row_count) - count(*))::bigint as violation_count
from (
  select business_date, {key}, count(*) as row_count
  from build.{table}
  where business_date = any(%(dates)s)
  group by business_date, {key}
) as keys
group by business_date
"""

# ---- staging: what the sources say -------------------------------------------------------------------

_IMPLAUSIBLE = "not between timestamptz '1990-01-01 00:00:00Z' and now() + interval '1 day'"

rule(
    "event_times_are_plausible",
    Principle.LOGICAL,
    "critical",
    en="No telephone event lies before 1990 or in the future.",
    zh="没有早于 1990 年或在未来的电话事件。",
    stage="staging",
    subject="stg_asterisk_queue_log__events",
    violates=f"event_at {_IMPLAUSIBLE}",
    remedy="The telephone system's clock was wrong: correct the file and deliver it again.",
)

rule(
    "who_leaves_a_queue_has_entered_it",
    Principle.ACCURATE,
    "warning",
    # Without its entry such a line is no visit: nothing tells when the caller came, or whether it was counted.
    en="Every caller who leaves a queue without an agent has entered it.",
    zh="每个未接通而离开队列的来电都有进入队列的记录。",
    stage="staging",
    subject="stg_asterisk_queue_log__events",
    query="""
    select days.business_date, count(lines.event) as checked_count,
      count(lines.event) filter (
        where coalesce(lines.entered_at > lines.event_at, true)
      ) as violation_count
    from unnest(%(dates)s::date[]) as days (business_date)
    left join (
      -- One pass over the lines: a join of leavings with entries by call, without statistics, is a quadratic one.
      select business_date, event, event_at,
        min(event_at) filter (where event = 'ENTERQUEUE') over (partition by source, call_id, queue_id) as entered_at
      from staging.stg_asterisk_queue_log__events
      where event in ('ENTERQUEUE', 'ABANDON', 'EXITWITHTIMEOUT', 'EXITEMPTY', 'EXITWITHKEY', 'WITHDRAW')
        and business_date between
          (select min(day) - 1 from unnest(%(dates)s::date[]) as days (day))
          and (select max(day) from unnest(%(dates)s::date[]) as days (day))
    ) as lines
      on lines.business_date = days.business_date and lines.event <> 'ENTERQUEUE'
    group by days.business_date
    """,
    kpis=("offered", "abandoned", "abandonment_rate"),
    remedy="The file that holds the call's ENTERQUEUE line is missing or cut: deliver it and run the date again.",
)

# ---- contacts ----------------------------------------------------------------------------------------

rule(
    "contacts_are_counted_once",
    Principle.ACCURATE,
    "critical",
    en="A contact is counted once.",
    zh="每个联络只计一次。",
    stage="build",
    subject="fct_contacts",
    query=_COUNTED_ONCE.format(table="fct_contacts", key="contact_key"),
    kpis=("left_in_ivr",),
    remedy="The source's contact id is not unique: see how its staging model makes the key.",
)

rule(
    "contact_times_are_plausible",
    Principle.LOGICAL,
    "critical",
    en="No contact starts before 1990 or in the future.",
    zh="没有早于 1990 年或在未来开始的联络。",
    stage="build",
    subject="fct_contacts",
    violates=f"started_at {_IMPLAUSIBLE}",
    remedy="Look at the date format of the source in config/sources.yml.",
)

rule(
    "contacts_end_after_they_start",
    Principle.LOGICAL,
    "warning",
    en="A contact does not end before it starts.",
    zh="联络的结束不早于开始。",
    stage="build",
    subject="fct_contacts",
    where="ended_at is not null",
    violates="ended_at < started_at",
    remedy="Check the source's times around midnight and its time zone.",
)

rule(
    "contacts_know_how_they_ended",
    Principle.LOGICAL,
    "critical",
    en="Every contact has a known outcome.",
    zh="每个联络都有明确的结果。",
    stage="build",
    subject="fct_contacts",
    violates="""
    coalesce(outcome not in (
      'answered', 'abandoned', 'flowed_out', 'called_back', 'left_in_ivr', 'blocked', 'in_progress', 'void'
    ), true)
    """,
    remedy="The source has a new kind of outcome: add it to the source's mapping.",
)

# ---- queue visits ------------------------------------------------------------------------------------

rule(
    "visits_are_counted_once",
    Principle.ACCURATE,
    "critical",
    en="A queue visit is counted once.",
    zh="每次排队只计一次。",
    stage="build",
    subject="fct_queue_visits",
    query=_COUNTED_ONCE.format(table="fct_queue_visits", key="visit_key"),
    kpis=("offered", "answered", "abandoned"),
    remedy="The contact's visits are numbered twice: see the intermediate model of the source.",
)

rule(
    "intervals_equal_their_visits",
    Principle.ACCURATE,
    "critical",
    en="The half-hour sums of every queue equal its visits, in every measure.",
    zh="每个队列的半小时合计在每个度量上都等于其排队明细之和。",
    stage="build",
    subject="fct_queue_intervals",
    query=f"""
    with visits as (
      select business_date, queue_key, interval_start_at,
        {", ".join(f"coalesce(sum({name}), 0) as {name}" for name in _MEASURES)}
      from build.fct_queue_visits
      where business_date = any(%(dates)s)
      group by business_date, queue_key, interval_start_at
    ),
    intervals as (
      select * from build.fct_queue_intervals where business_date = any(%(dates)s)
    )
    select business_date, count(*) as checked_count,
      count(*) filter (
        where {" or ".join(f"coalesce(visits.{name}, 0) <> coalesce(intervals.{name}, 0)" for name in _MEASURES)}
      ) as violation_count
    from visits
    full join intervals using (business_date, queue_key, interval_start_at)
    group by business_date
    """,
    kpis=("offered", "answered", "abandoned", "asa", "aht", "service_level_f3"),
    remedy="The intervals were built from other visits than these: build the date again.",
)

rule(
    "every_visit_has_its_contact",
    Principle.LOGICAL,
    "critical",
    # A visit after midnight belongs to a contact of the day before, which may be published already.
    en="Every queue visit belongs to a contact.",
    zh="每次排队都属于一个联络。",
    stage="build",
    subject="fct_queue_visits",
    query="""
    select visits.business_date, count(*) as checked_count,
      count(*) filter (
        where contacts.contact_key is null
          and not exists (select from marts.fct_contacts where fct_contacts.contact_key = visits.contact_key)
      ) as violation_count
    from build.fct_queue_visits as visits
    left join build.fct_contacts as contacts using (contact_key)
    where visits.business_date = any(%(dates)s)
    group by visits.business_date
    """,
    remedy="Contact and visit fall on different dates or keys: see the intermediate model of the source.",
)

rule(
    "every_visit_has_its_queue",
    Principle.LOGICAL,
    "critical",
    en="Every queue visit is in a queue that has a name.",
    zh="每次排队所在的队列都在队列维度中。",
    stage="build",
    subject="fct_queue_visits",
    violates="queue_key is null or queue_key not in (select dim_queue.queue_key from build.dim_queue)",
    remedy="dim_queue was built before the visits: build the date again.",
)

rule(
    "outcomes_add_up",
    Principle.LOGICAL,
    "critical",
    en="Offered equals answered, abandoned, flowed out, called back and in progress together.",
    zh="排队量等于接通、放弃、溢出、回呼与进行中之和。",
    stage="build",
    subject="fct_queue_visits",
    violates="""
    offered_count <> answered_count + abandoned_count + flowed_out_count + called_back_count + in_progress_count
    """,
    kpis=("offered", "answered", "abandoned", "abandonment_rate"),
    remedy="A visit has no outcome or two: see its events in staging.",
)

rule(
    "answered_in_time_is_part_of_answered",
    Principle.LOGICAL,
    "critical",
    en="Visits answered within the threshold are part of the answered ones.",
    zh="阈值内接通量不超过接通量。",
    stage="build",
    subject="fct_queue_visits",
    violates="answered_in_threshold_count > answered_count",
    kpis=tuple(f"service_level_f{number}" for number in range(1, 7)),
    remedy="The threshold column counts visits that were not answered: see fct_queue_visits.",
)

rule(
    "abandoned_in_time_is_part_of_abandoned",
    Principle.LOGICAL,
    "critical",
    en="Visits abandoned within the threshold, and short abandons, are part of the abandoned ones.",
    zh="阈值内放弃量与短放弃量都不超过放弃量。",
    stage="build",
    subject="fct_queue_visits",
    violates="abandoned_in_threshold_count > abandoned_count or short_abandoned_count > abandoned_count",
    kpis=("service_level_f1", "service_level_f4", "service_level_f5", "service_level_f6"),
    remedy="The threshold columns count visits that were not abandoned: see fct_queue_visits.",
)

rule(
    "short_abandons_lie_within_the_threshold",
    Principle.LOGICAL,
    "critical",
    en="Where the short-abandon limit lies within the threshold, so does every short abandon.",
    zh="短放弃时限不超过阈值时，短放弃均属于阈值内放弃。",
    stage="build",
    subject="fct_queue_visits",
    where="%(short_within_threshold)s::boolean and abandoned_count <= 1",
    violates="short_abandoned_count > abandoned_in_threshold_count",
    kpis=("service_level_f5", "service_level_f6"),
    remedy="The two limits of the queue were read from different dates: see `service_level` in centre.yml.",
)

rule(
    "visits_end_after_they_start",
    Principle.LOGICAL,
    "warning",
    en="A caller does not leave a queue before entering it.",
    zh="离开队列不早于进入队列。",
    stage="build",
    subject="fct_queue_visits",
    where="left_at is not null",
    violates="left_at < entered_at",
    remedy="Check the source's times around midnight and its time zone.",
)

rule(
    "seconds_are_not_negative",
    Principle.LOGICAL,
    "critical",
    en="No visit has a negative wait, talk, hold or after-call time.",
    zh="等待、通话、保持与事后处理时长均不为负。",
    stage="build",
    subject="fct_queue_visits",
    # A time that is not known is no negative time.
    violates="""
    coalesce(wait_seconds, 0) < 0 or coalesce(talk_seconds, 0) < 0
    or coalesce(hold_seconds, 0) < 0 or coalesce(after_call_seconds, 0) < 0
    """,
    kpis=("asa", "aht"),
    remedy="Compare the times of the visit in staging; the source may log whole seconds on two clocks.",
)

rule(
    "answered_visits_have_a_wait",
    Principle.LOGICAL,
    "critical",
    en="Every answered visit has a wait, be it 0 seconds.",
    zh="每次接通都有等待时长，哪怕为零。",
    stage="build",
    subject="fct_queue_visits",
    where="answered_count > 0",
    violates="wait_seconds is null",
    kpis=("asa",),
    remedy="Take the wait from the entry and answer times where the source leaves it out.",
)

rule(
    "talks_last_at_most_a_shift",
    Principle.LOGICAL,
    "warning",
    en="No visit is talked about for more than eight hours.",
    zh="单次通话不超过八小时。",
    stage="build",
    subject="fct_queue_visits",
    where="talk_seconds is not null",
    violates="talk_seconds > 28800",
    kpis=("aht",),
    remedy="The line was left open or its end was lost: see the visit's last event.",
)

# ---- agents and legs ---------------------------------------------------------------------------------

rule(
    "answered_legs_belong_to_answered_visits",
    Principle.LOGICAL,
    "critical",
    en="A visit's leg that was answered belongs to a visit that was answered.",
    zh="已接通的坐席振铃段属于已接通的排队。",
    stage="build",
    subject="fct_agent_legs",
    query="""
    select legs.business_date, count(*) as checked_count,
      count(*) filter (
        where coalesce(
          visits.answered_count,
          (select published.answered_count from marts.fct_queue_visits as published
            where published.visit_key = legs.visit_key),
          0
        ) = 0
      ) as violation_count
    from build.fct_agent_legs as legs
    left join build.fct_queue_visits as visits using (visit_key)
    where legs.outcome = 'answered' and legs.visit_key is not null and legs.business_date = any(%(dates)s)
    group by legs.business_date
    """,
    kpis=("answered",),
    remedy="The visit's outcome ignores one of its legs: see the intermediate model of the source.",
)

rule(
    "agents_talk_to_one_caller_at_a_time",
    Principle.LOGICAL,
    "warning",
    en="An agent is on one call at a time.",
    zh="坐席同一时间只接一个电话。",
    stage="build",
    subject="fct_agent_legs",
    query="""
    with answered as (
      select business_date, answered_at,
        max(ended_at) over (
          partition by agent_key order by answered_at, ended_at
          rows between unbounded preceding and 1 preceding
        ) as busy_until
      from build.fct_agent_legs
      where outcome = 'answered' and agent_key is not null and business_date = any(%(dates)s)
    )
    select business_date, count(*) as checked_count,
      count(*) filter (where busy_until > answered_at) as violation_count
    from answered
    group by business_date
    """,
    kpis=("aht",),
    remedy="Two people share one agent id, or the end of a call was lost.",
)
