with days as (
    select
        agent_key,
        business_date,
        sum(answered_count)::bigint as answered_count,
        sum(missed_count)::bigint as missed_count,
        sum(talk_seconds)::bigint as talk_seconds,
        sum(hold_seconds)::bigint as hold_seconds,
        sum(after_call_seconds)::bigint as after_call_seconds,
        sum(ringing_seconds)::bigint as ringing_seconds,
        sum(available_seconds)::bigint as available_seconds,
        sum(away_seconds)::bigint as away_seconds,
        sum(logged_in_seconds)::bigint as logged_in_seconds
    from {{ ref('fct_agent_intervals') }}
    group by agent_key, business_date
),

run_dates as (
    select
        run_date as business_date,
        tstzrange({{ local_midnight('run_date') }}, {{ local_midnight('run_date + 1') }}) as day_span
    from unnest({{ run_dates() }}) as run_date
),

{#-
  Pauses on the wall clock, also while a call went on: two queues' pauses at once count once. To the second, as
  states are: who is away for a second is paused for it.
-#}
paused as (
    select
        spans.agent_id as agent_key,
        run_dates.business_date,
        range_agg(
            tstzrange(date_trunc('second', spans.started_at), date_trunc('second', spans.ended_at))
            * run_dates.day_span
        ) as spans
    from {{ ref('int_agent_spans') }} as spans
    inner join run_dates
        on spans.started_at < upper(run_dates.day_span) and spans.ended_at > lower(run_dates.day_span)
    where spans.state = 'away'
    group by spans.agent_id, run_dates.business_date
),

pauses as (
    select
        paused.agent_key,
        paused.business_date,
        sum({{ seconds_between('lower(span)', 'upper(span)') }}) as paused_seconds
    from paused
    cross join lateral unnest(paused.spans) as span
    group by paused.agent_key, paused.business_date
),

{#- Where the day has log-ins at all, who has none was logged in for 0 seconds; else it is not known. -#}
days_with_log_ins as (
    select distinct business_date
    from days
    where logged_in_seconds is not null
),

attendance as (
    select
        agent_key,
        business_date,
        sum(scheduled_seconds) as scheduled_seconds,
        sum(present_seconds) as present_seconds
    from {{ ref('fct_attendance') }}
    group by agent_key, business_date
)

select
    agent_key,
    business_date,
    coalesce(days.answered_count, 0) as answered_count,
    coalesce(days.missed_count, 0) as missed_count,
    coalesce(days.talk_seconds, 0) as talk_seconds,
    coalesce(days.hold_seconds, 0) as hold_seconds,
    coalesce(days.after_call_seconds, 0) as after_call_seconds,
    coalesce(days.ringing_seconds, 0) as ringing_seconds,
    coalesce(days.away_seconds, 0) as away_seconds,
    case when days_with_log_ins.business_date is not null then coalesce(days.available_seconds, 0) end
        as available_seconds,
    case when days_with_log_ins.business_date is not null then coalesce(days.logged_in_seconds, 0) end
        as logged_in_seconds,
    case when days_with_log_ins.business_date is not null then coalesce(pauses.paused_seconds, 0) end
        as paused_seconds,
    attendance.scheduled_seconds,
    attendance.present_seconds
from days
full join attendance using (agent_key, business_date)
left join pauses using (agent_key, business_date)
left join days_with_log_ins using (business_date)
