with visits as (
    select * from {{ ref('fct_queue_visits') }}
)

select
    queue_key,
    interval_start_at,
    business_date,
    sum(offered_count) as offered_count,
    sum(answered_count) as answered_count,
    sum(abandoned_count) as abandoned_count,
    sum(flowed_out_count) as flowed_out_count,
    sum(called_back_count) as called_back_count,
    sum(in_progress_count) as in_progress_count,
    sum(blocked_count) as blocked_count,
    sum(answered_in_threshold_count) as answered_in_threshold_count,
    sum(abandoned_in_threshold_count) as abandoned_in_threshold_count,
    sum(short_abandoned_count) as short_abandoned_count,
    coalesce(sum(wait_seconds), 0) as wait_seconds,
    coalesce(sum(wait_seconds) filter (where outcome = 'answered'), 0) as answered_wait_seconds,
    coalesce(sum(wait_seconds) filter (where outcome = 'abandoned'), 0) as abandoned_wait_seconds,
    coalesce(sum(talk_seconds), 0) as talk_seconds,
    coalesce(sum(hold_seconds), 0) as hold_seconds,
    coalesce(sum(after_call_seconds), 0) as after_call_seconds,
    sum(answered_in_promise_count) as answered_in_promise_count,
    count(wait_seconds) filter (where outcome <> 'blocked') as wait_count,
    count(wait_seconds) filter (where outcome = 'answered') as answered_wait_count,
    count(wait_seconds) filter (where outcome = 'abandoned') as abandoned_wait_count,
    max(wait_seconds)::bigint as longest_wait_seconds,
    count(*) filter (where hold_seconds > 0) as held_count,
    sum(transferred_in_count) as transferred_in_count
from visits
group by queue_key, interval_start_at, business_date
