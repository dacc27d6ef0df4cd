select
    queue_key,
    interval_start_at
from {{ ref('fct_queue_intervals') }}
where
    offered_count
    <> answered_count + abandoned_count + flowed_out_count + called_back_count + in_progress_count
    or answered_wait_seconds + abandoned_wait_seconds > wait_seconds
