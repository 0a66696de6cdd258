"""Lists of experiments by plain filters: which, in what order, and how many."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.core.rights import Scope
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.experiment_rows import JOINED, LISTED, NUM_TRIALS
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.identity import users
from undeterred.store.schema.spaces import workspaces

STATE_ORDER = (
    "ACTIVE",
    "PAUSED",
    "STOPPING_COMPLETED",
    "STOPPING_CANCELED",
    "STOPPING_ERROR",
    "COMPLETED",
    "CANCELED",
    "ERROR",
    "DELETED",
    "DELETING",
    "DELETE_FAILED",
    "STOPPING_KILLED",
    "QUEUED",
    "PULLING",
    "STARTING",
    "RUNNING",
)
"""States in the order in which a sort by state puts them."""

METRIC = sa.select(runs.c.searcher_metric_value).where(runs.c.id == experiments.c.best_run_id).scalar_subquery()
"""The best value of the searcher's metric."""

SORTS: dict[str, sa.ColumnElement[Any]] = {
    "id": experiments.c.id,
    "name": experiments.c.name,
    "description": sa.func.nullif(experiments.c.description, ""),
    "start_time": experiments.c.start_time,
    "end_time": experiments.c.end_time,
    "state": sa.case({word: place for place, word in enumerate(STATE_ORDER)}, value=experiments.c.state, else_=None),
    "num_trials": NUM_TRIALS,
    "progress": sa.func.coalesce(experiments.c.progress, 0.0),
    "user": sa.func.coalesce(sa.func.nullif(users.c.display_name, ""), users.c.username),
    "forked_from": experiments.c.parent_id,
    "resource_pool": experiments.c.resource_pool,
    "project_id": experiments.c.project_id,
    "checkpoint_size": experiments.c.checkpoint_size,
    "checkpoint_count": experiments.c.checkpoint_count,
    "metric": METRIC,
}
"""What a list can be sorted by."""


@dataclass(frozen=True, slots=True)
class IdFilter:
    """Bounds and sets of ids; None and empty parts do not filter."""

    lt: int | None = None
    lte: int | None = None
    gt: int | None = None
    gte: int | None = None
    incl: Sequence[int] = ()
    not_in: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class ExperimentFilter:
    """Which experiments; empty parts choose all."""

    project_id: int = 0
    name: str = ""
    """A part of the name, whatever its case; `%` and `_` are wildcards."""
    description: str = ""
    """Likewise."""
    labels: Sequence[str] = ()
    """All of them."""
    archived: bool | None = None
    states: Sequence[str] = ()
    """Stored states."""
    users: Sequence[str] = ()
    user_ids: Sequence[int] = ()
    ids: IdFilter = IdFilter()


def count(tx: Tx, scope: Scope, which: ExperimentFilter) -> int:
    """How many experiments there are."""
    query = sa.select(sa.func.count()).select_from(JOINED).where(*_conditions(tx, scope, which))
    return int(tx.value(query))


def page(
    tx: Tx,
    scope: Scope,
    which: ExperimentFilter,
    sort: str,
    *,
    descending: bool,
    start: int,
    end: int,
) -> list[Any]:
    """Rows `start` to `end` by a key of `SORTS`: those without a value last, ties by id in the same direction.

    Each row is one of `experiment_rows.LISTED` with `best_value`, the best value of the searcher's metric.
    """
    if end <= start:
        return []
    key = SORTS[sort]
    order = [(key.desc() if descending else key.asc()).nulls_last()]
    if sort != "id":
        order.append(experiments.c.id.desc() if descending else experiments.c.id.asc())
    query = LISTED.add_columns(METRIC.label("best_value")).where(*_conditions(tx, scope, which))
    return tx.rows(query.order_by(*order).offset(start).limit(end - start))


def labels(tx: Tx, scope: Scope, project_id: int) -> list[str]:
    """Every label in use (in one project unless that is 0), those of most experiments first."""
    conditions = _conditions(tx, scope, ExperimentFilter(project_id=project_id))
    query = sa.select(experiments.c.labels, sa.func.count()).select_from(JOINED).where(experiments.c.labels != "[]", *conditions)
    counts: Counter[str] = Counter()
    for text, number in tx.rows(query.group_by(experiments.c.labels)):
        for label in json.loads(text):
            counts[label] += number
    return sorted(counts, key=lambda label: (-counts[label], label))


def _conditions(tx: Tx, scope: Scope, which: ExperimentFilter) -> list[sa.ColumnElement[bool]]:
    found: list[sa.ColumnElement[bool]] = []
    if not scope.everywhere:
        found.append(workspaces.c.id.in_(scope.workspaces))
    if which.project_id:
        found.append(experiments.c.project_id == which.project_id)
    for column, part in ((experiments.c.name, which.name), (experiments.c.description, which.description)):
        if part:
            found.append(dialect.ilike(tx.conn, column, f"%{part}%"))
    found += [dialect.json_has_text(tx.conn, experiments.c.labels, label) for label in which.labels]
    if which.archived is not None:
        found.append(experiments.c.archived.is_(which.archived))
    if which.states:
        found.append(experiments.c.state.in_(which.states))
    if which.users:
        found.append(users.c.username.in_(which.users))
    if which.user_ids:
        found.append(experiments.c.user_id.in_(which.user_ids))
    return found + _by_id(which.ids)


def _by_id(ids: IdFilter) -> list[sa.ColumnElement[bool]]:
    column = experiments.c.id
    found: list[sa.ColumnElement[bool]] = []
    if ids.lt is not None:
        found.append(column < ids.lt)
    if ids.lte is not None:
        found.append(column <= ids.lte)
    if ids.gt is not None:
        found.append(column > ids.gt)
    if ids.gte is not None:
        found.append(column >= ids.gte)
    if ids.incl:
        found.append(column.in_(ids.incl))
    if ids.not_in:
        found.append(column.not_in(ids.not_in))
    return found
