{#-
  queue_log events → queue visits. A call may enter several queues, or one twice: the events of a call and queue are
  cut at each ENTERQUEUE, each refusal before the queue, and each CONNECT whose entry is lost. Lines of one second have
  no order: one that says its visit began earlier (by a wait or a talk) stands before that second's entry, others after.
-#}
with wrap_up_lines as (
    select
        source,
        call_id,
        queue_id,
        agent_id,
        event_at,
        max({{ queue_log_seconds('data1') }}) as seconds
    from {{ ref('stg_asterisk_queue_log__events') }}
    where {{ near_run('business_date') }} and event = 'WRAPUPSTART' and call_id is not null
    group by source, call_id, queue_id, agent_id, event_at
),

{#- Wrap-ups of one agent that overlap are merged on the wall clock: a later one adds what goes beyond. -#}
wrap_ups as (
    select
        *,
        max(event_at + make_interval(secs => seconds)) over (
            partition by source, agent_id order by event_at, seconds, call_id, queue_id
            rows between unbounded preceding and 1 preceding
        ) as busy_until
    from wrap_up_lines
),

call_events as (
    select
        events.source,
        events.call_id,
        events.queue_id,
        events.agent_id,
        events.event,
        events.event_at,
        case
            when events.event = 'ENTERQUEUE' then 'entry'
            when events.event = 'CONNECT' then 'connect'
            when events.event = 'WRAPUPSTART' then 'wrap_up'
            when events.event in ({{ queue_log_refusals() }}) then 'refusal'
            else 'ending'
        end as role,
        {{ queue_log_seconds(queue_log_wait()) }} as wait_seconds,
        {{ queue_log_seconds(queue_log_talk()) }} as talk_seconds,
        case when events.event = 'CONNECT' then {{ queue_log_seconds('events.data3') }} end as ring_seconds,
        {{ queue_log_target() }} as target,
        case when events.event = 'ENTERQUEUE' then events.data2 end as caller_number,
        {{ queue_log_after_call() }} as after_call_seconds
    from {{ ref('stg_asterisk_queue_log__events') }} as events
    left join wrap_ups
        on
            events.event = 'WRAPUPSTART'
            and events.source = wrap_ups.source
            and events.call_id = wrap_ups.call_id
            and events.queue_id = wrap_ups.queue_id
            and events.agent_id = wrap_ups.agent_id
            and events.event_at = wrap_ups.event_at
            and {{ queue_log_seconds('events.data1') }} = wrap_ups.seconds
    where
        {{ near_run('events.business_date') }}
        and events.call_id is not null
        and events.event in ({{ queue_log_call_events() }})
    {#- A fence: the planner would parse each number once per use, in sort keys and in sums. #}
    offset 0
),

ordered as (
    select
        *,
        case
            when role = 'wrap_up' then 2
            when role in ('entry', 'refusal') then 3
            else
                case when coalesce(wait_seconds, 0) + coalesce(talk_seconds, 0) > 0 then 0 else 4 end
                + (role = 'ending')::integer
        end as place
    from call_events
),

sequenced as (
    select
        *,
        lag(role) over (
            partition by call_id, queue_id, source order by event_at, place, event
        ) as previous_role
    from ordered
),

numbered as (
    select
        *,
        role = 'ending' and coalesce(previous_role, '') <> 'ending' as is_ending,
        count(*) filter (
            where
                role in ('entry', 'refusal')
                or (role = 'connect' and coalesce(previous_role, '') <> 'entry')
        ) over (
            partition by call_id, queue_id, source order by event_at, place, event
            rows between unbounded preceding and current row
        ) as entry_number
    from sequenced
),

visits as (
    select
        source,
        call_id,
        queue_id,
        entry_number,
        min(event_at) filter (where role in ('entry', 'refusal')) as entered_at,
        min(event) filter (where role = 'refusal') as refusal,
        min(event_at) filter (where role = 'connect') as connected_at,
        min(wait_seconds) filter (where role = 'connect') as connect_wait_seconds,
        min(ring_seconds) as ring_seconds,
        min(agent_id) filter (where role = 'connect') as connect_agent_id,
        {#- EXITEMPTY and LEAVEEMPTY are two words for one way out: the first ending counts. #}
        min(event_at) filter (where is_ending) as ended_at,
        min(event) filter (where is_ending) as ending,
        min(wait_seconds) filter (where role = 'ending') as end_wait_seconds,
        min(talk_seconds) filter (where is_ending) as talk_seconds,
        min(agent_id) filter (where is_ending) as end_agent_id,
        min(target) filter (where is_ending) as target,
        coalesce(sum(after_call_seconds), 0)::integer as after_call_seconds,
        min(caller_number) as caller_number
    from numbered
    group by source, call_id, queue_id, entry_number
),

restarts as (
    select
        source,
        array_agg(event_at) as restarted_at
    from {{ ref('stg_asterisk_queue_log__events') }}
    where {{ near_run('business_date') }} and event = 'QUEUESTART'
    group by source
),

{#-
  What is still open at a restart of the telephone system was closed by it (looked for until the end of the next day).
-#}
closed as (
    select
        visits.*,
        case when visits.ending is null and visits.refusal is null then (
            select min(restart.restart_at)
            from unnest(restarts.restarted_at) as restart (restart_at)
            where
                restart.restart_at > coalesce(visits.connected_at, visits.entered_at)
                and {{ local_date('restart.restart_at') }}
                <= {{ local_date('coalesce(visits.connected_at, visits.entered_at)') }} + 1
        ) end as restart_at
    from visits
    left join restarts on visits.source = restarts.source
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
        refusal is null and (
            connected_at is not null or coalesce(ending, '') in (
                'COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER'
            )
        ) as is_answered
    from closed
),

described as (
    select
        *,
        case
            when refusal is not null then 'blocked'
            when is_answered then 'answered'
            when ending = 'ABANDON' then 'abandoned'
            when ending = 'EXITWITHKEY' and target = any({{ callback_keys() }}) then 'called_back'
            when ending is not null or restart_at is not null then 'flowed_out'
            else 'in_progress'
        end as outcome,
        refusal is not null or ending is not null or restart_at is not null as is_over,
        coalesce(
            connect_wait_seconds,
            end_wait_seconds,
            {#- An unreadable wait of a call that was answered shows on the clock. #}
            case
                when is_answered then {{ seconds_between('arrived_at', 'connected_at') }}
                when ending = 'LEAVEEMPTY' then {{ seconds_between('arrived_at', 'ended_at') }}
            end
        ) as wait_seconds
    from placed
    where arrived_at is not null
)

select
    source,
    call_id as contact_id,
    queue_id,
    row_number() over contact as visit_number,
    count(*) over (partition by call_id, source) as visit_count,
    count(*) filter (where is_answered) over contact as answered_number,
    count(*) filter (where is_answered) over (partition by call_id, source) as answered_count,
    {{ local_date('arrived_at') }} as business_date,
    {{ half_hour('arrived_at') }} as interval_start_at,
    arrived_at as entered_at,
    case outcome
        when 'answered' then coalesce(connected_at, arrived_at + make_interval(secs => end_wait_seconds))
        when 'blocked' then arrived_at
        else coalesce(ended_at, restart_at)
    end as left_at,
    case when outcome <> 'blocked' then wait_seconds end as wait_seconds,
    outcome,
    case
        when refusal is not null then lower(refusal)
        when outcome <> 'flowed_out' then null
        when ending is null then 'restart'
        when ending = 'EXITWITHTIMEOUT' then 'timeout'
        when ending = 'EXITWITHKEY' then 'key'
        when ending = 'WITHDRAW' then 'withdrawn'
        else 'empty'
    end as outcome_reason,
    case when is_answered then coalesce(connect_agent_id, end_agent_id) end as agent_id,
    case when is_answered then coalesce(ended_at, restart_at) end as ended_at,
    case when is_answered then coalesce(ring_seconds, 0) end as ring_seconds,
    {#- What goes on is not known yet; where nobody answered, nobody talked. #}
    case
        when not is_over then null
        when not is_answered then 0
        when ending is null then {{ seconds_between('connected_at', 'restart_at') }}
        else coalesce(talk_seconds, {{ seconds_between('connected_at', 'ended_at') }}, 0)
    end as talk_seconds,
    case when is_over then 0 end as hold_seconds,
    case when is_over then after_call_seconds end as after_call_seconds,
    case ending when 'COMPLETEAGENT' then 'agent' when 'COMPLETECALLER' then 'customer' end as hung_up_by,
    case
        when ending in ('BLINDTRANSFER', 'TRANSFER') then 'blind'
        when ending = 'ATTENDEDTRANSFER' then 'attended'
    end as transfer_kind,
    case when ending in ('BLINDTRANSFER', 'TRANSFER') then target end as transfer_target,
    caller_number
from described
window contact as (
    partition by call_id, source order by arrived_at, queue_id, entry_number
    rows between unbounded preceding and current row
)
