"""Metric reports: one row per report, the truth from which summaries and charts are made."""

import sqlalchemy as sa

from undeterred.store.schema.base import Json, Text, flag, id_column, number, ref, table, when

metric_groups = table(
    "metric_groups",
    id_column(),
    sa.Column("name", Text, nullable=False, unique=True),
)

reports = table(
    "reports",
    id_column(),
    ref("run_id", "runs.id", index=False),
    number("run_number", default=None),  # trial_run_id of the start that reported
    ref("group_id", "metric_groups.id", ondelete="RESTRICT", index=False),
    sa.Column("steps", sa.BigInteger),  # NULL: profiling
    when("time", required=True),
    sa.Column("metrics", Json, nullable=False),
    sa.Column("batch_metrics", Json),
    flag("archived"),  # of a start before the one that took its steps again
    sa.Index("ix_reports_key", "run_id", "group_id", "steps", "run_number"),
)
