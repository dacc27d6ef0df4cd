{{ delimited_records('queue') }}
