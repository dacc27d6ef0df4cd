{#-
  A call touches the dates on which its agent was rung and talked, which may lie beside its own: before or behind
  midnight, or where the source counts it on another date than its clock says. It also touches the days of survey
  answers that came before it.
-#}
{%- set affects -%}
    select business_date from changed
    union
    select touched::date as business_date
    from (
        select distinct
            greatest({{ local_date('coalesce(answered_at, started_at)') }}, business_date - 1) as first_date,
            least(
                {{ local_date("greatest(
                    ended_at,
                    coalesce(
                        answered_at,
                        coalesce(queue_entered_at, started_at + make_interval(secs => coalesce(ivr_seconds, 0)))
                        + make_interval(secs => coalesce(wait_seconds, 0))
                    ) + make_interval(secs => coalesce(talk_seconds, 0) + coalesce(hold_seconds, 0))
                )") }},
                business_date + 1
            ) as last_date
        from changed
        where outcome = 'answered'
    ) as talks
    cross join lateral generate_series(first_date, last_date, interval '1 day') as touched
    union
    select answer.business_date
    from marts.fct_surveys as answer
    where
        not answer.is_contact_known
        and answer.contact_key in (select source || ':' || call_id from changed)
{%- endset -%}
{{ config(affects=affects) }}
{{ delimited_records('call') }}
