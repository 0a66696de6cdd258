"""How it is run: jobs, tasks, allocations, and the nodes they exclude."""

import sqlalchemy as sa

from undeterred.store.schema.base import Json, Text, flag, number, partial_index, ref, table, text, when

jobs = table(
    "jobs",
    sa.Column("id", Text, primary_key=True),
    text("kind", default=None),  # EXPERIMENT, NOTEBOOK, SHELL, COMMAND, TENSORBOARD, CHECKPOINT_GC, GENERIC
    ref("user_id", "users.id", ondelete="RESTRICT"),
    ref("workspace_id", "workspaces.id", required=False, ondelete="SET NULL"),
    text("resource_pool"),
    sa.Column("priority", sa.Integer),  # NULL: the pool's default
    sa.Column("weight", sa.Double, nullable=False, server_default="1"),
    sa.Column("queue_position", sa.Double),  # NULL: by submission
    sa.Column("max_slots", sa.Integer),  # of all its allocations together; NULL: no limit
    when("submitted_at", required=True),
)

tasks = table(
    "tasks",
    sa.Column("id", Text, primary_key=True),
    text("task_type", default=None),  # TRIAL, NOTEBOOK, SHELL, COMMAND, TENSORBOARD, CHECKPOINT_GC, GENERIC
    ref("job_id", "jobs.id", required=False, ondelete="SET NULL"),
    ref("user_id", "users.id", required=False, ondelete="SET NULL"),
    ref("workspace_id", "workspaces.id", required=False, ondelete="SET NULL"),
    text("name"),
    sa.Column("parent_id", Text, index=True),  # of generic tasks
    sa.Column("state", Text),  # of generic tasks
    flag("no_pause"),
    when("start_time", required=True),
    when("end_time"),
    sa.Column("config", Json),  # resolved configuration of tasks that are no trials
    sa.Column("context_digest", Text),  # of blobs
    sa.Column("launch", Json),  # how it is started: command, variables, ports, idle time (`engine/tasks.py`); NULL for trials
    sa.Column("detail", Json),  # what a kind keeps beside: keys of a shell, ids of a TensorBoard, the exit status shown
    text("log_policy_matched"),
    number("allocation_counter"),  # allocations made so far
)

run_tasks = table(
    "run_tasks",
    ref("run_id", "runs.id", primary_key=True),
    ref("task_id", "tasks.id", primary_key=True, index=True),
    number("seq"),  # grows with each continue
)

allocations = table(
    "allocations",
    sa.Column("id", Text, primary_key=True),
    ref("task_id", "tasks.id"),
    text("state", default=None),  # PENDING ASSIGNED PULLING STARTING RUNNING WAITING TERMINATING TERMINATED
    flag("is_ready"),
    text("resource_pool"),
    number("slots"),
    flag("preemptible"),
    flag("single_node"),
    sa.Column("agent_id", Text),  # of rank 0
    sa.Column("slot_ids", Json, nullable=False, server_default="[]"),  # of rank 0
    sa.Column("nodes", Json, nullable=False, server_default="[]"),  # [[agent id, [slot ids]]] by rank
    sa.Column("addresses", Json, nullable=False, server_default="[]"),  # of each rank, once it runs
    when("queued_at", required=True),
    when("start_time"),  # resources given
    when("end_time"),
    sa.Column("spec", Json),  # LaunchSpec of a started one, without secrets
    sa.Column("handle", Json),  # the launcher's
    sa.Column("ports", Json),  # variable -> number
    sa.Column("proxy_address", Text),  # where the proxy finds it, if the task said so
    sa.Column("accelerators", Json),  # as reported by the task
    when("preempt_at"),  # asked to checkpoint and leave
    when("preempt_acked_at"),
    sa.Column("preemption_timeout", sa.BigInteger),  # microseconds between the two signals
    when("kill_at"),  # to be killed at once
    when("kill_sent_at"),
    text("end_cause"),  # why it was asked to go: user, searcher, scheduler, idle, ...
    sa.Column("cause", Text),  # how it ended (name of `core.lifecycle.exits.Cause`)
    sa.Column("exit_code", sa.Integer),
    text("exit_reason"),
    text("exit_error"),
    sa.Column("log_offsets", Json),  # bytes of each log file that are stored as lines
    sa.Column("waiting_reason", Text),
    partial_index("ix_allocations_open", "state", where="state <> 'TERMINATED'"),
)

excluded_nodes = table(
    "excluded_nodes",
    ref("task_id", "tasks.id", primary_key=True),
    sa.Column("agent_id", Text, primary_key=True),
    text("policy"),
)
