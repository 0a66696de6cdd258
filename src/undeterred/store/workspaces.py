"""Workspaces, who pinned them, and how much is inside."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.base.struct import Struct
from undeterred.core.rights import Scope
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments
from undeterred.store.schema.identity import users
from undeterred.store.schema.registry import models
from undeterred.store.schema.spaces import projects, workspace_pins, workspaces
from undeterred.store.schema.tasks import tasks

SORTS = {"id": workspaces.c.id, "name": workspaces.c.name}
"""What lists of workspaces can be sorted by."""


class WorkspaceFilter(Struct, frozen=True):
    """Which workspaces a list shows; what is left out does not filter."""

    name: str = ""
    """The whole name, ignoring case; `%` and `_` are wildcards."""
    exact_name: str = ""
    archived: bool | None = None
    pinned: bool | None = None
    """Pinned by the viewer."""
    users: Collection[str] = ()
    """Owned by one of these user names."""
    user_ids: Collection[int] = ()


class Contents(Struct, frozen=True):
    """How much is inside a workspace."""

    projects: int = 0
    experiments: int = 0


def get(tx: Tx, workspace_id: int, viewer: int = 0) -> Any:
    """A workspace with its owner's name and when the viewer pinned it (`username`, `pinned_at`); raises NotFound."""
    row = tx.row(_shown(viewer).where(workspaces.c.id == workspace_id))
    if row is None:
        raise NotFound(f"workspace {workspace_id} not found")
    return row


def locked(tx: Tx, workspace_id: int, viewer: int = 0) -> Any:
    """The same, held until the commit."""
    tx.locked(sa.select(workspaces.c.id).where(workspaces.c.id == workspace_id))
    return get(tx, workspace_id, viewer)


def by_name(tx: Tx, name: str) -> Any | None:
    """A workspace by its exact name, or None."""
    return tx.row(_shown(0).where(workspaces.c.name == name))


def ids_by_names(tx: Tx, names: Collection[str]) -> dict[str, int]:
    """Name -> id of those names that are workspaces."""
    rows = tx.rows(sa.select(workspaces.c.name, workspaces.c.id).where(workspaces.c.name.in_(set(names))))
    return {row.name: row.id for row in rows}


def known(tx: Tx, workspace_ids: Collection[int]) -> set[int]:
    """Those of the ids that are workspaces."""
    return set(tx.values(sa.select(workspaces.c.id).where(workspaces.c.id.in_(set(workspace_ids)))))


def ids(tx: Tx, scope: Scope) -> list[int]:
    """Ids of all workspaces in the scope."""
    return tx.values(sa.select(workspaces.c.id).where(*_within(scope)).order_by(workspaces.c.id))


def count(tx: Tx, scope: Scope, which: WorkspaceFilter, viewer: int) -> int:
    """How many workspaces a filter admits."""
    query = sa.select(sa.func.count()).select_from(_joined(viewer)).where(*_conditions(tx, scope, which))
    return int(tx.value(query))


def search(
    tx: Tx, scope: Scope, which: WorkspaceFilter, viewer: int, sort: str, *, descending: bool, start: int, end: int
) -> list[Any]:
    """Workspaces `start` to `end` of those that a filter admits."""
    keys = [SORTS[sort], workspaces.c.id]
    order = [key.desc() if descending else key.asc() for key in keys]
    query = _shown(viewer).where(*_conditions(tx, scope, which)).order_by(*order)
    return tx.rows(query.offset(start).limit(end - start))


def contents(tx: Tx, workspace_ids: Collection[int]) -> dict[int, Contents]:
    """What is inside each of these workspaces."""
    counted = (
        sa.select(
            projects.c.workspace_id,
            sa.func.count(projects.c.id.distinct()).label("projects"),
            sa.func.count(experiments.c.id).label("experiments"),
        )
        .select_from(projects.outerjoin(experiments, experiments.c.project_id == projects.c.id))
        .where(projects.c.workspace_id.in_(set(workspace_ids)))
        .group_by(projects.c.workspace_id)
    )
    return {row.workspace_id: Contents(row.projects, row.experiments) for row in tx.rows(counted)}


def create(tx: Tx, name: str, user_id: int, **columns: Any) -> int:
    """Store a new workspace; its id."""
    return tx.insert(workspaces, name=name, user_id=user_id, created_at=tx.now, **columns)


def update(tx: Tx, workspace_id: int, **columns: Any) -> None:
    """Change columns of a workspace."""
    tx.run(sa.update(workspaces).where(workspaces.c.id == workspace_id).values(**columns))


def delete(tx: Tx, workspace_id: int) -> None:
    """Remove a workspace that holds no projects any more, with its templates, bindings, policies and role assignments."""
    tx.run(sa.delete(workspaces).where(workspaces.c.id == workspace_id))


def pin(tx: Tx, workspace_id: int, user_id: int) -> bool:
    """Pin for a user; False when it was pinned already."""
    statement = dialect.insert_ignore(tx.conn, workspace_pins).returning(workspace_pins.c.user_id)
    return tx.row(statement.values(workspace_id=workspace_id, user_id=user_id, pinned_at=tx.now)) is not None


def unpin(tx: Tx, workspace_id: int, user_id: int) -> bool:
    """Unpin for a user; False when it was not pinned."""
    at = (workspace_pins.c.workspace_id == workspace_id) & (workspace_pins.c.user_id == user_id)
    return tx.run(sa.delete(workspace_pins).where(at)) > 0


def count_models(tx: Tx, workspace_id: int) -> int:
    """How many models are registered in a workspace."""
    return int(tx.value(sa.select(sa.func.count()).select_from(models).where(models.c.workspace_id == workspace_id)))


def live_tasks(tx: Tx, workspace_id: int) -> list[str]:
    """Ids of the notebooks, shells, commands, TensorBoards and generic tasks in a workspace that have not ended."""
    here = (tasks.c.workspace_id == workspace_id) & tasks.c.end_time.is_(None) & (tasks.c.task_type != "TRIAL")
    return tx.values(sa.select(tasks.c.id).where(here).order_by(tasks.c.id))


def in_state(tx: Tx, state: str) -> list[int]:
    """Ids of the workspaces in a state."""
    return tx.values(sa.select(workspaces.c.id).where(workspaces.c.state == state).order_by(workspaces.c.id))


def _joined(viewer: int) -> sa.FromClause:
    pinned = (workspace_pins.c.workspace_id == workspaces.c.id) & (workspace_pins.c.user_id == viewer)
    return workspaces.join(users, users.c.id == workspaces.c.user_id).outerjoin(workspace_pins, pinned)


def _shown(viewer: int) -> sa.Select[Any]:
    return sa.select(workspaces, users.c.username, workspace_pins.c.pinned_at).select_from(_joined(viewer))


def _within(scope: Scope) -> list[sa.ColumnElement[bool]]:
    return [] if scope.everywhere else [workspaces.c.id.in_(scope.workspaces)]


def _conditions(tx: Tx, scope: Scope, which: WorkspaceFilter) -> list[sa.ColumnElement[bool]]:
    conditions = _within(scope)
    if which.name:
        conditions.append(dialect.ilike(tx.conn, workspaces.c.name, which.name))
    if which.exact_name:
        conditions.append(workspaces.c.name == which.exact_name)
    if which.archived is not None:
        conditions.append(workspaces.c.archived == sa.literal(which.archived))
    if which.pinned is not None:
        pinned_at = workspace_pins.c.pinned_at
        conditions.append(pinned_at.is_not(None) if which.pinned else pinned_at.is_(None))
    if which.users:
        conditions.append(users.c.username.in_(set(which.users)))
    if which.user_ids:
        conditions.append(workspaces.c.user_id.in_(set(which.user_ids)))
    return conditions
