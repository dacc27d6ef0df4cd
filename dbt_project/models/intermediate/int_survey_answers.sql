{{ config(materialized='ephemeral') }}
{#- Answers from survey exports, and those a call list carries in its own rows. -#}
with exported as (
    select
        source,
        survey_id,
        contact_source || ':' || contact_id as contact_key,
        customer_id,
        business_date,
        coalesce(question, 'overall') as question,
        score,
        min_score,
        max_score,
        answered_at
    from {{ ref('stg_delimited__surveys') }}
),

in_call_lists as (
    select
        source,
        call_id as survey_id,
        source || ':' || call_id as contact_key,
        customer_id,
        business_date,
        'overall'::text as question,
        satisfaction_score as score,
        1::numeric as min_score,
        satisfaction_max as max_score,
        coalesce(ended_at, started_at) as answered_at
    from {{ ref('int_delimited__calls') }}
    where satisfaction_score is not null
)

select * from exported
union all
select * from in_call_lists
