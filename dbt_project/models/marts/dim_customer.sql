{#- Who reads marts needs to tell customers apart, not to call them: names and numbers are masked here. -#}
select
    source || ':' || customer_id as customer_key,
    source,
    customer_id,
    left(customer_name, 1) || '**' as customer_name_mask,
    left(phone_number, 3) || '****' || right(phone_number, 2) as phone_mask,
    segment,
    since_date
from {{ ref('stg_delimited__customers') }}
