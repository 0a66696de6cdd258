"""Agents: the machines that hold slots, and their switches."""

import sqlalchemy as sa

from undeterred.store.database import Tx
from undeterred.store.schema.cluster import agents


def sizes(tx: Tx, pool: str) -> list[int]:
    """Slots of each machine of a pool."""
    return [int(size) for size in tx.values(sa.select(agents.c.slots).where(agents.c.resource_pool == pool))]
