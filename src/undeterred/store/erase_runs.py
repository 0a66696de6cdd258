"""Removal of a single run's rows in slices, while its experiment stays."""

import sqlalchemy as sa

from undeterred.store.database import Tx
from undeterred.store.erase import ROWS
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.logs import task_logs
from undeterred.store.schema.metrics import reports
from undeterred.store.schema.registry import checkpoints, model_versions, models
from undeterred.store.schema.tasks import run_tasks, tasks


def stored_checkpoints(tx: Tx, run_id: int) -> list[str]:
    """Uuids of the run's checkpoints that may still have files."""
    query = sa.select(checkpoints.c.uuid).where(checkpoints.c.run_id == run_id, checkpoints.c.state != "DELETED")
    return tx.values(query.order_by(checkpoints.c.id))


def registered_as(tx: Tx, run_id: int) -> str | None:
    """A model that has one of the run's checkpoints as a version, or None."""
    query = (
        sa.select(models.c.name)
        .join(model_versions, model_versions.c.model_id == models.c.id)
        .join(checkpoints, checkpoints.c.id == model_versions.c.checkpoint_id)
        .where(checkpoints.c.run_id == run_id)
    )
    found: str | None = tx.value(query.order_by(models.c.id).limit(1))
    return found


def slice_of(tx: Tx, run_id: int) -> bool:
    """Remove some of the run's logs and metrics; False when only the run itself is left."""
    theirs = sa.select(run_tasks.c.task_id).where(run_tasks.c.run_id == run_id)
    for table, owned in ((task_logs, task_logs.c.task_id.in_(theirs)), (reports, reports.c.run_id == run_id)):
        if tx.run(sa.delete(table).where(table.c.id.in_(sa.select(table.c.id).where(owned).limit(ROWS)))) >= ROWS:
            return True
    return False


def finish(tx: Tx, run_id: int) -> None:
    """Remove the run itself with its tasks, and what its experiment knows of it: its best run and the sums of checkpoints."""
    row = tx.row(sa.select(runs.c.experiment_id).where(runs.c.id == run_id))
    if row is None:
        return
    theirs = tx.values(sa.select(run_tasks.c.task_id).where(run_tasks.c.run_id == run_id))
    tx.run(sa.delete(tasks).where(tasks.c.id.in_(theirs)))
    tx.run(sa.delete(runs).where(runs.c.id == run_id))
    smaller = tx.value(sa.select(experiments.c.smaller_is_better).where(experiments.c.id == row.experiment_id))
    value = runs.c.searcher_metric_value
    ours = runs.c.experiment_id == row.experiment_id
    best = sa.select(runs.c.id).where(ours, value.is_not(None)).order_by(value if smaller else value.desc(), runs.c.id).limit(1)
    sums = tx.row(sa.select(sa.func.sum(runs.c.checkpoint_count), sa.func.sum(runs.c.checkpoint_size)).where(ours))
    count, size = sums if sums is not None else (0, 0)
    statement = sa.update(experiments).where(experiments.c.id == row.experiment_id)
    tx.run(statement.values(best_run_id=tx.value(best), checkpoint_count=int(count or 0), checkpoint_size=int(size or 0)))
