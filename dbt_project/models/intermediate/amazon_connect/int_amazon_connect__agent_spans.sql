{#-
  Every event carries a snapshot of the agent, which holds until the next one: the agent's status is a span, and so
  is each contact on the list. After-call work is a contact that has ended and is still on the list.

  Heart beats come every two minutes: a longer silence than two of them, without a log-out, means that events are
  lost. What was true before it is taken to last to the next event, at most to local midnight and the end of the data.
  Of events in the same millisecond a log-in is the first and a log-out the last.
-#}
with events as (
    select
        *,
        lead(event_at) over agent as next_at,
        max(event_at) over (partition by source) as known_to
    from {{ ref('stg_amazon_connect__agent_events') }}
    where {{ near_run('business_date') }}
    window agent as (
        partition by source, agent_id
        order by event_at, case event_type when 'LOGIN' then 0 when 'LOGOUT' then 2 else 1 end, record_key
    )
),

snapshots as (
    select
        *,
        is_silent as is_end_inferred,
        case
            when is_silent then least(
                next_at, {{ local_midnight(local_date('event_at') ~ ' + 1') }}, greatest(known_to, event_at)
            )
            else next_at
        end as ended_at
    from (
        select
            *,
            next_at is null or next_at - event_at > interval '240 seconds' as is_silent
        from events
        where event_type <> 'LOGOUT'
    ) as listened
),

{#- Who is away is logged in (available) all the same; only Offline is not. -#}
statuses as (
    select
        source,
        agent_id,
        'available'::text as state,
        null::text as reason,
        null::text as contact_id,
        event_at as started_at,
        ended_at,
        is_end_inferred
    from snapshots
    where status_type <> 'OFFLINE'
    union all
    select
        source,
        agent_id,
        'away'::text as state,
        status_name as reason,
        null::text as contact_id,
        event_at as started_at,
        ended_at,
        is_end_inferred
    from snapshots
    where status_type not in ('OFFLINE', 'ROUTABLE')
),

contacts as (
    select
        snapshots.source,
        snapshots.agent_id,
        case contact ->> 'state'
            when 'INCOMING' then 'ringing'
            when 'PENDING' then 'ringing'
            when 'CONNECTING' then 'ringing'
            when 'CONNECTED' then 'talk'
            when 'CONNECTED_ONHOLD' then 'hold'
            when 'PAUSED' then 'hold'
            when 'ENDED' then 'after_call'
            when 'MISSED' then 'away'
            when 'REJECTED' then 'away'
            when 'ERROR' then 'away'
        end as state,
        case
            when contact ->> 'state' in ('MISSED', 'REJECTED', 'ERROR') then initcap(contact ->> 'state')
        end as reason,
        contact ->> 'contact_id' as contact_id,
        snapshots.event_at as started_at,
        snapshots.ended_at,
        snapshots.is_end_inferred
    from snapshots
    cross join lateral jsonb_array_elements(snapshots.contacts) as contact
),

{#- Heart beats cut a span that goes on: put together what touches. -#}
marked as (
    select
        *,
        (started_at is distinct from lag(ended_at) over same_state)::integer as is_begin
    from (
        select * from statuses
        union all
        select * from contacts
        where state is not null
    ) as spans
    where ended_at > started_at
    window same_state as (
        partition by source, agent_id, state, reason, contact_id order by started_at
    )
),

islands as (
    select
        *,
        sum(is_begin) over (
            partition by source, agent_id, state, reason, contact_id order by started_at
        ) as island
    from marked
)

select
    source,
    agent_id,
    state,
    reason,
    min(started_at) as started_at,
    max(ended_at) as ended_at,
    bool_or(is_end_inferred) as is_end_inferred
from islands
group by source, agent_id, state, reason, contact_id, island
