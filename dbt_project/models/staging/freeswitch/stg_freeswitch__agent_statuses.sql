{{
    config(
        same_date = true,
        affects = "
            select business_date from changed
            union
            select neighbour.business_date
            from staging.stg_freeswitch__agent_statuses as neighbour
            where
                neighbour.business_date between
                (select min(business_date) - 1 from changed) and (select max(business_date) + 1 from changed)
                and (neighbour.source, neighbour.agent_id) in (select source, agent_id from changed)
            union
            select still_open.business_date
            from (
                select distinct on (source, agent_id) business_date, status
                from staging.stg_freeswitch__agent_statuses
                where
                    business_date between
                    (select min(business_date) - 31 from changed) and (select min(business_date) - 1 from changed)
                order by source, agent_id, changed_at desc
            ) as still_open
            where still_open.status <> 'Logged Out'
        ",
    )
}}
{#- An event is never corrected: its whole content is its key. It touches the days
    around on which its agent has others, and those whose open status lasted until the end of the data so far. -#}
{%- set streams = streams_of_kind('freeswitch') | selectattr('stream', 'equalto', 'agent_status') | list -%}
with events as (
    {%- for stream in streams %}
    {{ 'union all' if not loop.first }}
    select
        '{{ stream.source }}'::text as source,
        '{{ stream.stream }}'::text as stream,
        btrim("Event-Date-Timestamp") as microseconds,
        nullif(btrim("CC-Agent"), '') as agent,
        nullif(btrim("CC-Agent-Status"), '') as status,
        nullif(btrim("CC-Action"), '') as action,
        _load_id,
        _line
    from {{ stream.relation }}
    where {{ only_loads(stream) }}
    {%- else %}
    select
        null::text as source, null::text as stream, null::text as microseconds, null::text as agent,
        null::text as status, null::text as action, null::bigint as _load_id, null::bigint as _line
    where false
    {%- endfor %}
),

judged as (
    select
        *,
        case
            when coalesce(microseconds, '') !~ '^[0-9]{1,16}$'
                then 'Event-Date-Timestamp: not microseconds since 1970'
            when microseconds::bigint < 631152000000000
                then 'Event-Date-Timestamp: before 1990, the clock was not set'
            when agent is null then 'CC-Agent: empty'
            when action is not null and action <> 'agent-status-change' then 'CC-Action: no change of status'
            when status is null then 'CC-Agent-Status: empty'
        end as _reject_reason
    from events
    offset 0
)

select
    source,
    stream,
    hashtextextended(concat_ws('|', microseconds, agent, status), 0) as record_key,
    0::bigint as record_hash,
    null::timestamptz as version_at,
    case when _reject_reason is null then
        {{ local_date('to_timestamp(microseconds::bigint / 1000000)') }}
    end as business_date,
    case when _reject_reason is null then to_timestamp(microseconds::bigint / 1000000) end as changed_at,
    regexp_replace(agent, '@.*$', '') as agent_id,
    status,
    _load_id,
    _line,
    _reject_reason,
    case when _reject_reason is not null then concat_ws(',', microseconds, agent, status, action) end as _raw
from judged
