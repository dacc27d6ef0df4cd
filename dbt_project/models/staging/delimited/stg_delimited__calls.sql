{#- A call also touches the days of survey answers that came before it. -#}
{{
    config(
        affects = "
            select business_date from changed
            union
            select answer.business_date
            from marts.fct_surveys as answer
            where
                not answer.is_contact_known
                and answer.contact_key in (select source || ':' || call_id from changed)
        ",
    )
}}
{{ delimited_records('call') }}
