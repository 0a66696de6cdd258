"""Single facts about the installation, by key; and the message that everybody sees."""

from typing import Any

import sqlalchemy as sa

from undeterred.base.clock import Micros
from undeterred.store.database import Tx
from undeterred.store.fast import Prepared
from undeterred.store.schema.cluster import cluster, cluster_messages

_NEVER = 2**62
"""Later than any time."""
_MESSAGE = Prepared(
    sa.select(cluster_messages)
    .where(
        sa.or_(cluster_messages.c.end_time.is_(None), cluster_messages.c.end_time > sa.bindparam("now")),
        cluster_messages.c.start_time <= sa.bindparam("latest_start"),
    )
    .order_by(cluster_messages.c.id.desc())
)


def get(tx: Tx, key: str) -> str | None:
    """The stored value, or None."""
    value: str | None = tx.value(sa.select(cluster.c.value).where(cluster.c.key == key))
    return value


def put(tx: Tx, key: str, value: str) -> None:
    """Store or replace a value."""
    tx.upsert(cluster, ["key"], key=key, value=value)


def message(tx: Tx, *, shown: bool = False) -> Any | None:
    """The message for everybody, unless it has run out; with `shown` only once its time has come."""
    return _MESSAGE.first(tx, now=tx.now, latest_start=tx.now if shown else _NEVER)


def put_message(tx: Tx, text: str, user_id: int, start: Micros, end: Micros | None) -> None:
    """Set the message, in place of the one there was."""
    drop_message(tx)
    tx.insert(cluster_messages, message=text, created_by=user_id, created_at=tx.now, start_time=start, end_time=end)


def drop_message(tx: Tx) -> None:
    """Remove the message."""
    tx.run(sa.delete(cluster_messages))
