{#-
  Agents' channels that nobody picked up → offers an agent missed. One that did not ring is no offer, and one the
  switch took back (the caller left, another agent was quicker) was not missed.
-#}
select
    calls.source,
    calls.contact_id,
    visits.visit_number,
    coalesce(calls.queue_id, '-') as queue_id,
    calls.agent_id,
    calls.started_at as offered_at,
    calls.ended_at,
    {{ seconds_between('calls.started_at', 'calls.ended_at') }} as ring_seconds
from {{ ref('stg_freeswitch__calls') }} as calls
left join {{ ref('int_freeswitch__queue_visits') }} as visits
    on
        calls.source = visits.source
        and calls.contact_id = visits.contact_id
        and coalesce(calls.member_id, calls.contact_id) = visits.member_id
where
    {{ near_run('calls.business_date') }}
    and calls.side = 'agent'
    and calls.answered_at is null
    and calls.ended_at > calls.started_at
    and coalesce(calls.hangup_cause, '') not in ('ORIGINATOR_CANCEL', 'LOSE_RACE', 'PICKED_OFF')
