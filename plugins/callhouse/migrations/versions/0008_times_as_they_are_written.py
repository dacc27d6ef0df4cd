"""Times, dates and durations in the forms that other programs write, and the usual ones in a third of the time.

A regular expression that recognises ``2025-03-03 10:00:00`` and six casts cost 1.9 microseconds a value. PostgreSQL's
own reading costs 0.2, and text that it would write the very same way can mean nothing else: 0.6 with that proof.
"""

from __future__ import annotations

from alembic import op

revision = "0008"
down_revision = "0007"

# Settings of the session change neither what is read here nor how it is written (DateStyle is ISO), but
# PostgreSQL calls its own reading stable, and a function that said immutable would not be inlined.
RECOGNISED = """
create function ops.is_timestamp(value text) returns boolean language sql stable parallel safe
return pg_input_is_valid(value, 'timestamp');

create function ops.is_date(value text) returns boolean language sql stable parallel safe
return pg_input_is_valid(value, 'date');
"""

# Before PostgreSQL 16 nothing says whether a cast will fail; the last days of a month then go the longer way.
RECOGNISED_BEFORE_16 = r"""
create function ops.is_timestamp(value text) returns boolean language sql stable parallel safe
return value ~
    '^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])[ T]([01][0-9]|2[0-3])(:[0-5][0-9]){1,2}([.][0-9]+)?$';

create function ops.is_date(value text) returns boolean language sql stable parallel safe
return value ~ '^[1-9][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])$';
"""

FUNCTIONS = r"""
comment on function ops.is_timestamp(text) is 'Whether a cast to timestamp succeeds; false may mean: not sure.';
comment on function ops.is_date(text) is 'Whether a cast to date succeeds; false may mean: not sure.';

create function ops.plain_time(value text) returns text
language plpgsql immutable strict parallel safe
as $$
declare
    months constant text[] := array['january', 'february', 'march', 'april', 'may', 'june', 'july', 'august',
        'september', 'october', 'november', 'december'];
    parts text[];
    month text;
begin
    if value ~ '[^ -~]' then -- full-width digits and marks, Chinese units, blanks of all kinds
        value := translate(value, U&'０１２３４５６７８９：／－．　\00A0\202F\2009\FEFF', '0123456789:/-.   ');
        value := regexp_replace(value, '([0-9])(年|月)', '\1-', 'g');
        value := regexp_replace(value, '([0-9])日 *', '\1 ');
        value := rtrim(regexp_replace(regexp_replace(value, '([0-9])(时|点|時|點|分)', '\1:', 'g'), '秒$', ''), ':');
        value := regexp_replace(value, '^(.*)上午(.*)$', '\1\2 AM');
        value := regexp_replace(value, '^(.*)下午(.*)$', '\1\2 PM');
    end if;
    value := btrim(regexp_replace(value, '\s+', ' ', 'g'));
    value := regexp_replace(value, ' ?([AaPp])[.]?[Mm][.]?$', ' \1m');
    if value ~* '[a-z]{3}' then
        value := regexp_replace(value, '^(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?,? ', '', 'i');
        parts := regexp_match(value, '^([0-9]{1,2})[ -]([A-Za-z]{3,9})[.]?,?[ -]([0-9]{4}|[0-9]{2})(.*)$');
        if parts is null then
            parts := regexp_match(value, '^([A-Za-z]{3,9})[.]? ([0-9]{1,2}),? ([0-9]{4})(.*)$');
            parts := array[parts[2], parts[1], parts[3], parts[4]];
        end if;
        month := array_position(months, lower(parts[2]));
        if month is null and length(parts[2]) = 3 then
            select number into month
            from unnest(months) with ordinality as named (name, number)
            where left(name, 3) = lower(parts[2]);
        end if;
        if month is null then
            return null;
        end if;
        if length(parts[3]) = 2 then
            parts[3] := case when parts[3] < '70' then '20' else '19' end || parts[3];
        end if;
        value := concat(parts[3], '-', month, '-', parts[1], parts[4]);
    end if;
    return value;
end $$;
comment on function ops.plain_time(text) is
    'A date or time with its month in figures and its digits, marks and blanks in ASCII; AM or PM at the end.';

create or replace function ops.try_any_date(value text, day_order text) returns date
language plpgsql immutable strict parallel safe
as $$
declare
    parts text[];
    y integer;
    m integer;
    d integer;
begin
    if day_order not in ('ymd', 'mdy', 'dmy') then
        raise exception using message = 'unknown order of day, month and year: ' || day_order,
            hint = 'use ymd, mdy or dmy';
    end if;
    -- A spreadsheet writes a date as its midnight.
    value := regexp_replace(ops.plain_time(value), '[ T]+0?0:00([:]00([.]0+)?)?$', '');
    if day_order = 'ymd' and value ~ '^([0-9]{2}|[0-9]{4})[0-9]{4}$' then
        parts := array[left(value, -4), left(right(value, 4), 2), right(value, 2)];
    elsif value ~ '^[0-9]{1,4}([-][0-9]{1,2}[-]|[/][0-9]{1,2}[/]|[.][0-9]{1,2}[.])[0-9]{1,4}$' then
        parts := string_to_array(translate(value, '/.', '--'), '-');
        parts := case
            -- Four digits in front are no day and no month.
            when day_order = 'ymd' or length(parts[1]) = 4 then parts
            when day_order = 'mdy' then array[parts[3], parts[1], parts[2]]
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

create or replace function ops.try_date(value text, day_order text) returns date
language sql stable parallel safe
return case
    when value = '' then null
    when value like '____-__-__' and ops.is_date(value) and value::date::text = value then value::date
    else ops.try_any_date(value, day_order)
end;
comment on function ops.try_date(text, text) is
    'The date written in the text, parts in the order ymd, mdy or dmy (four digits in front are always the year), '
    'else null. Two digits: 1970 to 2069.';

create or replace function ops.try_any_time(value text, day_order text) returns timestamp
language plpgsql stable strict parallel safe
as $$
declare
    parts text[];
    day date;
    hour integer;
    minute integer;
    second numeric;
begin
    if value ~ '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?$'
        and ops.is_timestamp(value)
    then
        return value::timestamp;
    end if;
    if value ~ '^[0-9/.-]+ ([01]?[0-9]|2[0-3])(:[0-5][0-9]){1,2}$' then -- captures below cost much more
        return ops.try_any_date(split_part(value, ' ', 1), day_order) + split_part(value, ' ', 2)::time;
    end if;
    value := ops.plain_time(value);
    parts := coalesce(
        regexp_match(value, '^([0-9]{8})[T ]?([0-9]{2})([0-9]{2})([0-9]{2})()()$'),
        regexp_match(value,
            '^([0-9]{6}|[0-9]{8}|[0-9]+[/.-][0-9]+[/.-][0-9]+)(?:,? |T|-)([0-9]{1,2})[:.]([0-9]{1,2})'
            '(?:[:.]([0-9]{1,2})(?:[.,]([0-9]{1,9}))?)? ?([AaPp]m)?$')
    );
    day := ops.try_any_date(parts[1], day_order);
    if day is null then
        return null;
    end if;
    hour := parts[2]; minute := parts[3]; second := concat(coalesce(nullif(parts[4], ''), '0'), '.', parts[5], '0');
    if parts[6] <> '' then
        if hour not between 1 and 12 then
            return null;
        end if;
        hour := mod(hour, 12) + case when lower(parts[6]) = 'pm' then 12 else 0 end;
    end if;
    if minute > 59 or second >= 60 or hour > 24 or hour = 24 and minute + second > 0 then
        return null;
    end if;
    return day + make_interval(hours => hour, mins => minute, secs => second::double precision);
end $$;

create or replace function ops.try_time(value text, day_order text) returns timestamp
language sql stable parallel safe
return case
    when value = '' then null
    when value like '____-__-__ __:__:__' and ops.is_timestamp(value) and value::timestamp::text = value
        then value::timestamp
    else ops.try_any_time(value, day_order)
end;
comment on function ops.try_time(text, text) is
    'The date, read as by ops.try_date, and time of day (24 hours, or AM and PM) in the text, else null. '
    'A date without a time of day is null: midnight would be a guess. So is a time with a zone of its own.';

create function ops.try_any_instant(value text, day_order text, zone text) returns timestamptz
language plpgsql stable strict parallel safe
as $$
declare
    parts text[];
    ahead interval;
begin
    if value ~ (
            '^[12][0-9]{3}-[0-9]{2}-[0-9]{2}[T ]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.][0-9]+)?)?'
            '(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)$')
        and ops.is_timestamp(value)
    then
        return value::timestamptz;
    end if;
    value := btrim(value, U&' \0009\000A\000D\00A0\202F\3000\FEFF');
    -- Ten digits that begin with 1 are seconds from 2001 to 2033; thirteen and sixteen the same in finer units.
    if value ~ '^1[0-9]{9}([.][0-9]+)?$' then
        return to_timestamp(value::numeric::double precision);
    elsif value ~ '^1([0-9]{12}|[0-9]{15})$' then
        return timestamptz 'epoch' + make_interval(
            secs => (value::numeric / 10 ^ (length(value) - 10))::double precision);
    end if;
    parts := regexp_match(value,
        '^(.*(?::[0-9]{2}(?:[.,][0-9]+)?|[0-9]{8}[T ]?[0-9]{6}))\s*(?:(Z|UTC|GMT)|([+-])([0-9]{2}):?([0-5][0-9])?)$');
    if parts is null then
        return ops.try_any_time(value, day_order) at time zone zone;
    end if;
    ahead := make_interval(hours => coalesce(parts[4], '0')::integer, mins => coalesce(parts[5], '0')::integer);
    if ahead > interval '15 hours' then
        return null;
    end if;
    return (ops.try_any_time(parts[1], day_order) at time zone 'UTC')
        - case when parts[3] = '-' then -ahead else ahead end;
end $$;
comment on function ops.try_any_instant(text, text, text) is 'What ops.try_instant does with the less common forms.';

create function ops.try_instant(value text, day_order text, zone text) returns timestamptz
language sql stable parallel safe
return case
    when value = '' then null
    when value like '____-__-__ __:__:__' and ops.is_timestamp(value) and value::timestamp::text = value
        then value::timestamp at time zone zone
    else ops.try_any_instant(value, day_order, zone)
end;
comment on function ops.try_instant(text, text, text) is
    'The instant in the text, else null: a time read as by ops.try_time, in the zone that stands behind it (Z, +08:00) '
    'or else in the zone given; or seconds, milli- or microseconds since 1970.';

create function ops.try_any_seconds(value text) returns integer
language plpgsql immutable strict parallel safe
as $$
declare
    parts text[];
    seconds numeric;
begin
    value := lower(btrim(translate(value, U&'０１２３４５６７８９：．\0009\000A\000D\00A0\202F\3000\FEFF', '0123456789:.      ')));
    if value ~ '[^ -~]' then
        value := regexp_replace(regexp_replace(value, '小时|小時|时|時', 'h'), '分钟|分鐘|分', 'm');
        value := translate(value, '天日秒', 'dds');
    end if;
    -- A workbook's time of day, with the day that spreadsheets and databases put before a time that has none.
    value := regexp_replace(value, '^(1899-12-3[01]|1900-01-01)[ t]', '');
    if value ~ '^[+-]?[0-9]{1,9}([.][0-9]*)?$' then
        return round(value::numeric);
    end if;
    parts := regexp_match(value,
        '^([+-])?(?:([0-9]{1,4}) days?,? ?)?(?:([0-9]{1,4}):)?([0-9]{1,4}):([0-5]?[0-9](?:[.][0-9]*)?)( [ap]m)?$');
    if parts is not null then
        if parts[3] is not null and parts[4]::integer > 59
            or parts[6] is not null and (parts[3] is null or parts[3]::integer not between 1 and 12)
        then
            return null;
        end if;
        if parts[6] is not null then
            parts[3] := mod(parts[3]::integer, 12) + case parts[6] when ' pm' then 12 else 0 end;
        end if;
        seconds := coalesce(parts[2], '0')::numeric * 86400 + coalesce(parts[3], '0')::numeric * 3600
            + parts[4]::numeric * 60 + rtrim(parts[5], '.')::numeric;
    else
        -- ISO 8601, and figures with their units.
        parts := regexp_match(value,
            '^([+-])?(?:p(?=[0-9t]))?(?:([0-9]{1,4})d)?t?(?: ?([0-9]{1,4}) ?h(?:(?:ou)?rs?)?)?'
            '(?: ?([0-9]{1,5}) ?m(?:in(?:ute)?s?)?)?(?: ?([0-9]{1,9}(?:[.][0-9]*)?) ?s(?:ec(?:ond)?s?)?)?$');
        if parts is null or coalesce(parts[2], parts[3], parts[4], parts[5]) is null then
            return null;
        end if;
        seconds := coalesce(parts[2], '0')::numeric * 86400 + coalesce(parts[3], '0')::numeric * 3600
            + coalesce(parts[4], '0')::numeric * 60 + coalesce(parts[5], '0')::numeric;
    end if;
    return round(case when parts[1] = '-' then -seconds else seconds end);
end $$;
comment on function ops.try_any_seconds(text) is 'What ops.try_seconds does with the less common forms.';

create or replace function ops.try_seconds(value text) returns integer
language sql immutable parallel safe
return case
    when value = '' then null
    when value !~ '[^0-9]' and length(value) <= 9 then value::integer
    when value ~ '^[0-9]{1,4}:[0-5][0-9]:[0-5][0-9]$' then
        split_part(value, ':', 1)::integer * 3600
        + split_part(value, ':', 2)::integer * 60 + split_part(value, ':', 3)::integer
    else ops.try_any_seconds(value)
end;
comment on function ops.try_seconds(text) is
    'The duration in the text in whole seconds (halves away from zero), else null: seconds, h:mm:ss or mm:ss, each with '
    'a fraction; ISO 8601 (PT3M45S); figures with units (3m 45s, 3分45秒, 1 day, 2:03:04).';
"""


def upgrade() -> None:
    is_old = (op.get_bind().dialect.server_version_info or (0,)) < (16,)
    for statements in (RECOGNISED_BEFORE_16 if is_old else RECOGNISED, FUNCTIONS):
        op.get_bind().exec_driver_sql(statements)  # colons in regular expressions are no parameters


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward")
