"""What a replay of loads leaves behind: when a load was done anew, and which rejects became rows by it."""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"

STATEMENTS = """
alter table ops.loads add column replayed_at timestamptz;
comment on column ops.loads.replayed_at is 'When it was last done anew; its rows in staging are then replaced.';

create table ops.replayed_rejects (
    load_id bigint not null references ops.loads,
    source text not null,
    stream text not null,
    stage text not null,
    line bigint,
    reason text not null,
    rejected_at timestamptz not null,
    replayed_at timestamptz not null
);
create index replayed_rejects_of_a_load on ops.replayed_rejects (load_id);
comment on table ops.replayed_rejects is 'One row per reject that a replay sent through again with success.';
comment on column ops.replayed_rejects.load_id is 'The load, before and after.';
comment on column ops.replayed_rejects.source is 'Source in sources.yml.';
comment on column ops.replayed_rejects.stream is 'Stream of that source.';
comment on column ops.replayed_rejects.stage is 'Where it had been set aside: load or staging.';
comment on column ops.replayed_rejects.line is 'Line in the file, from 1.';
comment on column ops.replayed_rejects.reason is 'Why it had been set aside.';
comment on column ops.replayed_rejects.rejected_at is 'When it had been set aside.';
comment on column ops.replayed_rejects.replayed_at is 'When the load was done anew.';
grant select on ops.replayed_rejects to callhouse_audit;
grant select, insert, delete on ops.replayed_rejects to callhouse_build;
"""


def upgrade() -> None:
    op.execute(STATEMENTS)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward")
