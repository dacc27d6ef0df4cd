{#-
  Log-ins and pauses as spans of time, one row per span and date of the run. A date sees them by its own events and
  those of the dates before and after it, whatever other dates the run covers. A log-in ends at the agent's log-off;
  where that line is lost, at the earliest of the next log-in, local midnight, and the end of the data. A log-off
  that comes first ends a log-in before the data: it says how long it was, else it counts from midnight. Pauses of
  one queue and of all queues are spans of their own; whoever sums them takes their union.
-#}
with run_dates as (
    select run_date as business_date
    from unnest({{ run_dates() }}) as run_date
),

state_events as (
    select
        run_dates.business_date,
        events.source,
        events.agent_id,
        case when events.event like '%LOG%' then 'logged_in' else 'paused' end as state,
        case when events.event like '%LOG%' then null else events.queue_id end as queue_id,
        events.event in ('AGENTLOGIN', 'AGENTCALLBACKLOGIN', 'PAUSE', 'PAUSEALL') as is_start,
        events.event_at,
        case when events.event like '%LOGOFF' then ops.try_integer(events.data2) end as logged_in_seconds
    from {{ ref('stg_asterisk_queue_log__events') }} as events
    inner join run_dates
        on events.business_date between run_dates.business_date - 1 and run_dates.business_date + 1
    where
        {{ near_run('events.business_date') }}
        and events.event in (
            'AGENTLOGIN', 'AGENTLOGOFF', 'AGENTCALLBACKLOGIN', 'AGENTCALLBACKLOGOFF',
            'PAUSE', 'UNPAUSE', 'PAUSEALL', 'UNPAUSEALL'
        )
        and events.agent_id is not null
),

{#- A second PAUSE while paused changes nothing: a span runs from the first start to the next end. -#}
paired as (
    select
        *,
        lag(is_start) over one_state as was_started,
        lead(event_at) over one_state as next_at,
        lead(is_start) over one_state as next_is_start,
        min(event_at) filter (where not is_start) over (
            partition by business_date, source, agent_id, state, queue_id
            order by event_at, is_start
            rows between current row and unbounded following
        ) as next_end_at
    from state_events
    window one_state as (
        partition by business_date, source, agent_id, state, queue_id order by event_at, is_start
    )
),

last_events as (
    select
        source,
        business_date,
        max(event_at) as event_at
    from {{ ref('stg_asterisk_queue_log__events') }}
    where {{ near_run('business_date') }}
    group by source, business_date
),

data_end as (
    select
        run_dates.business_date,
        last_events.source,
        max(last_events.event_at) as ends_at
    from run_dates
    inner join last_events
        on last_events.business_date between run_dates.business_date - 1 and run_dates.business_date + 1
    group by run_dates.business_date, last_events.source
)

select
    paired.business_date,
    paired.source,
    paired.agent_id,
    paired.state,
    case
        when paired.is_start then tstzrange(paired.event_at, greatest(paired.event_at, case
            when paired.state = 'paused' and paired.next_end_at is not null then paired.next_end_at
            when not paired.next_is_start then paired.next_at
            else least(
                case when paired.state = 'logged_in' then paired.next_at end,
                ({{ local_date('paired.event_at') }} + 1)::timestamp at time zone '{{ var("time_zone") }}',
                data_end.ends_at
            )
        end))
        else tstzrange(
            least(paired.event_at, coalesce(
                paired.event_at - make_interval(secs => paired.logged_in_seconds),
                {{ local_date('paired.event_at') }}::timestamp at time zone '{{ var("time_zone") }}'
            )),
            paired.event_at
        )
    end as span
from paired
inner join data_end
    on paired.business_date = data_end.business_date and paired.source = data_end.source
where
    case
        when paired.is_start then paired.state = 'logged_in' or not coalesce(paired.was_started, false)
        else paired.state = 'logged_in' and paired.was_started is null
    end
