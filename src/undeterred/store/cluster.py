"""Single facts about the installation, by key; and the message that everybody sees."""

from typing import Any

import sqlalchemy as sa

from undeterred.base.clock import Micros
from undeterred.store.database import Tx
from undeterred.store.schema.cluster import cluster, cluster_messages


def get(tx: Tx, key: str) -> str | None:
    """The stored value, or None."""
    value: str | None = tx.value(sa.select(cluster.c.value).where(cluster.c.key == key))
    return value


def put(tx: Tx, key: str, value: str) -> None:
    """Store or replace a value."""
    tx.upsert(cluster, ["key"], key=key, value=value)


def message(tx: Tx, *, shown: bool = False) -> Any | None:
    """The message for everybody, unless it has run out; with `shown` only once its time has come."""
    query = sa.select(cluster_messages).where(sa.or_(cluster_messages.c.end_time.is_(None), cluster_messages.c.end_time > tx.now))
    if shown:
        query = query.where(cluster_messages.c.start_time <= tx.now)
    return tx.row(query.order_by(cluster_messages.c.id.desc()))


def put_message(tx: Tx, text: str, user_id: int, start: Micros, end: Micros | None) -> None:
    """Set the message, in place of the one there was."""
    drop_message(tx)
    tx.insert(cluster_messages, message=text, created_by=user_id, created_at=tx.now, start_time=start, end_time=end)


def drop_message(tx: Tx) -> None:
    """Remove the message."""
    tx.run(sa.delete(cluster_messages))
