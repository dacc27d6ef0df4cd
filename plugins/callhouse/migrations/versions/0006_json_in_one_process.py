"""What reads JSON by catching errors runs in one process.

A caught error is a subtransaction. Since PostgreSQL 17 parallel workers may begin one, but ``create table as``
still fails when its leader ends one of its own.
"""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.execute("alter function ops.to_json(text) parallel unsafe")
    if (op.get_bind().dialect.server_version_info or (0,)) < (16,):
        op.execute("alter function ops.is_json(text) parallel unsafe")


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward")
