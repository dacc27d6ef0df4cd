{{ config(materialized='ephemeral') }}
{#- Every system's contacts in one form. -#}
{{
    union_of_kinds('contacts', [
        'source',
        'contact_id',
        'business_date',
        'channel',
        'direction',
        'customer_id',
        'started_at',
        'ended_at',
        'ivr_seconds',
        'first_queue_id',
        'last_queue_id',
        'first_agent_id',
        'last_agent_id',
        'visit_count',
        'outcome',
        'wait_seconds',
        'talk_seconds',
        'hold_seconds',
        'after_call_seconds',
        'topic',
        'is_resolved',
    ])
}}
