{%- set measures = ['talk_seconds', 'hold_seconds', 'after_call_seconds'] -%}
with legs as (
    select
        business_date,
        count(*) filter (where outcome = 'answered') as answered_count,
        count(*) filter (where outcome = 'missed') as missed_count
        {%- for measure in measures %},
        coalesce(sum({{ measure }}), 0) as {{ measure }}
        {%- endfor %}
    from {{ ref('fct_agent_legs') }}
    where agent_key is not null
    group by business_date
),

agent_days as (
    select
        business_date,
        sum(answered_count) as answered_count,
        sum(missed_count) as missed_count
        {%- for measure in measures %},
        sum({{ measure }}) as {{ measure }}
        {%- endfor %}
    from {{ ref('fct_agent_days') }}
    group by business_date
)

select business_date
from legs
full join agent_days using (business_date)
where
    coalesce(legs.answered_count, 0) <> coalesce(agent_days.answered_count, 0)
    or coalesce(legs.missed_count, 0) <> coalesce(agent_days.missed_count, 0)
    {%- for measure in measures %}
    or coalesce(legs.{{ measure }}, 0) <> coalesce(agent_days.{{ measure }}, 0)
    {%- endfor %}
