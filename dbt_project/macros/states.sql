{# What an agent can be doing, the state that wins a second first. `available` is being logged in and nothing else. #}
{% macro agent_states() %}
    {{ return(['talk', 'hold', 'after_call', 'ringing', 'away', 'available']) }}
{% endmacro %}

{# An SQL expression chosen by the highest bit of `level`; `{state}` in the template is the state's name. #}
{% macro highest_state(template, otherwise) -%}
    case
        {%- for state in agent_states() %}
        when level >= {{ 2 ** (agent_states() | length - loop.index) }} then {{ template | replace('{state}', state) }}
        {%- endfor %}
        else {{ otherwise }}
    end
{%- endmacro %}
