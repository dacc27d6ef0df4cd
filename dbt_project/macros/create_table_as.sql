{#
  A table of the workbench (intermediate, build) is made whole in one statement: `create table as` skips the
  write-ahead log and needs no index that every row would have to enter. The contract is still enforced
  (names and types, before any row is written); keys and foreign keys live on the published marts, where
  publish.py puts them from the same YAML, and a duplicate key is a failed test here.
#}
{% macro postgres__create_table_as(temporary, relation, sql) -%}
    {%- if config.get('contract').enforced and not temporary -%}
        {{ get_assert_columns_equivalent(sql) }}
        {%- set sql = get_select_subquery(sql) -%}
    {%- endif %}
    create {% if temporary %}temporary {% endif %}table {{ relation }} as (
        {{ sql }}
    );
{%- endmacro %}
