{# What an agent can be doing, the state that wins a second first. `available` is being logged in and nothing else. #}
{% macro agent_states() %}
    {{ return(['talk', 'hold', 'after_call', 'ringing', 'away', 'available']) }}
{% endmacro %}
