"""Bindings of resource pools to workspaces: a bound pool serves only those, an unbound one serves all."""

from collections.abc import Collection

import sqlalchemy as sa

from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.spaces import pool_bindings


def bound(tx: Tx) -> set[str]:
    """Names of the pools that are bound to any workspace."""
    return set(tx.values(sa.select(pool_bindings.c.pool).distinct()))


def bindings(tx: Tx) -> dict[str, set[int]]:
    """Pool -> ids of the workspaces that it is bound to, for every bound pool."""
    found: dict[str, set[int]] = {}
    for row in tx.rows(sa.select(pool_bindings.c.pool, pool_bindings.c.workspace_id)):
        found.setdefault(row.pool, set()).add(row.workspace_id)
    return found


def workspaces_of(tx: Tx, pool: str) -> list[int]:
    """Ids of the workspaces that a pool is bound to."""
    query = sa.select(pool_bindings.c.workspace_id).where(pool_bindings.c.pool == pool)
    return tx.values(query.order_by(pool_bindings.c.workspace_id))


def of_workspace(tx: Tx, workspace_id: int) -> set[str]:
    """Names of the pools that are bound to a workspace."""
    return set(tx.values(sa.select(pool_bindings.c.pool).where(pool_bindings.c.workspace_id == workspace_id)))


def usable(tx: Tx, pools: Collection[str], workspace_id: int) -> list[str]:
    """Those of the pools, in their order, that a workspace may use."""
    taken = bound(tx) - of_workspace(tx, workspace_id)
    return [name for name in pools if name not in taken]


def bind(tx: Tx, pool: str, workspace_ids: Collection[int]) -> None:
    """Bind a pool to these workspaces, too."""
    for workspace_id in sorted(set(workspace_ids)):
        tx.run(dialect.insert_ignore(tx.conn, pool_bindings).values(pool=pool, workspace_id=workspace_id))


def unbind(tx: Tx, pool: str, workspace_ids: Collection[int] | None = None) -> None:
    """Take bindings of a pool away: these, or all."""
    statement = sa.delete(pool_bindings).where(pool_bindings.c.pool == pool)
    tx.run(statement if workspace_ids is None else statement.where(pool_bindings.c.workspace_id.in_(set(workspace_ids))))
