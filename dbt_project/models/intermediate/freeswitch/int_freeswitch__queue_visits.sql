{#-
  Channels → queue visits. The caller's channel keeps only the variables of the queue it entered last; what an
  earlier queue set may still stand there, so an instant before the entry is not this visit's. Of an earlier visit
  only the agent's channel tells: it names the member, and where the dialplan exports it, the entry.
  The wait ends at cc_queue_answered_epoch; answer_epoch is when the switch itself answered the line.
-#}
with channels as (
    select *
    from {{ ref('stg_freeswitch__calls') }}
    where {{ near_run('business_date') }} and side is not null
),

members as (
    select
        source,
        contact_id,
        coalesce(member_id, contact_id) as member_id,
        queue_id,
        agent_id,
        agent_call_id,
        joined_at,
        case when queue_answered_at >= joined_at then queue_answered_at end as answered_at,
        case when queue_canceled_at >= joined_at then queue_canceled_at end as canceled_at,
        case when queue_terminated_at >= queue_answered_at then queue_terminated_at end as terminated_at,
        cancel_reason,
        exit_key,
        ended_at,
        hold_seconds,
        hangup_disposition,
        destination_number,
        caller_number
    from channels
    where side = 'member' and joined_at is not null
),

{#- In a ring-all queue two agents may pick up: the caller's channel says who got the call. -#}
pick_ups as (
    select
        agents.*,
        members.member_id is not null as has_member,
        row_number() over (
            partition by agents.source, agents.contact_id, agents.member_id
            order by
                agents.call_id = members.agent_call_id desc nulls last,
                agents.agent_id = members.agent_id desc nulls last,
                agents.answered_at asc,
                agents.call_id asc
        ) as pick_up_number
    from channels as agents
    left join members
        on
            agents.source = members.source
            and agents.contact_id = members.contact_id
            and agents.member_id = members.member_id
    where
        agents.side = 'agent'
        and agents.answered_at is not null
        and coalesce(agents.hangup_cause, '') <> 'LOSE_RACE'
        and coalesce(agents.agent_type, '') <> 'uuid-standby'
),

talks as (
    select
        *,
        case
            when hangup_disposition like 'recv%' then 'agent'
            when hangup_disposition like 'send%' then 'customer'
        end as hung_up_by,
        case hangup_cause
            when 'BLIND_TRANSFER' then 'blind'
            when 'ATTENDED_TRANSFER' then 'attended'
        end as transfer_kind
    from pick_ups
    where pick_up_number = 1
),

told_by_the_caller as (
    select
        members.source,
        members.contact_id,
        members.member_id,
        members.queue_id,
        members.joined_at as entered_at,
        members.answered_at,
        members.canceled_at,
        {{ seconds_between(
            'members.joined_at', 'coalesce(members.answered_at, members.canceled_at, members.ended_at)'
        ) }} as wait_seconds,
        case
            when members.answered_at is not null then 'answered'
            when members.canceled_at is null and members.ended_at is null then 'in_progress'
            when members.canceled_at is null then 'abandoned'
            when members.cancel_reason = 'EXIT_WITH_KEY' and members.exit_key = any({{ callback_keys() }})
                then 'called_back'
            when members.cancel_reason in ('TIMEOUT', 'NO_AGENT_TIMEOUT', 'EXIT_WITH_KEY') then 'flowed_out'
            else 'abandoned'
        end as outcome,
        case members.cancel_reason
            when 'TIMEOUT' then 'timeout'
            when 'NO_AGENT_TIMEOUT' then 'empty'
            when 'EXIT_WITH_KEY' then 'key'
        end as cancel_reason,
        coalesce(members.canceled_at, members.ended_at) as gave_up_at,
        coalesce(talks.agent_id, members.agent_id) as agent_id,
        talks.call_id as agent_call_id,
        coalesce(talks.started_at, members.answered_at) as offered_at,
        coalesce(talks.answered_at, members.answered_at) as talk_from,
        coalesce(talks.ended_at, members.terminated_at, members.ended_at) as talk_to,
        coalesce(talks.hold_seconds, members.hold_seconds) as hold_seconds,
        case
            when talks.call_id is not null then talks.hung_up_by
            when members.hangup_disposition like 'recv%' then 'customer'
            when members.hangup_disposition like 'send%' then 'agent'
        end as hung_up_by,
        talks.transfer_kind,
        case
            when talks.transfer_kind is not null then coalesce(talks.refer_target, members.destination_number)
        end as transfer_target,
        members.caller_number
    from members
    left join talks
        on
            members.source = talks.source
            and members.contact_id = talks.contact_id
            and members.member_id = talks.member_id
            and members.answered_at is not null
),

told_by_the_agent as (
    select
        source,
        contact_id,
        coalesce(member_id, contact_id) as member_id,
        queue_id,
        coalesce(joined_at, started_at) as entered_at,
        answered_at,
        null::timestamptz as canceled_at,
        {{ seconds_between('coalesce(joined_at, started_at)', 'answered_at') }} as wait_seconds,
        'answered'::text as outcome,
        null::text as cancel_reason,
        null::timestamptz as gave_up_at,
        agent_id,
        call_id as agent_call_id,
        started_at as offered_at,
        answered_at as talk_from,
        ended_at as talk_to,
        hold_seconds,
        hung_up_by,
        transfer_kind,
        case when transfer_kind is not null then refer_target end as transfer_target,
        null::text as caller_number
    from talks
    where not has_member
),

visits as (
    select * from told_by_the_caller
    union all
    select * from told_by_the_agent
)

select
    source,
    contact_id,
    coalesce(queue_id, '-') as queue_id,
    row_number() over contact as visit_number,
    count(*) over (partition by source, contact_id) as visit_count,
    count(*) filter (where outcome = 'answered') over contact as answered_number,
    count(*) filter (where outcome = 'answered') over (partition by source, contact_id) as answered_count,
    member_id,
    agent_call_id,
    {{ local_date('entered_at') }} as business_date,
    {{ half_hour('entered_at') }} as interval_start_at,
    entered_at,
    coalesce(answered_at, gave_up_at) as left_at,
    wait_seconds,
    outcome,
    case when outcome = 'flowed_out' then cancel_reason end as outcome_reason,
    case when outcome = 'answered' then agent_id end as agent_id,
    case when outcome = 'answered' then offered_at end as offered_at,
    case when outcome = 'answered' then talk_from end as talk_from,
    case when outcome = 'answered' then talk_to end as ended_at,
    case when outcome = 'answered' and agent_call_id is not null
        then {{ seconds_between('offered_at', 'talk_from') }}
    end as ring_seconds,
    case
        when outcome = 'answered'
            then greatest({{ seconds_between('talk_from', 'talk_to') }} - hold_seconds, 0)
        when outcome <> 'in_progress' then 0
    end as talk_seconds,
    case when outcome = 'answered' then hold_seconds when outcome <> 'in_progress' then 0 end as hold_seconds,
    {#- FreeSWITCH keeps an agent out of the queue for wrap_up_time and writes nothing of it. #}
    case when outcome <> 'in_progress' then 0 end as after_call_seconds,
    case when outcome = 'answered' and transfer_kind is null then hung_up_by end as hung_up_by,
    case when outcome = 'answered' then transfer_kind end as transfer_kind,
    case when outcome = 'answered' then transfer_target end as transfer_target,
    caller_number
from visits
window contact as (
    partition by source, contact_id order by entered_at, member_id
    rows between unbounded preceding and current row
)
