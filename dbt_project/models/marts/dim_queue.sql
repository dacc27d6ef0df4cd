{#- Also of days before, for a queue without calls in this run may get a name too. -#}
with seen as (
    select
        source,
        queue_id
    from {{ ref('int_queue_visits') }}
    union
    select
        source,
        queue_id
    from {{ source('marts', 'published_queues') }}
),

names as (
    select distinct on (queue_id)
        queue_id,
        queue_name
    from {{ ref('stg_delimited__queues') }}
    order by queue_id asc, _load_id desc
)

select
    seen.source || ':' || seen.queue_id as queue_key,
    seen.source,
    seen.queue_id,
    coalesce(names.queue_name, seen.queue_id) as queue_name
from seen
left join names on seen.queue_id = names.queue_id
