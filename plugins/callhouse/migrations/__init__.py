"""The warehouse's schemas, roles and bookkeeping tables, as alembic migrations in ``versions/``.

A migration is plain SQL, in which a colon before a word is written ``[:]`` (SQLAlchemy would take it for a
parameter). It must also run for an owner who is no superuser (CREATEROLE is enough) and on a server where
the roles exist already, because another warehouse lives there.
"""

from __future__ import annotations

from pathlib import Path

import psycopg

FOLDER = Path(__file__).resolve().parent
# Alembic names the newest revision too, but importing it costs more than everything else an
# `open_warehouse` with nothing to do does. A test holds the two together.
HEAD = max(path.name.split("_")[0] for path in (FOLDER / "versions").glob("[0-9]*.py"))


def upgrade(connection: psycopg.Connection) -> None:
    """Bring the connected database to ``HEAD``, in one transaction; a lock keeps a second run waiting.

    Raises:
        psycopg.Error: the server refused a statement; nothing was changed then.
    """
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    config = Config()
    config.set_main_option("script_location", str(FOLDER).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    with engine.begin() as transaction:
        config.attributes["connection"] = transaction
        command.upgrade(config, "head")
