{#- Seconds are clipped to each half-hour they fall in; counts stand where the thing happened. -#}
with states as not materialized (
    select
        agent_key,
        business_date,
        state,
        is_log_in_known,
        started_at,
        ended_at,
        {{ half_hour('started_at') }} as first_interval_at,
        {{ half_hour("(ended_at - interval '1 second')") }} as last_interval_at
    from {{ ref('fct_agent_states') }}
    where state not in ('offline', 'unknown')
),

{#- Most states lie inside one half-hour; only the others are cut. -#}
pieces as (
    select
        agent_key,
        business_date,
        first_interval_at as interval_start_at,
        state,
        is_log_in_known,
        {{ seconds_between('started_at', 'ended_at') }} as piece_seconds
    from states
    where first_interval_at = last_interval_at
    union all
    select
        states.agent_key,
        states.business_date,
        interval_start_at,
        states.state,
        states.is_log_in_known,
        {{ seconds_between(
            'greatest(states.started_at, interval_start_at)',
            "least(states.ended_at, interval_start_at + interval '30 minutes')"
        ) }} as piece_seconds
    from states
    cross join lateral generate_series(
        states.first_interval_at, states.last_interval_at, interval '30 minutes'
    ) as interval_start_at
    where states.first_interval_at < states.last_interval_at
),

seconds as (
    select
        agent_key,
        business_date,
        interval_start_at,
        bool_or(is_log_in_known) as is_log_in_known,
        sum(piece_seconds) as logged_in_seconds,
        {%- for state in agent_states() %}
        coalesce(sum(piece_seconds) filter (where state = '{{ state }}'), 0) as {{ state }}_seconds
        {{- ',' if not loop.last }}
        {%- endfor %}
    from pieces
    group by agent_key, business_date, interval_start_at
),

{#-
  An offer, its answer or its miss, and the end of a call: each in the half-hour it happened. Of legs that no
  customer waited for (consults, conferences) only the answer counts, by itself.
-#}
legs as (
    select
        agent_id as agent_key,
        outcome,
        leg_kind,
        {{ half_hour('offered_at') }} as offered_interval_at,
        {{ half_hour('answered_at') }} as answered_interval_at,
        {{ half_hour('ended_at') }} as ended_interval_at,
        count(*)::integer as leg_count,
        count(transfer_kind)::integer as transferred_count,
        count(*) filter (
            where transfer_kind is null and hung_up_by = 'agent'
        )::integer as agent_hung_up_count,
        count(coalesce(transfer_kind, hung_up_by))::integer as ending_known_count
    from {{ ref('int_agent_legs') }}
    where agent_id is not null
    group by agent_key, outcome, leg_kind, offered_interval_at, answered_interval_at, ended_interval_at
),

moments as (
    select
        legs.agent_key,
        moment.interval_start_at,
        case legs.leg_kind when 'primary' then moment.what else legs.leg_kind end as what,
        legs.leg_count,
        legs.transferred_count,
        legs.agent_hung_up_count,
        legs.ending_known_count
    from legs
    cross join lateral (
        values
        ('offered', legs.offered_interval_at),
        (case legs.outcome when 'missed' then 'missed' end, legs.ended_interval_at),
        (case legs.outcome when 'answered' then 'answered' end, legs.answered_interval_at),
        (case legs.outcome when 'answered' then 'handled' end, legs.ended_interval_at)
    ) as moment (what, interval_start_at)
    where
        moment.what is not null
        and moment.interval_start_at is not null
        and (legs.leg_kind = 'primary' or moment.what = 'answered')
),

counts as (
    select
        agent_key,
        {{ local_date('interval_start_at') }} as business_date,
        interval_start_at,
        sum(leg_count) filter (where what = 'offered') as offered_count,
        sum(leg_count) filter (where what = 'answered') as answered_count,
        sum(leg_count) filter (where what = 'missed') as missed_count,
        sum(leg_count) filter (where what = 'handled') as handled_count,
        sum(transferred_count) filter (where what = 'handled') as transferred_count,
        sum(agent_hung_up_count) filter (where what = 'handled') as agent_hung_up_count,
        sum(ending_known_count) filter (where what = 'handled') as ending_known_count,
        sum(leg_count) filter (where what = 'consult') as consult_count,
        sum(leg_count) filter (where what = 'conference') as conference_count
    from moments
    group by agent_key, interval_start_at
    having {{ in_run(local_date('interval_start_at')) }}
)

select
    agent_key,
    interval_start_at,
    business_date,
    coalesce(counts.offered_count, 0) as offered_count,
    coalesce(counts.answered_count, 0) as answered_count,
    coalesce(counts.missed_count, 0) as missed_count,
    coalesce(counts.handled_count, 0) as handled_count,
    case when seconds.is_log_in_known then seconds.logged_in_seconds end as logged_in_seconds,
    case when seconds.is_log_in_known then seconds.available_seconds end as available_seconds,
    coalesce(seconds.ringing_seconds, 0) as ringing_seconds,
    coalesce(seconds.talk_seconds, 0) as talk_seconds,
    coalesce(seconds.hold_seconds, 0) as hold_seconds,
    coalesce(seconds.after_call_seconds, 0) as after_call_seconds,
    coalesce(seconds.away_seconds, 0) as away_seconds,
    case
        when not coalesce(seconds.is_log_in_known, false) then 0
        when row_number() over (
            partition by interval_start_at, seconds.is_log_in_known order by agent_key
        ) = 1 then 1800
        else 0
    end::bigint as staffed_interval_seconds,
    coalesce(counts.transferred_count, 0) as transferred_count,
    coalesce(counts.agent_hung_up_count, 0) as agent_hung_up_count,
    coalesce(counts.ending_known_count, 0) as ending_known_count,
    coalesce(counts.consult_count, 0) as consult_count,
    coalesce(counts.conference_count, 0) as conference_count
from seconds
full join counts using (agent_key, interval_start_at, business_date)
