"""Which fields of a load nobody declared, and which fields a stream of documents is known to have."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"

STATEMENTS = """
alter table ops.loads add column new_fields text[];
comment on column ops.loads.new_fields is 'Fields that are not declared; of documents, those never seen before.';

create table ops.known_fields (
    source text,
    stream text,
    field text,
    load_id bigint not null references ops.loads,
    primary key (source, stream, field)
);
comment on table ops.known_fields is 'One row per outermost field seen in the documents of a stream.';
comment on column ops.known_fields.source is 'Source in sources.yml.';
comment on column ops.known_fields.stream is 'Stream of that source.';
comment on column ops.known_fields.field is 'Name of the field.';
comment on column ops.known_fields.load_id is 'The load that had it first.';
grant select on ops.known_fields to callhouse_audit, callhouse_load;
grant insert on ops.known_fields to callhouse_load;
"""


def upgrade() -> None:
    op.execute(STATEMENTS)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward")
