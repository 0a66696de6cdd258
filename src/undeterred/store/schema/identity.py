"""Who: users, sessions, groups, role assignments."""

import sqlalchemy as sa

from undeterred.store.schema.base import Text, flag, id_column, number, ref, table, text, when

users = table(
    "users",
    id_column(),
    sa.Column("username", Text, nullable=False, unique=True),
    text("display_name"),
    sa.Column("password_hash", Text),  # NULL: no password login (remote users)
    flag("admin"),
    flag("active"),
    flag("remote"),
    when("modified_at", required=True),
    when("last_auth_at"),
    sa.Column("agent_uid", sa.Integer),
    sa.Column("agent_gid", sa.Integer),
    sa.Column("agent_user", Text),
    sa.Column("agent_group", Text),
)

user_settings = table(
    "user_settings",
    ref("user_id", "users.id", primary_key=True),
    sa.Column("storage_path", Text, primary_key=True),
    sa.Column("key", Text, primary_key=True),
    text("value"),
)

user_activity = table(
    "user_activity",
    ref("user_id", "users.id", primary_key=True),
    sa.Column("activity_type", Text, primary_key=True),
    sa.Column("entity_type", Text, primary_key=True),
    sa.Column("entity_id", sa.BigInteger, primary_key=True),
    when("at", required=True),
)

sessions = table(
    "sessions",
    id_column(),
    ref("user_id", "users.id"),
    sa.Column("token_hash", Text, nullable=False, unique=True),  # SHA-256 of the token; the token itself is kept nowhere
    text("kind", default="session"),  # session, access (token of a user), allocation (token of a task), supervisor
    when("created_at", required=True),
    when("expires_at"),  # NULL: never
    flag("revoked"),
    text("description"),
    sa.Column("allocation_id", Text, index=True),  # of kinds allocation and supervisor
)

groups = table(
    "groups",
    id_column(),
    sa.Column("name", Text, unique=True),  # NULL: no name, the user's own group
    ref("user_id", "users.id", required=False, index=False, unique=True),  # set: the hidden group that stands for this user
    sa.CheckConstraint("(name IS NULL) <> (user_id IS NULL)", name="own"),
)

group_members = table(
    "group_members",
    ref("group_id", "groups.id", primary_key=True),
    ref("user_id", "users.id", primary_key=True, index=True),
)

role_assignments = table(
    "role_assignments",
    id_column(),
    number("role_id", default=None),  # roles are the built-in ones of core/rights/roles.py
    ref("group_id", "groups.id"),
    ref("workspace_id", "workspaces.id", required=False),  # NULL: everywhere
    sa.UniqueConstraint("group_id", "role_id", "workspace_id"),
)
