"""Agents: the machines that hold slots, and their switches."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.fast import Prepared
from undeterred.store.schema.cluster import agents

_EVERY = Prepared(sa.select(agents).order_by(agents.c.id))


def sizes(tx: Tx, pool: str) -> list[int]:
    """Slots of each machine of a pool."""
    return [int(size) for size in tx.values(sa.select(agents.c.slots).where(agents.c.resource_pool == pool))]


def sizes_without(tx: Tx, pool: str, excluded: Collection[str]) -> list[int]:
    """Slots of each machine of a pool but these."""
    query = sa.select(agents.c.slots).where(agents.c.resource_pool == pool, agents.c.id.not_in(excluded))
    return [int(size) for size in tx.values(query)]


def register(tx: Tx, agent_id: str, pool: str, slots: int) -> None:
    """Note an agent; one that is known keeps its switches and gets the pool and size it has now."""
    values = {"id": agent_id, "resource_pool": pool, "slots": slots, "enabled": True, "registered_at": tx.now}
    tx.conn.execute(dialect.insert_ignore(tx.conn, agents).values(**values))
    update(tx, agent_id, resource_pool=pool, slots=slots)


def keep_only(tx: Tx, agent_ids: Collection[str]) -> None:
    """Agents that are not there any more count with no slots; their switches stay."""
    tx.run(sa.update(agents).where(agents.c.id.not_in(agent_ids), agents.c.slots != 0).values(slots=0))


def every(tx: Tx) -> list[Any]:
    """All agents ever seen, by id."""
    return _EVERY.rows(tx)


def locked(tx: Tx, agent_id: str) -> Any | None:
    """One agent, held until the commit, or None."""
    return tx.locked(sa.select(agents).where(agents.c.id == agent_id))


def update(tx: Tx, agent_id: str, **columns: Any) -> None:
    """Change columns of one agent."""
    tx.run(sa.update(agents).where(agents.c.id == agent_id).values(**columns))
