"""Allocations: one start of one task each, from its place in the queue to its exit."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.store.database import Tx
from undeterred.store.schema.tasks import allocations, jobs, tasks

ENDED = "TERMINATED"

_OPEN = allocations.c.state != sa.literal_column(f"'{ENDED}'")


def create(tx: Tx, allocation_id: str, task_id: str, **columns: Any) -> None:
    """Store a new allocation that waits for slots from now on."""
    tx.insert(allocations, id=allocation_id, task_id=task_id, state="PENDING", queued_at=tx.now, **columns)


def find(tx: Tx, allocation_id: str) -> Any | None:
    """An allocation, or None."""
    return tx.row(sa.select(allocations).where(allocations.c.id == allocation_id))


def get(tx: Tx, allocation_id: str) -> Any:
    """An allocation; raises NotFound."""
    row = find(tx, allocation_id)
    if row is None:
        raise NotFound(f"allocation {allocation_id[:120]} not found")
    return row


def locked(tx: Tx, allocation_id: str) -> Any:
    """The same, held until the commit; raises NotFound."""
    row = tx.locked(sa.select(allocations).where(allocations.c.id == allocation_id))
    if row is None:
        raise NotFound(f"allocation {allocation_id[:120]} not found")
    return row


def update(tx: Tx, allocation_id: str, **columns: Any) -> None:
    """Change columns of one allocation."""
    tx.run(sa.update(allocations).where(allocations.c.id == allocation_id).values(**columns))


def open_of_task(tx: Tx, task_id: str) -> Any | None:
    """The allocation of a task that is not over, held until the commit, or None."""
    return tx.locked(sa.select(allocations).where(allocations.c.task_id == task_id, _OPEN).order_by(allocations.c.id))


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
    query = (
        sa.select(allocations, tasks.c.launch)
        .join(tasks, tasks.c.id == allocations.c.task_id)
        .where(_OPEN, allocations.c.handle.is_not(None))
    )
    return tx.rows(query.order_by(allocations.c.queued_at, allocations.c.id))


def open_with_jobs(tx: Tx) -> list[Any]:
    """Every allocation that is not over, with its task and job as the scheduler needs them, in order of their requests."""
    query = (
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
    return tx.rows(query)


def holding(tx: Tx, pool: str) -> list[Any]:
    """Id, nodes and stop marks of a pool's allocations that hold slots."""
    query = sa.select(allocations.c.id, allocations.c.nodes, allocations.c.preempt_at, allocations.c.kill_at)
    return tx.rows(query.where(_OPEN, allocations.c.state != "PENDING", allocations.c.resource_pool == pool))


def on_agent(tx: Tx, agent_id: str) -> list[Any]:
    """Allocations whose first rank is on this agent, in order of their requests."""
    query = sa.select(allocations).where(_OPEN, allocations.c.agent_id == agent_id)
    return tx.rows(query.order_by(allocations.c.queued_at, allocations.c.id))


def set_waiting_reasons(tx: Tx, pool: str, reasons: Mapping[str, str]) -> None:
    """Why allocations of a pool wait, by id; only what changed is written."""
    query = sa.select(allocations.c.id, allocations.c.waiting_reason)
    for row in tx.rows(query.where(_OPEN, allocations.c.state == "PENDING", allocations.c.resource_pool == pool)):
        reason = reasons.get(row.id)
        if reason != row.waiting_reason:
            update(tx, row.id, waiting_reason=reason)


def count_open(tx: Tx) -> int:
    """How many allocations were given slots and are not over."""
    query = sa.select(sa.func.count()).select_from(allocations).where(_OPEN, allocations.c.state != "PENDING")
    return int(tx.value(query))
