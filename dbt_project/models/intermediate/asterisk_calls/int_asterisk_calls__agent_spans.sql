{{ config(materialized='ephemeral') }}
{#- Talks that no queue saw; one whose end is not known yet is not shown. -#}
select
    source,
    agent_id,
    'talk'::text as state,
    null::text as reason,
    answered_at as started_at,
    ended_at,
    false as is_end_inferred
from {{ ref('int_asterisk_calls__unqueued') }}
where is_answered and agent_id is not null and answered_at < ended_at
