{#-
  An answer belongs to the day of the contact it speaks of, whenever it was given. Only an answer whose contact is
  not known (anywhere) lies on its own day.
-#}
with answers as (
    select * from {{ ref('int_survey_answers') }}
),

contacts as (
    select
        contact_key,
        business_date,
        last_queue_key,
        last_agent_key
    from {{ ref('fct_contacts') }}
),

contacts_of_other_days as (
    select contact_key
    from {{ source('marts', 'published_contacts') }}
    where not {{ in_run('business_date') }}
),

placed as (
    select
        answers.*,
        contacts.last_queue_key,
        contacts.last_agent_key,
        contacts.contact_key is not null as is_contact_known,
        coalesce(contacts.business_date, answers.business_date) as placed_date
    from answers
    left join contacts on answers.contact_key = contacts.contact_key
    where
        contacts.contact_key is not null
        or (
            {{ in_run('answers.business_date') }}
            and not exists (
                select from contacts_of_other_days
                where contacts_of_other_days.contact_key = answers.contact_key
            )
        )
)

select
    source || ':' || survey_id || ':' || question as survey_key,
    source,
    survey_id,
    contact_key,
    last_queue_key as queue_key,
    last_agent_key as agent_key,
    customer_id,
    placed_date as business_date,
    question,
    score,
    max_score,
    answered_at,
    is_contact_known,
    coalesce((score between min_score and max_score)::integer, 0) as valid_count,
    coalesce(
        (score between min_score and max_score and score >= 0.8 * max_score)::integer, 0
    ) as satisfied_count,
    case when score between min_score and max_score then score end as valid_score
from placed
