{{
    config(
        affects = "
            select touched::date as business_date
            from changed
            cross join lateral generate_series(
                business_date, least(" ~ local_date('coalesce(ended_at, started_at)') ~ ", business_date + 31), '1 day'
            ) as touched
            where state <> 'OFFLINE'
            union
            select " ~ local_date('started_at') ~ "
            from staging.stg_genesys_cloud__user_states
            where
                ended_at is null and state <> 'OFFLINE'
                and business_date between
                (select min(business_date) - 31 from changed) and (select max(business_date) from changed)
        ",
    )
}}
{#- A user's presences and routing statuses, one row per span. One that goes on has no end yet: a later answer
    replaces it. It touches all its dates, and those whose open span lasted until the end of the data so far. -#}
with documents as (
    {{ documents_of('genesys_cloud', 'user_details') }}
),

{#- An answer is large: it is read once, and does not go along with each of its users. -#}
answers as (
    select * from documents
    offset 0
),

users as (
    select
        answers.source,
        answers.stream,
        answers.doc is null as is_broken,
        case when answers.doc is null then answers.document end as document,
        found.detail,
        answers._load_id,
        answers._line
    from answers
    left join lateral jsonb_array_elements(
        case
            when jsonb_typeof(answers.doc -> 'userDetails') = 'array' then answers.doc -> 'userDetails'
            when {{ genesys_cloud_is_empty('answers.doc') }} then '[]'
            else jsonb_build_array(answers.doc)
        end
    ) as found (detail) on answers.doc is not null
),

spans as (
    select
        users.*,
        'presence'::text as kind,
        spans.span
    from users
    cross join lateral jsonb_path_query(users.detail, '$.primaryPresence[*]') as spans (span)
    union all
    select
        users.*,
        'routing'::text as kind,
        spans.span
    from users
    cross join lateral jsonb_path_query(users.detail, '$.routingStatus[*]') as spans (span)
    union all
    select
        *,
        null::text as kind,
        null::jsonb as span
    from users
    where is_broken
),

read as (
    select
        *,
        detail ->> 'userId' as user_id,
        {{ utc_instant("span ->> 'startTime'") }} as started_at,
        {{ utc_instant("span ->> 'endTime'") }} as ended_at,
        coalesce(span ->> 'systemPresence', span ->> 'routingStatus') as state
    from spans
    offset 0
),

judged as (
    select
        *,
        case
            when is_broken then 'not JSON'
            when coalesce(user_id, '') = '' then 'userId: missing'
            when started_at is null then 'startTime: not a time'
            when started_at < '1990-01-01' then 'startTime: before 1990, the clock was not set'
            when span ->> 'endTime' <> '' and ended_at is null then 'endTime: not a time'
            when ended_at < started_at then 'endTime: before startTime'
            when coalesce(state, '') = '' then 'systemPresence, routingStatus: missing'
        end as _reject_reason
    from read
    offset 0
)

select
    source,
    stream,
    hashtextextended(concat_ws('|', user_id, kind, started_at), 0) as record_key,
    hashtextextended(concat_ws('|', state, coalesce(ended_at::text, 'open')), 0) as record_hash,
    coalesce(ended_at, started_at) as version_at,
    {{ local_date('started_at') }} as business_date,
    user_id,
    kind,
    upper(state) as state,
    started_at,
    ended_at,
    _load_id,
    _line,
    _reject_reason,
    case when _reject_reason is not null then coalesce(span::text, document) end as _raw
from judged
