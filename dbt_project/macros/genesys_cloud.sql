{# Whether an answer without a list is one that found nothing: of a query, or of an asynchronous job. #}
{% macro is_empty_page(answer) -%}
    {{ answer }} ?| array['totalHits', 'cursor', 'dataAvailabilityDate']
{%- endmacro %}
