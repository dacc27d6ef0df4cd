{#
  What config/sources.yml declares, as the staging models need it. Raw tables come and go with the
  configuration, so they are not dbt sources: a stream whose table does not exist yet has no rows.
#}

{# The streams of a kind (or of several, a list): [{source, stream, options, time_zone, relation, loads}], loads being those not yet staged. #}
{% macro streams_of_kind(kind, record=none) %}
    {%- set streams = [] -%}
    {%- set kinds = [kind] if kind is string else kind -%}
    {%- if execute -%}
        {%- for source_name, source in var('sources').items() if source.kind in kinds -%}
            {%- for stream_name, options in source.streams.items() if record is none or options.record == record -%}
                {%- set relation = adapter.get_relation(target.database, 'raw', source_name ~ '__' ~ stream_name) -%}
                {%- if relation is not none -%}
                    {%- do streams.append({
                        'source': source_name,
                        'stream': stream_name,
                        'options': options,
                        'time_zone': options.get('time_zone', source.time_zone),
                        'relation': relation,
                        'loads': loads_to_stage(source_name, stream_name),
                    }) -%}
                {%- endif -%}
            {%- endfor -%}
        {%- endfor -%}
    {%- endif -%}
    {{ return(streams) }}
{% endmacro %}

{% macro loads_to_stage(source_name, stream_name) %}
    {%- set query -%}
        select load_id
        from ops.loads
        where source = '{{ source_name }}' and stream = '{{ stream_name }}' and state = 'loaded'
        order by load_id
    {%- endset -%}
    {{ return(run_query(query).columns[0].values() | list) }}
{% endmacro %}

{#
  The condition that picks a stream's loads. The range lets PostgreSQL use the small BRIN index on _load_id;
  the comment is how the `staged` materialization learns which loads it has in hand.
#}
{% macro only_loads(stream) -%}
    {%- if stream.loads -%}
        /* loads {{ stream.loads | join(' ') }} */ _load_id between {{ stream.loads | first }} and {{ stream.loads | last }}
        {%- if stream.loads | length <= stream.loads | last - stream.loads | first %} and _load_id in ({{ stream.loads | join(', ') }}){% endif %}
    {%- else -%}
        false
    {%- endif -%}
{%- endmacro %}
