{#-
  Contacts offered to agents, from the states their snapshots tell: a contact that rings until it is answered,
  missed, rejected, or gone. Snapshots repeat a state until it changes; its start tells it from the one before.
-#}
with states as (
    select distinct
        event.source,
        event.agent_id,
        contact ->> 'contact_id' as contact_id,
        contact ->> 'state' as state,
        {{ utc_instant("contact ->> 'since'") }} as started_at
    from {{ ref('stg_amazon_connect__agent_events') }} as event
    cross join lateral jsonb_array_elements(event.contacts) as contact
    where {{ near_run('event.business_date') }}
),

paired as (
    select
        *,
        lead(state) over one_contact as next_state,
        lead(started_at) over one_contact as next_at,
        lag(state) over one_contact as previous_state
    from states
    where started_at is not null
    window one_contact as (
        partition by source, agent_id, contact_id
        order by started_at, case
            when state in ('CONNECTING', 'INCOMING', 'PENDING') then 0 when state = 'ENDED' then 2 else 1
        end
    )
)

select
    source,
    agent_id,
    contact_id,
    started_at as offered_at,
    case
        when state in ('MISSED', 'REJECTED', 'ERROR') then state
        when next_state in ('MISSED', 'REJECTED', 'ERROR') then next_state
        when next_state in ('CONNECTED', 'CONNECTED_ONHOLD', 'ENDED') then 'CONNECTED'
        else 'GONE'
    end as result,
    case when state in ('CONNECTING', 'INCOMING', 'PENDING') then next_at else started_at end as ended_at,
    case
        when state in ('CONNECTING', 'INCOMING', 'PENDING')
            then round(extract(epoch from next_at - started_at))::integer
        else 0
    end as ring_seconds
from paired
where
    {#- A contact may change from INCOMING to CONNECTING while it rings. #}
    (
        state in ('CONNECTING', 'INCOMING', 'PENDING')
        and coalesce(previous_state, '') not in ('CONNECTING', 'INCOMING', 'PENDING')
    )
    or (
        state in ('MISSED', 'REJECTED', 'ERROR')
        and coalesce(previous_state, '') not in ('CONNECTING', 'INCOMING', 'PENDING')
    )
