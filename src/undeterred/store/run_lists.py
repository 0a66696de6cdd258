"""Searches of runs: which, in what order, and what lists show of them."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

import sqlalchemy as sa

from undeterred.core.filters.columns import Table
from undeterred.core.filters.sort import SortKey
from undeterred.core.filters.tree import Filter
from undeterred.core.rights import Scope
from undeterred.store.bulk import chunks
from undeterred.store.database import Tx
from undeterred.store.filters import Compiler
from undeterred.store.paging import Page
from undeterred.store.run_values import RUNS, Values
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.identity import users
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.search_columns import LOCAL_ID, MULTITRIAL, PARENT_ARCHIVED, RUN_ARCHIVED, Needs

_JOINED = (
    runs.join(experiments, experiments.c.id == runs.c.experiment_id)
    .join(users, users.c.id == experiments.c.user_id)
    .join(projects, projects.c.id == runs.c.project_id)
    .join(workspaces, workspaces.c.id == projects.c.workspace_id)
)
_SHOWN = sa.select(
    runs,
    RUN_ARCHIVED.label("shown_archived"),
    LOCAL_ID.label("shown_local_id"),
    MULTITRIAL.label("multitrial"),
    PARENT_ARCHIVED.label("parent_archived"),
    experiments.c.name,
    experiments.c.description,
    experiments.c.labels,
    experiments.c.searcher_name,
    experiments.c.searcher_metric,
    experiments.c.parent_id,
    experiments.c.resource_pool,
    experiments.c.unmanaged,
    experiments.c.user_id,
    experiments.c.external_id.label("external_experiment_id"),
    experiments.c.progress.label("experiment_progress"),
    projects.c.name.label("project_name"),
    projects.c.workspace_id,
    workspaces.c.name.label("workspace_name"),
).select_from(_JOINED)


def search(
    tx: Tx, scope: Scope, project_id: int | None, filter_: Filter, keys: Sequence[SortKey], cut: Callable[[int], Page]
) -> tuple[list[Any], Page]:
    """A page of the runs that a filter chooses, in one project or in all: rows for `views.runs`."""
    compiler, where = _chosen(tx, scope, project_id, filter_)
    counted = _JOINED if compiler.needs is Needs.ALL else runs
    page = cut(int(tx.value(sa.select(sa.func.count()).select_from(counted).where(*where))))
    if page.end <= page.start:
        return [], page
    order, joins = compiler.order(keys)
    source: Any = _JOINED if compiler.needs is Needs.ALL else runs
    for table, condition in joins:
        source = source.outerjoin(table, condition)
    query = sa.select(runs.c.id).select_from(source).where(*where).order_by(*order)
    return load(tx, tx.values(query.offset(page.start).limit(page.end - page.start))), page


def ids(tx: Tx, scope: Scope, project_id: int | None, filter_: Filter) -> list[int]:
    """Ids of all runs that a filter chooses, in one project or in all; ascending."""
    compiler, where = _chosen(tx, scope, project_id, filter_)
    source: Any = _JOINED if compiler.needs is Needs.ALL else runs
    return tx.values(sa.select(runs.c.id).select_from(source).where(*where).order_by(runs.c.id))


def load(tx: Tx, run_ids: Collection[int]) -> list[Any]:
    """Rows of these runs in this order; unknown ids are left out."""
    rows = {row.id: row for part in chunks(run_ids) for row in tx.rows(_SHOWN.where(runs.c.id.in_(part)))}
    return [rows[run_id] for run_id in run_ids if run_id in rows]


def _chosen(tx: Tx, scope: Scope, project_id: int | None, filter_: Filter) -> tuple[Compiler, list[Any]]:
    within: Any = project_id
    if project_id is None:
        within = sa.select(projects.c.id)
        if not scope.everywhere:
            within = within.where(projects.c.workspace_id.in_(scope.workspaces))
    values = Values(tx, RUNS, within)
    compiler = Compiler(tx, Table.RUNS, values, values)
    where: list[Any] = [compiler.condition(filter_.root), values.within(runs.c.project_id)]
    if not filter_.show_archived:
        where.append(sa.not_(runs.c.archived))
        where.append(runs.c.experiment_id.not_in(sa.select(experiments.c.id).where(experiments.c.archived)))
    return compiler, where
