{{
    config(
        post_hook = [
            "create index if not exists {{ this.identifier }}__initial on {{ this }} (initial_contact_id)",
            "create index if not exists {{ this.identifier }}__slow on {{ this }} (business_date) where channel <> 'voice'",
        ],
        affects = "
            with chains as (
                select distinct source, contact_chain_id from changed
            ),
            members as (
                select
                    business_date,
                    answered_at,
                    initiated_at,
                    coalesce(dequeued_at, disconnected_at) as left_at,
                    " ~ amazon_connect_agent_left() ~ " as agent_left_at
                from changed
                union
                select
                    record.business_date,
                    record.answered_at,
                    record.initiated_at,
                    coalesce(record.dequeued_at, record.disconnected_at),
                    " ~ amazon_connect_agent_left() ~ "
                from staging.stg_amazon_connect__contact_records as record
                inner join chains on record.source = chains.source and record.record_key = chains.contact_chain_id
                union
                select
                    record.business_date,
                    record.answered_at,
                    record.initiated_at,
                    coalesce(record.dequeued_at, record.disconnected_at),
                    " ~ amazon_connect_agent_left() ~ "
                from staging.stg_amazon_connect__contact_records as record
                inner join chains
                    on record.source = chains.source and record.initial_contact_id = chains.contact_chain_id
            )
            select business_date from members
            union
            select (answered_at at time zone '" ~ var('time_zone') ~ "')::date from members
            union
            select (initiated_at at time zone '" ~ var('time_zone') ~ "')::date from members
            union
            select " ~ local_date('agent_left_at') ~ " from members where agent_left_at is not null
            union
            select touched::date
            from members
            cross join lateral generate_series(
                business_date, least(" ~ local_date('left_at') ~ ", business_date + 7), '1 day'
            ) as touched
            where left_at is not null
        ",
    )
}}
{#- A contact record comes at least once, late and corrected: per ContactId the newest LastUpdateTimestamp
    counts. It touches the dates of its whole chain: what became of a call is told by the records after it. While it
    waits it may be offered, and missed, on the next date, and an agent who answered may leave it on the next one. -#}
with documents as (
    {{ documents_of('amazon_connect', 'contact_records') }}
),

texts as (
    select
        source,
        stream,
        document,
        doc,
        _load_id,
        _line,
        doc ->> 'ContactId' as contact_id,
        nullif(doc ->> 'InitialContactId', '') as initial_contact_id,
        nullif(doc ->> 'PreviousContactId', '') as previous_contact_id,
        nullif(doc ->> 'NextContactId', '') as next_contact_id,
        doc ->> 'LastUpdateTimestamp' as last_update_text,
        doc ->> 'InitiationTimestamp' as initiation_text,
        doc ->> 'ConnectedToSystemTimestamp' as connected_text,
        doc -> 'Queue' ->> 'EnqueueTimestamp' as enqueue_text,
        doc -> 'Queue' ->> 'DequeueTimestamp' as dequeue_text,
        doc -> 'Queue' ->> 'Duration' as queue_duration_text,
        doc -> 'Agent' ->> 'ConnectedToAgentTimestamp' as answer_text,
        doc -> 'Agent' ->> 'AfterContactWorkStartTimestamp' as after_call_text,
        doc -> 'Agent' ->> 'AgentInteractionDuration' as talk_text,
        doc -> 'Agent' ->> 'CustomerHoldDuration' as hold_text,
        doc -> 'Agent' ->> 'AfterContactWorkDuration' as after_call_duration_text,
        doc ->> 'AgentConnectionAttempts' as attempts_text,
        doc ->> 'TransferCompletedTimestamp' as transfer_text,
        doc ->> 'DisconnectTimestamp' as disconnect_text
    from documents
    offset 0
),

typed as (
    select
        *,
        {{ utc_instant('last_update_text') }} as updated_at,
        {{ utc_instant('initiation_text') }} as initiated_at,
        {{ utc_instant('connected_text') }} as connected_at,
        {{ utc_instant('enqueue_text') }} as enqueued_at,
        {{ utc_instant('dequeue_text') }} as dequeued_at,
        ops.try_seconds(queue_duration_text) as queue_seconds,
        {{ utc_instant('answer_text') }} as answered_at,
        {{ utc_instant('after_call_text') }} as after_call_started_at,
        ops.try_seconds(talk_text) as talk_seconds,
        ops.try_seconds(hold_text) as hold_seconds,
        ops.try_seconds(after_call_duration_text) as after_call_seconds,
        ops.try_seconds(attempts_text) as attempt_count,
        {{ utc_instant('transfer_text') }} as transferred_at,
        {{ utc_instant('disconnect_text') }} as disconnected_at
    from texts
    offset 0
),

judged as (
    select
        *,
        case
            when doc is null then 'not JSON'
            when jsonb_typeof(doc) <> 'object' or coalesce(contact_id, '') = '' then 'ContactId: missing'
            else nullif(concat_ws('; ',
                case when coalesce(initiation_text, '') = '' then 'InitiationTimestamp: missing' end,
                case when initiated_at < '1990-01-01' then 'InitiationTimestamp: before 1990' end,
                {%- for name, text, value, type in [
                    ('LastUpdateTimestamp', 'last_update_text', 'updated_at', 'time in UTC'),
                    ('InitiationTimestamp', 'initiation_text', 'initiated_at', 'time in UTC'),
                    ('ConnectedToSystemTimestamp', 'connected_text', 'connected_at', 'time in UTC'),
                    ('Queue.EnqueueTimestamp', 'enqueue_text', 'enqueued_at', 'time in UTC'),
                    ('Queue.DequeueTimestamp', 'dequeue_text', 'dequeued_at', 'time in UTC'),
                    ('Queue.Duration', 'queue_duration_text', 'queue_seconds', 'number of seconds'),
                    ('Agent.ConnectedToAgentTimestamp', 'answer_text', 'answered_at', 'time in UTC'),
                    ('Agent.AfterContactWorkStartTimestamp', 'after_call_text', 'after_call_started_at', 'time in UTC'),
                    ('Agent.AgentInteractionDuration', 'talk_text', 'talk_seconds', 'number of seconds'),
                    ('Agent.CustomerHoldDuration', 'hold_text', 'hold_seconds', 'number of seconds'),
                    ('Agent.AfterContactWorkDuration', 'after_call_duration_text', 'after_call_seconds', 'number of seconds'),
                    ('AgentConnectionAttempts', 'attempts_text', 'attempt_count', 'number'),
                    ('TransferCompletedTimestamp', 'transfer_text', 'transferred_at', 'time in UTC'),
                    ('DisconnectTimestamp', 'disconnect_text', 'disconnected_at', 'time in UTC'),
                ] %}
                {{ unless_read(name, text, value, type) }}{{ ',' if not loop.last }}
                {%- endfor %}
            ), '')
        end as _reject_reason
    from typed
)

select
    source,
    stream,
    contact_id as record_key,
    jsonb_hash_extended(doc, 0) as record_hash,
    updated_at as version_at,
    {{ local_date('coalesce(enqueued_at, answered_at, initiated_at)') }} as business_date,
    coalesce(initial_contact_id, contact_id) as contact_chain_id,
    nullif(initial_contact_id, contact_id) as initial_contact_id,
    previous_contact_id,
    next_contact_id,
    lower(doc ->> 'Channel') as channel,
    doc ->> 'InitiationMethod' as initiation_method,
    initiated_at,
    connected_at,
    enqueued_at,
    dequeued_at,
    queue_seconds,
    {{ amazon_connect_queue("doc -> 'Queue'") }} as queue_id,
    answered_at,
    coalesce(
        nullif(doc -> 'Agent' ->> 'Username', ''), regexp_replace(doc -> 'Agent' ->> 'ARN', '^.*/', '')
    ) as agent_id,
    talk_seconds,
    hold_seconds,
    after_call_seconds,
    after_call_started_at,
    attempt_count,
    transferred_at,
    disconnected_at,
    doc ->> 'DisconnectReason' as disconnect_reason,
    doc -> 'CustomerEndpoint' ->> 'Address' as customer_number,
    doc -> 'CustomerEndpoint' ->> 'Type' as customer_endpoint,
    {{ amazon_connect_exit_reason('source', "doc -> 'Attributes'") }} as exit_reason,
    _load_id,
    _line,
    _reject_reason,
    case when _reject_reason is not null then document end as _raw
from judged
