"""Work that a transaction leaves to a service: written with its cause, done later, at least once."""

import sqlalchemy as sa

from undeterred.store.schema.base import Json, id_column, number, table, text, when

outbox = table(
    "outbox",
    id_column(),
    text("kind", default=None),
    sa.Column("payload", Json, nullable=False),
    when("created_at", required=True),
    when("due_at", required=True),
    number("attempts"),
    text("error"),  # of the last attempt
    sa.Index("ix_outbox_kind_due_at", "kind", "due_at"),
)
