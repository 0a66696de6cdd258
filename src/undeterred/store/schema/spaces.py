"""Where: workspaces, projects, templates, config policies, pool bindings."""

import sqlalchemy as sa

from undeterred.store.schema.base import Json, Text, flag, id_column, ref, table, text, when

workspaces = table(
    "workspaces",
    id_column(),
    sa.Column("name", Text, nullable=False, unique=True),
    ref("user_id", "users.id", ondelete="RESTRICT"),
    flag("archived"),
    flag("immutable"),
    text("state"),  # "", DELETING, DELETE_FAILED
    text("error_message"),
    when("created_at", required=True),
    sa.Column("agent_uid", sa.Integer),
    sa.Column("agent_gid", sa.Integer),
    sa.Column("agent_user", Text),
    sa.Column("agent_group", Text),
    sa.Column("checkpoint_storage", Json),  # as given, with its secrets; masked when shown
    sa.Column("default_compute_pool", Text),
    sa.Column("default_aux_pool", Text),
)

workspace_pins = table(
    "workspace_pins",
    ref("workspace_id", "workspaces.id", primary_key=True),
    ref("user_id", "users.id", primary_key=True, index=True),
    when("pinned_at", required=True),
)

projects = table(
    "projects",
    id_column(),
    text("name", default=None),
    text("description"),
    ref("workspace_id", "workspaces.id"),
    ref("user_id", "users.id", ondelete="RESTRICT"),
    sa.Column("key", Text, nullable=False, unique=True),  # upper case
    flag("archived"),
    flag("immutable"),
    text("state"),
    text("error_message"),
    when("created_at", required=True),
    sa.Column("notes", Json, nullable=False, server_default="[]"),  # [{"name", "contents"}]
    sa.Column("run_counter", sa.BigInteger, nullable=False, server_default="0"),  # last local id of a run
    sa.UniqueConstraint("workspace_id", "name"),
)

templates = table(
    "templates",
    id_column(),
    sa.Column("name", Text, nullable=False, unique=True),
    ref("workspace_id", "workspaces.id"),
    sa.Column("config", Json, nullable=False),
)

config_policies = table(
    "config_policies",
    id_column(),
    ref("workspace_id", "workspaces.id", required=False),  # NULL: global
    text("workload_type", default=None),  # EXPERIMENT, NTSC
    sa.Column("invariant_config", Json),
    sa.Column("constraints", Json),
    when("updated_at", required=True),
    sa.Column("updated_by", sa.BigInteger),
    sa.UniqueConstraint("workspace_id", "workload_type"),
)

pool_bindings = table(
    "pool_bindings",
    sa.Column("pool", Text, primary_key=True),
    ref("workspace_id", "workspaces.id", primary_key=True, index=True),
)
