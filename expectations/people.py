"""Customers and staff: surveys, cases, attendance, and who answered."""

from __future__ import annotations

from expectations.crucial import Principle, rule

rule(
    "agent_names_are_whole",
    Principle.ACCURATE,
    "warning",
    en="No agent's id holds the mark for 'no agent' as a part of it.",
    zh="坐席编号中不夹带“无坐席”标记。",
    stage="staging",
    subject="stg_delimited__calls",
    where="agent_id is not null",
    violates="exists (select from unnest(%(no_agent_markers)s::text[]) as marker where strpos(agent_id, marker) > 0)",
    remedy="A find-and-replace upstream damaged the names: have the source corrected; they stay as they are.",
)

rule(
    "answered_visits_have_an_agent",
    Principle.ACCURATE,
    "warning",
    en="Every answered visit names an agent who is known.",
    zh="每次接通都有已知的坐席。",
    stage="build",
    subject="fct_queue_visits",
    where="answered_count > 0",
    violates="""
    agent_key is null or agent_key not in (
      select dim_agent.agent_key
      from build.dim_agent
      where not exists (
        select from unnest(%(no_agent_markers)s::text[]) as marker where strpos(dim_agent.agent_id, marker) > 0
      )
    )
    """,
    kpis=("answered", "aht"),
    remedy="The visit counts as answered; ask the source who took it. Nothing is repaired in silence.",
)

rule(
    "scores_lie_within_their_scale",
    Principle.LOGICAL,
    "warning",
    en="A survey score lies within its scale.",
    zh="满意度得分在量表范围之内。",
    stage="build",
    subject="fct_surveys",
    where="score is not null",
    violates="valid_count = 0",
    kpis=("satisfaction",),
    remedy="The scale in the source changed: correct min_score and max_score in its mapping.",
)

rule(
    "surveys_belong_to_a_contact",
    Principle.ACCURATE,
    "warning",
    en="At least 95 % of survey answers belong to a known contact.",
    zh="至少 95% 的满意度答卷对应已知的联络。",
    stage="build",
    subject="fct_surveys",
    violates="not is_contact_known",
    tolerance=0.05,
    kpis=("satisfaction",),
    remedy="The survey's call id is not the telephone system's: see `contact_source` in its mapping.",
)

rule(
    "cases_close_after_they_open",
    Principle.LOGICAL,
    "warning",
    en="A case is not closed before it is opened.",
    zh="工单的关闭不早于建立。",
    stage="build",
    subject="fct_cases",
    where="closed_at is not null",
    violates="closed_at < opened_at",
    remedy="Check the CRM's date format and time zone in config/sources.yml.",
)

rule(
    "shifts_end_after_they_start",
    Principle.LOGICAL,
    "warning",
    en="A shift, planned or worked, does not end before it starts.",
    zh="班次（计划或实际）的结束不早于开始。",
    stage="build",
    subject="fct_attendance",
    # Who has no plan or did not come has no order of times to break.
    violates="coalesce(planned_end_at <= planned_start_at, false) or coalesce(last_out_at < first_in_at, false)",
    kpis=("attendance_rate",),
    remedy="A night shift needs the next day's date at its end: see the attendance mapping.",
)

rule(
    "shifts_are_attended_at_most_once",
    Principle.ACCURATE,
    "critical",
    en="A shift counts once at most as scheduled, and once at most as attended.",
    zh="每个班次的应出勤与实际出勤最多各计一次。",
    stage="build",
    subject="fct_attendance",
    violates="coalesce(scheduled_count not in (0, 1) or attended_count not in (0, 1), true)",
    kpis=("attendance_rate",),
    remedy="Punches of one agent were matched to two shifts: see the attendance models.",
)

rule(
    "an_agent_is_in_one_state_at_a_time",
    Principle.LOGICAL,
    "critical",
    en="An agent is in one state at a time.",
    zh="同一坐席在同一秒只处于一种状态。",
    stage="build",
    subject="fct_agent_states",
    query="""
    select business_date, count(*) as checked_count, count(*) filter (where next_started_at < ended_at) as violation_count
    from (
      select business_date, ended_at, lead(started_at) over (partition by agent_key order by started_at) as next_started_at
      from build.fct_agent_states
    ) as states
    group by business_date
    """,
    kpis=("occupancy", "utilisation"),
    remedy="Two spans of one agent overlap after int_agent_states: a defect of the model, not of the data.",
)

rule(
    "half_hours_of_agents_are_half_hours",
    Principle.LOGICAL,
    "critical",
    en="An agent's seconds of a half-hour are at most 1,800, and those of all states are those logged in.",
    zh="坐席每半小时各状态之和等于登录时长，且不超过 1800 秒。",
    stage="build",
    subject="fct_agent_intervals",
    where="logged_in_seconds is not null",
    violates="""
    logged_in_seconds > 1800 or logged_in_seconds
    <> available_seconds + ringing_seconds + talk_seconds + hold_seconds + after_call_seconds + away_seconds
    """,
    kpis=("occupancy", "utilisation"),
    remedy="Seconds were lost or counted twice when states were cut: see fct_agent_intervals.",
)

rule(
    "few_ends_of_states_are_worked_out",
    Principle.ACCURATE,
    "warning",
    en="At most 5 % of agents' states end where nobody told they did.",
    zh="坐席状态的结束时间推断比例不超过 5%。",
    stage="build",
    subject="fct_agent_states",
    violates="is_end_inferred",
    tolerance=0.05,
    kpis=("occupancy", "utilisation"),
    remedy="Log-offs are lost: see whether the telephone system restarts, or files are missing.",
)

rule(
    "an_agents_endings_are_among_their_calls",
    Principle.LOGICAL,
    "critical",
    en="The calls an agent transferred or hung up are among those whose ending is known, and these among the ended.",
    zh="坐席转出与先挂的通话包含在结束方式已知的通话之内，后者包含在已结束的通话之内。",
    stage="build",
    subject="fct_agent_intervals",
    violates="transferred_count + agent_hung_up_count > ending_known_count or ending_known_count > handled_count",
    kpis=("transfer_rate", "agent_hung_up_rate"),
    remedy="Legs were counted twice: see the counts in fct_agent_intervals.",
)
