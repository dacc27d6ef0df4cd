{#
  A view over published marts that is replaced only when its text changed: replacing a view waits for every
  reader, and a BI session that idles in a transaction would hold up each run.
#}
{% materialization stable_view, adapter='postgres' %}
    {%- set fingerprint = local_md5(sql) -%}
    {%- set query -%}
        select 1
        where obj_description(to_regclass('{{ this.schema }}.{{ this.identifier }}'), 'pg_class') like '%[{{ fingerprint }}]'
    {%- endset -%}
    {{ run_hooks(pre_hooks) }}
    {%- if run_query(query).rows | length > 0 -%}
        {% call statement('main') %} select 0 {% endcall %}
    {%- else -%}
        {% call statement('main') %}
            set local lock_timeout = '10s';
            drop view if exists {{ this }};
            create view {{ this }} as ({{ sql }});
            comment on view {{ this }} is $comment${{ model.description }} [{{ fingerprint }}]$comment$;
        {% endcall %}
    {%- endif -%}
    {{ run_hooks(post_hooks) }}
    {{ adapter.commit() }}
    {{ return({'relations': [this.incorporate(type='view')]}) }}
{% endmaterialization %}
