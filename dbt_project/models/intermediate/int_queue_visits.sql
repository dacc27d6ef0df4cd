{{ config(materialized='ephemeral') }}
{#- Every system's queue visits in one form. No vendor's word after this. -#}
{{
    union_of_kinds('queue_visits', [
        'source',
        'contact_id',
        'visit_number',
        'business_date',
        'interval_start_at',
        'queue_id',
        'agent_id',
        'entered_at',
        'left_at',
        'wait_seconds',
        'outcome',
        'outcome_reason',
        'talk_seconds',
        'hold_seconds',
        'after_call_seconds',
    ])
}}
