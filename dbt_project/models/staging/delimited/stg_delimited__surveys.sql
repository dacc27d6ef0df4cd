{{
    config(
        affects = "
            select coalesce(contact.business_date, changed.business_date) as business_date
            from changed
            left join marts.fct_contacts as contact
                on contact.contact_key = changed.contact_source || ':' || changed.contact_id
        ",
    )
}}
{{ delimited_records('survey') }}
