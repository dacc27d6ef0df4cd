{# The columns are a key: no row twice, none without it. One pass; `unique` and `not_null` take one each. #}
{% test counted_once(model, columns) %}
select
    {{ columns | join(', ') }},
    count(*) as row_count
from {{ model }}
group by {{ columns | join(', ') }}
having count(*) > 1 or num_nulls({{ columns | join(', ') }}) > 0
{% endtest %}
