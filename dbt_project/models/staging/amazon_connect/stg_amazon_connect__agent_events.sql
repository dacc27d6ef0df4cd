{{
    config(
        same_date = true,
        affects = "
            select business_date from changed
            union
            select neighbour.business_date
            from staging.stg_amazon_connect__agent_events as neighbour
            where
                neighbour.business_date between
                (select min(business_date) - 1 from changed) and (select max(business_date) + 1 from changed)
                and (neighbour.source, neighbour.agent_id, neighbour.business_date) in (
                    select source, agent_id, business_date - 1 from changed
                    union
                    select source, agent_id, business_date + 1 from changed
                )
        ",
    )
}}
{#- An agent event is never corrected: EventId is its key, the instant beside it keeps its date. What an agent
    did at midnight is told by events of two dates, so an event touches the dates beside its own on which its
    agent has others. -#}
with documents as (
    {{ documents_of('amazon_connect', 'agent_events') }}
),

texts as (
    select
        source,
        stream,
        document,
        doc,
        _load_id,
        _line,
        doc ->> 'EventId' as event_id,
        doc ->> 'EventType' as event_type,
        {{ utc_instant("doc ->> 'EventTimestamp'") }} as event_at,
        doc -> 'CurrentAgentSnapshot' as snapshot,
        coalesce(
            nullif(doc -> 'CurrentAgentSnapshot' -> 'Configuration' ->> 'Username', ''),
            regexp_replace(doc ->> 'AgentARN', '^.*/', '')
        ) as agent_id
    from documents
    offset 0
),

judged as (
    select
        *,
        case
            when doc is null then 'not JSON'
            else nullif(concat_ws('; ',
                case when coalesce(event_id, '') = '' then 'EventId: missing' end,
                case when coalesce(event_type, '') = '' then 'EventType: missing' end,
                case when event_at is null then 'EventTimestamp: not a time in UTC' end,
                case when event_at < '1990-01-01' then 'EventTimestamp: before 1990' end,
                case when coalesce(agent_id, '') = '' then 'AgentARN: missing' end
            ), '')
        end as _reject_reason
    from texts
)

select
    source,
    stream,
    concat_ws(' ', event_id, event_at at time zone 'UTC') as record_key,
    jsonb_hash_extended(doc, 0) as record_hash,
    null::timestamptz as version_at,
    {{ local_date('event_at') }} as business_date,
    event_at,
    event_type,
    agent_id,
    snapshot -> 'AgentStatus' ->> 'Name' as status_name,
    coalesce(
        snapshot -> 'AgentStatus' ->> 'Type',
        case snapshot -> 'AgentStatus' ->> 'Name'
            when 'Available' then 'ROUTABLE'
            when 'Offline' then 'OFFLINE'
            else 'CUSTOM'
        end
    ) as status_type,
    (
        select
            jsonb_agg(jsonb_build_object(
                'contact_id', contact ->> 'ContactId',
                'state', contact ->> 'State',
                'since', contact ->> 'StateStartTimestamp'
            ))
        from jsonb_array_elements(
            case when jsonb_typeof(snapshot -> 'Contacts') = 'array' then snapshot -> 'Contacts' end
        ) as contact
    ) as contacts,
    _load_id,
    _line,
    _reject_reason,
    case when _reject_reason is not null then document end as _raw
from judged
