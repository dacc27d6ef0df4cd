{#-
  queue_log events → queue visits. A call may enter several queues, or one queue twice, so the events of a call and
  queue are cut into visits at each ENTERQUEUE. Lines of one second have no order of their own: an event that says
  its visit began earlier (it carries a wait or a ring) stands before the entry of that second, any other after it.
-#}
with call_events as (
    select
        source,
        call_id,
        queue_id,
        agent_id,
        event,
        event_at,
        ops.try_integer(case
            when event in ('CONNECT', 'COMPLETEAGENT', 'COMPLETECALLER') then data1
            when event in (
                'ABANDON', 'EXITWITHTIMEOUT', 'EXITEMPTY', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER'
            ) then data3
            when event = 'EXITWITHKEY' then data4
        end) as wait_seconds,
        ops.try_integer(case
            when event in ('COMPLETEAGENT', 'COMPLETECALLER') then data2
            when event in ('BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER') then data4
        end) as talk_seconds,
        case when event = 'CONNECT' then ops.try_integer(data3) end as ring_seconds,
        case when event in ('EXITWITHKEY', 'BLINDTRANSFER', 'TRANSFER') then data1 end as target,
        case when event = 'ENTERQUEUE' then data2 end as caller_number
    from {{ ref('stg_asterisk_queue_log__events') }}
    where
        {{ near_run('business_date') }}
        and call_id is not null
        and event in (
            'ENTERQUEUE', 'CONNECT', 'COMPLETEAGENT', 'COMPLETECALLER', 'ABANDON', 'EXITWITHTIMEOUT',
            'EXITEMPTY', 'EXITWITHKEY', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER'
        )
),

numbered as (
    select
        *,
        count(*) filter (where event = 'ENTERQUEUE') over (
            partition by source, call_id, queue_id
            order by event_at, case
                when event = 'ENTERQUEUE' then 1
                when coalesce(wait_seconds, 0) + coalesce(talk_seconds, 0) > 0 then 0
                else 2
            end, event
        ) as entry_number
    from call_events
),

visits as (
    select
        source,
        call_id,
        queue_id,
        entry_number,
        min(event_at) filter (where event = 'ENTERQUEUE') as entered_at,
        min(event_at) filter (where event = 'CONNECT') as connected_at,
        min(wait_seconds) filter (where event = 'CONNECT') as connect_wait_seconds,
        min(ring_seconds) as ring_seconds,
        min(agent_id) filter (where event = 'CONNECT') as connect_agent_id,
        min(event_at) filter (where event not in ('ENTERQUEUE', 'CONNECT')) as ended_at,
        min(event) filter (where event not in ('ENTERQUEUE', 'CONNECT')) as ending,
        min(wait_seconds) filter (where event not in ('ENTERQUEUE', 'CONNECT')) as end_wait_seconds,
        min(talk_seconds) as talk_seconds,
        min(agent_id) filter (where event not in ('ENTERQUEUE', 'CONNECT')) as end_agent_id,
        min(target) as target,
        min(caller_number) as caller_number
    from numbered
    group by source, call_id, queue_id, entry_number
),

{#- A lost entry is recovered from the wait its answer tells; without an answer there is no visit. -#}
placed as (
    select
        *,
        coalesce(
            entered_at,
            connected_at - make_interval(secs => connect_wait_seconds),
            ended_at - make_interval(secs => end_wait_seconds + talk_seconds)
        ) as arrived_at,
        connected_at is not null or ending in (
            'COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER'
        ) as is_answered
    from visits
),

described as (
    select
        *,
        case
            when is_answered then 'answered'
            when ending = 'ABANDON' then 'abandoned'
            when ending = 'EXITWITHKEY' and target = any({{ callback_keys() }}) then 'called_back'
            when ending is not null then 'flowed_out'
            else 'in_progress'
        end as outcome,
        coalesce(connect_wait_seconds, end_wait_seconds) as wait_seconds
    from placed
    where arrived_at is not null
)

select
    source,
    call_id as contact_id,
    queue_id,
    row_number() over contact as visit_number,
    count(*) over (partition by source, call_id) as visit_count,
    count(*) filter (where is_answered) over contact as answered_number,
    count(*) filter (where is_answered) over (partition by source, call_id) as answered_count,
    {{ local_date('arrived_at') }} as business_date,
    {{ half_hour('arrived_at') }} as interval_start_at,
    arrived_at as entered_at,
    case
        when outcome = 'answered'
            then coalesce(connected_at, arrived_at + make_interval(secs => end_wait_seconds))
        else ended_at
    end as left_at,
    wait_seconds::integer as wait_seconds,
    outcome,
    case when outcome = 'flowed_out' then
        case ending
            when 'EXITWITHTIMEOUT' then 'timeout'
            when 'EXITEMPTY' then 'empty'
            when 'EXITWITHKEY' then 'key'
        end
    end as outcome_reason,
    case when is_answered then coalesce(connect_agent_id, end_agent_id) end as agent_id,
    case when is_answered then ended_at end as ended_at,
    case when is_answered then coalesce(ring_seconds, 0)::integer end as ring_seconds,
    {#- What goes on is not known yet; where nobody answered, nobody talked. #}
    case when ending is not null then coalesce(talk_seconds, 0)::integer end as talk_seconds,
    case when ending is not null then 0 end as hold_seconds,
    case when ending is not null then 0 end as after_call_seconds,
    case ending when 'COMPLETEAGENT' then 'agent' when 'COMPLETECALLER' then 'customer' end as hung_up_by,
    case ending
        when 'BLINDTRANSFER' then 'blind'
        when 'TRANSFER' then 'blind'
        when 'ATTENDEDTRANSFER' then 'attended'
    end as transfer_kind,
    case when ending in ('BLINDTRANSFER', 'TRANSFER') then target end as transfer_target,
    caller_number
from described
window contact as (
    partition by source, call_id order by arrived_at, queue_id, entry_number
    rows between unbounded preceding and current row
)
