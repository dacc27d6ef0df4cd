"""What each stream's staging rows were made with, so that an edited mapping is applied to what is loaded already."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

STATEMENTS = """
create table ops.staged_mappings (
    source text,
    stream text,
    fingerprint text not null,
    primary key (source, stream)
);
comment on table ops.staged_mappings is 'One row per stream: what its rows in staging were made with.';
comment on column ops.staged_mappings.source is 'Source in sources.yml.';
comment on column ops.staged_mappings.stream is 'Stream of that source.';
comment on column ops.staged_mappings.fingerprint is 'SHA-256 of the stream''s mapping and zones, hexadecimal.';
grant select on ops.staged_mappings to callhouse_audit, callhouse_build;
grant insert, update on ops.staged_mappings to callhouse_build;
grant update on ops.rejects to callhouse_build;
"""


def upgrade() -> None:
    op.execute(STATEMENTS)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward")
