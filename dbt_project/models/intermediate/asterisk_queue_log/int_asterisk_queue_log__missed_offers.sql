{#-
  RINGNOANSWER → offers an agent missed. The ring time is in milliseconds; ring-all queues write 0 for agents who
  never rang, which is no offer. The offer belongs to the newest visit of that call and queue begun by then.
-#}
with missed as (
    select
        source,
        call_id,
        queue_id,
        agent_id,
        event_at,
        round({{ queue_log_seconds('data1', 9) }} / 1000.0)::integer as ring_seconds
    from {{ ref('stg_asterisk_queue_log__events') }}
    where
        {{ near_run('business_date') }}
        and event = 'RINGNOANSWER'
        and call_id is not null
        and {{ queue_log_seconds('data1', 9) }} > 0
),

visits as (
    select source, contact_id, queue_id, visit_number, entered_at
    from {{ ref('int_asterisk_queue_log__queue_visits') }}
)

select
    missed.source,
    missed.call_id as contact_id,
    missed.queue_id,
    missed.agent_id,
    missed.event_at - make_interval(secs => missed.ring_seconds) as offered_at,
    missed.event_at as ended_at,
    missed.ring_seconds,
    max(visits.visit_number) as visit_number
from missed
left join visits
    on
        missed.source = visits.source
        and missed.call_id = visits.contact_id
        and missed.queue_id = visits.queue_id
        and missed.event_at >= visits.entered_at
group by
    missed.source, missed.call_id, missed.queue_id, missed.agent_id, missed.event_at, missed.ring_seconds
