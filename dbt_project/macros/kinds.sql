{# The kinds of telephone systems. Each has int_<kind>__contacts, __queue_visits and __agent_legs, with these columns. #}
{% macro telephony_kinds() %}
    {{ return(['amazon_connect', 'asterisk_calls', 'asterisk_queue_log', 'delimited', 'freeswitch', 'genesys_cloud']) }}
{% endmacro %}

{# One entity of all kinds, below one another: the named columns, whatever order a kind has them in. #}
{% macro union_of_kinds(entity, columns) %}
    {%- for kind in telephony_kinds() %}
    {{ 'union all' if not loop.first }}
    select
        {{ columns | join(',\n        ') }}
    from {{ ref('int_' ~ kind ~ '__' ~ entity) }}
    {%- endfor %}
{% endmacro %}

{# Offers that nobody took (a model of contact, visit, queue, agent, ring and its end), as agent legs. #}
{% macro missed_legs(offers) %}
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
    null::text as transfer_target,
    'primary'::text as leg_kind
from {{ ref(offers) }}
{% endmacro %}
