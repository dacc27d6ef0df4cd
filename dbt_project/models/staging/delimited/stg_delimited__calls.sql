{{ delimited_records('call') }}
