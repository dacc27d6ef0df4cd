{#-
  Every span of time in which the queue_log says what an agent was doing; spans of one agent overlap freely. Talk and
  ringing come from the offers, after-call work from WRAPUPSTART.
-#}
with legs as (
    select
        *,
        lead(answered_at) over (
            partition by source, agent_id, outcome order by answered_at, ended_at
        ) as next_at
    from {{ ref('int_asterisk_queue_log__agent_legs') }}
    where agent_id is not null
),

{#- A talk whose end is lost is over when the agent answers again, at the latest at midnight. -#}
talks as (
    select
        legs.source,
        legs.agent_id,
        'talk' as state,
        null as reason,
        legs.answered_at as started_at,
        coalesce(legs.ended_at, least(
            legs.next_at,
            {{ local_midnight(local_date('legs.answered_at') ~ ' + 1') }},
            known_to.known_to
        )) as ended_at,
        legs.ended_at is null as is_end_inferred
    from legs
    left join {{ ref('int_asterisk_queue_log__known_to') }} as known_to
        on legs.source = known_to.source and {{ local_date('legs.answered_at') }} = known_to.business_date
    where legs.outcome = 'answered'
),

rings as (
    select
        source,
        agent_id,
        'ringing' as state,
        null as reason,
        offered_at as started_at,
        coalesce(answered_at, ended_at) as ended_at,
        false as is_end_inferred
    from legs
    union all
    select
        source,
        agent_id,
        'ringing' as state,
        null as reason,
        event_at - make_interval(secs => round({{ queue_log_seconds('data1', 9) }} / 1000.0)) as started_at,
        event_at as ended_at,
        false as is_end_inferred
    from {{ ref('stg_asterisk_queue_log__events') }}
    where {{ near_run('business_date') }} and event = 'RINGCANCELED' and agent_id is not null
),

wrap_ups as (
    select
        source,
        agent_id,
        'after_call' as state,
        null as reason,
        event_at as started_at,
        event_at + make_interval(secs => {{ queue_log_seconds('data1') }}) as ended_at,
        false as is_end_inferred
    from {{ ref('stg_asterisk_queue_log__events') }}
    where {{ near_run('business_date') }} and event = 'WRAPUPSTART' and agent_id is not null
),

spans as (
    select * from {{ ref('int_asterisk_queue_log__log_ins_and_pauses') }}
    union all
    select * from talks
    union all
    select * from rings
    union all
    select * from wrap_ups
)

select *
from spans
where started_at < ended_at
