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
