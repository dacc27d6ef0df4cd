{{ config(materialized='ephemeral') }}
{#- Calls that never came to a queue; the others are contacts of the queue_log. -#}
select calls.*
from {{ ref('int_asterisk_calls__calls') }} as calls
where not exists (
    select from {{ ref('int_asterisk_queue_log__queue_visits') }} as visits
    where visits.source = calls.source and visits.contact_id = calls.call_id
)
