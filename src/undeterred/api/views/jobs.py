"""Jobs of a queue as clients see them."""

from collections.abc import Sequence
from typing import Any

from undeterred.api.views.common import when
from undeterred.core.pools import FAIR_SHARE, Pool
from undeterred.core.schedule import Group, group_ranks
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double

_TYPES = {
    "EXPERIMENT": m.JobType.TYPE_EXPERIMENT,
    "NOTEBOOK": m.JobType.TYPE_NOTEBOOK,
    "SHELL": m.JobType.TYPE_SHELL,
    "COMMAND": m.JobType.TYPE_COMMAND,
    "TENSORBOARD": m.JobType.TYPE_TENSORBOARD,
    "CHECKPOINT_GC": m.JobType.TYPE_CHECKPOINT_GC,
    "GENERIC": m.JobType.TYPE_GENERIC,
}


def in_order(rows: Sequence[Any], pool: Pool) -> list[Any]:
    """Rows of `store.queue.open_jobs` in the order in which the pool works them off."""
    ranks = group_ranks(
        Group(
            row.id,
            pool.default_priority if row.priority is None else row.priority,
            row.submitted_at if row.queue_position is None else row.queue_position,
            row.submitted_at,
        )
        for row in rows
    )
    return sorted(rows, key=lambda row: ranks[row.id])


def job_state(row: Any) -> m.JobState:
    """Scheduled once anything of it holds a place."""
    return m.JobState.STATE_SCHEDULED if row.running else m.JobState.STATE_QUEUED


def job_message(row: Any, pool: Pool, ahead: int) -> m.Job:
    """A job with all that its readers may see; `ahead` is its place in the queue, counted from 0."""
    experiment = row.experiment_id is not None
    return m.Job(
        summary=job_summary(row, pool, ahead),
        type=_TYPES.get(row.kind, m.JobType.TYPE_UNSPECIFIED),
        submission_time=when(row.submitted_at),
        username=row.username,
        user_id=row.user_id,
        resource_pool=row.resource_pool,
        is_preemptible=_preemptible(row, pool),
        priority=_priority(row, pool),
        weight=Double(row.weight),
        entity_id=str(row.experiment_id) if experiment else row.entity_task,
        job_id=row.id,
        requested_slots=int(row.requested),
        allocated_slots=int(row.allocated),
        name=row.experiment_name if experiment else row.task_name,
        progress=Double(row.progress or 0),
        workspace_id=row.workspace_id or 0,
    )


def limited_job(row: Any, pool: Pool, ahead: int) -> m.LimitedJob:
    """What those see of a job who may not see its work: that it is there, and how big it is."""
    return m.LimitedJob(
        summary=job_summary(row, pool, ahead),
        type=_TYPES.get(row.kind, m.JobType.TYPE_UNSPECIFIED),
        resource_pool=row.resource_pool,
        is_preemptible=_preemptible(row, pool),
        priority=_priority(row, pool),
        weight=Double(row.weight),
        job_id=row.id,
        requested_slots=int(row.requested),
        allocated_slots=int(row.allocated),
        progress=Double(row.progress or 0),
        workspace_id=row.workspace_id or 0,
    )


def job_summary(row: Any, pool: Pool, ahead: int) -> m.JobSummary:
    """Fair share knows no order, which clients are told as -1."""
    return m.JobSummary(state=job_state(row), jobs_ahead=-1 if pool.scheduler == FAIR_SHARE else ahead)


def _priority(row: Any, pool: Pool) -> int:
    return pool.default_priority if row.priority is None else int(row.priority)


def _preemptible(row: Any, pool: Pool) -> bool:
    return bool(row.preemptible) and (pool.preemption or pool.scheduler == FAIR_SHARE)
