"""Functions that read JSON documents from text without ever failing."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"

# Before PostgreSQL 16 had `is json`, only the cast could tell. A caught error is a subtransaction, which
# parallel workers may not begin before 17.
IS_JSON = """
create function ops.is_json(value text) returns boolean
language sql immutable parallel safe
return value is json;
"""
IS_JSON_BEFORE_16 = """
create function ops.is_json(value text) returns boolean
language plpgsql immutable strict parallel {parallel}
as $$
begin
    perform value::json;
    return true;
exception when data_exception or program_limit_exceeded then
    return false;
end $$;
"""

# A caught error costs less than looking at the text twice.
TO_JSON = r"""
create function ops.to_json(value text) returns jsonb
language plpgsql immutable strict parallel {parallel}
as $$
begin
    return value::jsonb;
exception when data_exception or program_limit_exceeded then
    if not ops.is_json(value) then
        return null;
    end if;
    value := regexp_replace(value, '(?<!\\)((?:\\\\)*)\\u0000', '\1\\ufffd', 'g');
    value := regexp_replace(
        value, '(?<!\\)((?:\\\\)*)\\u[dD][89abAB]..(?!\\u[dD][c-fC-F])', '\1\\ufffd', 'g'
    );
    value := regexp_replace(
        value, '(?<!\\u[dD][89abAB]..|\\)((?:\\\\)*)\\u[dD][c-fC-F]..', '\1\\ufffd', 'g'
    );
    begin
        return value::jsonb;
    exception when data_exception or program_limit_exceeded then
        return null; -- a number beyond all bounds
    end;
end $$;

comment on function ops.is_json(text) is 'Whether the text is one JSON value.';
comment on function ops.to_json(text) is
    'The text''s JSON value, else null; U+FFFD stands for escapes that are no character (NUL, half a pair).';
"""


def upgrade() -> None:
    version = op.get_bind().dialect.server_version_info or (0,)
    parallel = "safe" if version >= (17,) else "unsafe"
    for statements in (IS_JSON if version >= (16,) else IS_JSON_BEFORE_16, TO_JSON):
        op.execute(statements.replace("{parallel}", parallel))


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward")
