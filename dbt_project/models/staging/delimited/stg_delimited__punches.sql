{#- A punch after midnight may end the shift of the day before. -#}
{{
    config(
        affects = "
            select business_date from changed
            union
            select shift.business_date
            from changed
            inner join staging.stg_delimited__shifts as shift
                on shift.agent_id = changed.agent_id and shift.business_date = changed.business_date - 1
        ",
    )
}}
-- depends_on: {{ ref('stg_delimited__shifts') }}
{{ delimited_records('punch') }}
