"""Runs the migrations on the connection that the caller brings, inside the caller's transaction."""

from __future__ import annotations

from alembic import context

from headgate.stores.sql.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
