{#- Up to when a queue_log tells of a date: to its end once a later one has begun, else to its last line. -#}
with last_events as (
    select
        source,
        business_date,
        max(event_at) as event_at
    from {{ ref('stg_asterisk_queue_log__events') }}
    where {{ near_run('business_date') }}
    group by source, business_date
)

select
    last_events.source,
    last_events.business_date,
    case
        when next_day.source is not null then {{ local_midnight('last_events.business_date + 1') }}
        else last_events.event_at
    end as known_to
from last_events
left join last_events as next_day
    on last_events.source = next_day.source and last_events.business_date + 1 = next_day.business_date
