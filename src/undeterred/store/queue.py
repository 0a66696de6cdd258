"""What stands in the queues: the jobs that wait for slots or hold them, and the work behind allocations."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments
from undeterred.store.schema.identity import users
from undeterred.store.schema.tasks import allocations, jobs, tasks

_OPEN = allocations.c.state != sa.literal_column("'TERMINATED'")


def open_jobs(tx: Tx, pool: str | None = None) -> list[Any]:
    """Jobs with an allocation that is not over, each with its owner's name and its experiment's id, name and progress.

    `entity_task` and `task_name` are those of one of its tasks, for jobs that are no experiments.
    """
    open_rows = (
        sa.select(
            tasks.c.job_id,
            sa.func.min(tasks.c.id).label("entity_task"),
            sa.func.max(tasks.c.name).label("task_name"),
            sa.func.sum(allocations.c.slots).label("requested"),
            sa.func.sum(sa.case((allocations.c.state == "PENDING", 0), else_=allocations.c.slots)).label("allocated"),
            sa.func.sum(sa.case((allocations.c.state == "PENDING", 0), else_=1)).label("running"),
            sa.func.max(sa.case((allocations.c.preemptible, 1), else_=0)).label("preemptible"),
        )
        .select_from(allocations.join(tasks, tasks.c.id == allocations.c.task_id))
        .where(_OPEN)
        .group_by(tasks.c.job_id)
        .subquery()
    )
    query = (
        sa.select(
            jobs,
            open_rows,
            users.c.username,
            experiments.c.id.label("experiment_id"),
            experiments.c.name.label("experiment_name"),
            experiments.c.progress,
        )
        .join(open_rows, open_rows.c.job_id == jobs.c.id)
        .join(users, users.c.id == jobs.c.user_id)
        .outerjoin(experiments, experiments.c.job_id == jobs.c.id)
        .order_by(jobs.c.submitted_at, jobs.c.id)
    )
    return tx.rows(query if pool is None else query.where(jobs.c.resource_pool == pool))


def is_open(tx: Tx, job_id: str) -> bool:
    """Whether a job has an allocation that is not over."""
    query = sa.select(allocations.c.id).join(tasks, tasks.c.id == allocations.c.task_id).where(tasks.c.job_id == job_id, _OPEN)
    return tx.value(query.limit(1)) is not None


def counts(tx: Tx) -> dict[str, tuple[int, int]]:
    """Pool -> number of jobs that wait with all they have, and of jobs that hold something."""
    waiting: dict[str, int] = {}
    holding: dict[str, int] = {}
    for row in open_jobs(tx):
        tally = holding if row.running else waiting
        tally[row.resource_pool] = tally.get(row.resource_pool, 0) + 1
    return {pool: (waiting.get(pool, 0), holding.get(pool, 0)) for pool in waiting.keys() | holding.keys()}


def holding(tx: Tx) -> list[Any]:
    """Pool, slots and task kind of every allocation that was given its place."""
    query = sa.select(allocations.c.resource_pool, allocations.c.slots, allocations.c.agent_id)
    return tx.rows(query.where(_OPEN, allocations.c.state != "PENDING"))


def work_of(tx: Tx, allocation_ids: Collection[str]) -> dict[str, Any]:
    """Allocation id -> its state and the kind and workspace of its task."""
    query = (
        sa.select(allocations.c.id, allocations.c.state, tasks.c.task_type, tasks.c.workspace_id)
        .join(tasks, tasks.c.id == allocations.c.task_id)
        .where(allocations.c.id.in_(allocation_ids))
    )
    return {row.id: row for row in tx.rows(query)}


def running(tx: Tx) -> list[Any]:
    """Every allocation that is not over, with its task, job and experiment (`labels` are JSON text), in order of the requests."""
    query = (
        sa.select(
            *(allocations.c[name] for name in ("id", "task_id", "state", "resource_pool", "slots", "queued_at", "nodes")),
            tasks.c.task_type,
            tasks.c.name,
            tasks.c.workspace_id,
            tasks.c.job_id,
            experiments.c.id.label("experiment_id"),
            experiments.c.labels,
        )
        .select_from(
            allocations.join(tasks, tasks.c.id == allocations.c.task_id).outerjoin(
                experiments, experiments.c.job_id == tasks.c.job_id
            )
        )
        .where(_OPEN)
        .order_by(allocations.c.queued_at, allocations.c.id)
    )
    return tx.rows(query)
