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
            select channel.business_date
            from relinked
            inner join staging.stg_freeswitch__calls as call
                on relinked.phone_number in (call.caller_number, call.destination_number)
            inner join staging.stg_freeswitch__calls as channel
                on call.source = channel.source and call.contact_id = channel.contact_id
            union
            select unnest(array[record.business_date, " ~ local_date('record.initiated_at') ~ "]) as business_date
            from relinked
            inner join staging.stg_amazon_connect__contact_records as call
                on relinked.phone_number = call.customer_number
            inner join staging.stg_amazon_connect__contact_records as record
                on call.source = record.source and call.contact_chain_id = record.contact_chain_id
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
-- depends_on: {{ ref('stg_genesys_cloud__conversations') }}, {{ ref('stg_amazon_connect__contact_records') }}
{{ delimited_records('customer') }}
