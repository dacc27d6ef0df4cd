insert into ops.runs (label, date_from, date_to, state) values ('test', '2024-03-04', '2024-03-05', 'running');
insert into ops.affected_dates (business_date) values ('2024-03-04'), ('2024-03-05');
insert into ops.build_state (run_id, dates) select run_id, '{2024-03-04,2024-03-05}' from ops.runs;

insert into ops.landing_files (source, stream, path, original_name, window_from, window_to, byte_count, sha256)
values
  ('pbx', 'queue_log', 'pbx/1', 'queue_log', '2024-03-04', '2024-03-05', 1, 'a'),
  ('crm', 'calls', 'crm/1', 'calls.csv', '2024-03-04', '2024-03-05', 1, 'b');
insert into ops.loads (landing_id, source, stream, state, run_id, rows_in, rows_loaded, rows_rejected, rows_duplicate)
select
  landing_id, source, stream, 'staged', run_id, 100, 99, 0, 1
from ops.landing_files, ops.runs;
update ops.loads set rows_in = 1000, rows_loaded = 995, rows_rejected = 2, rows_duplicate = 3 where stream = 'queue_log';
insert into ops.rejects (load_id, source, stream, stage, line, bytes, reason)
select load_id, source, stream, 'load', line, 'x', 'wrong number of fields'
from ops.loads, generate_series(1, 2) as lines (line)
where stream = 'queue_log';

insert into staging.stg_asterisk_queue_log__events
select
  source, stream, line, (event_at at time zone 'Asia/Shanghai')::date, event_at,
  'c' || case when line in (12, 13) then line - 2 else line end, 'q1', '1001',
  case when line in (10, 11) then 'ENTERQUEUE' when line in (12, 13) then 'ABANDON' else 'CONNECT' end,
  load_id, line
from ops.loads, generate_series(1, 995) as lines (line),
  lateral (select timestamptz '2024-03-04 01:05Z' + line % 2 * interval '1 day') as times (event_at)
where stream = 'queue_log';
insert into staging.stg_delimited__calls
select source, stream, agent_id, business_date, 'x1', agent_id, load_id, 1
from ops.loads,
  unnest('{2024-03-04,2024-03-05}'::date[], '{DORIT,NULL}'::text[]) as calls (business_date, agent_id)
where stream = 'calls';

insert into build.dim_queue values ('q1', 'pbx', 'q1', 'Sales');
insert into build.dim_agent values ('1001', '1001', 'One'), ('1002', '1002', 'Two');
insert into build.dim_kpi values
  ('offered', 2, 'Contacts offered', '排队量', 'count', 'none', 'customer', null, 'OFF', 'a', 1, false, 'sum'),
  ('service_level_f3', 15, 'Service level', '服务水平', 'ratio', 'higher', 'customer', 'manager', 'F3', 'b', 2, true, 'sum'),
  ('satisfaction', 69, 'Satisfaction', '客户满意度', 'ratio', 'higher', 'customer', 'quality', 'CSAT', 'c', 3, true, 'sum');

-- On Monday one caller is answered, one abandons after 3 s, one leaves in the menu; on Tuesday two are answered.
insert into build.fct_contacts
select
  contact_id, 'pbx', contact_id, (started_at at time zone 'Asia/Shanghai')::date, started_at,
  started_at + interval '5 minutes', outcome
from (
  values
    ('c1', timestamptz '2024-03-04 01:05Z', 'answered'), ('c2', '2024-03-04 01:35Z', 'abandoned'),
    ('c3', '2024-03-04 01:36Z', 'left_in_ivr'), ('c4', '2024-03-05 01:05Z', 'answered'),
    ('c5', '2024-03-05 01:40Z', 'answered')
) as contacts (contact_id, started_at, outcome);

insert into build.fct_queue_visits
select
  contact_id, contact_id, (entered_at at time zone 'Asia/Shanghai')::date,
  date_bin('30 minutes', entered_at, '2000-01-01Z'), 'q1', agent_id, 1, entered_at,
  entered_at + wait_seconds * interval '1 second', wait_seconds, outcome, 1, answered, 1 - answered, 0, 0, 0, 0,
  answered, 1 - answered, 1 - answered, 60 * answered, 0, 10 * answered
from (
  values
    ('c1', timestamptz '2024-03-04 01:05Z', '1001', 0, 'answered', 1),
    ('c2', '2024-03-04 01:35Z', null, 3, 'abandoned', 0),
    ('c4', '2024-03-05 01:05Z', '1001', 20, 'answered', 1),
    ('c5', '2024-03-05 01:40Z', '1001', 5, 'answered', 1)
) as visits (contact_id, entered_at, agent_id, wait_seconds, outcome, answered);

insert into build.fct_agent_legs
select visit_key, visit_key, business_date, agent_key, 'answered', left_at, left_at + interval '60 seconds'
from build.fct_queue_visits
where answered_count = 1;

insert into build.fct_queue_intervals values
  ('q1', '2024-03-04 01:00Z', '2024-03-04', 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 60, 0, 10),
  ('q1', '2024-03-04 01:30Z', '2024-03-04', 1, 0, 1, 0, 0, 0, 0, 0, 1, 1, 3, 0, 0, 0),
  ('q1', '2024-03-05 01:00Z', '2024-03-05', 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 20, 60, 0, 10),
  ('q1', '2024-03-05 01:30Z', '2024-03-05', 1, 1, 0, 0, 0, 0, 0, 1, 0, 0, 5, 60, 0, 10);

insert into build.fct_surveys values
  ('s1', 'c4', '2024-03-05', 5, 5, true, 1), ('s2', 'c5', '2024-03-05', null, 5, true, 0);
insert into build.fct_cases values
  ('k1', '2024-03-04', '2024-03-04 01:10Z', '2024-03-05 01:10Z'),
  ('k2', '2024-03-05', '2024-03-05 01:10Z', null);
insert into build.fct_attendance values
  ('a1', '1001', '2024-03-04', '2024-03-04 01:00Z', '2024-03-04 09:00Z',
    '2024-03-04 00:55Z', '2024-03-04 09:05Z', 1, 1),
  ('a2', '1002', '2024-03-05', '2024-03-05 01:00Z', '2024-03-05 09:00Z', null, null, 1, 0);

insert into build.fct_agent_states values
  ('1001', '2024-03-04 01:00Z', '2024-03-04 01:10Z', '2024-03-04', 'available', false),
  ('1001', '2024-03-04 01:10Z', '2024-03-04 01:20Z', '2024-03-04', 'talk', false),
  ('1002', '2024-03-05 01:00Z', '2024-03-05 01:10Z', '2024-03-05', 'away', false);
insert into build.fct_agent_intervals values
  ('1001', '2024-03-04 01:00Z', '2024-03-04', 1200, 600, 0, 600, 0, 0, 0, 1, 1, 0, 1),
  ('1002', '2024-03-05 01:00Z', '2024-03-05', 600, 0, 0, 0, 0, 0, 600, 0, 0, 0, 0);

insert into build.kpi_values
select
  kpi_id, period_type, period_start_at, (period_start_at at time zone 'Asia/Shanghai')::date, unit_type,
  case unit_type when 'centre' then 'centre' else 'q1' end, numerator, denominator,
  case kpi_id when 'offered' then numerator else numerator / nullif(denominator, 0) end, target, status
from (
  values
    ('offered', 'half_hour', timestamptz '2024-03-04 01:00Z', 1, null, null, 'no_target'),
    ('offered', 'half_hour', '2024-03-04 01:30Z', 1, null, null, 'no_target'),
    ('offered', 'half_hour', '2024-03-05 01:00Z', 1, null, null, 'no_target'),
    ('offered', 'half_hour', '2024-03-05 01:30Z', 1, null, null, 'no_target'),
    ('offered', 'day', '2024-03-03 16:00Z', 2, null, null, 'no_target'),
    ('offered', 'day', '2024-03-04 16:00Z', 2, null, null, 'no_target'),
    ('offered', 'month', '2024-02-29 16:00Z', 4, null, null, 'no_target'),
    ('service_level_f3', 'half_hour', '2024-03-04 01:00Z', 1, 1, 0.8, 'met'),
    ('service_level_f3', 'half_hour', '2024-03-04 01:30Z', 0, 1, 0.8, 'missed'),
    ('service_level_f3', 'half_hour', '2024-03-05 01:00Z', 1, 1, 0.8, 'met'),
    ('service_level_f3', 'half_hour', '2024-03-05 01:30Z', 1, 1, 0.8, 'met'),
    ('service_level_f3', 'day', '2024-03-03 16:00Z', 1, 2, 0.8, 'missed'),
    ('service_level_f3', 'day', '2024-03-04 16:00Z', 2, 2, 0.8, 'met'),
    ('service_level_f3', 'month', '2024-02-29 16:00Z', 3, 4, 0.8, 'missed')
) as by_queue (kpi_id, period_type, period_start_at, numerator, denominator, target, status)
cross join (values ('centre'), ('queue')) as units (unit_type);
insert into build.kpi_values values
  ('satisfaction', 'day', '2024-03-03 16:00Z', '2024-03-04', 'centre', 'centre', 0, 0, null, 0.85, 'no_value'),
  ('satisfaction', 'day', '2024-03-04 16:00Z', '2024-03-05', 'centre', 'centre', 1, 1, 1, 0.85, 'met'),
  ('satisfaction', 'month', '2024-02-29 16:00Z', '2024-03-01', 'centre', 'centre', 1, 1, 1, 0.85, 'met');

insert into marts.dim_kpi select * from build.dim_kpi;
insert into marts.kpi_values (kpi_id, period_type, period_start_date, unit_type, unit_key, value)
select 'offered', 'day', '2024-03-04'::date - 7 * weeks + days, 'centre', 'centre', 2
from generate_series(1, 3) as earlier (weeks), generate_series(0, 1) as dates (days);

-- Four weeks before, as many events a day.
insert into ops.runs (label, date_from, date_to, state) values ('before', '2024-02-05', '2024-02-27', 'published');
insert into ops.publications (run_id, business_date)
select run_id, days::date
from ops.runs, generate_series(timestamp '2024-02-05', '2024-02-27', interval '1 day') as calendar (days)
where label = 'before';
insert into staging.stg_asterisk_queue_log__events (source, stream, record_key, business_date, event, _load_id, _line)
select 'pbx', 'queue_log', line, business_date, 'CONNECT', 0, line
from ops.publications, generate_series(1, 500) as lines (line);
