{# Whose number calls: one row per phone number of one customer. A number that customers share names none of them. #}
{% macro customers_by_number() -%}
    select
        phone_number,
        min(customer_id) as customer_id
    from {{ ref('stg_delimited__customers') }}
    where phone_number is not null
    group by phone_number
    having count(*) = 1
{%- endmacro %}
