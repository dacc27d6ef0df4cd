-- The published tables that the daily report reads, with the marts' columns.
create table marts.dim_kpi (
    kpi_id text primary key, kpi_number integer, label_en text, label_zh text, unit text, direction text,
    class text, owner text, definition text, sort_order integer
);
create table marts.fct_contacts (
    contact_key uuid primary key default gen_random_uuid(), business_date date, started_at timestamptz
);
create table marts.fct_queue_intervals (
    queue_key uuid, interval_start_at timestamptz, business_date date, offered_count integer,
    answered_count integer, abandoned_count integer, primary key (queue_key, interval_start_at)
);
create table marts.kpi_values (
    kpi_id text, period_type text, period_start_at timestamptz, period_start_date date, unit_type text,
    unit_key text, numerator numeric, denominator numeric, value numeric, target numeric, status text,
    primary key (kpi_id, period_type, period_start_at, unit_type, unit_key)
);
create table reports.rpt_daily (
    business_date date, unit_type text, unit_key text, unit_label text, kpi_id text, sort_order integer,
    label_en text, label_zh text, unit text, direction text, value numeric, numerator numeric,
    denominator numeric, target numeric, status text, previous_day_value numeric, previous_week_value numeric
);
create table reports.rpt_reasons (
    business_date date, kpi_id text, sort_order integer, label_en text, label_zh text, numerator_unit text,
    reason text, numerator numeric, denominator numeric, value numeric
);
