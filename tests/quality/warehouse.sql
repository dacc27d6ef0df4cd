-- A small, hand-made warehouse in which every rule holds: Monday 2024-03-04 and Tuesday 2024-03-05 in
-- Asia/Shanghai, open from 09:00 to 10:00 (01:00 to 02:00 UTC), one queue, two agents.

set role callhouse_build;

create table staging.stg_asterisk_queue_log__events (
  source text, stream text, record_key bigint, business_date date, event_at timestamptz, call_id text,
  queue_id text, agent_id text, event text, _load_id bigint, _line bigint
);
create table staging.stg_delimited__calls (
  source text, stream text, record_key text, business_date date, call_id text, agent_id text, _load_id bigint,
  _line bigint
);
create table staging.stg_amazon_connect__agent_events (like staging.stg_delimited__calls);
create table staging.stg_amazon_connect__contact_records (like staging.stg_delimited__calls);
create table staging.stg_amazon_connect__evaluations (like staging.stg_delimited__calls);
create table staging.stg_asterisk_cdr__records (like staging.stg_delimited__calls);
create table staging.stg_asterisk_cel__events (like staging.stg_delimited__calls);
create table staging.stg_freeswitch__agent_statuses (like staging.stg_delimited__calls);
create table staging.stg_freeswitch__calls (like staging.stg_delimited__calls);
create table staging.stg_genesys_cloud__conversations (like staging.stg_delimited__calls);
create table staging.stg_genesys_cloud__user_states (like staging.stg_delimited__calls);
create table staging.stg_delimited__cases (like staging.stg_delimited__calls);
create table staging.stg_delimited__surveys (like staging.stg_delimited__calls);
create table staging.stg_delimited__shifts (like staging.stg_delimited__calls);
create table staging.stg_delimited__punches (like staging.stg_delimited__calls);

create table build.dim_queue (queue_key text, source text, queue_id text, queue_name text);
create table build.dim_agent (agent_key text, agent_id text, agent_name text);
create table build.dim_kpi (
  kpi_id text, kpi_number integer, label_en text, label_zh text, unit text, direction text, class text,
  owner text, definition text, definition_hash text, sort_order integer, is_ratio boolean, aggregate text
);
create table build.fct_contacts (
  contact_key text, source text, contact_id text, business_date date, started_at timestamptz,
  ended_at timestamptz, outcome text
);
create table build.fct_queue_visits (
  visit_key text, contact_key text, business_date date, interval_start_at timestamptz, queue_key text,
  agent_key text, visit_number integer, entered_at timestamptz, left_at timestamptz, wait_seconds integer,
  outcome text, offered_count integer, answered_count integer, abandoned_count integer,
  flowed_out_count integer, called_back_count integer, in_progress_count integer, blocked_count integer,
  answered_in_threshold_count integer, abandoned_in_threshold_count integer, short_abandoned_count integer,
  talk_seconds integer, hold_seconds integer, after_call_seconds integer, transferred_in_count integer
);
create table build.fct_agent_legs (
  leg_key text, visit_key text, business_date date, agent_key text, outcome text, answered_at timestamptz,
  ended_at timestamptz
);
create table build.fct_queue_intervals (
  queue_key text, interval_start_at timestamptz, business_date date, offered_count bigint,
  answered_count bigint, abandoned_count bigint, flowed_out_count bigint, called_back_count bigint,
  in_progress_count bigint, blocked_count bigint, answered_in_threshold_count bigint,
  abandoned_in_threshold_count bigint, short_abandoned_count bigint, wait_seconds bigint,
  talk_seconds bigint, hold_seconds bigint, after_call_seconds bigint, transferred_in_count bigint
);
create table build.fct_surveys (
  survey_key text, contact_key text, business_date date, score numeric, max_score numeric,
  is_contact_known boolean, valid_count integer
);
create table build.fct_cases (
  case_key text, business_date date, opened_at timestamptz, closed_at timestamptz
);
create table build.fct_attendance (
  attendance_key text, agent_key text, business_date date, planned_start_at timestamptz,
  planned_end_at timestamptz, first_in_at timestamptz, last_out_at timestamptz, scheduled_count integer,
  attended_count integer
);
create table build.fct_agent_states (
  agent_key text, started_at timestamptz, ended_at timestamptz, business_date date, state text,
  is_end_inferred boolean
);
create table build.fct_agent_intervals (
  agent_key text, interval_start_at timestamptz, business_date date, logged_in_seconds bigint,
  available_seconds bigint, ringing_seconds bigint, talk_seconds bigint, hold_seconds bigint,
  after_call_seconds bigint, away_seconds bigint, handled_count bigint, ending_known_count bigint,
  transferred_count bigint, agent_hung_up_count bigint
);
create table build.kpi_values (
  kpi_id text, period_type text, period_start_at timestamptz, period_start_date date, unit_type text,
  unit_key text, numerator numeric, denominator numeric, value numeric, target numeric, status text
);

set role callhouse_publish;
create table marts.dim_kpi (like build.dim_kpi);
create table marts.kpi_values (like build.kpi_values);
create table marts.fct_contacts (like build.fct_contacts);
create table marts.fct_queue_visits (like build.fct_queue_visits);
reset role;
