"""What training leaves: checkpoints and where they are stored, models and their versions, links from trials to what they used."""

import sqlalchemy as sa

from undeterred.store.schema.base import Json, Text, flag, id_column, number, ref, table, text, when

storages = table(
    "storages",
    id_column(),
    sa.Column("digest", Text, nullable=False, unique=True),  # SHA-256 of the configuration: the same storage is one row
    sa.Column("config", Json, nullable=False),
)

checkpoints = table(
    "checkpoints",
    id_column(),  # order of arrival
    sa.Column("uuid", Text, nullable=False, unique=True),  # lower case
    ref("run_id", "runs.id", required=False),  # NULL: of a task that is no trial
    sa.Column("task_id", Text, index=True),
    sa.Column("allocation_id", Text),
    ref("storage_id", "storages.id", required=False, ondelete="RESTRICT", index=False),
    when("report_time", required=True),
    text("state", default=None),  # ACTIVE, COMPLETED, PARTIALLY_DELETED, DELETED, ERROR
    flag("doomed"),  # files of it are being removed: it is no longer begun from, nor registered
    sa.Column("metadata", Json, nullable=False, server_default="{}"),
    sa.Column("resources", Json, nullable=False, server_default="{}"),  # path -> bytes
    number("size"),
    number("steps_completed"),  # lifted out of the metadata
    sa.Index("ix_checkpoints_run_id_steps_completed", "run_id", "steps_completed"),
)

models = table(
    "models",
    id_column(),
    sa.Column("name", Text, nullable=False, unique=True),
    text("description"),
    sa.Column("metadata", Json, nullable=False, server_default="{}"),
    sa.Column("labels", Json, nullable=False, server_default="[]"),
    text("notes"),
    flag("archived"),
    ref("user_id", "users.id", ondelete="RESTRICT"),
    ref("workspace_id", "workspaces.id", ondelete="RESTRICT"),
    when("created_at", required=True),
    when("updated_at", required=True),
    number("version_counter"),  # last number given; numbers are never used again
)

model_versions = table(
    "model_versions",
    id_column(),
    ref("model_id", "models.id", index=False),
    number("version", default=None),
    ref("checkpoint_id", "checkpoints.id", ondelete="RESTRICT"),
    ref("user_id", "users.id", ondelete="RESTRICT", index=False),
    text("name"),
    text("comment"),
    text("notes"),
    sa.Column("metadata", Json, nullable=False, server_default="{}"),
    sa.Column("labels", Json, nullable=False, server_default="[]"),
    when("created_at", required=True),
    when("updated_at", required=True),
    sa.UniqueConstraint("model_id", "version"),
)

trial_sources = table(
    "trial_sources",
    ref("run_id", "runs.id", primary_key=True),
    ref("checkpoint_id", "checkpoints.id", primary_key=True, index=True),
    sa.Column("model_id", sa.BigInteger),
    sa.Column("model_version", sa.BigInteger),
    text("kind", default=None),  # INFERENCE, FINE_TUNE
    sa.Index("ix_trial_sources_model_id_model_version", "model_id", "model_version"),
)
