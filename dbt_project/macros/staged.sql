{#
  Materialization of every staging table: takes the rows of loads not staged yet, sets aside what cannot be
  used, keeps the newest version of each record, and notes which business dates the news touches: all in one
  transaction, in work proportional to what is new. A load that was replayed first takes back what it had brought.

  The model's rows carry: source, stream, record_key, record_hash, version_at, business_date, _load_id, _line,
  and _reject_reason / _raw for rows to set aside. Equal rows (same key, same hash) are duplicates; of unequal
  rows with one key the newest version stays, or, where the source states no version, the one that landed last.
  A line may become several rows (a document holds many records): it counts once, as rejected when any of them is,
  as a duplicate when all that are left are.

  Config:
    affects      SQL giving the business dates a row touches, as a query over `changed` (rows inserted or
                 replaced) and `changed_dates` (their few dates); default: these
    same_date    true: versions of a record share their business_date (events), so only those days are searched
#}
{% materialization staged, adapter='postgres' %}
    {%- set technical = ['_reject_reason', '_raw'] -%}
    {%- set fresh = this.identifier ~ '__fresh' -%}
    {%- set changed = this.identifier ~ '__changed' -%}
    {%- set loads = staged_loads(sql) -%}
    {%- set replayed = replayed_loads(loads) -%}
    {%- set same_date = config.get('same_date', false) -%}
    {%- set affects = config.get('affects', 'select business_date from changed_dates') -%}
    {{ run_hooks(pre_hooks) }}

    {%- set columns = get_column_schema_from_query(sql) | rejectattr('name', 'in', technical) | list -%}
    {%- set names = columns | map(attribute='name') | join(', ') -%}
    {%- set existing = load_cached_relation(this) -%}
    {%- if existing is none -%}
        {% call statement('create') %}
            create table {{ this }} as select {{ names }} from ({{ sql }}) as staged limit 0;
        {% endcall %}
    {%- endif -%}

    {%- if not loads -%}
        {% call statement('main') %} select 0 {% endcall %}
    {%- else -%}
    {% call statement('fresh') %}
        create temporary table {{ fresh }} on commit drop as (
            {{ sql }}
        );
        create temporary table {{ changed }} (like {{ this }}) on commit drop;
    {% endcall %}

    {% call statement('main') %}
        {%- if replayed %}
        with replaced as (
            delete from {{ this }} where _load_id = any('{ {{- replayed | join(',') -}} }') returning *
        )
        insert into {{ changed }} select * from replaced;
        {%- endif %}

        delete from ops.rejects where stage = 'staging' and load_id = any('{ {{- loads | join(',') -}} }');
        with set_aside as (
            delete from {{ fresh }} where _reject_reason is not null returning *
        )
        insert into ops.rejects (load_id, source, stream, stage, line, bytes, reason)
        select _load_id, source, stream, 'staging', _line, convert_to(_raw, 'UTF8'), _reject_reason
        from set_aside;
        {%- if replayed %}

        {# What fails again has not been replayed with success. #}
        delete from ops.replayed_rejects as before
        using ops.rejects as again
        where
            before.load_id = any('{ {{- replayed | join(',') -}} }')
            and before.load_id = again.load_id
            and before.line = again.line;
        {%- endif %}

        create temporary table {{ this.identifier }}__duplicates (_load_id bigint, _line bigint) on commit drop;

        {# Several versions of a record in this one batch. #}
        {# Counting distinct keys takes a fifth of the time of finding those that repeat, which seldom do. #}
        with repeated as (
            select source, record_key
            from {{ fresh }}
            where (select count(*) > count(distinct record_key) from {{ fresh }})
            group by source, record_key
            having count(*) > 1
        ),
        ranked as (
            select
                fresh.ctid as row_id,
                fresh._load_id,
                fresh._line,
                fresh.record_hash = first_value(fresh.record_hash) over newest as is_duplicate,
                row_number() over newest as age
            from {{ fresh }} as fresh
            inner join repeated using (source, record_key)
            window newest as (
                partition by fresh.source, fresh.record_key
                order by fresh.version_at desc nulls last, fresh._load_id desc, fresh._line desc
                rows between unbounded preceding and unbounded following
            )
        ),
        removed as (
            delete from {{ fresh }} as fresh using ranked where fresh.ctid = ranked.row_id and ranked.age > 1
            returning ranked._load_id, ranked._line, ranked.is_duplicate
        )
        insert into {{ this.identifier }}__duplicates select _load_id, _line from removed where is_duplicate;

        {# What was already known, and what is older than what was known. #}
        with known as (
            select
                fresh.ctid as row_id,
                fresh._load_id,
                fresh._line,
                stored.record_hash = fresh.record_hash as is_duplicate
            from {{ fresh }} as fresh
            inner join {{ this }} as stored
                on fresh.source = stored.source and fresh.record_key = stored.record_key
                {%- if same_date %} and fresh.business_date = stored.business_date{% endif %}
            where
                stored.record_hash = fresh.record_hash
                or stored.version_at > fresh.version_at
                or (stored.version_at is not null and fresh.version_at is null)
                or (stored.version_at is not distinct from fresh.version_at and stored._load_id > fresh._load_id)
        ),
        removed as (
            delete from {{ fresh }} as fresh using known where fresh.ctid = known.row_id
            returning known._load_id, known._line, known.is_duplicate
        )
        insert into {{ this.identifier }}__duplicates select _load_id, _line from removed where is_duplicate;

        with replaced as (
            delete from {{ this }} as stored using {{ fresh }} as fresh
            where
                fresh.source = stored.source and fresh.record_key = stored.record_key
                {%- if same_date %} and fresh.business_date = stored.business_date{% endif %}
            returning stored.*
        )
        insert into {{ changed }} select * from replaced;

        insert into {{ this }} ({{ names }}) select {{ names }} from {{ fresh }};

        with changed as not materialized (
            select {{ names }} from {{ fresh }}
            union all
            select {{ names }} from {{ changed }}
        ),
        changed_dates as materialized (
            select business_date from changed where business_date is not null group by business_date
        )
        {# In their order: two models that note the same dates at once must not wait for each other. #}
        insert into ops.affected_dates (business_date, reason)
        select distinct touched.business_date, 'new or changed rows in {{ this.identifier }}'
        from ({{ affects }}) as touched
        where touched.business_date is not null
        order by touched.business_date
        on conflict (business_date) do update set state = 'pending', reason = excluded.reason, since = now();

        update ops.loads set
            state = 'staged',
            rows_rejected = loads.rows_rejected + counted.rejected,
            rows_duplicate = counted.duplicate,
            rows_loaded = loads.rows_in - loads.rows_rejected - counted.rejected - counted.duplicate
        from (
            select
                load_id,
                (
                    select count(distinct line) from ops.rejects
                    where rejects.load_id = batch.load_id and stage = 'staging'
                ) as rejected,
                (
                    select count(*)
                    from (
                        select _line from {{ this.identifier }}__duplicates where _load_id = batch.load_id
                        except
                        select _line from {{ fresh }} where _load_id = batch.load_id
                        except
                        select line from ops.rejects where rejects.load_id = batch.load_id and stage = 'staging'
                    ) as repeated
                ) as duplicate
            from unnest('{ {{- loads | join(',') -}} }'::bigint[]) as batch (load_id)
        ) as counted
        where loads.load_id = counted.load_id;
    {% endcall %}
    {%- endif -%}
    {%- if existing is none -%}
        {# When the first rows are in, which takes less than entering each. #}
        {% call statement('index') %}
            create index on {{ this }} using {{ 'brin (business_date)' if same_date else 'btree (business_date)' }};
            {%- if not same_date %}
            create index on {{ this }} (record_key);
            {%- endif %}
        {% endcall %}
    {%- endif -%}

    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [this.incorporate(type='table')]}) }}
{% endmaterialization %}

{# The loads a staging query has in hand, from the comments that only_loads() leaves in it. #}
{% macro staged_loads(sql) %}
    {%- set loads = [] -%}
    {%- for batch in modules.re.findall('/[*] loads ([0-9 ]+) [*]/', sql) -%}
        {%- do loads.extend(batch.split()) -%}
    {%- endfor -%}
    {{ return(loads | unique | list) }}
{% endmacro %}

{# Those of the loads that were staged before and have been done anew since. #}
{% macro replayed_loads(loads) %}
    {%- if not loads -%}{{ return([]) }}{%- endif -%}
    {%- set query -%}
        select load_id from ops.loads where load_id in ({{ loads | join(', ') }}) and replayed_at is not null
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{% endmacro %}

{#
  Stands before the `select` of a subquery whose columns are used several times: PostgreSQL would merge it with the query
  around it and compute them as often. A `with` prevents that, read or not, and unlike `offset 0` lets several processes
  share the work.
#}
{% macro computed_once() -%}
    with computed_once as (select 1) -- noqa: ST03
{% endmacro %}
