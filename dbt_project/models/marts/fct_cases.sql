with cases as (
    select *
    from {{ ref('stg_delimited__cases') }}
    where {{ in_run('business_date') }}
)

select
    source || ':' || case_id as case_key,
    source,
    case_id,
    customer_id,
    contact_source || ':' || contact_id as contact_key,
    business_date,
    topic,
    status,
    opened_at,
    due_at,
    closed_at,
    closed_at is null as is_open,
    (closed_at is not null)::integer as closed_count,
    case when closed_at is null then 0 else (closed_at <= due_at)::integer end as closed_in_time_count
from cases
