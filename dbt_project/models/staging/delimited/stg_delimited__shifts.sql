{{ delimited_records('shift') }}
