"""Allocations: one start of one task each, from its place in the queue to its exit."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.store.database import Tx
from undeterred.store.fast import Prepared, insert_row, update_row
from undeterred.store.schema.tasks import allocations, jobs, tasks

ENDED = "TERMINATED"

_OPEN = allocations.c.state != sa.literal_column(f"'{ENDED}'")
_ONE = sa.select(allocations).where(allocations.c.id == sa.bindparam("id"))
_FIND = Prepared(_ONE)
_LOCKED = Prepared(_ONE, locked=True)
_OPEN_OF_TASK = Prepared(
    sa.select(allocations).where(allocations.c.task_id == sa.bindparam("task"), _OPEN).order_by(allocations.c.id), locked=True
)
_OPEN_WITH_JOBS = Prepared(
    sa.select(
        allocations,
        tasks.c.task_type,
        tasks.c.name.label("task_name"),
        tasks.c.job_id,
        jobs.c.kind.label("job_kind"),
        jobs.c.user_id.label("job_user_id"),
        jobs.c.workspace_id.label("job_workspace_id"),
        jobs.c.priority,
        jobs.c.weight,
        jobs.c.queue_position,
        jobs.c.max_slots,
        jobs.c.submitted_at,
    )
    .join(tasks, tasks.c.id == allocations.c.task_id)
    .outerjoin(jobs, jobs.c.id == tasks.c.job_id)
    .where(_OPEN)
    .order_by(allocations.c.queued_at, allocations.c.id)
)
_HELD = sa.select(allocations.c.id, allocations.c.agent_id, allocations.c.nodes).where(_OPEN, allocations.c.agent_id.is_not(None))
_HOLDING = Prepared(_HELD.order_by(allocations.c.queued_at, allocations.c.id))
_WAITING = Prepared(
    sa.select(allocations.c.id, allocations.c.waiting_reason).where(
        _OPEN, allocations.c.state == sa.literal_column("'PENDING'"), allocations.c.resource_pool == sa.bindparam("pool")
    )
)
_WITH_HANDLE = Prepared(
    sa.select(allocations, tasks.c.launch)
    .join(tasks, tasks.c.id == allocations.c.task_id)
    .where(_OPEN, allocations.c.handle.is_not(None))
    .order_by(allocations.c.queued_at, allocations.c.id)
)


def create(tx: Tx, allocation_id: str, task_id: str, **columns: Any) -> None:
    """Store a new allocation that waits for slots from now on."""
    place = {"id": allocation_id, "task_id": task_id, "state": "PENDING", "queued_at": tx.now}
    insert_row(tx, allocations, place | columns)


def find(tx: Tx, allocation_id: str) -> Any | None:
    """An allocation, or None."""
    return _FIND.first(tx, id=allocation_id)


def get(tx: Tx, allocation_id: str) -> Any:
    """An allocation; raises NotFound."""
    row = find(tx, allocation_id)
    if row is None:
        raise NotFound(f"allocation {allocation_id[:120]} not found")
    return row


def locked(tx: Tx, allocation_id: str) -> Any:
    """The same, held until the commit; raises NotFound."""
    row = _LOCKED.first(tx, id=allocation_id)
    if row is None:
        raise NotFound(f"allocation {allocation_id[:120]} not found")
    return row


def update(tx: Tx, allocation_id: str, **columns: Any) -> None:
    """Change columns of one allocation."""
    update_row(tx, allocations, allocation_id, columns)


def open_of_task(tx: Tx, task_id: str) -> Any | None:
    """The allocation of a task that is not over, held until the commit, or None."""
    return _OPEN_OF_TASK.first(tx, task=task_id)


def last_of_task(tx: Tx, task_id: str) -> Any | None:
    """The newest allocation of a task, or None."""
    query = sa.select(allocations).where(allocations.c.task_id == task_id)
    return tx.row(
        query.order_by(allocations.c.queued_at.desc(), sa.func.length(allocations.c.id).desc(), allocations.c.id.desc())
    )


def of_tasks(tx: Tx, task_ids: Collection[str]) -> list[Any]:
    """Every allocation of these tasks, in order of their start."""
    query = sa.select(allocations).where(allocations.c.task_id.in_(task_ids))
    return tx.rows(query.order_by(allocations.c.queued_at, allocations.c.id))


def in_states(tx: Tx, states: Collection[str]) -> list[Any]:
    """Allocations in these states, in order of their requests."""
    query = sa.select(allocations).where(_OPEN, allocations.c.state.in_(states))
    return tx.rows(query.order_by(allocations.c.queued_at, allocations.c.id))


def running_of_task(tx: Tx, task_id: str) -> Any | None:
    """The allocation of a task whose processes run now, or None."""
    query = sa.select(allocations).where(allocations.c.task_id == task_id, allocations.c.state.in_(("RUNNING", "WAITING")))
    return tx.row(query.order_by(allocations.c.queued_at.desc()))


def states(tx: Tx, allocation_ids: Collection[str]) -> dict[str, str]:
    """Allocation id -> state, for those that exist."""
    query = sa.select(allocations.c.id, allocations.c.state).where(allocations.c.id.in_(allocation_ids))
    return {row.id: row.state for row in tx.rows(query)}


def with_handle(tx: Tx) -> list[Any]:
    """Allocations that a launcher has taken and that are not over, with `launch` of their task, in order of their requests."""
    return _WITH_HANDLE.rows(tx)


def open_with_jobs(tx: Tx) -> list[Any]:
    """Every allocation that is not over, with its task and job as the scheduler needs them, in order of their requests."""
    return _OPEN_WITH_JOBS.rows(tx)


def holding(tx: Tx) -> list[Any]:
    """Id, agent of the first rank and nodes of every allocation that holds slots, in order of their requests."""
    return _HOLDING.rows(tx)


def on_agent(tx: Tx, agent_id: str) -> list[Any]:
    """Allocations whose first rank is on this agent, in order of their requests."""
    query = sa.select(allocations).where(_OPEN, allocations.c.agent_id == agent_id)
    return tx.rows(query.order_by(allocations.c.queued_at, allocations.c.id))


def set_waiting_reasons(tx: Tx, pool: str, reasons: Mapping[str, str]) -> None:
    """Why allocations of a pool wait, by id; only what changed is written."""
    for row in _WAITING.rows(tx, pool=pool):
        reason = reasons.get(row.id)
        if reason != row.waiting_reason:
            update(tx, row.id, waiting_reason=reason)


def count_open(tx: Tx) -> int:
    """How many allocations were given slots and are not over."""
    query = sa.select(sa.func.count()).select_from(allocations).where(_OPEN, allocations.c.state != "PENDING")
    return int(tx.value(query))
