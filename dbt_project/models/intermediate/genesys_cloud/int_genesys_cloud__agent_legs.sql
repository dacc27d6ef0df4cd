{{ config(materialized='ephemeral') }}
select
    answers.source,
    answers.contact_id,
    case when answers.leg_kind = 'primary' then visits.visit_number end as visit_number,
    answers.queue_id,
    answers.agent_id,
    answers.offered_at,
    answers.ring_seconds,
    'answered'::text as outcome,
    answers.answered_at,
    answers.ended_at,
    answers.talk_seconds,
    answers.hold_seconds,
    answers.after_call_seconds,
    answers.hung_up_by,
    answers.transfer_kind,
    answers.transfer_target,
    answers.leg_kind
from {{ ref('int_genesys_cloud__answers') }} as answers
left join {{ ref('int_genesys_cloud__queue_visits') }} as visits
    on
        answers.source = visits.source
        and answers.contact_id = visits.contact_id
        and answers.acd_participant_number = visits.participant_number
        and answers.acd_session_number = visits.session_number
union all
{{ missed_legs('int_genesys_cloud__missed_offers') }}
