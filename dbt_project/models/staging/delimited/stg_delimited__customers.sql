{#- Calls are tied to customers by number: one that came, went or moved touches the days it called on. -#}
{{
    config(
        affects = "
            with relinked as (
                select phone_number
                from changed
                where phone_number is not null
                group by source, customer_id, phone_number
                having count(*) = 1
            )

            select call.business_date
            from relinked
            inner join staging.stg_asterisk_queue_log__events as call
                on call.event = 'ENTERQUEUE' and call.data2 = relinked.phone_number
            union
            select call.business_date
            from relinked
            inner join staging.stg_freeswitch__calls as call
                on relinked.phone_number in (call.caller_number, call.destination_number)
            union
            select call.business_date
            from relinked
            inner join staging.stg_asterisk_cdr__records as call
                on relinked.phone_number in (call.caller_number, call.called_number)
            union
            select call.business_date
            from relinked
            inner join staging.stg_asterisk_cel__events as call
                on call.event = 'CHAN_START' and relinked.phone_number = call.caller_number
            union
            select unnest(call.dates) as business_date
            from relinked
            inner join staging.stg_genesys_cloud__conversations as call
                on relinked.phone_number = call.customer_number
        ",
    )
}}
-- depends_on: {{ ref('stg_asterisk_queue_log__events') }}, {{ ref('stg_freeswitch__calls') }}
-- depends_on: {{ ref('stg_asterisk_cdr__records') }}, {{ ref('stg_asterisk_cel__events') }}
-- depends_on: {{ ref('stg_genesys_cloud__conversations') }}
{{ delimited_records('customer') }}
