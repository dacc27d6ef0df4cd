{#- Calls are tied to customers by number: one that came, went or moved touches the days it called on. -#}
{{
    config(
        affects = "
            select distinct call.business_date
            from (
                select phone_number
                from changed
                where phone_number is not null
                group by source, customer_id, phone_number
                having count(*) = 1
            ) as relinked
            inner join staging.stg_asterisk_queue_log__events as call
                on call.event = 'ENTERQUEUE' and call.data2 = relinked.phone_number
        ",
    )
}}
-- depends_on: {{ ref('stg_asterisk_queue_log__events') }}
{{ delimited_records('customer') }}
