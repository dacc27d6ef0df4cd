{#- Over the day; per queue and half-hour the rule `intervals_equal_their_visits` compares them. -#}
{%- set measures = [
    'offered_count', 'answered_count', 'abandoned_count', 'flowed_out_count', 'called_back_count',
    'in_progress_count', 'blocked_count', 'answered_in_threshold_count', 'abandoned_in_threshold_count',
    'short_abandoned_count', 'wait_seconds', 'talk_seconds', 'hold_seconds', 'after_call_seconds',
    'transferred_in_count',
] -%}
with visits as (
    select
        business_date
        {%- for measure in measures %},
        coalesce(sum({{ measure }}), 0) as {{ measure }}
        {%- endfor %}
    from {{ ref('fct_queue_visits') }}
    group by business_date
),

intervals as (
    select
        business_date
        {%- for measure in measures %},
        sum({{ measure }}) as {{ measure }}
        {%- endfor %}
    from {{ ref('fct_queue_intervals') }}
    group by business_date
)

select business_date
from visits
full join intervals using (business_date)
where
    {%- for measure in measures %}
    {{ 'or ' if not loop.first }}visits.{{ measure }} is distinct from intervals.{{ measure }}
    {%- endfor %}
