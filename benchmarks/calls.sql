-- The call list of benchmarks.data by hand, without a check, a reject, a correction or a second day in mind.
-- Times are read and cut in the centre's zone (session TimeZone); {day} is the day.

set local work_mem = '256MB';
create table raw.call_list (
    call_no text, customer_no text, channel text, queue text, agent text, started timestamptz, entered timestamptz,
    answered timestamptz, ended timestamptz, wait integer, talk integer, hold integer, wrap_up integer, result text,
    hung_up_by text
);
copy raw.call_list from stdin (format csv, header);

insert into marts.dim_queue (queue_key, source, queue_id, queue_name)
select distinct 'calls:' || queue, 'calls', queue, queue from raw.call_list;

insert into marts.dim_agent (agent_key, agent_id, agent_name)
select distinct agent, agent, agent from raw.call_list where result = 'answered';

insert into marts.fct_contacts (
    contact_key, source, contact_id, business_date, channel, direction, customer_id, started_at, ended_at,
    first_queue_key, last_queue_key, first_agent_key, last_agent_key, visit_count, leg_count, outcome,
    is_in_progress, wait_seconds, talk_seconds, hold_seconds, after_call_seconds, contact_count, left_in_ivr_count
)
select
    'calls:' || call_no, 'calls', call_no, started::date, channel, 'inbound', customer_no, started, ended,
    'calls:' || queue, 'calls:' || queue, agent, agent, 1, (result = 'answered')::integer, result,
    false, wait, talk, hold, wrap_up, 1, 0
from raw.call_list;

insert into marts.fct_queue_visits (
    visit_key, contact_key, source, business_date, interval_start_at, queue_key, agent_key, visit_number, entered_at,
    left_at, wait_seconds, outcome, offered_count, answered_count, abandoned_count, flowed_out_count,
    called_back_count, in_progress_count, blocked_count, answered_in_threshold_count, abandoned_in_threshold_count,
    short_abandoned_count, talk_seconds, hold_seconds, after_call_seconds, answered_in_promise_count,
    transferred_in_count
)
select
    'calls:' || call_no || ':1', 'calls:' || call_no, 'calls', started::date,
    date_bin('30 minutes', entered, timestamptz '2000-01-01'), 'calls:' || queue, agent, 1, entered,
    coalesce(answered, entered + make_interval(secs => wait)), wait, result, 1, (result = 'answered')::integer,
    (result = 'abandoned')::integer, 0, 0, 0, 0, (result = 'answered' and wait <= 20)::integer,
    (result = 'abandoned' and wait <= 20)::integer, (result = 'abandoned' and wait <= 5)::integer, talk, hold, wrap_up,
    (result = 'answered' and wait <= 10)::integer, 0
from raw.call_list;

insert into marts.fct_agent_legs (
    leg_key, visit_key, contact_key, source, business_date, queue_key, agent_key, visit_number, leg_number, leg_kind,
    offered_at, outcome, answered_at, ended_at, talk_seconds, hold_seconds, after_call_seconds, hung_up_by
)
select
    'calls:' || call_no || ':1:1', 'calls:' || call_no || ':1', 'calls:' || call_no, 'calls', answered::date,
    'calls:' || queue, agent, 1, 1, 'primary', answered, 'answered', answered, ended, talk, hold, wrap_up, hung_up_by
from raw.call_list
where result = 'answered';

insert into marts.fct_queue_intervals (
    queue_key, interval_start_at, business_date, offered_count, answered_count, abandoned_count, flowed_out_count,
    called_back_count, in_progress_count, blocked_count, answered_in_threshold_count, abandoned_in_threshold_count,
    short_abandoned_count, wait_seconds, answered_wait_seconds, abandoned_wait_seconds, talk_seconds, hold_seconds,
    after_call_seconds, answered_in_promise_count, wait_count, answered_wait_count, abandoned_wait_count,
    longest_wait_seconds, held_count, transferred_in_count
)
select
    queue_key, interval_start_at, business_date, sum(offered_count), sum(answered_count), sum(abandoned_count), 0, 0,
    0, 0, sum(answered_in_threshold_count), sum(abandoned_in_threshold_count), sum(short_abandoned_count),
    sum(wait_seconds), coalesce(sum(wait_seconds) filter (where outcome = 'answered'), 0),
    coalesce(sum(wait_seconds) filter (where outcome = 'abandoned'), 0), sum(talk_seconds), sum(hold_seconds),
    sum(after_call_seconds), sum(answered_in_promise_count), count(wait_seconds),
    count(wait_seconds) filter (where outcome = 'answered'), count(wait_seconds) filter (where outcome = 'abandoned'),
    max(wait_seconds), count(*) filter (where hold_seconds > 0), 0
from marts.fct_queue_visits
group by queue_key, interval_start_at, business_date;

-- One after the other: between two talks nobody knows what an agent did.
create temporary table states on commit drop as
with followed as (
    select *, lag(ended) over (partition by agent order by answered) as free_since
    from raw.call_list
    where result = 'answered' and answered < ended
)

select agent as agent_id, 'talk' as state, null as reason, answered as started_at, ended as ended_at from followed
union all
select agent, 'unknown', null, free_since, answered from followed where free_since < answered;

insert into marts.fct_agent_states (
    agent_key, started_at, ended_at, business_date, state, reason, source, state_seconds, is_end_inferred,
    is_log_in_known
)
select
    agent_id, started_at, ended_at, {day}, state, reason, case state when 'talk' then 'calls' end,
    extract(epoch from ended_at - started_at), false, false
from states;

with pieces as (
    select
        agent_key, state, interval_start_at,
        extract(epoch from
            least(ended_at, interval_start_at + interval '30 minutes') - greatest(started_at, interval_start_at)
        ) as seconds
    from (
        select
            *,
            date_bin('30 minutes', started_at, timestamptz '2000-01-01') as first_at,
            date_bin('30 minutes', ended_at - interval '1 second', timestamptz '2000-01-01') as last_at
        from marts.fct_agent_states
        where state <> 'unknown'
    ) as states
    cross join lateral generate_series(first_at, last_at, interval '30 minutes') as interval_start_at
),

seconds as (
    select
        agent_key, interval_start_at, sum(seconds) as logged_in,
        sum(seconds) filter (where state = 'available') as available,
        sum(seconds) filter (where state = 'ringing') as ringing,
        sum(seconds) filter (where state = 'talk') as talk, sum(seconds) filter (where state = 'away') as away
    from pieces
    group by agent_key, interval_start_at
),

counts as (
    select
        agent_id as agent_key, date_bin('30 minutes', at, timestamptz '2000-01-01') as interval_start_at,
        count(*) filter (where what = 'offered') as offered, count(*) filter (where what = 'answered') as answered,
        count(*) filter (where what = 'missed') as missed, count(*) filter (where what = 'handled') as handled,
        count(*) filter (where what = 'handled' and hung_up_by = 'agent') as hung_up,
        count(*) filter (where what = 'handled' and hung_up_by is not null) as told
    from (
        select
            agent as agent_id, answered as offered_at, answered as answered_at, ended as ended_at, result as outcome,
            hung_up_by
        from raw.call_list
        where result = 'answered'
    ) as legs
    cross join lateral (
        values
        ('offered', offered_at), ('answered', answered_at),
        (case outcome when 'answered' then 'handled' else 'missed' end, ended_at)
    ) as moment (what, at)
    where at is not null
    group by agent_id, date_bin('30 minutes', at, timestamptz '2000-01-01')
)

insert into marts.fct_agent_intervals (
    agent_key, interval_start_at, business_date, offered_count, answered_count, missed_count, handled_count,
    logged_in_seconds, available_seconds, ringing_seconds, talk_seconds, hold_seconds, after_call_seconds,
    away_seconds, staffed_interval_seconds, transferred_count, agent_hung_up_count, ending_known_count, consult_count,
    conference_count
)
select
    agent_key, interval_start_at, {day}, coalesce(offered, 0), coalesce(answered, 0), coalesce(missed, 0),
    coalesce(handled, 0), null, null,
    coalesce(ringing, 0), coalesce(talk, 0), 0, 0, coalesce(away, 0), 0,
    0, coalesce(hung_up, 0), coalesce(told, 0), 0, 0
from seconds
full join counts using (agent_key, interval_start_at);

insert into marts.fct_agent_days (
    agent_key, business_date, answered_count, missed_count, talk_seconds, hold_seconds, after_call_seconds,
    ringing_seconds, away_seconds
)
select agent_key, business_date, sum(answered_count), 0, sum(talk_seconds), sum(hold_seconds), 0, 0, 0
from marts.fct_agent_intervals
group by agent_key, business_date;
