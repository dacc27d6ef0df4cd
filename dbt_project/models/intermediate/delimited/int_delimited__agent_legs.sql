{{ config(materialized='ephemeral') }}
select
    source,
    call_id as contact_id,
    case when is_visit then 1::bigint end as visit_number,
    case when is_visit then coalesce(queue_id, '-') end as queue_id,
    agent_id,
    coalesce(answered_at, entered_at + make_interval(secs => coalesce(wait_seconds, 0))) as offered_at,
    null::integer as ring_seconds,
    'answered'::text as outcome,
    coalesce(answered_at, entered_at + make_interval(secs => coalesce(wait_seconds, 0))) as answered_at,
    coalesce(
        ended_at,
        coalesce(answered_at, entered_at + make_interval(secs => coalesce(wait_seconds, 0))) + make_interval(
            secs => coalesce(talk_seconds, 0) + coalesce(hold_seconds, 0)
        )
    ) as ended_at,
    talk_seconds,
    hold_seconds,
    after_call_seconds,
    hung_up_by,
    null::text as transfer_kind,
    null::text as transfer_target,
    'primary'::text as leg_kind
from {{ ref('int_delimited__calls') }}
where outcome = 'answered'
