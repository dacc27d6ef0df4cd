{{ delimited_records('case') }}
