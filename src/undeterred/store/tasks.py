"""Tasks: the rows behind trials, notebooks, shells, commands, TensorBoards and generic tasks."""

from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.store.database import Tx
from undeterred.store.fast import Prepared, insert_row, update_row
from undeterred.store.schema.spaces import workspaces
from undeterred.store.schema.tasks import allocations, excluded_nodes, tasks

_TARGET = sa.select(tasks, workspaces.c.user_id.label("workspace_owner")).outerjoin(
    workspaces, workspaces.c.id == tasks.c.workspace_id
)
_EXCLUDED = Prepared(sa.select(excluded_nodes.c.agent_id).where(excluded_nodes.c.task_id == sa.bindparam("task")))
_EXCLUDED_BY_WAITING = Prepared(
    sa.select(excluded_nodes.c.task_id, excluded_nodes.c.agent_id)
    .join(allocations, allocations.c.task_id == excluded_nodes.c.task_id)
    .where(allocations.c.state == sa.literal_column("'PENDING'"))
)
_FIND = Prepared(_TARGET.where(tasks.c.id == sa.bindparam("id")))


def create(tx: Tx, task_id: str, task_type: str, **columns: Any) -> None:
    """Store a new task, started now."""
    insert_row(tx, tasks, {"id": task_id, "task_type": task_type, "start_time": tx.now} | columns)


def find(tx: Tx, task_id: str) -> Any | None:
    """A task with the owner of its workspace, or None."""
    return _FIND.first(tx, id=task_id)


def get(tx: Tx, task_id: str) -> Any:
    """The same; raises NotFound."""
    row = find(tx, task_id)
    if row is None:
        raise NotFound(f"task {task_id[:80]} not found")
    return row


def update(tx: Tx, task_id: str, **columns: Any) -> None:
    """Change columns of one task."""
    update_row(tx, tasks, task_id, columns)


def next_allocation(tx: Tx, task_id: str) -> int:
    """Take the next number of an allocation of this task (1, 2, ...)."""
    statement = (
        sa.update(tasks)
        .where(tasks.c.id == task_id)
        .values(allocation_counter=tasks.c.allocation_counter + 1)
        .returning(tasks.c.allocation_counter)
    )
    return int(tx.value(statement))


def tree(tx: Tx, task_id: str) -> list[Any]:
    """Every task that hangs together with this one through `parent_id`: its ancestors, and all below the topmost of them."""
    up = sa.select(tasks.c.id, tasks.c.parent_id).where(tasks.c.id == task_id).cte("up", recursive=True)
    up = up.union(sa.select(tasks.c.id, tasks.c.parent_id).join(up, tasks.c.id == up.c.parent_id))
    down = sa.select(up.c.id.label("id")).cte("down", recursive=True)
    down = down.union(sa.select(tasks.c.id).join(down, tasks.c.parent_id == down.c.id))
    return tx.rows(sa.select(tasks).where(tasks.c.id.in_(sa.select(down.c.id))).order_by(tasks.c.id))


def exclude_node(tx: Tx, task_id: str, agent_id: str, policy: str) -> bool:
    """Note that the task avoids a node from now on; False when it did so already."""
    taken = sa.select(excluded_nodes.c.agent_id).where(excluded_nodes.c.task_id == task_id, excluded_nodes.c.agent_id == agent_id)
    if tx.value(taken) is not None:
        return False
    tx.insert(excluded_nodes, task_id=task_id, agent_id=agent_id, policy=policy)
    return True


def excluded(tx: Tx, task_id: str) -> set[str]:
    """The nodes that a task avoids."""
    return set(_EXCLUDED.values(tx, task=task_id))


def excluded_by_waiting(tx: Tx) -> dict[str, set[str]]:
    """Task id -> the nodes that it avoids, for all tasks that wait for slots and avoid any."""
    found: dict[str, set[str]] = {}
    for task_id, agent_id in _EXCLUDED_BY_WAITING.rows(tx):
        found.setdefault(task_id, set()).add(agent_id)
    return found
