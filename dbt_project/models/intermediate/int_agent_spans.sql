{{ config(materialized='ephemeral') }}
{#- Every system's word on what an agent was doing from when to when; spans overlap freely. -#}
{{
    union_of_kinds('agent_spans', [
        'source',
        'agent_id',
        'state',
        'reason',
        'started_at',
        'ended_at',
        'is_end_inferred',
    ])
}}
