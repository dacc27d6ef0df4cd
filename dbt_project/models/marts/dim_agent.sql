with seen as (
    select agent_key as agent_id from {{ ref('fct_agent_legs') }}
    union
    select agent_key from {{ ref('fct_agent_days') }}
    union
    select agent_key from {{ ref('fct_agent_states') }}
    union
    select agent_key from {{ ref('fct_agent_intervals') }}
    union
    select agent_id from {{ ref('stg_delimited__agents') }}
),

{#- The personnel list names an agent; where there is none, the newest shift does. -#}
named_by_shift as (
    select distinct on (agent_id)
        agent_id,
        agent_name
    from {{ ref('stg_delimited__shifts') }}
    where agent_name is not null
    order by agent_id asc, planned_start_at desc
),

personnel as (
    select distinct on (agent_id) *
    from {{ ref('stg_delimited__agents') }}
    order by agent_id asc, _load_id desc
)

select
    seen.agent_id as agent_key,
    seen.agent_id,
    coalesce(personnel.agent_name, named_by_shift.agent_name, seen.agent_id) as agent_name,
    personnel.team,
    personnel.site,
    personnel.supervisor_name
from seen
left join personnel on seen.agent_id = personnel.agent_id
left join named_by_shift on seen.agent_id = named_by_shift.agent_id
where seen.agent_id is not null
