{#-
  Every span of time in which Genesys Cloud says an agent was in a state; spans overlap freely. Any presence but
  OFFLINE is being logged in; whoever is neither AVAILABLE nor ON_QUEUE is away, as is a routing status of
  NOT_RESPONDING, and OFF_QUEUE while logged in. Of calls the conversations tell second by second; COMMUNICATING is
  a call outside the queues. An open span lasts until local midnight, or the end of the data when that is earlier: the
  newest instant that users, or on its date conversations, tell of.
-#}
with states as (
    select
        *,
        {{ local_date('started_at') }} as started_date
    from {{ ref('stg_genesys_cloud__user_states') }}
    where
        {{ near_run('business_date', 31, 1) }}
        and (
            ended_at is null
            or {{ local_date('ended_at') }} >= (
                select min(run_date) - 1 from unnest({{ run_dates() }}) as run_date
            )
        )
),

{#- A record of the far future says nothing about how far the data goes. -#}
data_ends as (
    select
        source,
        max(coalesce(ended_at, started_at)) as ends_at
    from {{ ref('stg_genesys_cloud__user_states') }}
    where coalesce(ended_at, started_at) < now() + interval '1 day'
    group by source
),

{#- Of its own dates alone, for on these its news is felt. -#}
conversations_end as (
    select
        source,
        {{ local_date('told_at') }} as told_date,
        max(told_at) as ends_at
    from (
        select
            source,
            unnest(array[started_at, ended_at]) as told_at
        from {{ ref('int_genesys_cloud__segments') }}
    ) as instants
    where told_at is not null
    group by source, {{ local_date('told_at') }}
),

bounded as (
    select
        states.source,
        states.user_id as agent_id,
        states.kind,
        states.state,
        states.started_at,
        coalesce(
            states.ended_at,
            least(
                {{ local_midnight('states.started_date + 1') }},
                greatest(data_ends.ends_at, conversations_end.ends_at)
            )
        ) as ended_at,
        states.ended_at is null as is_end_inferred
    from states
    inner join data_ends on states.source = data_ends.source
    left join conversations_end
        on states.source = conversations_end.source and states.started_date = conversations_end.told_date
),

presences as (
    select * from bounded
    where kind = 'presence' and state <> 'OFFLINE'
),

routings as (
    select * from bounded
    where kind = 'routing'
),

segments as (
    select
        segments.source,
        segments.agent_id,
        case segments.segment_type
            when 'alert' then 'ringing'
            when 'contacting' then 'ringing'
            when 'dialing' then 'ringing'
            when 'interact' then 'talk'
            when 'hold' then 'hold'
            when 'parked' then 'hold'
            when 'wrapup' then 'after_call'
        end as state,
        null as reason,
        segments.started_at,
        coalesce(
            segments.ended_at,
            least(segments.midnight_at, greatest(data_ends.ends_at, conversations_end.ends_at))
        ) as ended_at,
        segments.ended_at is null as is_end_inferred
    from {{ ref('int_genesys_cloud__segments') }} as segments
    left join data_ends on segments.source = data_ends.source
    left join conversations_end
        on
            segments.source = conversations_end.source
            and {{ local_date('segments.started_at') }} = conversations_end.told_date
    where segments.purpose in ('agent', 'user')
),

spans as (
    select source, agent_id, 'available' as state, null as reason, started_at, ended_at, is_end_inferred
    from presences
    union all
    select source, agent_id, 'away' as state, state as reason, started_at, ended_at, is_end_inferred
    from presences
    where state not in ('AVAILABLE', 'ON_QUEUE')
    union all
    select source, agent_id, 'away' as state, state as reason, started_at, ended_at, is_end_inferred
    from routings
    where state = 'NOT_RESPONDING'
    union all
    select source, agent_id, 'talk' as state, state as reason, started_at, ended_at, is_end_inferred
    from routings
    where state = 'COMMUNICATING'
    union all
    select
        routings.source,
        routings.agent_id,
        'away' as state,
        routings.state as reason,
        greatest(routings.started_at, presences.started_at) as started_at,
        least(routings.ended_at, presences.ended_at) as ended_at,
        case
            when routings.ended_at < presences.ended_at then routings.is_end_inferred
            else presences.is_end_inferred
        end as is_end_inferred
    from routings
    inner join presences
        on
            routings.source = presences.source
            and routings.agent_id = presences.agent_id
            and routings.started_at < presences.ended_at
            and routings.ended_at > presences.started_at
    where routings.state = 'OFF_QUEUE' and presences.state = 'AVAILABLE'
    union all
    select source, agent_id, state, reason, started_at, ended_at, is_end_inferred
    from segments
    where state is not null
)

select *
from spans
where agent_id is not null and ended_at > started_at
