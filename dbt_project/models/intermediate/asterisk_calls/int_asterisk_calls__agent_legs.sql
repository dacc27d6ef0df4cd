{{ config(materialized='ephemeral') }}
{#- Answered calls that no queue saw: outbound, internal, and those dialled straight to an agent. -#}
select
    source,
    call_id as contact_id,
    null::bigint as visit_number,
    null::text as queue_id,
    agent_id,
    answered_at as offered_at,
    null::integer as ring_seconds,
    'answered'::text as outcome,
    answered_at,
    ended_at,
    talk_seconds,
    case when ended_at is not null then 0 end as hold_seconds,
    case when ended_at is not null then 0 end as after_call_seconds,
    null::text as hung_up_by,
    null::text as transfer_kind,
    null::text as transfer_target,
    case when direction in ('outbound', 'internal') then direction else 'primary' end as leg_kind
from {{ ref('int_asterisk_calls__unqueued') }}
where is_answered
