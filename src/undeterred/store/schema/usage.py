"""What was used: seconds of slots per day, kept also after the work itself is deleted."""

import sqlalchemy as sa

from undeterred.store.schema.base import Text, table

usage_days = table(
    "usage_days",
    sa.Column("day", Text, primary_key=True),  # 2024-01-31, UTC
    sa.Column("kind", Text, primary_key=True),  # total, username, experiment_label, resource_pool, agent, queued
    sa.Column("key", Text, primary_key=True),
    sa.Column("seconds", sa.Double, nullable=False),  # of slots; for queued: mean seconds that an allocation waited
    rowid=False,
)
