{{ config(materialized='ephemeral') }}
{#- Every system's offers to agents in one form: answered ones and missed ones. -#}
with asterisk_answered as (
    select
        source,
        contact_id,
        visit_number,
        queue_id,
        agent_id,
        left_at - make_interval(secs => ring_seconds) as offered_at,
        ring_seconds,
        'answered'::text as outcome,
        left_at as answered_at,
        ended_at,
        talk_seconds,
        hold_seconds,
        after_call_seconds,
        hung_up_by,
        transfer_kind,
        transfer_target
    from {{ ref('int_asterisk_queue_log__queue_visits') }}
    where outcome = 'answered'
),

asterisk_missed as (
    select
        source,
        contact_id,
        visit_number,
        queue_id,
        agent_id,
        offered_at,
        ring_seconds,
        'missed'::text as outcome,
        null::timestamptz as answered_at,
        ended_at,
        0 as talk_seconds,
        0 as hold_seconds,
        0 as after_call_seconds,
        null::text as hung_up_by,
        null::text as transfer_kind,
        null::text as transfer_target
    from {{ ref('int_asterisk_queue_log__missed_offers') }}
),

delimited_answered as (
    select
        source,
        call_id as contact_id,
        1::bigint as visit_number,
        coalesce(queue_id, '-') as queue_id,
        agent_id,
        coalesce(answered_at, entered_at + make_interval(secs => wait_seconds)) as offered_at,
        null::integer as ring_seconds,
        'answered'::text as outcome,
        coalesce(answered_at, entered_at + make_interval(secs => wait_seconds)) as answered_at,
        coalesce(
            ended_at,
            coalesce(answered_at, entered_at + make_interval(secs => wait_seconds)) + make_interval(
                secs => coalesce(talk_seconds, 0) + coalesce(hold_seconds, 0)
            )
        ) as ended_at,
        talk_seconds,
        hold_seconds,
        after_call_seconds,
        hung_up_by,
        null::text as transfer_kind,
        null::text as transfer_target
    from {{ ref('int_delimited__calls') }}
    where outcome = 'answered'
)

select * from asterisk_answered
union all
select * from asterisk_missed
union all
select * from delimited_answered
