{# How the fields of queue_log's events are read; the grammar is Asterisk's (docs/sources/asterisk_queue_log.md). #}

{# A duration in whole seconds (of `digits` digits at most: more is no duration), NULL where the field holds none. #}
{% macro queue_log_seconds(field, digits=6) -%}
    {#- Not {1,{{ digits }}}: a bounded repetition costs several times as much. #}
    (case when length({{ field }}) <= {{ digits }} and {{ field }} ~ '^[0-9]+$' then ({{ field }})::integer end)
{%- endmacro %}

{# ATTENDEDTRANSFER by LINK names two channels, so its hold and talk stand one field further to the right. #}
{% macro queue_log_wait() -%}
    case
        when events.event in ('CONNECT', 'COMPLETEAGENT', 'COMPLETECALLER') then events.data1
        when events.event = 'EXITWITHKEY' then events.data4
        when events.event = 'ATTENDEDTRANSFER' and events.data1 = 'LINK' then events.data4
        when events.event in (
            'ABANDON', 'EXITWITHTIMEOUT', 'EXITEMPTY', 'WITHDRAW', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER'
        ) then events.data3
    end
{%- endmacro %}

{% macro queue_log_talk() -%}
    case
        when events.event in ('COMPLETEAGENT', 'COMPLETECALLER') then events.data2
        when events.event = 'ATTENDEDTRANSFER' and events.data1 = 'LINK' then split_part(events.data5, '|', 1)
        when events.event in ('BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER') then events.data4
    end
{%- endmacro %}

{# Refused before the queue (Wazo's and other dialplans' events): blocked, never offered. #}
{% macro queue_log_refusals() -%}
    'FULL', 'CLOSED', 'JOINEMPTY', 'DIVERT_CA_RATIO', 'DIVERT_HOLDTIME'
{%- endmacro %}

{#
  Whom the field `agent` means: the number of Agent/1001, SIP/1001, PJSIP/1001 or Local/1001@from-queue/n, a member's
  name as it stands; `agents` (option of the stream) names those whose interface says nothing.
#}
{% macro queue_log_agent(field, agents) -%}
    case
        {%- for interface, agent_id in agents.items() %}
        when {{ field }} = '{{ interface | replace("'", "''") }}' then '{{ agent_id | string | replace("'", "''") }}'
        {%- endfor %}
        when {{ field }} like 'Agent/%' then substr({{ field }}, 7)
        when {{ field }} ~* '^(SIP|PJSIP|IAX2|DAHDI|Zap|SCCP|Skinny|Local)/'
            then regexp_replace(split_part(split_part({{ field }}, '/', 2), '@', 1), '-[0-9a-f]{8}$', '')
        else {{ field }}
    end
{%- endmacro %}

{# The events that belong to a call's way through a queue. #}
{% macro queue_log_call_events() -%}
    'ENTERQUEUE', 'CONNECT', 'COMPLETEAGENT', 'COMPLETECALLER', 'ABANDON', 'EXITWITHTIMEOUT', 'EXITEMPTY', 'LEAVEEMPTY',
    'EXITWITHKEY', 'WITHDRAW', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER', 'WRAPUPSTART', {{ queue_log_refusals() }}
{%- endmacro %}

{# The key pressed, or the extension transferred to. #}
{% macro queue_log_target() -%}
    case when events.event in ('EXITWITHKEY', 'BLINDTRANSFER', 'TRANSFER') then events.data1 end
{%- endmacro %}

{# What a wrap-up adds to those that went before it on the wall clock. #}
{% macro queue_log_after_call() -%}
    greatest(
        0, wrap_ups.seconds - greatest(0, {{ seconds_between('events.event_at', 'wrap_ups.busy_until') }})
    )
{%- endmacro %}
