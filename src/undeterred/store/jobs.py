"""Jobs: what stands in the queue of a resource pool."""

from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.store.database import Tx
from undeterred.store.schema.tasks import jobs


def create(
    tx: Tx,
    job_id: str,
    kind: str,
    user_id: int,
    workspace_id: int | None,
    *,
    resource_pool: str,
    priority: int | None = None,
    weight: float = 1.0,
    max_slots: int | None = None,
) -> None:
    """Store a new job, submitted now."""
    tx.insert(
        jobs,
        id=job_id,
        kind=kind,
        user_id=user_id,
        workspace_id=workspace_id,
        resource_pool=resource_pool,
        priority=priority,
        weight=weight,
        max_slots=max_slots,
        submitted_at=tx.now,
    )


def get(tx: Tx, job_id: str) -> Any:
    """A job; raises NotFound."""
    row = tx.row(sa.select(jobs).where(jobs.c.id == job_id))
    if row is None:
        raise NotFound(f"job {job_id[:80]} not found")
    return row


def update(tx: Tx, job_id: str, **columns: Any) -> None:
    """Change columns of one job."""
    tx.run(sa.update(jobs).where(jobs.c.id == job_id).values(**columns))


def delete(tx: Tx, job_id: str) -> None:
    """Remove a job."""
    tx.run(sa.delete(jobs).where(jobs.c.id == job_id))
