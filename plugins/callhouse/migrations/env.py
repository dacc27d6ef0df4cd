"""Alembic's entry: runs the versions on the connection that ``migrations.upgrade`` hands over."""

from __future__ import annotations

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
connection.execute(text("select pg_advisory_xact_lock(hashtextextended('callhouse:migrations', 0))"))
# Alembic writes its version table before the first migration runs, so its schema has to be there.
connection.execute(text("create schema if not exists ops"))
context.configure(connection=connection, version_table_schema="ops")
with context.begin_transaction():
    context.run_migrations()
