"""Webhooks: whom to tell what, what was told once already, and what is still to be delivered."""

import sqlalchemy as sa

from undeterred.store.schema.base import Json, Text, id_column, number, ref, table, text, when

webhooks = table(
    "webhooks",
    id_column(),
    text("name"),
    text("url", default=None),
    text("kind", default=None),  # DEFAULT, SLACK: the form of what is sent
    text("mode", default=None),  # WORKSPACE: everything in its scope; SPECIFIC: experiments that name it
    ref("workspace_id", "workspaces.id", required=False),  # NULL: all workspaces
    when("created_at", required=True),
)

webhook_triggers = table(
    "webhook_triggers",
    id_column(),
    ref("webhook_id", "webhooks.id"),
    text("kind", default=None),  # EXPERIMENT_STATE_CHANGE, METRIC_THRESHOLD_EXCEEDED, TASK_LOG, CUSTOM
    sa.Column("condition", Json, nullable=False, server_default="{}"),
)

webhook_fired = table(
    "webhook_fired",
    ref("trigger_id", "webhook_triggers.id", primary_key=True),
    sa.Column("subject", Text, primary_key=True),  # the task or run for which the trigger has fired: it does so once
    rowid=False,
)

webhook_deliveries = table(
    "webhook_deliveries",
    id_column(),
    ref("webhook_id", "webhooks.id"),
    sa.Column("event_id", Text, nullable=False),
    text("event_type", default=None),
    text("body", default=None),  # what is sent, byte for byte
    text("state", default="PENDING"),  # PENDING, DELIVERED, FAILED
    when("created_at", required=True),
    when("due_at", required=True),
    number("attempts"),
    sa.Column("status", sa.Integer),  # HTTP status of the last answer
    text("error"),  # of the last attempt
    when("finished_at"),
    sa.Index("ix_webhook_deliveries_state_due_at", "state", "due_at"),
)
