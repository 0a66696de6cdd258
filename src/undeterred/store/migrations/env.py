"""Alembic's entry: runs migrations on the connection that the caller opened."""

from alembic import context

from undeterred.store.schema.base import tables_for

tables = tables_for("sqlite", "postgresql")
context.configure(connection=context.config.attributes["connection"], target_metadata=tables, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
