"""Templates: named pieces of configuration, each in a workspace; names are unique over all of them."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.core.rights import Scope
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.spaces import templates, workspaces

_SHOWN = sa.select(templates, workspaces.c.user_id.label("workspace_owner")).join(
    workspaces, workspaces.c.id == templates.c.workspace_id
)


def find(tx: Tx, name: str) -> Any | None:
    """A template by its exact name, or None."""
    return tx.row(_SHOWN.where(templates.c.name == name))


def get(tx: Tx, name: str) -> Any:
    """The same; raises NotFound."""
    row = find(tx, name)
    if row is None:
        raise missing(name)
    return row


def missing(name: str) -> NotFound:
    """The failure that says so."""
    return NotFound(f"template {name[:80]!r} not found")


def count(tx: Tx, scope: Scope, name: str, workspace_ids: Collection[int]) -> int:
    """How many templates `search` finds."""
    query = sa.select(sa.func.count()).select_from(templates).where(*_conditions(tx, scope, name, workspace_ids))
    return int(tx.value(query))


def search(
    tx: Tx, scope: Scope, name: str, workspace_ids: Collection[int], *, descending: bool, start: int, end: int | None
) -> list[Any]:
    """Templates by name whose name has a part (ignoring case, `%` and `_` being wildcards), of these workspaces or of any."""
    order = templates.c.name.desc() if descending else templates.c.name.asc()
    query = _SHOWN.where(*_conditions(tx, scope, name, workspace_ids)).order_by(order, templates.c.id).offset(start)
    return tx.rows(query if end is None else query.limit(end - start))


def create(tx: Tx, name: str, workspace_id: int, config: str) -> None:
    """Store a new template; `config` is JSON text."""
    tx.insert(templates, name=name, workspace_id=workspace_id, config=config)


def update(tx: Tx, template_id: int, **columns: Any) -> None:
    """Change columns of a template."""
    tx.run(sa.update(templates).where(templates.c.id == template_id).values(**columns))


def delete(tx: Tx, template_id: int) -> None:
    """Remove a template."""
    tx.run(sa.delete(templates).where(templates.c.id == template_id))


def _conditions(tx: Tx, scope: Scope, name: str, workspace_ids: Collection[int]) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [] if scope.everywhere else [templates.c.workspace_id.in_(scope.workspaces)]
    if name:
        conditions.append(dialect.ilike(tx.conn, templates.c.name, f"%{name}%"))
    if workspace_ids:
        conditions.append(templates.c.workspace_id.in_(set(workspace_ids)))
    return conditions
