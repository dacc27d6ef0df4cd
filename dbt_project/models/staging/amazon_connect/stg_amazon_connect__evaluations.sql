{{ config(affects = "select business_date from changed limit 0") }}
{#- Quality evaluations; no fact is built from them yet, so they touch no date. -#}
with documents as (
    {{ documents_of('amazon_connect', 'evaluations') }}
),

texts as (
    select
        source,
        stream,
        document,
        doc,
        _load_id,
        _line,
        doc ->> 'evaluationId' as evaluation_id,
        doc -> 'metadata' as metadata,
        doc -> 'metadata' ->> 'evaluationSubmitTimestamp' as submit_text,
        {{ utc_instant("doc -> 'metadata' ->> 'evaluationSubmitTimestamp'") }} as submitted_at,
        {{ utc_instant("doc -> 'metadata' ->> 'evaluationStartTimestamp'") }} as started_at
    from documents
    offset 0
),

judged as (
    select
        *,
        case
            when doc is null then 'not JSON'
            else nullif(concat_ws('; ',
                case when coalesce(evaluation_id, '') = '' then 'evaluationId: missing' end,
                case when coalesce(metadata ->> 'contactId', '') = '' then 'metadata.contactId: missing' end,
                {{ unless_read(
                    'metadata.evaluationSubmitTimestamp', 'submit_text', 'submitted_at', 'time in UTC'
                ) }}
            ), '')
        end as _reject_reason
    from texts
)

select
    source,
    stream,
    evaluation_id as record_key,
    jsonb_hash_extended(doc, 0) as record_hash,
    submitted_at as version_at,
    {{ local_date('coalesce(submitted_at, started_at)') }} as business_date,
    evaluation_id,
    metadata ->> 'contactId' as contact_id,
    regexp_replace(metadata ->> 'agentId', '^.*/', '') as agent_id,
    regexp_replace(metadata ->> 'evaluator', '^.*/', '') as evaluator_id,
    metadata ->> 'evaluationDefinitionTitle' as form_title,
    started_at,
    submitted_at,
    ops.try_number(metadata -> 'score' ->> 'percentage') as score_percentage,
    doc -> 'sections' as sections,
    doc -> 'questions' as questions,
    _load_id,
    _line,
    _reject_reason,
    case when _reject_reason is not null then document end as _raw
from judged
