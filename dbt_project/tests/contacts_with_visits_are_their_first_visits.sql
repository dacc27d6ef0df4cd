{#-
  A contact that entered queues has exactly one first visit, and it lies on the contact's date. (Later visits may
  lie on later dates, which this run need not cover.)
-#}
with contacts as (
    select
        source,
        business_date,
        count(*) as contact_count
    from {{ ref('fct_contacts') }}
    where visit_count > 0
    group by source, business_date
),

first_visits as (
    select
        source,
        business_date,
        count(*) as visit_count
    from {{ ref('fct_queue_visits') }}
    where visit_number = 1
    group by source, business_date
)

select
    source,
    business_date,
    contacts.contact_count,
    first_visits.visit_count
from contacts
full join first_visits using (source, business_date)
where contacts.contact_count is distinct from first_visits.visit_count
