"""Usage: allocations with whom they were for, and the sums per day."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from undeterred.base.clock import Micros
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments
from undeterred.store.schema.identity import users
from undeterred.store.schema.spaces import workspaces
from undeterred.store.schema.tasks import allocations, jobs, tasks
from undeterred.store.schema.usage import usage_days

_JOINED = (
    allocations.join(tasks, tasks.c.id == allocations.c.task_id)
    .outerjoin(jobs, jobs.c.id == tasks.c.job_id)
    .outerjoin(users, users.c.id == sa.func.coalesce(jobs.c.user_id, tasks.c.user_id))
    .outerjoin(experiments, experiments.c.job_id == jobs.c.id)
    .outerjoin(workspaces, workspaces.c.id == tasks.c.workspace_id)
)
_USES = sa.select(
    allocations.c.id,
    allocations.c.start_time,
    allocations.c.end_time,
    allocations.c.slots,
    allocations.c.resource_pool,
    allocations.c.nodes,
    tasks.c.task_type,
    tasks.c.name.label("task_name"),
    users.c.id.label("user_id"),
    users.c.username,
    workspaces.c.name.label("workspace_name"),
    experiments.c.id.label("experiment_id"),
    experiments.c.name.label("experiment_name"),
    experiments.c.labels,
    experiments.c.checkpoint_count,
    experiments.c.checkpoint_size,
).select_from(_JOINED)


def uses(tx: Tx, low: Micros, high: Micros, after: tuple[Micros, str] | None = None, limit: int | None = None) -> list[Any]:
    """Allocations that held their places at some time between `low` and `high`, by start and id, those after `after` only."""
    start, name = allocations.c.start_time, allocations.c.id
    ended = sa.or_(allocations.c.end_time.is_(None), allocations.c.end_time > low)
    query = _USES.where(start < high, ended).order_by(start, name)
    if after is not None:
        query = query.where(sa.or_(start > after[0], sa.and_(start == after[0], name > after[1])))
    return tx.rows(query if limit is None else query.limit(limit))


def waits(tx: Tx, low: Micros, high: Micros) -> dict[str, float]:
    """Pool -> mean microseconds in the queue of the allocations that left it between `low` and `high`."""
    mean = sa.func.avg(allocations.c.start_time - allocations.c.queued_at).label("mean")
    within = (allocations.c.start_time >= low) & (allocations.c.start_time < high)
    rows = tx.rows(sa.select(allocations.c.resource_pool, mean).where(within).group_by(allocations.c.resource_pool))
    return {row.resource_pool: float(row.mean) for row in rows}


def first_use(tx: Tx) -> Micros | None:
    """When the first allocation got its place, or None."""
    found: Micros | None = tx.value(sa.select(sa.func.min(allocations.c.start_time)))
    return found


def last_day(tx: Tx) -> str | None:
    """The last day with sums, or None."""
    found: str | None = tx.value(sa.select(sa.func.max(usage_days.c.day)))
    return found


def put_day(tx: Tx, day: str, sums: Mapping[tuple[str, str], float]) -> None:
    """Store the sums of a day, in place of those it may have."""
    tx.run(sa.delete(usage_days).where(usage_days.c.day == day))
    for (kind, key), seconds in sums.items():
        tx.insert(usage_days, day=day, kind=kind, key=key, seconds=seconds)


def days(tx: Tx, first: str, last: str) -> list[Any]:
    """Rows of day, kind, key and seconds from the first to the last day, both included."""
    query = sa.select(usage_days).where(usage_days.c.day >= first, usage_days.c.day <= last)
    return tx.rows(query.order_by(usage_days.c.day, usage_days.c.kind, usage_days.c.key))
