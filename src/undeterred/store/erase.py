"""Removal of an experiment's rows in slices, so that no transaction is long."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.logs import task_logs
from undeterred.store.schema.metrics import reports
from undeterred.store.schema.outbox import outbox
from undeterred.store.schema.registry import checkpoints, model_versions, models
from undeterred.store.schema.tasks import jobs, run_tasks, tasks

ROWS = 2000
"""Rows of logs or metrics that one slice removes."""
RUNS = 20
"""Runs, with what is left of them, that one slice removes."""


def stored_checkpoints(tx: Tx, experiment_id: int) -> list[str]:
    """Uuids of the experiment's checkpoints that may still have files."""
    query = sa.select(checkpoints.c.uuid).join(runs, runs.c.id == checkpoints.c.run_id)
    kept = (runs.c.experiment_id == experiment_id) & (checkpoints.c.state != "DELETED")
    return tx.values(query.where(kept).order_by(checkpoints.c.id))


def registered_as(tx: Tx, experiment_id: int) -> str | None:
    """A model that has one of the experiment's checkpoints as a version, or None."""
    query = (
        sa.select(models.c.name)
        .join(model_versions, model_versions.c.model_id == models.c.id)
        .join(checkpoints, checkpoints.c.id == model_versions.c.checkpoint_id)
        .join(runs, runs.c.id == checkpoints.c.run_id)
        .where(runs.c.experiment_id == experiment_id)
    )
    found: str | None = tx.value(query.order_by(models.c.id).limit(1))
    return found


def pending(tx: Tx, outbox_ids: Collection[int]) -> dict[int, Any]:
    """Id -> attempts and error of those rows of the outbox that are not done."""
    query = sa.select(outbox.c.id, outbox.c.attempts, outbox.c.error).where(outbox.c.id.in_(outbox_ids))
    return {row.id: row for row in tx.rows(query)}


def slice_of(tx: Tx, experiment_id: int) -> bool:
    """Remove some of the experiment's logs, metrics and runs; False when only its own row is left."""
    some = tx.values(sa.select(runs.c.id).where(runs.c.experiment_id == experiment_id).order_by(runs.c.id).limit(RUNS))
    if not some:
        return False
    theirs = tx.values(sa.select(run_tasks.c.task_id).where(run_tasks.c.run_id.in_(some)))
    for table, owner, owners in ((task_logs, task_logs.c.task_id, theirs), (reports, reports.c.run_id, some)):
        rows = sa.select(table.c.id).where(owner.in_(owners)).limit(ROWS)
        if tx.run(sa.delete(table).where(table.c.id.in_(rows))) >= ROWS:
            return True
    tx.run(sa.delete(tasks).where(tasks.c.id.in_(theirs)))
    tx.run(sa.delete(runs).where(runs.c.id.in_(some)))
    return True


def finish(tx: Tx, experiment_id: int) -> str | None:
    """Remove the experiment itself and its job; the digest of its context, which nothing may need any more."""
    row = tx.row(sa.select(experiments.c.job_id, experiments.c.context_digest).where(experiments.c.id == experiment_id))
    tx.run(sa.delete(experiments).where(experiments.c.id == experiment_id))
    if row is None:
        return None
    tx.run(sa.delete(jobs).where(jobs.c.id == row.job_id))
    return str(row.context_digest) if row.context_digest else None
