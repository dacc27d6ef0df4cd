"""Schemas, roles, bookkeeping tables, text-reading functions and the kept quality results."""

from __future__ import annotations

from alembic import op

revision = "0001"
down_revision = None

SCHEMAS = """
create schema if not exists raw;
create schema if not exists staging;
create schema if not exists intermediate;
create schema if not exists build;
create schema if not exists marts;
create schema if not exists reports;
comment on schema raw is 'Source rows as the source wrote them, every column text; append-only.';
comment on schema staging is 'One table per source stream: names, types, times; each record''s newest version.';
comment on schema intermediate is 'Workbench: vendors'' records in the words of the canonical event model.';
comment on schema build is 'Workbench: facts, dimensions, KPI values of the dates being built, unchecked.';
comment on schema marts is 'Published facts, dimensions, KPI values that passed the quality gate. Read here.';
comment on schema reports is 'Views over marts, one per report.';
comment on schema ops is 'Bookkeeping: runs, landing files, loads, rejects, publications, deliveries.';
"""

# Roles belong to the whole server: another warehouse there, or an administrator, may have made them.
ROLES = """
do $$
declare
    role_name text;
    role_comment text;
begin
    for role_name, role_comment in values
        ('callhouse_load', 'Callhouse: writes landing files, raw rows and their bookkeeping.'),
        ('callhouse_build', 'Callhouse: builds staging, intermediate, build and reports from raw.'),
        ('callhouse_publish', 'Callhouse: replaces published dates in marts.'),
        ('callhouse_report', 'Callhouse: reads marts and reports, records deliveries.'),
        ('callhouse_bi', 'Callhouse: BI tools; reads marts and reports.'),
        ('callhouse_audit', 'Callhouse: reads everything, writes nothing.')
    loop
        if not exists (select from pg_roles where rolname = role_name) then
            begin
                execute format('create role %I nologin', role_name);
                execute format('comment on role %I is %L', role_name, role_comment);
            exception when duplicate_object or unique_violation then
                null; -- another warehouse's first run on this server was quicker
            end;
        end if;
        -- Since PostgreSQL 16, having made a role gives the right to grant it, not the use of it.
        if not pg_has_role(current_user, role_name, 'usage') then
            execute format('grant %I to %I', role_name, current_user);
        end if;
    end loop;
end $$;

-- These hold for a login that is this role. A login that is a member of it needs the same settings itself.
do $$
declare
    role_name text;
    setting text;
begin
    for role_name, setting in values
        ('callhouse_bi', 'default_transaction_read_only = on'),
        ('callhouse_bi', 'statement_timeout = ''5min'''),
        ('callhouse_bi', 'idle_in_transaction_session_timeout = ''10min'''),
        ('callhouse_audit', 'default_transaction_read_only = on')
    loop
        execute format('alter role %I in database %I set %s', role_name, current_database(), setting);
    end loop;
exception when insufficient_privilege then
    raise notice 'the roles exist and belong to somebody else: their settings are left as they are';
end $$;
"""

TABLES = """
create table ops.centre (
    name text primary key,
    time_zone text not null
);
create unique index centre_is_one_row on ops.centre ((true));
comment on table ops.centre is 'Whose warehouse this is: one row.';
comment on column ops.centre.name is 'The centre''s name in centre.yml.';
comment on column ops.centre.time_zone is 'IANA zone that cuts business dates and half-hours; fixed for good.';

create table ops.runs (
    run_id bigint generated always as identity primary key,
    label text,
    date_from date,
    date_to date,
    state text not null default 'running' check (state in ('running', 'published', 'held', 'failed')),
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    message text,
    check (date_from <= date_to)
);
comment on table ops.runs is 'One row per run of the chain load, stage, check, build, check, publish.';
comment on column ops.runs.run_id is 'The run; a higher one overtakes a lower one (fencing token).';
comment on column ops.runs.label is 'Who asked for it: the Airflow run id or the command.';
comment on column ops.runs.date_from is 'First business date asked for.';
comment on column ops.runs.date_to is 'Last business date asked for.';
comment on column ops.runs.state is 'running, published, held (a critical rule failed) or failed.';
comment on column ops.runs.started_at is 'When the run began.';
comment on column ops.runs.finished_at is 'When the run ended; null while it runs or when it was killed.';
comment on column ops.runs.message is 'What a reader should know about the end.';

create table ops.landing_files (
    landing_id bigint generated always as identity primary key,
    source text not null,
    stream text not null,
    path text not null,
    original_name text not null,
    window_from date,
    window_to date,
    byte_count bigint not null,
    sha256 text not null,
    landed_at timestamptz not null default now(),
    unique (source, stream, sha256)
);
comment on table ops.landing_files is 'One row per landing file; the same bytes again make no second row.';
comment on column ops.landing_files.landing_id is 'The landing file.';
comment on column ops.landing_files.source is 'Source in sources.yml.';
comment on column ops.landing_files.stream is 'Stream of that source.';
comment on column ops.landing_files.path is 'Path below the landing folder.';
comment on column ops.landing_files.original_name is 'Name the source gave it.';
comment on column ops.landing_files.window_from is 'First date of the window asked for.';
comment on column ops.landing_files.window_to is 'Last date of the window asked for.';
comment on column ops.landing_files.byte_count is 'Size in bytes.';
comment on column ops.landing_files.sha256 is 'SHA-256 of the bytes, hexadecimal.';
comment on column ops.landing_files.landed_at is 'When it was written.';

create table ops.loads (
    load_id bigint generated always as identity primary key,
    landing_id bigint not null references ops.landing_files,
    source text not null,
    stream text not null,
    state text not null default 'loading' check (state in ('loading', 'loaded', 'staged', 'failed')),
    rows_in bigint,
    rows_loaded bigint,
    rows_rejected bigint,
    rows_duplicate bigint default 0,
    has_extra boolean,
    message text,
    run_id bigint references ops.runs,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint loads_every_row_is_accounted_for check (
        state not in ('loaded', 'staged')
        or coalesce(rows_in = rows_loaded + rows_rejected + rows_duplicate, false)
    )
);
create unique index loads_one_success_per_file on ops.loads (landing_id) where state in ('loaded', 'staged');
comment on table ops.loads is 'One row per attempt to load a landing file.';
comment on column ops.loads.load_id is 'The attempt; rows in raw carry it as _load_id.';
comment on column ops.loads.landing_id is 'The landing file.';
comment on column ops.loads.source is 'Source in sources.yml.';
comment on column ops.loads.stream is 'Stream of that source.';
comment on column ops.loads.state is 'loading, loaded (in raw), staged (in staging) or failed.';
comment on column ops.loads.rows_in is 'Rows found in the file: loaded + rejected + duplicates.';
comment on column ops.loads.rows_loaded is 'Rows now in raw.';
comment on column ops.loads.rows_rejected is 'Rows set aside in ops.rejects while loading.';
comment on column ops.loads.rows_duplicate is 'Rows that were there already.';
comment on column ops.loads.has_extra is 'Whether the file had fields that are not declared (raw._extra).';
comment on column ops.loads.message is 'Why it failed, or a remark.';
comment on column ops.loads.run_id is 'The run that loaded it; null when loaded by hand.';
comment on column ops.loads.started_at is 'When the attempt began.';
comment on column ops.loads.finished_at is 'When the attempt ended.';

create table ops.rejects (
    reject_id bigint generated always as identity primary key,
    load_id bigint not null references ops.loads,
    source text not null,
    stream text not null,
    stage text not null check (stage in ('load', 'staging')),
    line bigint,
    bytes bytea,
    reason text not null,
    rejected_at timestamptz not null default now()
);
create index rejects_of_a_load on ops.rejects (load_id, stage);
comment on table ops.rejects is 'One row per source row set aside, with its bytes; may hold personal data.';
comment on column ops.rejects.reject_id is 'The reject.';
comment on column ops.rejects.load_id is 'The load it came with.';
comment on column ops.rejects.source is 'Source in sources.yml.';
comment on column ops.rejects.stream is 'Stream of that source.';
comment on column ops.rejects.stage is 'Where it was set aside: load (not a record) or staging (not usable).';
comment on column ops.rejects.line is 'Line in the file, from 1.';
comment on column ops.rejects.bytes is 'The row as it stood in the file.';
comment on column ops.rejects.reason is 'Why it was set aside.';
comment on column ops.rejects.rejected_at is 'When.';

create table ops.affected_dates (
    business_date date primary key,
    state text not null default 'pending' check (state in ('pending', 'held')),
    reason text,
    since timestamptz not null default now()
);
comment on table ops.affected_dates is 'Business dates that must be built and published again.';
comment on column ops.affected_dates.business_date is 'The date in the centre''s zone.';
comment on column ops.affected_dates.state is 'pending, or held by a critical rule.';
comment on column ops.affected_dates.reason is 'What touched or held it.';
comment on column ops.affected_dates.since is 'Since when.';

create table ops.build_state (
    only_row boolean primary key default true check (only_row),
    run_id bigint references ops.runs,
    dates date[],
    built_at timestamptz default now(),
    checked_at timestamptz
);
comment on table ops.build_state is 'Whose figures lie in schema build: one row.';
comment on column ops.build_state.only_row is 'Always true: there is one row.';
comment on column ops.build_state.run_id is 'The run that built them; another run must not publish them.';
comment on column ops.build_state.dates is 'Business dates built.';
comment on column ops.build_state.built_at is 'When they were built.';
comment on column ops.build_state.checked_at is 'When the gate judged them; null before.';

create table ops.publications (
    run_id bigint not null references ops.runs,
    business_date date not null,
    published_at timestamptz not null default now(),
    primary key (run_id, business_date)
);
create index publications_by_date on ops.publications (business_date, run_id);
comment on table ops.publications is 'One row per business date and run that published it.';
comment on column ops.publications.run_id is 'The run.';
comment on column ops.publications.business_date is 'The date it replaced in marts.';
comment on column ops.publications.published_at is 'When readers began to see it.';

create table ops.deliveries (
    report text not null,
    period_from date not null,
    period_to date not null,
    recipient text not null,
    message_id text,
    sha256 text not null,
    channel text,
    path text,
    delivered_at timestamptz not null default now(),
    primary key (report, period_from, period_to, recipient, sha256)
);
comment on table ops.deliveries is 'One row per report, period, recipient and content delivered.';
comment on column ops.deliveries.report is 'Report in reports.yml.';
comment on column ops.deliveries.period_from is 'First business date reported.';
comment on column ops.deliveries.period_to is 'Last business date reported.';
comment on column ops.deliveries.recipient is 'Address it went to.';
comment on column ops.deliveries.message_id is 'Message-ID of the e-mail.';
comment on column ops.deliveries.sha256 is 'SHA-256 of the content, hexadecimal.';
comment on column ops.deliveries.channel is 'smtp or outbox.';
comment on column ops.deliveries.path is 'Where the archived copy lies.';
comment on column ops.deliveries.delivered_at is 'When it was handed over.';

create table marts.quality_results (
    result_id bigint generated always as identity primary key,
    run_id bigint not null,
    checked_at timestamptz not null default now(),
    stage text not null,
    rule text not null,
    principle text not null,
    severity text not null,
    subject text,
    sentence_en text,
    sentence_zh text,
    business_date date,
    outcome text not null check (outcome in ('pass', 'fail', 'error')),
    checked_count bigint,
    violation_count bigint,
    detail text
);
create index quality_results_latest
    on marts.quality_results (rule, business_date, run_id desc, result_id desc);
create index quality_results_of_a_run on marts.quality_results (run_id);
comment on table marts.quality_results is
    'One row per run, quality rule and business date: what the gate saw. Kept for ever.';
comment on column marts.quality_results.result_id is 'The result.';
comment on column marts.quality_results.run_id is 'The run that was checked.';
comment on column marts.quality_results.checked_at is 'When it was checked.';
comment on column marts.quality_results.stage is 'What was checked: staging or build.';
comment on column marts.quality_results.rule is 'Name of the rule.';
comment on column marts.quality_results.principle is 'Letter of CRUCIAL that the rule stands for.';
comment on column marts.quality_results.severity is 'critical stops publication, warning is shown.';
comment on column marts.quality_results.subject is 'Table the rule is about.';
comment on column marts.quality_results.sentence_en is 'The rule as an English sentence.';
comment on column marts.quality_results.sentence_zh is 'The rule as a Chinese sentence.';
comment on column marts.quality_results.business_date is 'Date judged; null: the whole run.';
comment on column marts.quality_results.outcome is 'pass, fail, or error (could not be evaluated).';
comment on column marts.quality_results.checked_count is 'Rows looked at.';
comment on column marts.quality_results.violation_count is 'Rows that break the rule.';
comment on column marts.quality_results.detail is 'What was seen, without personal data.';

create view marts.quality_latest with (security_invoker = true) as
select distinct on (rule, business_date) *
from marts.quality_results
order by rule, business_date, run_id desc, result_id desc;
comment on view marts.quality_latest is 'The latest result of each rule and business date.';
"""

# No exception blocks: they cost a subtransaction per value and cannot run in parallel workers. Valid text
# is recognised first, so the cast cannot fail; this also works alike on every PostgreSQL since 15. The SQL
# functions are not declared strict, because only then are they inlined: three to ten times as fast.
FUNCTIONS = r"""
create function ops.try_integer(value text) returns bigint
language sql immutable parallel safe
return case
    -- A bounded repetition costs four times as much, so it judges long texts only.
    when value ~ '^\s*[+-]?[0-9]+\s*$' and (length(value) <= 18 or value ~ '^\s*[+-]?[0-9]{1,18}\s*$')
        then value::bigint
end;
comment on function ops.try_integer(text) is
    'The whole number written in the text (up to 18 digits), else null.';

create function ops.try_number(value text) returns numeric
language sql immutable parallel safe
return case
    when length(value) <= 60 and value ~ '^\s*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?\s*$'
        then value::numeric
end;
comment on function ops.try_number(text) is
    'The number written in the text with a decimal point and no thousands separators, else null.';

create function ops.try_any_date(value text, day_order text) returns date
language plpgsql immutable strict parallel safe
as $$
declare
    parts text[];
    y integer;
    m integer;
    d integer;
begin
    if day_order not in ('ymd', 'mdy', 'dmy') then
        raise exception 'unknown order of day, month and year: %', day_order
            using hint = 'use ymd, mdy or dmy';
    end if;
    -- A spreadsheet writes a date as its midnight.
    value := regexp_replace(btrim(value), '[ T]+0?0:00([:]00([.]0+)?)?$', '');
    if day_order = 'ymd' and value ~ '^([0-9]{2}|[0-9]{4})[0-9]{4}$' then
        parts := array[left(value, -4), left(right(value, 4), 2), right(value, 2)];
    elsif value ~ '^[0-9]{1,4}([-][0-9]{1,2}[-]|[/][0-9]{1,2}[/]|[.][0-9]{1,2}[.])[0-9]{1,4}$' then
        parts := string_to_array(translate(value, '/.', '--'), '-');
        parts := case day_order
            when 'ymd' then parts
            when 'mdy' then array[parts[3], parts[1], parts[2]]
            else array[parts[3], parts[2], parts[1]]
        end;
    else
        return null;
    end if;
    y := parts[1]; m := parts[2]; d := parts[3];
    if length(parts[1]) = 2 then
        y := y + case when y < 70 then 2000 else 1900 end;
    elsif length(parts[1]) <> 4 or y = 0 then
        return null;
    end if;
    if m not between 1 and 12 or d not between 1 and 31
        or d > 28 and d > extract(day from make_date(y, m, 1) + interval '1 month - 1 day')
    then
        return null;
    end if;
    return make_date(y, m, d);
end $$;
comment on function ops.try_any_date(text, text) is 'What ops.try_date does with the less common forms.';

create function ops.try_date(value text, day_order text) returns date
language sql immutable parallel safe
return case
    when day_order = 'ymd' and value ~ '^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$'
        then make_date(left(value, 4)::integer, substr(value, 6, 2)::integer, right(value, 2)::integer)
    else ops.try_any_date(value, day_order)
end;
comment on function ops.try_date(text, text) is
    'The date written in the text, parts in the order ymd, mdy or dmy, else null. Two digits: 1970 to 2069.';

create function ops.try_any_time(value text, day_order text) returns timestamp
language plpgsql immutable strict parallel safe
as $$
declare
    parts text[];
    day date;
    hour integer;
begin
    if value ~ '^[0-9/.-]+ ([01]?[0-9]|2[0-3])(:[0-5][0-9]){1,2}$' then -- captures below cost much more
        return ops.try_any_date(split_part(value, ' ', 1), day_order) + split_part(value, ' ', 2)::time;
    end if;
    parts := regexp_match(value,
        '^\s*([0-9/.-]+)[ T]+([0-9]{1,2}):([0-5][0-9])'
        '(?::([0-5][0-9](?:[.][0-9]{1,9})?))?\s*([AaPp][Mm])?\s*$');
    day := ops.try_date(parts[1], day_order);
    if day is null then
        return null;
    end if;
    hour := parts[2];
    if parts[5] is not null then
        if hour not between 1 and 12 then
            return null;
        end if;
        hour := hour % 12 + case when upper(parts[5]) = 'PM' then 12 else 0 end;
    end if;
    if hour > 23 then
        return null;
    end if;
    return day + make_time(hour, parts[3]::integer, coalesce(parts[4], '0')::double precision);
end $$;
comment on function ops.try_any_time(text, text) is 'What ops.try_time does with the less common forms.';

create function ops.try_time(value text, day_order text) returns timestamp
language sql immutable parallel safe
return case
    when day_order = 'ymd'
        and value ~
            '^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8]) ([01][0-9]|2[0-3])(:[0-5][0-9]){2}$'
        then make_timestamp(
            left(value, 4)::integer, substr(value, 6, 2)::integer, substr(value, 9, 2)::integer,
            substr(value, 12, 2)::integer, substr(value, 15, 2)::integer, right(value, 2)::double precision)
    else ops.try_any_time(value, day_order)
end;
comment on function ops.try_time(text, text) is
    'The date, read as by ops.try_date, and time of day (24 hours, or AM and PM) in the text, else null. '
    'A date without a time of day is null: midnight would be a guess.';

create function ops.try_seconds(value text) returns integer
language sql immutable parallel safe
return case
    when value ~ '^\s*[+-]?[0-9]{1,9}(\.0+)?\s*$' then value::numeric::integer
    when value ~ '^\s*[0-9]{1,4}:[0-5]?[0-9](:[0-5][0-9])?\s*$' then
        split_part(value, ':', 1)::integer * case when value ~ ':.*:' then 3600 else 60 end
        + split_part(value, ':', 2)::integer * case when value ~ ':.*:' then 60 else 1 end
        + coalesce(nullif(split_part(value, ':', 3), '')::integer, 0)
end;
comment on function ops.try_seconds(text) is
    'The duration written in the text as whole seconds, h:mm:ss or mm:ss, in seconds, else null.';
"""

GRANTS = """
do $$
declare
    database_name text := current_database();
    owner_name text := current_user;
    schema_name text;
    maker text;
begin
    execute format('revoke all on database %I from public', database_name);
    execute format(
        'grant connect on database %I to callhouse_load, callhouse_build, callhouse_publish, '
        'callhouse_report, callhouse_bi, callhouse_audit', database_name);
    execute format('grant temporary on database %I to callhouse_load, callhouse_build, callhouse_publish',
        database_name);

    grant usage on schema ops, marts to
        callhouse_load, callhouse_build, callhouse_publish, callhouse_report, callhouse_audit;
    grant usage on schema raw, staging, intermediate, build, reports to callhouse_audit;
    grant usage on schema marts, reports to callhouse_bi, callhouse_report;

    grant usage, create on schema raw to callhouse_load;
    grant usage on schema raw to callhouse_build;
    grant usage, create on schema staging, intermediate, build, reports to callhouse_build;
    grant usage on schema build, reports to callhouse_publish;
    grant usage, create on schema marts to callhouse_publish;

    grant select on all tables in schema ops to callhouse_audit;
    grant select on ops.centre, ops.alembic_version, ops.runs, ops.landing_files, ops.loads,
        ops.affected_dates, ops.build_state, ops.publications
        to callhouse_load, callhouse_build, callhouse_publish, callhouse_report;
    grant insert, update on ops.landing_files, ops.loads to callhouse_load;
    grant select, insert on ops.rejects to callhouse_load;
    grant insert, update, delete on ops.affected_dates, ops.build_state to callhouse_build;
    grant update on ops.loads to callhouse_build;
    grant select, insert, delete on ops.rejects to callhouse_build;
    grant insert, update on ops.runs, ops.publications to callhouse_publish;
    grant insert, update, delete on ops.affected_dates, ops.build_state to callhouse_publish;
    grant select, insert on ops.deliveries to callhouse_report;

    grant select on marts.quality_results, marts.quality_latest to
        callhouse_build, callhouse_publish, callhouse_report, callhouse_bi, callhouse_audit;
    grant insert on marts.quality_results to callhouse_build, callhouse_publish;

    -- What is made later, by whichever hand: the role of the step, or the owner.
    foreach maker in array array[owner_name, 'callhouse_load'] loop
        execute format('alter default privileges for role %I in schema raw '
            'grant select on tables to callhouse_build, callhouse_audit', maker);
        execute format('alter default privileges for role %I in schema raw '
            'grant insert, select on tables to callhouse_load', maker);
    end loop;
    foreach maker in array array[owner_name, 'callhouse_build'] loop
        execute format('alter default privileges for role %I in schema staging, intermediate, build, reports '
            'grant select on tables to callhouse_audit', maker);
        execute format('alter default privileges for role %I in schema staging, intermediate, build, reports '
            'grant all on tables to callhouse_build', maker);
        execute format('alter default privileges for role %I in schema build '
            'grant select on tables to callhouse_publish', maker);
        execute format('alter default privileges for role %I in schema reports '
            'grant select on tables to callhouse_publish, callhouse_report, callhouse_bi', maker);
    end loop;
    foreach maker in array array[owner_name, 'callhouse_publish'] loop
        execute format('alter default privileges for role %I in schema marts grant select on tables '
            'to callhouse_build, callhouse_report, callhouse_bi, callhouse_audit', maker);
        execute format('alter default privileges for role %I in schema marts '
            'grant all on tables to callhouse_publish', maker);
    end loop;
end $$;
"""


def upgrade() -> None:
    for statements in (SCHEMAS, ROLES, TABLES, FUNCTIONS, GRANTS):
        op.execute(statements)


def downgrade() -> None:
    raise NotImplementedError("the first migration is undone by dropping the database")
