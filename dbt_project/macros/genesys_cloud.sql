{# Whether an answer without a list is one that found nothing: of a query, or of an asynchronous job. #}
{% macro genesys_cloud_is_empty(answer) -%}
    {{ answer }} ?| array['totalHits', 'cursor', 'dataAvailabilityDate']
{%- endmacro %}
