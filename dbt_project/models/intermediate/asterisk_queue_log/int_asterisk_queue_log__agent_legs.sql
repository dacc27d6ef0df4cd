{{ config(materialized='ephemeral') }}
select
    source,
    contact_id,
    visit_number,
    queue_id,
    agent_id,
    left_at - make_interval(secs => ring_seconds) as offered_at,
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
from {{ ref('int_asterisk_queue_log__queue_visits') }}
where outcome = 'answered'
union all
{{ missed_legs('int_asterisk_queue_log__missed_offers') }}
