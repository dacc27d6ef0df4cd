{#-
  Every span of time in which FreeSWITCH says an agent was in a state; spans overlap freely. A status lasts until
  the agent's next one; where none follows by the end of the next day, until local midnight, or the end of the
  data when that is earlier: the newest instant that statuses, or on its date channels, tell of. On a break an agent
  is logged in too. Of a hold only its length is known: it stands at the end of the talk.
-#}
with changes as (
    select
        source,
        agent_id,
        status,
        changed_at,
        lead(changed_at) over agent as next_at
    from {{ ref('stg_freeswitch__agent_statuses') }}
    where {{ near_run('business_date') }}
    window agent as (partition by source, agent_id order by changed_at, status)
),

{#- A record of the far future says nothing about how far the data goes. -#}
data_ends as (
    select
        source,
        max(changed_at) as ends_at
    from {{ ref('stg_freeswitch__agent_statuses') }}
    where changed_at < now() + interval '1 day'
    group by source
),

{#- Of its own date alone, for on it its news is felt. -#}
calls_end as (
    select
        source,
        {{ local_date('ended_at') }} as told_date,
        max(ended_at) as ends_at
    from {{ ref('stg_freeswitch__calls') }}
    where {{ near_run('business_date') }}
    group by source, {{ local_date('ended_at') }}
),

statuses as (
    select
        followed.source,
        followed.agent_id,
        followed.status,
        followed.changed_at as started_at,
        followed.is_end_inferred,
        case
            when followed.is_end_inferred
                then least(
                    {{ local_midnight('followed.changed_date + 1') }},
                    greatest(data_ends.ends_at, calls_end.ends_at)
                )
            else followed.next_at
        end as ended_at
    from (
        select
            *,
            {{ local_date('changed_at') }} as changed_date,
            coalesce({{ local_date('next_at') }} > {{ local_date('changed_at') }} + 1, true)
                as is_end_inferred
        from changes
    ) as followed
    inner join data_ends on followed.source = data_ends.source
    left join calls_end
        on followed.source = calls_end.source and followed.changed_date = calls_end.told_date
    where followed.status <> 'Logged Out'
),

spans as (
    select source, agent_id, 'available' as state, null as reason, started_at, ended_at, is_end_inferred
    from statuses
    union all
    select source, agent_id, 'away' as state, status as reason, started_at, ended_at, is_end_inferred
    from statuses
    where status not like 'Available%'
    union all
    {#- Whoever took the call, or nobody: a telephone rang until it was answered or its channel ended. #}
    select
        source,
        agent_id,
        'ringing' as state,
        null as reason,
        started_at,
        coalesce(answered_at, ended_at) as ended_at,
        false as is_end_inferred
    from {{ ref('stg_freeswitch__calls') }}
    where {{ near_run('business_date') }} and side = 'agent' and coalesce(agent_type, '') <> 'uuid-standby'
    union all
    select
        source,
        agent_id,
        'talk' as state,
        null as reason,
        talk_from as started_at,
        talk_from + make_interval(secs => talk_seconds) as ended_at,
        hold_seconds > 0 as is_end_inferred
    from {{ ref('int_freeswitch__queue_visits') }}
    union all
    select
        source,
        agent_id,
        'hold' as state,
        null as reason,
        talk_from + make_interval(secs => talk_seconds) as started_at,
        ended_at,
        false as is_end_inferred
    from {{ ref('int_freeswitch__queue_visits') }}
    where hold_seconds > 0
)

select *
from spans
where agent_id is not null and ended_at > started_at
