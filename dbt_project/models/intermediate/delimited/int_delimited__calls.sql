{#- Also of the days beside the run's: a call of the evening before may be answered after midnight. -#}
{#- One row per call as mapped, with what the mapping left out worked out from what it gave. -#}
with calls as (
    select *
    from {{ ref('stg_delimited__calls') }}
    where {{ near_run('business_date') }}
)

select
    *,
    coalesce(
        queue_entered_at,
        answered_at - make_interval(secs => wait_seconds),
        started_at + make_interval(secs => coalesce(ivr_seconds, 0))
    ) as entered_at,
    outcome not in ('left_in_ivr', 'void') as is_visit
from calls
