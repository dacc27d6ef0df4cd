{# A queue's name; an agent's own queue has none, only an ARN (…/queue/agent/<id>). #}
{% macro amazon_connect_queue(queue) -%}
    coalesce(
        nullif({{ queue }} ->> 'Name', ''),
        replace(regexp_replace({{ queue }} ->> 'ARN', '^.*/queue/', ''), '/', ':')
    )
{%- endmacro %}

{# Why a caller left a queue, from the contact attribute that the source's option `exit_reason` names. #}
{% macro amazon_connect_exit_reason(source, attributes) -%}
    {%- set named = [] -%}
    {%- if execute -%}
    {%- for name, entry in var('sources').items() if entry.kind == 'amazon_connect' and entry.options.get('exit_reason') -%}
        {%- do named.append("when '" ~ name ~ "' then " ~ attributes ~ " ->> '" ~ entry.options.exit_reason | replace("'", "''") ~ "'") -%}
    {%- endfor -%}
    {%- endif -%}
    {%- if named -%}
    case {{ source }} {{ named | join(' ') }} end
    {%- else -%}
    null::text
    {%- endif -%}
{%- endmacro %}

{# Whether a contact began here: an agent dialled or wrote, or a flow or a campaign did. #}
{% macro amazon_connect_is_outbound(method) -%}
    {{ method }} in ('OUTBOUND', 'EXTERNAL_OUTBOUND', 'AGENT_REPLY', 'FLOW', 'CAMPAIGN_PREVIEW')
{%- endmacro %}

{# When the agent who answered left the customer: talk and hold are over, whatever comes after. #}
{% macro amazon_connect_agent_left() -%}
    case when answered_at is not null then coalesce(
        after_call_started_at,
        answered_at + make_interval(secs => coalesce(talk_seconds, 0) + coalesce(hold_seconds, 0)),
        disconnected_at
    ) end
{%- endmacro %}
