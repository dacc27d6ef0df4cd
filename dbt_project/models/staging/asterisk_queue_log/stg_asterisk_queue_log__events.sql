{#-
  A queue_log line is an event: it is never corrected, so its whole content is its key, and the same line in
  a rotated or second copy of the file is a duplicate. A line also touches the days before and after on which its
  call has others, those it is tied to by somebody logged in or paused over midnight, the day on which what it ends
  began, and the days of survey answers that came before their call.
-#}
{%- set affects -%}
    select business_date from changed_dates
    union
    select neighbour.business_date
    from staging.stg_asterisk_queue_log__events as neighbour
    where
        neighbour.business_date between
        (select min(business_date) - 1 from changed_dates) and (select max(business_date) + 1 from changed_dates)
        and neighbour.business_date not in (select business_date from changed_dates)
        and (neighbour.source, neighbour.call_id) in (select source, call_id from changed)
    {#- A line that says how long something lasted reaches back to its beginning, whose line may be lost. #}
    union
    select reached.business_date
    from changed as events
    cross join lateral (
        select case
            when events.event like '%LOGOFF' then {{ queue_log_seconds('events.data2') }}
            else coalesce({{ queue_log_seconds(queue_log_wait()) }}, 0) + coalesce({{ queue_log_seconds(queue_log_talk()) }}, 0)
        end as seconds
    ) as said
    cross join lateral (
        select {{ local_date('events.event_at - make_interval(secs => least(said.seconds, 86400))') }} as business_date
    ) as reached
    where
        events.event in (
            'CONNECT', 'COMPLETEAGENT', 'COMPLETECALLER', 'BLINDTRANSFER', 'ATTENDEDTRANSFER', 'TRANSFER',
            'AGENTLOGOFF', 'AGENTCALLBACKLOGOFF'
        )
        and reached.business_date < events.business_date
    {#- A restart closes what was open on the day before. #}
    union
    select restart.business_date - 1 as business_date
    from changed as restart
    where
        restart.event = 'QUEUESTART'
        and exists (
            select from staging.stg_asterisk_queue_log__events as open_call
            where
                open_call.source = restart.source
                and open_call.business_date = restart.business_date - 1
                {#- Names the days for the index; the line above compares them. #}
                and open_call.business_date = any(array(
                    select business_date - 1 from changed where event = 'QUEUESTART'
                ))
                and open_call.event in ('ENTERQUEUE', 'CONNECT')
                and not exists (
                    select from staging.stg_asterisk_queue_log__events as later
                    where
                        later.source = open_call.source
                        and later.call_id = open_call.call_id
                        and later.business_date between open_call.business_date and restart.business_date
                        and later.event_at > open_call.event_at
                )
        )
    union
    select tied.business_date
    from (
        select unnest(array[night.business_date, night.business_date + 1]) as business_date
        from (
            select
                source,
                agent_id,
                case when is_start then business_date else business_date - 1 end as business_date,
                case
                    when is_start then lead(business_date) over one_state
                    else lag(business_date) over one_state
                end is distinct from business_date as is_over_midnight,
                is_start and lead(business_date) over one_state is null as is_open
            from (
                select
                    *,
                    left(event, 5) = 'AGENT' as is_session,
                    event like '%MEMBER' as is_membership,
                    event in ('AGENTLOGIN', 'AGENTCALLBACKLOGIN', 'ADDMEMBER', 'PAUSE', 'PAUSEALL') as is_start
                from staging.stg_asterisk_queue_log__events
                where
                    business_date between
                    (select min(business_date) - 1 from changed_dates)
                    and (select max(business_date) + 1 from changed_dates)
                    and event in (
                        'AGENTLOGIN', 'AGENTLOGOFF', 'AGENTCALLBACKLOGIN', 'AGENTCALLBACKLOGOFF',
                        'ADDMEMBER', 'REMOVEMEMBER', 'PAUSE', 'UNPAUSE', 'PAUSEALL', 'UNPAUSEALL'
                    )
            ) as state_event
            window one_state as (
                partition by source, agent_id, is_session, is_membership, case when not is_session then queue_id end
                order by event_at, is_start
            )
        ) as night
        where
            night.is_over_midnight
            and (
                night.business_date in (select business_date from changed_dates)
                or night.business_date + 1 in (select business_date from changed_dates)
            )
            {#- What is still open ends with the data, so whatever is new moves its end. #}
            and (
                night.is_open
                or (night.source, night.agent_id) in (
                    select source, agent_id
                    from changed
                    where left(event, 5) = 'AGENT' or event like any(array['%PAUSE%', '%MEMBER'])
                )
            )
    ) as tied
    where exists (
        select from staging.stg_asterisk_queue_log__events as event
        where event.business_date = tied.business_date
    )
    union
    select answer.business_date
    from marts.fct_surveys as answer
    where
        not answer.is_contact_known
        and answer.contact_key in (select source || ':' || call_id from changed)
{%- endset -%}
{{ config(same_date=true, affects=affects) }}
{%- set streams = streams_of_kind('asterisk_queue_log') %}
with lines as (
    {{ computed_once() }}
    {%- for stream in streams %}
    {{ 'union all' if not loop.first }}
    select
        '{{ stream.source }}'::text as source,
        '{{ stream.stream }}'::text as stream,
        {{ queue_log_agent('agent', stream.options.get('agents', {})) }} as agent_id,
        {#- A database's time, exported, may stand here too. #}
        case
            when "time" ~ '^[0-9]+$' and length("time") <= 10 then to_timestamp("time"::bigint)
            else date_trunc('second', {{ asterisk_time('"time"', stream.time_zone) }})
        end as event_at,
        *
    from {{ stream.relation }}
    where {{ only_loads(stream) }}
    {%- else %}
    select
        null::text as source, null::text as stream, null::text as agent_id, null::timestamptz as event_at,
        null::text as "time", null::text as callid, null::text as queuename, null::text as agent,
        null::text as event, null::text as data1, null::text as data2, null::text as data3,
        null::text as data4, null::text as data5, null::bigint as _load_id, null::bigint as _line
    where false
    {%- endfor %}
),

judged as (
    select
        lines.*,
        coalesce(
            {{ asterisk_time_fault('time', '"time"', 'event_at') }},
            case when coalesce(event, '') = '' then 'event: empty' end
        ) as _reject_reason
    from lines
)

select
    source,
    stream,
    {#- Empty fields at the end are written by some and left out by others. #}
    hashtextextended(rtrim(
        concat_ws('|', "time", callid, queuename, agent, event, data1, data2, data3, data4, data5), '|'
    ), 0) as record_key,
    0::bigint as record_hash,
    null::timestamptz as version_at,
    case when _reject_reason is null then {{ local_date('event_at') }} end as business_date,
    event_at,
    {#- REALTIME, MANAGER and CLI are who changed a queue's members. #}
    case when callid not in ('', 'NONE', 'REALTIME', 'MANAGER', 'CLI') then callid end as call_id,
    case when queuename not in ('', 'NONE') then queuename end as queue_id,
    case when agent_id not in ('', 'NONE') then agent_id end as agent_id,
    event,
    data1,
    data2,
    data3,
    data4,
    data5,
    _load_id,
    _line,
    _reject_reason,
    case when _reject_reason is not null
        then concat_ws('|', "time", callid, queuename, agent, event, data1, data2, data3, data4, data5)
    end as _raw
from judged
