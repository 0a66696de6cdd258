"""Experiments: the rows behind their lifecycle."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.fast import Prepared, update_row
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.schema.tasks import run_tasks

_TARGET = (
    sa.select(experiments, projects.c.workspace_id, workspaces.c.user_id.label("workspace_owner"))
    .join(projects, projects.c.id == experiments.c.project_id)
    .join(workspaces, workspaces.c.id == projects.c.workspace_id)
    .where(experiments.c.id == sa.bindparam("id"))
)
_GET = Prepared(_TARGET)
_LOCKED = Prepared(_TARGET, locked=True, of=experiments)
_LOCK_OF_TASK = Prepared(
    sa.select(experiments.c.id)
    .join(runs, runs.c.experiment_id == experiments.c.id)
    .join(run_tasks, run_tasks.c.run_id == runs.c.id)
    .where(run_tasks.c.task_id == sa.bindparam("task")),
    locked=True,
    of=experiments,
)


def create(tx: Tx, **columns: Any) -> int:
    """Store a new experiment, started now; its id."""
    return tx.insert(experiments, start_time=tx.now, **columns)


def get(tx: Tx, experiment_id: int) -> Any:
    """An experiment with its workspace (`workspace_id`, `workspace_owner`); raises NotFound."""
    return _found(_GET.first(tx, id=experiment_id), experiment_id)


def find(tx: Tx, experiment_id: int) -> Any | None:
    """The same, or None."""
    return _GET.first(tx, id=experiment_id)


def locked(tx: Tx, experiment_id: int) -> Any:
    """The same, held until the commit: of the rows of a lifecycle the experiment is locked first."""
    return _found(_LOCKED.first(tx, id=experiment_id), experiment_id)


def lock_of_runs(tx: Tx, run_ids: Collection[int]) -> None:
    """Hold the experiments of these runs until the commit, in the order of their ids."""
    if not dialect.locks_rows(tx.conn):
        return
    of = sa.select(runs.c.experiment_id).where(runs.c.id.in_(run_ids))
    query = sa.select(experiments.c.id).where(experiments.c.id.in_(of)).order_by(experiments.c.id)
    tx.rows(dialect.lock(tx.conn, query))


def lock_of_task(tx: Tx, task_id: str) -> None:
    """Hold the experiment of a trial's task until the commit; other tasks have none."""
    _LOCK_OF_TASK.rows(tx, task=task_id)


def update(tx: Tx, experiment_id: int, **columns: Any) -> None:
    """Change columns of one experiment."""
    if "config" in columns or "project_id" in columns:
        columns["values_stale"] = True
    update_row(tx, experiments, experiment_id, columns)


def delete(tx: Tx, experiment_id: int) -> None:
    """Remove the row and all that belongs to it by foreign keys."""
    tx.run(sa.delete(experiments).where(experiments.c.id == experiment_id))


def in_states(tx: Tx, states: Collection[str]) -> list[Any]:
    """Id, state and kind of all experiments in these states, oldest first."""
    return tx.rows(
        sa.select(experiments.c.id, experiments.c.state, experiments.c.unmanaged)
        .where(experiments.c.state.in_(states))
        .order_by(experiments.c.id)
    )


def of_job(tx: Tx, job_id: str) -> Any | None:
    """The experiment that a job stands for, or None."""
    return tx.row(sa.select(experiments).where(experiments.c.job_id == job_id))


def by_external_id(tx: Tx, external_id: str) -> Any | None:
    """The unmanaged experiment that a program outside calls so, or None."""
    found = tx.value(sa.select(experiments.c.id).where(experiments.c.external_id == external_id))
    return None if found is None else get(tx, found)


def log_policies(tx: Tx, experiment_id: int) -> str:
    """The log policies of the resolved configuration, as JSON text."""
    query = sa.select(experiments.c.config).where(experiments.c.id == experiment_id)
    return str(tx.value(sa.select(dialect.json_text(tx.conn, query.scalar_subquery(), "log_policies"))) or "[]")


def _found(row: Any | None, experiment_id: int) -> Any:
    if row is None:
        raise NotFound(f"experiment {experiment_id} not found")
    return row


def task_ids(tx: Tx, experiment_id: int) -> list[str]:
    """The tasks of all its trials."""
    return tx.values(
        sa.select(run_tasks.c.task_id).join(runs, runs.c.id == run_tasks.c.run_id).where(runs.c.experiment_id == experiment_id)
    )
