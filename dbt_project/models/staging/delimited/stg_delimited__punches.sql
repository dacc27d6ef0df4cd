{#- A punch after midnight may end the shift of the day before, one before it begin the next day's. -#}
{{
    config(
        affects = "
            select business_date from changed
            union
            select shift.business_date
            from changed
            inner join staging.stg_delimited__shifts as shift
                on
                    shift.agent_id = changed.agent_id
                    and shift.business_date between changed.business_date - 1 and changed.business_date + 1
                    and changed.punched_at between
                    shift.planned_start_at - interval '2 hours' and shift.planned_end_at + interval '2 hours'
        ",
    )
}}
-- depends_on: {{ ref('stg_delimited__shifts') }}
{{ delimited_records('punch') }}
