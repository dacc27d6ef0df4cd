{{ config(materialized='ephemeral') }}
{#- A call list says when an agent talked; it knows of no log-ins. -#}
select
    source,
    agent_id,
    'talk'::text as state,
    null::text as reason,
    answered_at as started_at,
    ended_at,
    false as is_end_inferred
from {{ ref('int_delimited__agent_legs') }}
where answered_at is not null and ended_at is not null
