{#-
  Log-ins and pauses as spans. What a date sees depends on the date before and after it alone, whatever other dates
  the run covers: a span reaches from one date into the next at most.

  Logged in (available): from log-in to log-off. Where the log-off is lost, to the earliest of the next log-in, a
  restart of the telephone system, local midnight, and the end of the data. A log-off without its log-in says how
  long it was, else it counts from midnight. Who never logs in or off on a date is logged in while a member of a
  queue. Away: pauses of one queue and of all queues are spans of their own, from the first PAUSE to the next
  UNPAUSE or log-off.
-#}
with restarts as (
    select
        source,
        event_at as restart_at
    from {{ ref('stg_asterisk_queue_log__events') }}
    where {{ near_run('business_date') }} and event = 'QUEUESTART'
),

{#- `thread`: what one line opens, another one of the same thread and queue closes. -#}
state_lines as (
    select
        source,
        business_date,
        event_at,
        agent_id,
        case
            when event like 'AGENT%' then 'session'
            when event like '%MEMBER' then 'membership'
            else 'pause'
        end as thread,
        case when event not like 'AGENT%' then queue_id end as queue_id,
        event in ('AGENTLOGIN', 'AGENTCALLBACKLOGIN', 'ADDMEMBER', 'PAUSE', 'PAUSEALL') as is_start,
        case when event like '%LOGOFF' then {{ queue_log_seconds('data2') }} end as said_seconds,
        case when event like 'PAUSE%' then nullif(data1, '') end as reason
    from {{ ref('stg_asterisk_queue_log__events') }}
    where
        {{ near_run('business_date') }}
        and agent_id is not null
        and event in (
            'AGENTLOGIN', 'AGENTLOGOFF', 'AGENTCALLBACKLOGIN', 'AGENTCALLBACKLOGOFF', 'ADDMEMBER',
            'REMOVEMEMBER', 'PAUSE', 'UNPAUSE', 'PAUSEALL', 'UNPAUSEALL'
        )
    union all
    {#- A member may be added paused, and who is no longer a member is no longer paused. #}
    select
        source,
        business_date,
        event_at,
        agent_id,
        'pause' as thread,
        queue_id,
        event = 'ADDMEMBER' as is_start,
        null as said_seconds,
        null as reason
    from {{ ref('stg_asterisk_queue_log__events') }}
    where
        {{ near_run('business_date') }}
        and agent_id is not null
        and (event = 'REMOVEMEMBER' or (event = 'ADDMEMBER' and data1 = 'PAUSED'))
),

{#- Nothing stays open over a restart: states are paired within the time between two of them. -#}
state_events as (
    select
        state_lines.*,
        (
            select min(restarts.restart_at)
            from restarts
            where
                restarts.source = state_lines.source
                and (
                    restarts.restart_at > state_lines.event_at
                    or (restarts.restart_at = state_lines.event_at and not state_lines.is_start)
                )
        ) as next_restart_at,
        max(reason) over (partition by source, agent_id, event_at, thread, is_start) as reason_of_the_second,
        bool_or(thread = 'session') over (partition by source, agent_id, business_date) as has_sessions,
        min(event_at) filter (where thread = 'session' and not is_start) over (
            partition by source, agent_id order by event_at range between current row and unbounded following
        ) as next_log_off_at
    from state_lines
),

{#-
  Lines of one second: who was on goes off and on again; who was off came and went within it, and no span remains.
  (A second with both changes nothing of what was before it, so the last one with only one of them tells.)
-#}
by_second as (
    select
        *,
        coalesce(
            max(event_at) filter (where is_start and not is_mixed) over earlier
            > coalesce(max(event_at) filter (where not is_start and not is_mixed) over earlier, '-infinity'),
            false
        ) as was_on
    from (
        select
            *,
            bool_or(is_start) over one_second and not bool_and(is_start) over one_second as is_mixed,
            max(said_seconds) over one_second as said_in_second
        from state_events
        window one_second as (partition by source, agent_id, thread, queue_id, next_restart_at, event_at)
    ) as seconds
    window earlier as (
        partition by source, agent_id, thread, queue_id, next_restart_at order by event_at
        groups between unbounded preceding and 1 preceding
    )
),

paired as (
    select
        *,
        lag(is_start) over one_state
        and lag(business_date) over one_state >= business_date - 1 as was_started,
        lag(event_at) over one_state as previous_at,
        lead(event_at) over one_state as next_at,
        lead(is_start) over one_state as next_is_start,
        min(event_at) filter (where not is_start) over (
            one_state rows between current row and unbounded following
        ) as next_end_at
    from by_second
    where not is_mixed or was_on or said_in_second > 0
    window one_state as (
        partition by source, agent_id, thread, queue_id, next_restart_at order by event_at, is_start
    )
),

bounded as (
    select
        paired.*,
        {{ local_midnight('paired.business_date') }} as day_began_at,
        {{ local_midnight('paired.business_date - 1') }} as day_before_began_at,
        least(
            {{ local_midnight('paired.business_date + 1') }},
            known_to.known_to,
            paired.next_restart_at,
            case when paired.thread = 'session' then paired.next_at end
        ) as closed_at_last,
        {#- An end is this start's own until the end of the next day. #}
        case
            when paired.thread = 'session' and paired.next_is_start then null
            else least(
                case when {{ local_date('paired.next_end_at') }} <= paired.business_date + 1
                    then paired.next_end_at
                end,
                case
                    when paired.thread = 'pause'
                        and {{ local_date('paired.next_log_off_at') }} <= paired.business_date + 1
                        and coalesce(paired.next_log_off_at <= paired.next_restart_at, true)
                        then paired.next_log_off_at
                end
            )
        end as closed_at,
        (
            select max(restarts.restart_at)
            from restarts
            where restarts.source = paired.source and restarts.restart_at <= paired.event_at
        ) as restarted_at
    from paired
    inner join {{ ref('int_asterisk_queue_log__known_to') }} as known_to
        on paired.source = known_to.source and paired.business_date = known_to.business_date
    where paired.thread <> 'membership' or not paired.has_sessions
),

opened as (
    select
        source,
        agent_id,
        case when thread = 'pause' then 'away' else 'available' end as state,
        case when thread = 'pause' then coalesce(reason, reason_of_the_second) end as reason,
        event_at as started_at,
        coalesce(closed_at, closed_at_last) as ended_at,
        closed_at is null as is_end_inferred
    from bounded
    where is_start
),

begun_before as (
    select
        source,
        agent_id,
        'available' as state,
        null as reason,
        greatest(
            coalesce(event_at - make_interval(secs => said_seconds), day_began_at),
            day_before_began_at,
            restarted_at,
            case when previous_at >= day_before_began_at then previous_at end
        ) as started_at,
        event_at as ended_at,
        false as is_end_inferred
    from bounded
    where
        not is_start
        and thread <> 'pause'
        and not coalesce(was_started, false)
        and (said_seconds is not null or previous_at is null or previous_at < day_began_at)
)

select * from opened
union all
select * from begun_before
