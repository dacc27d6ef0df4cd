{{ config(materialized='ephemeral') }}
{#- Every system's offers to agents in one form: answered ones and missed ones. -#}
{{
    union_of_kinds('agent_legs', [
        'source',
        'contact_id',
        'visit_number',
        'queue_id',
        'agent_id',
        'offered_at',
        'ring_seconds',
        'outcome',
        'answered_at',
        'ended_at',
        'talk_seconds',
        'hold_seconds',
        'after_call_seconds',
        'hung_up_by',
        'transfer_kind',
        'transfer_target',
        'leg_kind',
    ])
}}
