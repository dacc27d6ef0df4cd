{{
    config(
        affects = "select unnest(dates) as business_date from changed",
    )
}}
{#- An answer holds many conversations; each is a row, whole. A later answer knows more of one that was not
    over: the version is the newest instant a conversation tells of. It touches every date from its start to its
    last segment's end. -#}
with documents as (
    {{ documents_of('genesys_cloud', 'conversations') }}
),

{#- An answer is large: it is read once, and does not go along with each of its conversations. -#}
answers as (
    select * from documents
    offset 0
),

conversations as (
    select
        answers.source,
        answers.stream,
        answers.doc is null as is_broken,
        case when answers.doc is null then answers.document end as document,
        found.conversation,
        found.position,
        answers._load_id,
        answers._line
    from answers
    left join lateral jsonb_array_elements(
        case
            when jsonb_typeof(answers.doc -> 'conversations') = 'array' then answers.doc -> 'conversations'
            when {{ genesys_cloud_is_empty('answers.doc') }} then '[]'
            else jsonb_build_array(answers.doc)
        end
    ) with ordinality as found (conversation, position) on answers.doc is not null
    where answers.doc is null or found.conversation is not null
),

read as (
    select
        source,
        stream,
        is_broken,
        document,
        conversation,
        position,
        _load_id,
        _line,
        conversation ->> 'conversationId' as conversation_id,
        conversation ->> 'conversationEnd' as end_text,
        {{ utc_instant("conversation ->> 'conversationStart'") }} as started_at,
        {{ utc_instant("conversation ->> 'conversationEnd'") }} as ended_at,
        jsonb_path_query_first(
            conversation,
            '$.participants[*] ? (@.purpose == "customer" || @.purpose == "external").sessions[*]'
        ) as customer_session
    from conversations
    offset 0
),

judged as (
    select
        *,
        case
            when is_broken then 'not JSON'
            when coalesce(conversation_id, '') = '' then 'conversationId: missing'
            when started_at is null then 'conversationStart: not a time'
            when started_at < '1990-01-01' then 'conversationStart: before 1990, the clock was not set'
            when end_text <> '' and ended_at is null then 'conversationEnd: not a time'
        end as _reject_reason,
        case
            when customer_session is null then 'internal'
            when
                coalesce(
                    conversation ->> 'originatingDirection',
                    customer_session ->> 'direction',
                    case when customer_session ? 'outboundCampaignId' then 'outbound' end
                ) = 'outbound'
                then 'outbound'
            else 'inbound'
        end as direction
    from read
    offset 0
),

instants as (
    select
        judged._load_id,
        judged._line,
        judged.position,
        pairs.pair ->> 'key' as name,
        {{ utc_instant("pairs.pair ->> 'value'") }} as told_at
    from judged
    cross join lateral jsonb_path_query(
        judged.conversation,
        '$.participants[*].sessions[*].*[*] ? (@.type() == "object").keyvalue()
            ? (@.key == "segmentStart" || @.key == "segmentEnd" || @.key == "emitDate")'
    ) as pairs (pair)
    where judged._reject_reason is null
),

told as (
    select
        _load_id,
        _line,
        position,
        max(told_at) as newest_at,
        array_agg(distinct told_on) filter (where name = 'segmentStart') as dates,
        max(told_on) filter (where name = 'segmentEnd') as last_date
    from (
        select
            *,
            {{ local_date('told_at') }} as told_on
        from instants
        where told_at is not null
    ) as dated
    group by _load_id, _line, position
)

select
    judged.source,
    judged.stream,
    hashtextextended(judged.conversation_id, 0) as record_key,
    hashtextextended(judged.conversation::text, 0) as record_hash,
    greatest(judged.started_at, judged.ended_at, told.newest_at) as version_at,
    {{ local_date('judged.started_at') }} as business_date,
    judged.conversation_id,
    judged.started_at,
    judged.ended_at,
    judged.direction,
    substring(
        case judged.direction
            when 'outbound' then judged.customer_session ->> 'dnis'
            else judged.customer_session ->> 'ani'
        end from '^(?:tel:|sip:)?([^@;]+)'
    ) as customer_number,
    {#- A talk over midnight goes on the next day, on which no segment begins. #}
    array(
        select {{ local_date('judged.started_at') }}
        union
        select unnest(told.dates)
        union
        select touched::date
        from generate_series(
            {{ local_date('judged.started_at') }},
            least(coalesce(told.last_date, '-infinity'), {{ local_date('judged.started_at') }} + 31),
            '1 day'
        ) as touched
    ) as dates,
    judged.conversation,
    judged._load_id,
    judged._line,
    judged._reject_reason,
    case
        when judged._reject_reason is not null then coalesce(judged.conversation::text, judged.document)
    end as _raw
from judged
left join told
    on judged._load_id = told._load_id and judged._line = told._line and judged.position = told.position
