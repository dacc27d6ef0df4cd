{#-
  One row per call as mapped, with what the mapping left out worked out from what it gave. Also of the days beside
  the run's: a call of the evening before may be answered after midnight. Who calls out, or a colleague, waits in no
  queue unless the list names one.
-#}
with calls as (
    select
        *,
        coalesce(
            queue_entered_at,
            answered_at - make_interval(secs => wait_seconds),
            started_at + make_interval(secs => coalesce(ivr_seconds, 0))
        ) as entered_at,
        outcome not in ('left_in_ivr', 'void')
        and (queue_id is not null or coalesce(direction, 'inbound') = 'inbound') as is_visit
    from {{ ref('stg_delimited__calls') }}
    where {{ near_run('business_date') }}
)

select
    source,
    call_id,
    business_date,
    channel,
    direction,
    customer_id,
    started_at,
    ended_at,
    ivr_seconds,
    queue_id,
    entered_at,
    is_visit,
    {#- Who gives up hangs up, so that the call ends where the wait does. #}
    case
        when wait_seconds is not null or not is_visit then wait_seconds
        when outcome = 'answered' then {{ seconds_between('entered_at', 'answered_at') }}
        when outcome = 'abandoned' then {{ seconds_between('entered_at', 'ended_at') }}
    end as wait_seconds,
    outcome,
    outcome_reason,
    agent_id,
    answered_at,
    case
        when talk_seconds is not null or outcome <> 'answered' then talk_seconds
        else {{ seconds_between('answered_at', 'ended_at') }} - coalesce(hold_seconds, 0)
    end as talk_seconds,
    hold_seconds,
    after_call_seconds,
    hung_up_by,
    topic,
    is_resolved,
    satisfaction_score,
    satisfaction_max
from calls
