"""Tasks whose logs have been kept for long enough."""

from typing import Any

import sqlalchemy as sa

from undeterred.base.clock import Micros
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import runs
from undeterred.store.schema.logs import task_logs
from undeterred.store.schema.tasks import run_tasks, tasks

_HAS_LINES = sa.exists(sa.select(task_logs.c.id).where(task_logs.c.task_id == tasks.c.id).correlate(tasks))


def settings_of_runs(tx: Tx) -> list[int | None]:
    """Every number of days that some run's logs are kept; None stands for the cluster's own setting."""
    return tx.values(sa.select(runs.c.log_retention_days).distinct())


def set_of_experiment(tx: Tx, experiment_id: int, days: int) -> None:
    """Set the number of days for all runs of an experiment."""
    tx.run(sa.update(runs).where(runs.c.experiment_id == experiment_id).values(log_retention_days=days))


def of_runs(tx: Tx, days: int | None, ended_before: Micros, limit: int) -> list[str]:
    """Tasks that have lines, of runs with this setting that ended before, oldest first."""
    same = runs.c.log_retention_days.is_(None) if days is None else runs.c.log_retention_days == days
    query = (
        sa.select(tasks.c.id)
        .join(run_tasks, run_tasks.c.task_id == tasks.c.id)
        .join(runs, runs.c.id == run_tasks.c.run_id)
        .where(same, runs.c.end_time < ended_before, _HAS_LINES)
        .order_by(runs.c.id, tasks.c.id)
        .limit(limit)
    )
    return tx.values(query)


def of_others(tx: Tx, ended_before: Micros, limit: int) -> list[str]:
    """Tasks that have lines and are no trials, that ended before, oldest first."""
    conditions: list[Any] = [tasks.c.task_type != "TRIAL", tasks.c.end_time < ended_before, _HAS_LINES]
    return tx.values(sa.select(tasks.c.id).where(*conditions).order_by(tasks.c.end_time, tasks.c.id).limit(limit))
