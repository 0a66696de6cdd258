"""Single facts about the installation, by key."""

import sqlalchemy as sa

from undeterred.store.database import Tx
from undeterred.store.schema.cluster import cluster


def get(tx: Tx, key: str) -> str | None:
    """The stored value, or None."""
    value: str | None = tx.value(sa.select(cluster.c.value).where(cluster.c.key == key))
    return value


def put(tx: Tx, key: str, value: str) -> None:
    """Store or replace a value."""
    tx.upsert(cluster, ["key"], key=key, value=value)
