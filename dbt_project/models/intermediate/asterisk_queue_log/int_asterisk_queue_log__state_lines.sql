{{ config(materialized='ephemeral') }}
{#-
  Lines that begin or end a log-in, a membership or a pause, each with what else happened in its second and between
  which restarts of the telephone system it stands. Lines that leave no trace, as who was off came and went within one
  second, are left out.
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
        (
            select max(restarts.restart_at)
            from restarts
            where restarts.source = state_lines.source and restarts.restart_at <= state_lines.event_at
        ) as restarted_at,
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
)

select *
from by_second
where not is_mixed or was_on or said_in_second > 0
