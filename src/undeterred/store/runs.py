"""Runs, which the API also calls trials: the rows behind their lifecycle."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.store.database import Tx
from undeterred.store.fast import Prepared, insert_counted, insert_row, update_row
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.schema.tasks import run_tasks

_TARGET = (
    sa.select(
        runs,
        experiments.c.user_id,
        experiments.c.unmanaged,
        experiments.c.archived.label("experiment_archived"),
        projects.c.workspace_id,
        workspaces.c.user_id.label("workspace_owner"),
    )
    .join(experiments, experiments.c.id == runs.c.experiment_id)
    .join(projects, projects.c.id == experiments.c.project_id)
    .join(workspaces, workspaces.c.id == projects.c.workspace_id)
)
_SEARCHED = frozenset(("hparams", "metadata", "summary_metrics", "project_id"))
"""Columns from which values to search by are made."""
_ID: sa.BindParameter[int] = sa.bindparam("id")
_GET = Prepared(_TARGET.where(runs.c.id == _ID))
_LOCKED = Prepared(sa.select(runs).where(runs.c.id == _ID), locked=True)
_OF_TASK = Prepared(sa.select(run_tasks.c.run_id).where(run_tasks.c.task_id == sa.bindparam("task")))
_TASKS = Prepared(sa.select(run_tasks.c.task_id).where(run_tasks.c.run_id == _ID).order_by(run_tasks.c.seq))
_BY_REQUEST = Prepared(
    sa.select(runs).where(runs.c.experiment_id == sa.bindparam("experiment"), runs.c.request_id == sa.bindparam("request"))
)
_NEXT_LOCAL_ID = Prepared(
    sa.update(projects)
    .where(projects.c.id == sa.bindparam("id"))
    .values(run_counter=projects.c.run_counter + 1)
    .returning(projects.c.run_counter)
)
_SILENT = Prepared(  # an unmanaged experiment is RUNNING as long as one of its trials is
    sa.select(runs.c.id, runs.c.experiment_id, runs.c.last_activity, runs.c.start_time)
    .join(experiments, experiments.c.id == runs.c.experiment_id)
    .where(
        experiments.c.state == sa.literal_column("'RUNNING'"),
        runs.c.state == sa.literal_column("'RUNNING'"),
        sa.func.coalesce(runs.c.last_activity, runs.c.start_time) < sa.bindparam("before"),
    )
    .order_by(runs.c.id)
)
_WAITING_FOR = Prepared(sa.select(runs).where(runs.c.waits_for == _ID).order_by(runs.c.id))


def create(tx: Tx, experiment_id: int, project_id: int, *, numbered: bool = True, **columns: Any) -> int:
    """Store a new run with the next local number of its project (0 unless `numbered`); its id."""
    local_id = next_local_id(tx, project_id) if numbered else 0
    place = {"experiment_id": experiment_id, "project_id": project_id, "local_id": local_id, "start_time": tx.now}
    return insert_counted(tx, runs, place | columns)


def next_local_id(tx: Tx, project_id: int) -> int:
    """Take the next number of a run inside its project."""
    return int(_NEXT_LOCAL_ID.value(tx, id=project_id))


def get(tx: Tx, run_id: int) -> Any:
    """A run with its owner and workspace; raises NotFound."""
    row = _GET.first(tx, id=run_id)
    if row is None:
        raise NotFound(f"trial {run_id} not found")
    return row


def locked(tx: Tx, run_id: int) -> Any:
    """The row alone, held until the commit (lock its experiment first); raises NotFound."""
    row = _LOCKED.first(tx, id=run_id)
    if row is None:
        raise NotFound(f"trial {run_id} not found")
    return row


def of_task(tx: Tx, task_id: str) -> int | None:
    """The run that a task belongs to, or None for tasks that are no trials."""
    found: int | None = _OF_TASK.value(tx, task=task_id)
    return found


def task_ids(tx: Tx, run_id: int) -> list[str]:
    """The tasks of a run, oldest first."""
    return _TASKS.values(tx, id=run_id)


def link_task(tx: Tx, run_id: int, task_id: str, seq: int) -> None:
    """Note that a task belongs to a run; `seq` counts the continues before it."""
    insert_row(tx, run_tasks, {"run_id": run_id, "task_id": task_id, "seq": seq})


def by_request(tx: Tx, experiment_id: int, request_id: str) -> Any | None:
    """The run that a search calls so, or None."""
    return _BY_REQUEST.first(tx, experiment=experiment_id, request=request_id)


def ids_by_request(tx: Tx, experiment_id: int, request_ids: Collection[str]) -> dict[str, int]:
    """Request id -> id of the run, for those that are there."""
    found: dict[str, int] = {}
    wanted = list(dict.fromkeys(request_ids))
    for start in range(0, len(wanted), 10_000):
        part = wanted[start : start + 10_000]
        query = sa.select(runs.c.request_id, runs.c.id).where(runs.c.experiment_id == experiment_id, runs.c.request_id.in_(part))
        found.update((row.request_id, row.id) for row in tx.rows(query))
    return found


def by_external_id(tx: Tx, experiment_id: int, external_id: str) -> Any | None:
    """The run that a program outside calls so, or None."""
    return tx.row(sa.select(runs).where(runs.c.experiment_id == experiment_id, runs.c.external_id == external_id))


def of_experiment(tx: Tx, experiment_id: int, states: Collection[str] | None = None) -> list[Any]:
    """The runs of an experiment, oldest first; only those in `states` when given."""
    query = sa.select(runs).where(runs.c.experiment_id == experiment_id).order_by(runs.c.id)
    return tx.rows(query if states is None else query.where(runs.c.state.in_(states)))


def any_not_in(tx: Tx, experiment_id: int, states: Collection[str]) -> bool:
    """Whether a run of the experiment is in another state than these."""
    query = sa.select(runs.c.id).where(runs.c.experiment_id == experiment_id, runs.c.state.not_in(states)).limit(1)
    return tx.value(query) is not None


def with_progress(tx: Tx, experiment_id: int) -> list[Any]:
    """Request id and progress of the live runs that have reported any, oldest first."""
    query = sa.select(runs.c.request_id, runs.c.progress).where(
        runs.c.experiment_id == experiment_id, runs.c.progress.is_not(None), runs.c.end_time.is_(None)
    )
    return tx.rows(query.order_by(runs.c.id))


def waiting_for(tx: Tx, run_id: int) -> list[Any]:
    """The runs that take the place of this one once it is gone."""
    return _WAITING_FOR.rows(tx, id=run_id)


def update(tx: Tx, run_id: int, **columns: Any) -> None:
    """Change columns of one run."""
    if not _SEARCHED.isdisjoint(columns):
        columns["values_stale"] = True
    update_row(tx, runs, run_id, columns)


def silent(tx: Tx, before: int) -> list[Any]:
    """Unmanaged runs that are RUNNING and were last heard of before this time."""
    return _SILENT.rows(tx, before=before)
