"""Notebooks, shells, commands and TensorBoards as lists show them: the task with its owner, its job and its latest start."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base.clock import DAY
from undeterred.base.struct import Struct
from undeterred.core.rights import Scope
from undeterred.store.database import Tx
from undeterred.store.schema.base import Text
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.identity import users
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.schema.tasks import allocations, jobs, tasks

LISTED_FOR = DAY
"""So long (microseconds) a task stays in lists after its end."""

SORTS = {"id": tasks.c.id, "description": tasks.c.name, "start_time": tasks.c.start_time, "workspace_id": tasks.c.workspace_id}
"""What lists can be sorted by."""

_COLUMNS = ("state", "nodes", "addresses", "ports", "cause", "exit_code", "exit_reason")
_LATEST = tasks.c.id + sa.literal(".") + sa.cast(tasks.c.allocation_counter, Text)
_FROM = (
    tasks.join(users, users.c.id == tasks.c.user_id)
    .join(jobs, jobs.c.id == tasks.c.job_id)
    .outerjoin(workspaces, workspaces.c.id == tasks.c.workspace_id)
    .outerjoin(allocations, allocations.c.id == _LATEST)
)
_SHOWN = sa.select(
    tasks,
    users.c.username,
    users.c.display_name,
    jobs.c.resource_pool,
    jobs.c.priority,
    workspaces.c.user_id.label("workspace_owner"),
    allocations.c.id.label("allocation_id"),
    *(allocations.c[name].label(f"allocation_{name}") for name in _COLUMNS),
).select_from(_FROM)


class TaskFilter(Struct, frozen=True):
    """Which tasks of one kind a list shows; what is left out does not filter."""

    task_type: str
    users: Collection[str] = ()
    """Started by one of these user names, or by one of `user_ids`."""
    user_ids: Collection[int] = ()
    workspace_id: int = 0


def find(tx: Tx, task_type: str, task_id: str) -> Any | None:
    """One task of a kind, or None. Columns of its latest start have the prefix `allocation_`."""
    return tx.row(_SHOWN.where(tasks.c.id == task_id, tasks.c.task_type == task_type))


def count(tx: Tx, scope: Scope, chosen: TaskFilter) -> int:
    """How many tasks `search` finds."""
    return int(tx.value(sa.select(sa.func.count()).select_from(_FROM).where(*_conditions(tx, scope, chosen))))


def search(tx: Tx, scope: Scope, chosen: TaskFilter, sort: str, *, descending: bool, start: int, end: int) -> list[Any]:
    """Tasks that live or ended within the last day, `start` to `end` of the list that is sorted by one of `SORTS`."""
    column = SORTS[sort]
    order = column.desc() if descending else column.asc()
    query = _SHOWN.where(*_conditions(tx, scope, chosen)).order_by(order, tasks.c.id)
    return tx.rows(query.offset(start).limit(end - start))


def experiments_of(tx: Tx, experiment_ids: Collection[int]) -> list[Any]:
    """Configuration and owners of experiments, for a TensorBoard of them, oldest first; unknown ones are left out."""
    query = (
        sa.select(
            experiments.c.id,
            experiments.c.config,
            experiments.c.user_id,
            projects.c.workspace_id,
            workspaces.c.user_id.label("workspace_owner"),
        )
        .join(projects, projects.c.id == experiments.c.project_id)
        .join(workspaces, workspaces.c.id == projects.c.workspace_id)
        .where(experiments.c.id.in_(experiment_ids))
    )
    return tx.rows(query.order_by(experiments.c.id))


def experiment_of_trials(tx: Tx, trial_ids: Collection[int]) -> dict[int, int]:
    """Trial id -> experiment id, for those that exist."""
    query = sa.select(runs.c.id, runs.c.experiment_id).where(runs.c.id.in_(trial_ids))
    return {row.id: row.experiment_id for row in tx.rows(query)}


def _conditions(tx: Tx, scope: Scope, chosen: TaskFilter) -> list[Any]:
    found: list[Any] = [
        tasks.c.task_type == chosen.task_type,
        tasks.c.end_time.is_(None) | (tasks.c.end_time > tx.now - LISTED_FOR),
    ]
    if not scope.everywhere:
        found.append(tasks.c.workspace_id.in_(scope.workspaces))
    if chosen.users or chosen.user_ids:
        found.append(users.c.username.in_(chosen.users) | users.c.id.in_(chosen.user_ids))
    if chosen.workspace_id:
        found.append(tasks.c.workspace_id == chosen.workspace_id)
    return found
