{{ delimited_records('agent') }}
