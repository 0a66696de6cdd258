"""Lines of task logs, clustered by task."""

import sqlalchemy as sa

from undeterred.store.schema.base import Text, id_column, ref, table, text, when

task_logs = table(
    "task_logs",
    id_column(),
    ref("task_id", "tasks.id", index=False),
    when("time", required=True),
    text("text"),
    sa.Column("level", Text),
    text("source"),
    sa.Column("stdtype", Text),
    sa.Column("rank", sa.Integer),
    sa.Column("agent_id", Text),
    sa.Column("container_id", Text),
    sa.Column("allocation_id", Text),
    sa.Index("ix_task_logs_task_id_id", "task_id", "id"),
)
