"""Alembic's entry: runs migrations on the connection that the caller opened."""

from alembic import context

from undeterred.store.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
