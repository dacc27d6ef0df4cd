{#-
  Agents' sessions that alerted and were not answered → offers an agent missed: not responded to, declined or timed
  out. An alert that ended because the customer left is none.
-#}
select
    agents.source,
    agents.contact_id,
    max(visits.visit_number) as visit_number,
    agents.queue_id,
    agents.agent_id,
    agents.alert_at as offered_at,
    agents.alert_ended_at as ended_at,
    round(agents.alert_seconds)::integer as ring_seconds
from {{ ref('int_genesys_cloud__sessions') }} as agents
left join {{ ref('int_genesys_cloud__queue_visits') }} as visits
    on
        agents.source = visits.source
        and agents.contact_id = visits.contact_id
        and agents.queue_id = visits.queue_id
        and agents.started_at >= visits.entered_at
where
    agents.purpose in ('agent', 'user')
    and agents.agent_id is not null
    and agents.answered_at is null
    and agents.alert_ended_at > agents.alert_at
    and (agents.not_responding_seconds is not null or agents.disconnect_type in ('client', 'timeout'))
group by
    agents.source,
    agents.contact_id,
    agents.participant_number,
    agents.session_number,
    agents.queue_id,
    agents.agent_id,
    agents.alert_at,
    agents.alert_ended_at,
    agents.alert_seconds
