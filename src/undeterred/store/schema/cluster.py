"""The installation itself: its identity, stored facts, cluster message, and the agents' switches."""

import sqlalchemy as sa

from undeterred.store.schema.base import Json, Text, flag, id_column, number, table, text, when

cluster = table(
    "cluster",
    sa.Column("key", Text, primary_key=True),  # cluster_id, master_url, signing_key, schema, ...
    sa.Column("value", Text, nullable=False),
)

cluster_messages = table(
    "cluster_messages",
    id_column(),
    text("message", default=None),
    sa.Column("created_by", sa.BigInteger),
    when("created_at", required=True),
    when("start_time", required=True),
    when("end_time"),
)

agents = table(
    "agents",
    sa.Column("id", Text, primary_key=True),
    text("resource_pool", default=None),
    number("slots"),  # as counted at the last start-up
    flag("enabled", default=True),
    flag("draining"),
    sa.Column("disabled_slots", Json, nullable=False, server_default="{}"),  # slot id -> {"draining": bool}
    when("registered_at", required=True),
)
