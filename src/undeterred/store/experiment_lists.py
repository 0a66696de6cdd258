"""Lists of experiments by plain filters: which, in what order, and how many."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.struct import Struct
from undeterred.core.filters.columns import Table
from undeterred.core.filters.sort import SortKey
from undeterred.core.filters.tree import Filter
from undeterred.core.rights import Scope
from undeterred.store import dialect
from undeterred.store.bulk import chunks
from undeterred.store.database import Tx
from undeterred.store.experiment_rows import JOINED, LISTED, NUM_TRIALS
from undeterred.store.filters import Compiler
from undeterred.store.paging import Page
from undeterred.store.run_values import EXPERIMENTS, RUNS, Values
from undeterred.store.schema.experiments import experiments
from undeterred.store.schema.identity import users
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.search_columns import BEST_EXTERNAL_ID, BEST_VALUE, OWNER_NAME, in_order

SORTS: dict[str, sa.ColumnElement[Any]] = {
    "id": experiments.c.id,
    "name": experiments.c.name,
    "description": sa.func.nullif(experiments.c.description, ""),
    "start_time": experiments.c.start_time,
    "end_time": experiments.c.end_time,
    "state": in_order(experiments.c.state),
    "num_trials": NUM_TRIALS,
    "progress": sa.func.coalesce(experiments.c.progress, 0.0),
    "user": OWNER_NAME,
    "forked_from": experiments.c.parent_id,
    "resource_pool": experiments.c.resource_pool,
    "project_id": experiments.c.project_id,
    "checkpoint_size": experiments.c.checkpoint_size,
    "checkpoint_count": experiments.c.checkpoint_count,
    "metric": BEST_VALUE,
}
"""What a list can be sorted by."""


class IdFilter(Struct, frozen=True):
    """Bounds and sets of ids; None and empty parts do not filter."""

    lt: int | None = None
    lte: int | None = None
    gt: int | None = None
    gte: int | None = None
    incl: Sequence[int] = ()
    not_in: Sequence[int] = ()


class ExperimentFilter(Struct, frozen=True):
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
    plain = scope.everywhere and not which.users  # no condition on what is joined, and every experiment has all of it
    query = sa.select(sa.func.count()).select_from(experiments if plain else JOINED).where(*_conditions(tx, scope, which))
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
    query = LISTED.add_columns(BEST_VALUE.label("best_value")).where(*_conditions(tx, scope, which))
    return tx.rows(query.order_by(*order).offset(start).limit(end - start))


def search(
    tx: Tx, scope: Scope, project_id: int | None, filter_: Filter, keys: Sequence[SortKey], cut: Callable[[int], Page]
) -> tuple[list[Any], Page]:
    """A page of the experiments that a filter chooses, in one project or in all.

    Each row is one of `experiment_rows.LISTED` with `best_value`, the best value of the searcher's metric, and
    `best_external_id`, what a program outside calls the run that has it.
    """
    within = project_id if project_id is not None else projects_in(scope)
    compiler = Compiler(tx, Table.EXPERIMENTS, Values(tx, EXPERIMENTS, within), Values(tx, RUNS, within))
    where = [compiler.condition(filter_.root)]
    where.append(experiments.c.project_id == within if isinstance(within, int) else experiments.c.project_id.in_(within))
    if not filter_.show_archived:
        where.append(sa.not_(experiments.c.archived))
    page = cut(int(tx.value(sa.select(sa.func.count()).select_from(JOINED).where(*where))))
    if page.end <= page.start:
        return [], page
    order, joins = compiler.order(keys)
    source: Any = JOINED
    for table, condition in joins:
        source = source.outerjoin(table, condition)
    ids = sa.select(experiments.c.id).select_from(source).where(*where).order_by(*order)
    chosen = tx.values(ids.offset(page.start).limit(page.end - page.start))
    query = LISTED.add_columns(BEST_EXTERNAL_ID.label("best_external_id"), BEST_VALUE.label("best_value"))
    rows = {row.id: row for part in chunks(chosen) for row in tx.rows(query.where(experiments.c.id.in_(part)))}
    return [rows[one] for one in chosen], page


def projects_in(scope: Scope) -> sa.Select[Any]:
    """Ids of all projects that may be seen."""
    query = sa.select(projects.c.id)
    return query if scope.everywhere else query.where(projects.c.workspace_id.in_(scope.workspaces))


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
