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
