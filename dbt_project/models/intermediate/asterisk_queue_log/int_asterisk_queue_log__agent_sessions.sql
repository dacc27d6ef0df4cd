{#-
  Log-ins and pauses as spans of time, one row per span. A log-in ends at the agent's log-off; where that line is
  lost, at the earliest of the next log-in, local midnight, and the end of the data. A log-off that comes first
  ends a log-in before the data: it says how long it was, else it counts from midnight. Pauses of one queue
  and of all queues are spans of their own; whoever sums them takes their union.
-#}
with state_events as (
    select
        source,
        agent_id,
        case when event like '%LOG%' then 'logged_in' else 'paused' end as state,
        case when event like '%LOG%' then null else queue_id end as queue_id,
        event in ('AGENTLOGIN', 'AGENTCALLBACKLOGIN', 'PAUSE', 'PAUSEALL') as is_start,
        event_at,
        case when event like '%LOGOFF' then ops.try_integer(data2) end as logged_in_seconds
    from {{ ref('stg_asterisk_queue_log__events') }}
    where
        {{ near_run('business_date') }}
        and event in (
            'AGENTLOGIN', 'AGENTLOGOFF', 'AGENTCALLBACKLOGIN', 'AGENTCALLBACKLOGOFF',
            'PAUSE', 'UNPAUSE', 'PAUSEALL', 'UNPAUSEALL'
        )
        and agent_id is not null
),

{#- A second PAUSE while paused changes nothing: a span runs from the first start to the next end. -#}
paired as (
    select
        *,
        lag(is_start) over one_state as was_started,
        lead(event_at) over one_state as next_at,
        lead(is_start) over one_state as next_is_start,
        min(event_at) filter (where not is_start) over (
            partition by source, agent_id, state, queue_id
            order by event_at, is_start
            rows between current row and unbounded following
        ) as next_end_at
    from state_events
    window one_state as (partition by source, agent_id, state, queue_id order by event_at, is_start)
),

data_end as (
    select
        source,
        max(event_at) as ends_at
    from {{ ref('stg_asterisk_queue_log__events') }}
    where {{ near_run('business_date') }}
    group by source
)

select
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
inner join data_end on paired.source = data_end.source
where
    case
        when paired.is_start then paired.state = 'logged_in' or not coalesce(paired.was_started, false)
        else paired.state = 'logged_in' and paired.was_started is null
    end
