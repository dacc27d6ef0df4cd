{{ config(materialized='ephemeral') }}
select
    source,
    contact_id,
    visit_number,
    queue_id,
    agent_id,
    offered_at,
    ring_seconds,
    'answered'::text as outcome,
    left_at as answered_at,
    ended_at,
    talk_seconds,
    hold_seconds,
    after_call_seconds,
    hung_up_by,
    transfer_kind,
    transfer_target,
    'primary'::text as leg_kind
from {{ ref('int_genesys_cloud__queue_visits') }}
where outcome = 'answered'
union all
select
    source,
    contact_id,
    visit_number,
    queue_id,
    agent_id,
    offered_at,
    ring_seconds,
    'missed'::text as outcome,
    null::timestamptz as answered_at,
    ended_at,
    0 as talk_seconds,
    0 as hold_seconds,
    0 as after_call_seconds,
    null::text as hung_up_by,
    null::text as transfer_kind,
    null::text as transfer_target,
    'primary'::text as leg_kind
from {{ ref('int_genesys_cloud__missed_offers') }}
