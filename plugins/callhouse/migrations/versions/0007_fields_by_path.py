"""Known fields of documents are those inside of their objects too."""

from __future__ import annotations

from alembic import op

revision = "0007"
down_revision = "0006"

STATEMENTS = """
comment on table ops.known_fields is 'One row per field seen in the documents of a stream.';
comment on column ops.known_fields.field is 'Name of the field; inside an object its path, such as Agent.Username.';
"""


def upgrade() -> None:
    op.execute(STATEMENTS)


def downgrade() -> None:
    raise NotImplementedError("migrations only go forward")
