with legs as (
    select
        agent_key,
        business_date,
        count(*) filter (where outcome = 'answered') as answered_count,
        count(*) filter (where outcome = 'missed') as missed_count,
        coalesce(sum(talk_seconds), 0) as talk_seconds,
        coalesce(sum(hold_seconds), 0) as hold_seconds,
        coalesce(sum(after_call_seconds), 0) as after_call_seconds
    from {{ ref('fct_agent_legs') }}
    where agent_key is not null
    group by agent_key, business_date
),

run_dates as (
    select
        run_date as business_date,
        tstzrange(
            run_date::timestamp at time zone '{{ var("time_zone") }}',
            (run_date + 1)::timestamp at time zone '{{ var("time_zone") }}'
        ) as day_span
    from unnest({{ run_dates() }}) as run_date
),

{#- The union on the wall clock, clipped to the day: two queues' log-ins at once count once. -#}
clipped as (
    select
        sessions.agent_id as agent_key,
        run_dates.business_date,
        sessions.state,
        range_agg(sessions.span * run_dates.day_span) as spans
    from {{ ref('int_asterisk_queue_log__agent_sessions') }} as sessions
    inner join run_dates
        on sessions.business_date = run_dates.business_date and sessions.span && run_dates.day_span
    group by sessions.agent_id, run_dates.business_date, sessions.state
),

sessions as (
    select
        clipped.agent_key,
        clipped.business_date,
        sum({{ seconds_between('lower(span)', 'upper(span)') }}) filter (
            where clipped.state = 'logged_in'
        ) as logged_in_seconds,
        sum({{ seconds_between('lower(span)', 'upper(span)') }}) filter (
            where clipped.state = 'paused'
        ) as paused_seconds
    from clipped
    cross join lateral unnest(clipped.spans) as span
    group by clipped.agent_key, clipped.business_date
),

{#- Where the day has log-ins at all, who has none was logged in for 0 seconds; else it is not known. -#}
days_with_sessions as (
    select distinct business_date from sessions
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
    coalesce(legs.answered_count, 0) as answered_count,
    coalesce(legs.missed_count, 0) as missed_count,
    coalesce(legs.talk_seconds, 0) as talk_seconds,
    coalesce(legs.hold_seconds, 0) as hold_seconds,
    coalesce(legs.after_call_seconds, 0) as after_call_seconds,
    case
        when days_with_sessions.business_date is not null then coalesce(sessions.logged_in_seconds, 0)
    end as logged_in_seconds,
    case
        when days_with_sessions.business_date is not null then coalesce(sessions.paused_seconds, 0)
    end as paused_seconds,
    attendance.scheduled_seconds,
    attendance.present_seconds
from legs
full join sessions using (agent_key, business_date)
full join attendance using (agent_key, business_date)
left join days_with_sessions using (business_date)
