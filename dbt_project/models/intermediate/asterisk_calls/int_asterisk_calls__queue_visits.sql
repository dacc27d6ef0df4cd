{{ config(materialized='ephemeral') }}
{#- Records and events of channels know no queues: visits are the queue_log's. -#}
select
    null::text as source,
    null::text as contact_id,
    null::bigint as visit_number,
    null::date as business_date,
    null::timestamptz as interval_start_at,
    null::text as queue_id,
    null::text as agent_id,
    null::timestamptz as entered_at,
    null::timestamptz as left_at,
    null::integer as wait_seconds,
    null::text as outcome,
    null::text as outcome_reason,
    null::integer as talk_seconds,
    null::integer as hold_seconds,
    null::integer as after_call_seconds
where false
