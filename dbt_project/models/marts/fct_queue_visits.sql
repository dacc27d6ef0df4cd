with service_levels (queue_id, valid_from, threshold_seconds, short_abandon_seconds, promise_seconds) as (
    values {{ service_level_rows() }}
),

{#- One look-up per date and queue with levels of its own, not per visit; null stands for all others. -#}
thresholds as (
    select
        queues.queue_id,
        run_date as business_date,
        in_force.threshold_seconds,
        in_force.short_abandon_seconds,
        in_force.promise_seconds
    from (select distinct queue_id from service_levels) as queues
    cross join unnest({{ run_dates() }}) as run_date
    cross join lateral (
        select
            service_levels.threshold_seconds,
            service_levels.short_abandon_seconds,
            service_levels.promise_seconds
        from service_levels
        where
            (service_levels.queue_id = queues.queue_id or service_levels.queue_id is null)
            and service_levels.valid_from <= run_date
        order by service_levels.queue_id asc nulls last, service_levels.valid_from desc
        limit 1
    ) as in_force
),

visits as (
    select
        visits.*,
        case when own.queue_id is null then others.threshold_seconds else own.threshold_seconds end
            as threshold_seconds,
        case when own.queue_id is null then others.short_abandon_seconds else own.short_abandon_seconds end
            as short_abandon_seconds,
        case when own.queue_id is null then others.promise_seconds else own.promise_seconds end
            as promise_seconds
    from {{ ref('int_queue_visits') }} as visits
    left join thresholds as own
        on visits.queue_id = own.queue_id and visits.business_date = own.business_date
    left join thresholds as others
        on visits.business_date = others.business_date and others.queue_id is null
    where {{ in_run('visits.business_date') }}
),

{#- The visits that an agent's transfer sent on to the next queue. -#}
transferred as (
    select distinct
        source,
        contact_id,
        visit_number
    from {{ ref('int_agent_legs') }}
    where transfer_kind is not null and visit_number is not null
)

select
    visits.source || ':' || visits.contact_id || ':' || visits.visit_number as visit_key,
    visits.source || ':' || visits.contact_id as contact_key,
    visits.source,
    visits.business_date,
    visits.interval_start_at,
    visits.source || ':' || visits.queue_id as queue_key,
    visits.agent_id as agent_key,
    visits.visit_number::integer as visit_number,
    visits.entered_at,
    visits.left_at,
    visits.wait_seconds,
    visits.outcome,
    visits.outcome_reason,
    (visits.outcome <> 'blocked')::integer as offered_count,
    (visits.outcome = 'answered')::integer as answered_count,
    (visits.outcome = 'abandoned')::integer as abandoned_count,
    (visits.outcome = 'flowed_out')::integer as flowed_out_count,
    (visits.outcome = 'called_back')::integer as called_back_count,
    (visits.outcome = 'in_progress')::integer as in_progress_count,
    (visits.outcome = 'blocked')::integer as blocked_count,
    (
        visits.outcome = 'answered' and coalesce(visits.wait_seconds <= visits.threshold_seconds, false)
    )::integer as answered_in_threshold_count,
    (
        visits.outcome = 'abandoned' and coalesce(visits.wait_seconds <= visits.threshold_seconds, false)
    )::integer as abandoned_in_threshold_count,
    (
        visits.outcome = 'abandoned'
        and coalesce(visits.wait_seconds <= visits.short_abandon_seconds, false)
    )::integer as short_abandoned_count,
    visits.talk_seconds,
    visits.hold_seconds,
    visits.after_call_seconds,
    {#- Where nothing is promised no call keeps it or breaks it. #}
    case when visits.promise_seconds is not null then (
        visits.outcome = 'answered' and coalesce(visits.wait_seconds <= visits.promise_seconds, false)
    )::integer end as answered_in_promise_count,
    (transferred.visit_number is not null and visits.outcome <> 'blocked')::integer as transferred_in_count
from visits
left join transferred
    on
        visits.source = transferred.source
        and visits.contact_id = transferred.contact_id
        and visits.visit_number = transferred.visit_number + 1
