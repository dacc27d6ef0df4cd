"""The words of the reports in English and Chinese; nothing else in the package holds a label.

A phrase is a pair (English, Chinese). `both` shows the English with the Chinese beside it.
"""

from __future__ import annotations

from typing import Final

LANGUAGES: Final = ("both", "en", "zh")

WEEKDAYS: Final = (
    ("Mon", "周一"),
    ("Tue", "周二"),
    ("Wed", "周三"),
    ("Thu", "周四"),
    ("Fri", "周五"),
    ("Sat", "周六"),
    ("Sun", "周日"),
)

# The seven letters of CRUCIAL in their order: principle → (letter, name).
PRINCIPLES: Final = {
    "collectable": ("C", ("Collectable", "可采集")),
    "reportable": ("R", ("Reportable", "可报告")),
    "usable": ("U", ("Usable", "实用")),
    "cyclical": ("C", ("Cyclical", "频率")),
    "improvable": ("I", ("Improvable", "可改进")),
    "accurate": ("A", ("Accurate", "精确")),
    "logical": ("L", ("Logical", "逻辑")),
}

PHRASES: Final[dict[str, tuple[str, str]]] = {
    "headline": ("Key figures", "关键指标"),
    "kpi": ("KPI", "指标"),
    "value": ("Value", "当日"),
    "yesterday": ("vs. the day before", "较前一日"),
    "last_week": ("vs. last week", "较上周同日"),
    "target": ("Target", "目标"),
    "met": ("met", "达标"),
    "missed": ("missed", "未达标"),
    "no_target": ("no target", "无目标"),
    "no_value": ("no value", "无数据"),
    "better": ("better", "向好"),
    "worse": ("worse", "变差"),
    "same": ("same", "持平"),
    "points": ("pp", "百分点"),
    "legend": (
        "Green is better, red is worse, by what each KPI aims at. “–” is a value that does not exist, not a zero.",
        "绿色表示向好，红色表示变差（按各指标的方向）。“–”表示无此数值，并非零。",
    ),
    "no_figures": ("No figures for this day.", "当日无数据。"),
    "queues": ("By queue", "分队列"),
    "queue": ("Queue", "队列"),
    "reasons": ("By reason", "分原因"),
    "reason": ("Reason", "原因"),
    "amount": ("Amount", "数值"),
    "share": ("Share", "占比"),
    "queues_left_out": (
        "{count} more queues with {offered} offered calls are not listed; the marts hold them all.",
        "另有 {count} 个队列（排队量 {offered}）未列出，数据集市中有全部数据。",
    ),
    "half_hours": ("Half-hour by half-hour", "分半小时"),
    "half_hour": ("Half-hour", "半小时"),
    "offered": ("Offered", "排队量"),
    "answered": ("Answered", "接通量"),
    "abandoned": ("Abandoned", "放弃量"),
    "other": ("Other", "其他"),
    "other_means": (
        "Other: left the queue without an agent, asked for a call back, or still in progress.",
        "其他：未接通而离队、要求回呼，或仍在进行中。",
    ),
    "service_level": ("Service level", "服务水平"),
    "no_calls": ("No calls were offered on this day.", "当日无排队电话。"),
    "chart_alt": (
        "Offered calls by half-hour, {first} to {last}: {offered} offered, {answered} answered, "
        "{abandoned} abandoned, {other} other; busiest half-hour {peak} with {peak_offered}.",
        "{first} 至 {last} 每半小时排队量：排队 {offered}，接通 {answered}，放弃 {abandoned}，其他 {other}；"
        "最忙半小时 {peak}（{peak_offered}）。",
    ),
    "gate": ("Can these figures be trusted?", "数据可信度（CRUCIAL）"),
    "gate_note": (
        "Rules of the run that published this day, by CRUCIAL principle: passed / noted or warned / failed.",
        "发布当日数据的质量规则结果，按 CRUCIAL 原则：通过 / 提示或警告 / 未通过。",
    ),
    "gate_passed": ("Every rule passed.", "全部规则通过。"),
    "gate_empty": ("No rule result is recorded for this publication.", "此次发布没有质量规则结果记录。"),
    "rule_fail": ("failed", "未通过"),
    "rule_warning": ("warning", "警告"),
    "rule_info": ("note", "提示"),
    "rule_error": ("could not be checked", "无法检查"),
    "violations": ("{count} violations", "{count} 处不符"),
    "rules_left_out": ("and {count} more.", "另有 {count} 条。"),
    "last_call": ("Last call in the data", "数据中最后一通电话"),
    "published_at": ("Published", "发布时间"),
    "unpublished": (
        "Figures of {date} are not published: {rules}",
        "{date} 的数据未发布：{rules}",
    ),
    "unpublished_unbuilt": (
        "Figures of {date} are not published: the day has not passed through the quality gate yet.",
        "{date} 的数据未发布：该日尚未通过质量检查。",
    ),
    "held": (
        "Newer figures of {date} are held back; shown are those published before: {rules}",
        "{date} 的新数据被拦截，显示的是先前发布的数据：{rules}",
    ),
    "restated": (
        "Restated. This replaces the report sent on {sent}.",
        "更正。本报告取代 {sent} 发送的报告。",
    ),
    "restated_unchanged": (
        "The key figures are the same; details below have changed.",
        "关键指标未变，明细有变化。",
    ),
    "restated_word": ("Restated", "更正"),
    "held_word": ("Data held back", "有数据被拦截"),
    "definitions": ("What the figures mean", "指标口径"),
    "official": (
        "Official service level: {formula}, T = {threshold} s (answered or abandoned at exactly T counts as within)."
        " A short abandon is one within {short} s.",
        "正式服务水平公式：{formula}，T = {threshold} 秒（恰为 T 秒计入）。{short} 秒内放弃为短放弃。",
    ),
    "other_formulas": ("The other formulas, same day", "当日其他公式"),
    "footer": (
        "Sent by Callhouse. Every figure comes from one publication of the marts.",
        "由 Callhouse 发送。所有数据来自数据集市的同一次发布。",
    ),
}
