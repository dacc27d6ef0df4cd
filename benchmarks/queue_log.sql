-- The queue log of benchmarks.data by hand: what somebody who knows this log, this centre and PostgreSQL would
-- write, without a check, a reject, a second copy, a late line or a second day in mind.
-- Times are cut in the centre's zone (session TimeZone); {day} is the day.

set local work_mem = '256MB';
create table raw.lines (line text);
copy raw.lines from stdin (format csv, delimiter e'\x01', quote e'\x02', null e'\x03');

-- Lines of calls and lines of agents, in one pass over the file's text.
create temporary table events on commit drop as
select
    to_timestamp(fields[1]::bigint) as event_at,
    fields[2] as call_id,
    fields[3] as queue_id,
    replace(fields[4], 'Agent/', '') as agent_id,
    fields[5] as event,
    fields[6] as data1,
    fields[7] as data2,
    fields[8] as data3,
    fields[9] as data4
from raw.lines, string_to_array(line, '|') as fields
where fields[5] not in ('DID', 'QUEUESTART');

-- A call is in one queue at a time: its visits are numbered by its entries so far.
create temporary table visits on commit drop as
with numbered as (
    select
        *,
        count(*) filter (where event = 'ENTERQUEUE') over (
            partition by call_id order by event_at, event <> 'ENTERQUEUE', event = 'BLINDTRANSFER'
        ) as visit_number
    from events
    where
        event in (
            'ENTERQUEUE', 'CONNECT', 'COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ABANDON',
            'EXITWITHTIMEOUT', 'EXITEMPTY', 'EXITWITHKEY'
        )
),

visits as (
    select
        call_id,
        visit_number::integer as visit_number,
        min(queue_id) as queue_id,
        min(event_at) as entered_at,
        min(event_at) filter (where event = 'CONNECT') as connected_at,
        min(agent_id) filter (where event = 'CONNECT') as agent_id,
        min(data3) filter (where event = 'CONNECT')::integer as ring_seconds,
        min(event_at) filter (where event not in ('ENTERQUEUE', 'CONNECT')) as ended_at,
        min(event) filter (where event not in ('ENTERQUEUE', 'CONNECT')) as ending,
        min(case
            when event = 'CONNECT' then data1
            when event in ('ABANDON', 'EXITWITHTIMEOUT', 'EXITEMPTY') then data3
            when event = 'EXITWITHKEY' then data4
        end)::integer as wait_seconds,
        min(case when event like 'COMPLETE%' then data2 when event = 'BLINDTRANSFER' then data4 end)::integer as talk_seconds,
        min(data1) filter (where event = 'BLINDTRANSFER') as transfer_target
    from numbered
    group by call_id, visit_number
)

select
    *,
    case
        when connected_at is not null then 'answered'
        when ending = 'ABANDON' then 'abandoned'
        when ending is null then 'in_progress'
        else 'flowed_out'
    end as outcome
from visits;
analyze visits (call_id, queue_id);

insert into marts.dim_queue (
    queue_key, source, queue_id, queue_name
)
select distinct 'pbx:' || queue_id, 'pbx', queue_id, queue_id from visits;

insert into marts.dim_agent (
    agent_key, agent_id, agent_name, team, site, supervisor_name
)
select distinct agent_id, agent_id, agent_id, null, null, null from events where agent_id <> 'NONE';

create temporary table legs on commit drop as
select
    call_id, visit_number, queue_id, agent_id,
    connected_at - make_interval(secs => ring_seconds) as offered_at,
    ring_seconds, 'answered' as outcome, connected_at as answered_at, ended_at,
    case when ended_at is not null then talk_seconds end as talk_seconds,
    case when ended_at is not null then 0 end as no_seconds,
    case ending when 'COMPLETEAGENT' then 'agent' when 'COMPLETECALLER' then 'customer' end as hung_up_by,
    case when ending = 'BLINDTRANSFER' then 'blind' end as transfer_kind,
    transfer_target
from visits
where outcome = 'answered'
union all
select
    missed.call_id, max(visits.visit_number), missed.queue_id, missed.agent_id,
    missed.event_at - make_interval(secs => missed.ring_seconds), missed.ring_seconds, 'missed', null,
    missed.event_at, 0, 0, null, null, null
from (
    select *, round(data1::numeric / 1000)::integer as ring_seconds
    from events
    where event = 'RINGNOANSWER' and data1 <> '0'
) as missed
inner join visits
    on visits.call_id = missed.call_id and visits.queue_id = missed.queue_id and visits.entered_at <= missed.event_at
group by missed.call_id, missed.queue_id, missed.agent_id, missed.event_at, missed.ring_seconds;

insert into marts.fct_contacts (
    contact_key, source, contact_id, business_date, channel, direction, customer_id, started_at, ended_at,
    ivr_seconds, first_queue_key, last_queue_key, first_agent_key, last_agent_key, visit_count, leg_count,
    outcome, is_in_progress, wait_seconds, talk_seconds, hold_seconds, after_call_seconds, topic,
    is_resolved, contact_count, left_in_ivr_count
)
select
    'pbx:' || call_id, 'pbx', call_id, min(entered_at)::date, 'voice', 'inbound', null, min(entered_at),
    max(coalesce(ended_at, connected_at)), null,
    'pbx:' || min(queue_id) filter (where visit_number = 1),
    'pbx:' || (max(array[visit_number::text, queue_id]))[2],
    (min(array[visit_number::text, agent_id]) filter (where outcome = 'answered'))[2],
    (max(array[visit_number::text, agent_id]) filter (where outcome = 'answered'))[2],
    count(*), coalesce(max(leg_count), 0),
    case
        when bool_or(ending is null) then 'in_progress'
        when bool_or(outcome = 'answered') then 'answered'
        else (max(array[visit_number::text, outcome]))[2]
    end,
    bool_or(ending is null), sum(wait_seconds), sum(case when ending is not null then coalesce(talk_seconds, 0) end),
    sum(case when ending is not null then 0 end), sum(case when ending is not null then 0 end), null, null, 1, 0
from visits
left join (select call_id, count(*) as leg_count from legs group by call_id) as counted using (call_id)
group by call_id;

insert into marts.fct_queue_visits (
    visit_key, contact_key, source, business_date, interval_start_at, queue_key, agent_key, visit_number,
    entered_at, left_at, wait_seconds, outcome, outcome_reason, offered_count, answered_count,
    abandoned_count, flowed_out_count, called_back_count, in_progress_count, blocked_count,
    answered_in_threshold_count, abandoned_in_threshold_count, short_abandoned_count, talk_seconds,
    hold_seconds, after_call_seconds, answered_in_promise_count, transferred_in_count
)
select
    'pbx:' || call_id || ':' || visit_number, 'pbx:' || call_id, 'pbx', entered_at::date,
    date_bin('30 minutes', entered_at, timestamptz '2000-01-01'), 'pbx:' || queue_id, agent_id, visit_number,
    entered_at, coalesce(connected_at, ended_at), wait_seconds, outcome,
    case ending when 'EXITWITHTIMEOUT' then 'timeout' when 'EXITEMPTY' then 'empty' when 'EXITWITHKEY' then 'key' end,
    1, (outcome = 'answered')::integer, (outcome = 'abandoned')::integer, (outcome = 'flowed_out')::integer, 0,
    (outcome = 'in_progress')::integer, 0,
    (outcome = 'answered' and wait_seconds <= 20)::integer, (outcome = 'abandoned' and wait_seconds <= 20)::integer,
    (outcome = 'abandoned' and wait_seconds <= 5)::integer,
    case when ending is not null then coalesce(talk_seconds, 0) end,
    case when ending is not null then 0 end, case when ending is not null then 0 end,
    (outcome = 'answered' and wait_seconds <= 10)::integer,
    coalesce((lag(ending) over (partition by call_id order by visit_number) = 'BLINDTRANSFER')::integer, 0)
from visits;

insert into marts.fct_agent_legs (
    leg_key, visit_key, contact_key, source, business_date, queue_key, agent_key, visit_number,
    leg_number, leg_kind, offered_at, ring_seconds, outcome, answered_at, ended_at, talk_seconds,
    hold_seconds, after_call_seconds, hung_up_by, transfer_kind, transfer_target
)
select
    concat_ws(':', 'pbx', call_id, visit_number, leg_number), 'pbx:' || call_id || ':' || visit_number,
    'pbx:' || call_id, 'pbx', offered_at::date, 'pbx:' || queue_id, agent_id, visit_number, leg_number, 'primary', offered_at,
    ring_seconds, outcome, answered_at, ended_at, talk_seconds, no_seconds, no_seconds, hung_up_by, transfer_kind,
    transfer_target
from (
    select
        *,
        row_number() over (
            partition by call_id, visit_number order by offered_at, ended_at, agent_id, outcome
        ) as leg_number
    from legs
) as numbered;

insert into marts.fct_queue_intervals (
    queue_key, interval_start_at, business_date, offered_count, answered_count, abandoned_count,
    flowed_out_count, called_back_count, in_progress_count, blocked_count, answered_in_threshold_count,
    abandoned_in_threshold_count, short_abandoned_count, wait_seconds, answered_wait_seconds,
    abandoned_wait_seconds, talk_seconds, hold_seconds, after_call_seconds, answered_in_promise_count, wait_count,
    answered_wait_count, abandoned_wait_count, longest_wait_seconds, held_count, transferred_in_count
)
select
    queue_key, interval_start_at, business_date, sum(offered_count), sum(answered_count), sum(abandoned_count),
    sum(flowed_out_count), sum(called_back_count), sum(in_progress_count), sum(blocked_count),
    sum(answered_in_threshold_count), sum(abandoned_in_threshold_count), sum(short_abandoned_count),
    coalesce(sum(wait_seconds), 0), coalesce(sum(wait_seconds) filter (where outcome = 'answered'), 0),
    coalesce(sum(wait_seconds) filter (where outcome = 'abandoned'), 0), coalesce(sum(talk_seconds), 0),
    coalesce(sum(hold_seconds), 0), coalesce(sum(after_call_seconds), 0), sum(answered_in_promise_count),
    count(wait_seconds), count(wait_seconds) filter (where outcome = 'answered'),
    count(wait_seconds) filter (where outcome = 'abandoned'), max(wait_seconds),
    count(*) filter (where hold_seconds > 0), sum(transferred_in_count)
from marts.fct_queue_visits
group by queue_key, interval_start_at, business_date;

-- One after the other: who is logged in and neither rings, talks nor pauses is available.
create temporary table states on commit drop as
with busy as (
    select agent_id, 'talk' as state, null as reason, answered_at as started_at, ended_at
    from legs
    where outcome = 'answered'
    union all
    select agent_id, 'ringing', null, offered_at, coalesce(answered_at, ended_at) from legs
    union all
    select agent_id, 'ringing', null, event_at - make_interval(secs => round(data1::numeric / 1000)), event_at
    from events
    where event = 'RINGCANCELED'
    union all
    select agent_id, 'away', reason, event_at, ended_at
    from (
        select
            agent_id, event, min(data1) as reason, event_at,
            lead(event_at) over (partition by agent_id order by event_at) as ended_at
        from events
        where event in ('PAUSE', 'UNPAUSE')
        group by agent_id, event, event_at
    ) as pauses
    where event = 'PAUSE'
    union all
    select agent_id, null, null, event_at, event_at from events where event in ('AGENTLOGIN', 'AGENTLOGOFF')
),

followed as (
    select *, lag(ended_at) over (partition by agent_id order by started_at, ended_at) as free_since
    from busy
    where state is null or started_at < ended_at
)

select agent_id, state, reason, started_at, ended_at from busy where started_at < ended_at
union all
select agent_id, 'available', null, free_since, started_at from followed where free_since < started_at;

insert into marts.fct_agent_states (
    agent_key, started_at, ended_at, business_date, state, reason, source, state_seconds, is_end_inferred,
    is_log_in_known
)
select
    agent_id, started_at, ended_at, {day}, state, reason, 'pbx',
    extract(epoch from ended_at - started_at), false, true
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
        count(*) filter (where what = 'handled' and transfer_kind is not null) as transferred,
        count(*) filter (where what = 'handled' and hung_up_by = 'agent') as hung_up,
        count(*) filter (where what = 'handled' and coalesce(hung_up_by, transfer_kind) is not null) as told
    from legs
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
    coalesce(handled, 0), coalesce(logged_in, 0), coalesce(available, 0),
    coalesce(ringing, 0), coalesce(talk, 0), 0, 0, coalesce(away, 0),
    case when row_number() over (
        partition by interval_start_at, logged_in is not null order by agent_key
    ) = 1 and logged_in is not null then 1800 else 0 end,
    coalesce(transferred, 0), coalesce(hung_up, 0), coalesce(told, 0), 0, 0
from seconds
full join counts using (agent_key, interval_start_at);

-- This log's pauses do not overlap, lose no end and lie within the day.
insert into marts.fct_agent_days (
    agent_key, business_date, answered_count, missed_count, talk_seconds, hold_seconds, after_call_seconds,
    ringing_seconds, away_seconds, available_seconds, logged_in_seconds, paused_seconds
)
select
    agent_key, business_date, sum(answered_count), sum(missed_count), sum(talk_seconds), 0, 0, sum(ringing_seconds),
    sum(away_seconds), sum(available_seconds), sum(logged_in_seconds), coalesce(max(paused_seconds), 0)
from marts.fct_agent_intervals
left join (
    select
        agent_id as agent_key,
        sum(extract(epoch from event_at) * case event when 'UNPAUSEALL' then 1 else -1 end) as paused_seconds
    from events
    where event in ('PAUSEALL', 'UNPAUSEALL')
    group by agent_id
) as pauses using (agent_key)
group by agent_key, business_date;
