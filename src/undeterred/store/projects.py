"""Projects, with what the experiments in them add up to."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa

from undeterred.base.clock import Micros
from undeterred.base.errors import NotFound
from undeterred.base.struct import Struct
from undeterred.core.rights import Scope
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.identity import users
from undeterred.store.schema.registry import checkpoints, model_versions, models
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.schema.tasks import jobs, tasks

_ARCHIVED = sa.or_(projects.c.archived, workspaces.c.archived)
_JOINED = projects.join(workspaces, workspaces.c.id == projects.c.workspace_id).join(users, users.c.id == projects.c.user_id)
_SHOWN = sa.select(
    projects,
    _ARCHIVED.label("shown_archived"),
    users.c.username,
    workspaces.c.name.label("workspace_name"),
    workspaces.c.user_id.label("workspace_owner"),
).select_from(_JOINED)
"""A project of an archived workspace is shown as archived (`shown_archived`)."""


class ProjectFilter(Struct, frozen=True):
    """Which projects a list shows; what is left out does not filter."""

    workspace_id: int = 0
    name: str = ""
    """The whole name, ignoring case; `%` and `_` are wildcards."""
    archived: bool | None = None
    users: Collection[str] = ()
    """Owned by one of these user names."""
    user_ids: Collection[int] = ()


class Contents(Struct, frozen=True):
    """How much is inside a project."""

    experiments: int = 0
    active: int = 0
    """Experiments whose stored state is ACTIVE."""
    last_started: Micros | None = None
    runs: int = 0


def get(tx: Tx, project_id: int) -> Any:
    """A project with its owner's name and its workspace (`username`, `workspace_name`, `workspace_owner`); raises NotFound."""
    return _found(tx.row(_SHOWN.where(projects.c.id == project_id)), f"project {project_id}")


def locked(tx: Tx, project_id: int) -> Any:
    """The same, held until the commit."""
    tx.locked(sa.select(projects.c.id).where(projects.c.id == project_id))
    return get(tx, project_id)


def by_key(tx: Tx, key: str) -> Any:
    """A project by its key, in any case; raises NotFound."""
    return _found(tx.row(_SHOWN.where(projects.c.key == key.upper())), f"project with key {key[:20]!r}")


def by_name(tx: Tx, workspace_id: int, name: str) -> Any | None:
    """A project of a workspace by its exact name, or None."""
    return tx.row(_SHOWN.where(projects.c.workspace_id == workspace_id, projects.c.name == name))


def with_ids(tx: Tx, project_ids: Collection[int]) -> dict[int, Any]:
    """Id -> row of those of the ids that are projects."""
    return {row.id: row for row in tx.rows(_SHOWN.where(projects.c.id.in_(set(project_ids))))}


def count(tx: Tx, scope: Scope, which: ProjectFilter) -> int:
    """How many projects a filter admits."""
    query = sa.select(sa.func.count()).select_from(_JOINED).where(*_conditions(tx, scope, which))
    return int(tx.value(query))


SORTS = frozenset({"id", "created_at", "last_started", "name", "description"})
"""What lists of projects can be sorted by."""


def search(tx: Tx, scope: Scope, which: ProjectFilter, sort: str, *, descending: bool, start: int, end: int) -> list[Any]:
    """Projects `start` to `end` of those that a filter admits; ones without the sorted value last, in descending order first."""
    query = _SHOWN.where(*_conditions(tx, scope, which))
    if sort == "last_started":
        latest = sa.func.max(experiments.c.start_time).label("latest")
        started = sa.select(experiments.c.project_id, latest).group_by(experiments.c.project_id).subquery()
        query = query.outerjoin(started, started.c.project_id == projects.c.id)
        key: Any = started.c.latest
    else:
        key = projects.c[sort]
    first = key.desc().nulls_first() if descending else key.asc().nulls_last()
    query = query.order_by(first, projects.c.id.desc() if descending else projects.c.id.asc())
    return tx.rows(query.offset(start).limit(end - start))


def contents(tx: Tx, project_ids: Collection[int]) -> dict[int, Contents]:
    """What is inside each of these projects."""
    wanted = set(project_ids)
    active = sa.func.sum(sa.case((experiments.c.state == "ACTIVE", 1), else_=0))
    held = tx.rows(
        sa.select(
            experiments.c.project_id,
            sa.func.count().label("experiments"),
            active.label("active"),
            sa.func.max(experiments.c.start_time).label("last_started"),
        )
        .where(experiments.c.project_id.in_(wanted))
        .group_by(experiments.c.project_id)
    )
    counted = tx.rows(
        sa.select(runs.c.project_id, sa.func.count().label("runs"))
        .where(runs.c.project_id.in_(wanted))
        .group_by(runs.c.project_id)
    )
    run_counts = {row.project_id: row.runs for row in counted}
    found = {project_id: Contents(runs=number) for project_id, number in run_counts.items()}
    for row in held:
        found[row.project_id] = Contents(row.experiments, int(row.active), row.last_started, run_counts.get(row.project_id, 0))
    return found


def key_is_taken(tx: Tx, key: str) -> bool:
    """Whether a key (in capitals) is a project's."""
    return tx.row(sa.select(projects.c.id).where(projects.c.key == key)) is not None


def create(tx: Tx, name: str, workspace_id: int, user_id: int, key: str, **columns: Any) -> int:
    """Store a new project; its id."""
    return tx.insert(projects, name=name, workspace_id=workspace_id, user_id=user_id, key=key, created_at=tx.now, **columns)


def update(tx: Tx, project_id: int, **columns: Any) -> None:
    """Change columns of a project."""
    tx.run(sa.update(projects).where(projects.c.id == project_id).values(**columns))


def delete(tx: Tx, project_id: int) -> None:
    """Remove a project that holds no experiments any more."""
    tx.run(sa.delete(projects).where(projects.c.id == project_id))


def of_workspace(tx: Tx, workspace_id: int) -> list[int]:
    """Ids of the projects in a workspace."""
    return tx.values(sa.select(projects.c.id).where(projects.c.workspace_id == workspace_id).order_by(projects.c.id))


def in_state(tx: Tx, state: str) -> list[Any]:
    """Id and workspace of the projects in a state."""
    query = sa.select(projects.c.id, projects.c.workspace_id).where(projects.c.state == state)
    return tx.rows(query.order_by(projects.c.id))


def experiments_in(tx: Tx, project_ids: Collection[int], limit: int | None = None) -> list[Any]:
    """Id, state, kind and error of the experiments in these projects, oldest first."""
    columns = (experiments.c.id, experiments.c.state, experiments.c.unmanaged, experiments.c.error)
    query = sa.select(*columns).where(experiments.c.project_id.in_(set(project_ids))).order_by(experiments.c.id)
    return tx.rows(query if limit is None else query.limit(limit))


def registered_in(tx: Tx, project_ids: Collection[int], limit: int = 5) -> list[Any]:
    """Experiment id and model name of registered checkpoints of these projects' experiments."""
    return tx.rows(
        sa.select(runs.c.experiment_id, models.c.name)
        .select_from(
            model_versions.join(checkpoints, checkpoints.c.id == model_versions.c.checkpoint_id)
            .join(models, models.c.id == model_versions.c.model_id)
            .join(runs, runs.c.id == checkpoints.c.run_id)
        )
        .where(runs.c.project_id.in_(set(project_ids)))
        .order_by(model_versions.c.id)
        .limit(limit)
    )


def retry_deletions(tx: Tx, project_ids: Collection[int]) -> None:
    """Experiments of these projects whose deletion was given up are to be deleted again."""
    failed = (experiments.c.project_id.in_(set(project_ids))) & (experiments.c.state == "DELETE_FAILED")
    tx.run(sa.update(experiments).where(failed).values(state="DELETING", error=""))


def move_work(tx: Tx, project_id: int, workspace_id: int) -> None:
    """Jobs and tasks of a project's experiments follow it into another workspace."""
    ours = sa.select(experiments.c.job_id).where(experiments.c.project_id == project_id, experiments.c.job_id.is_not(None))
    for table, column in ((jobs, jobs.c.id), (tasks, tasks.c.job_id)):
        tx.run(sa.update(table).where(column.in_(ours)).values(workspace_id=workspace_id))


def metadata_texts(tx: Tx, project_id: int, key: str, limit: int = 10_000) -> list[str]:
    """The different texts that runs of a project have in their metadata under a dotted key, sorted; other kinds are left out."""
    path = key.split(".")
    value, is_text = dialect.json_text(tx.conn, runs.c.metadata, *path), dialect.json_is_text(tx.conn, runs.c.metadata, *path)
    found = sa.select(value.label("text")).where(runs.c.project_id == project_id, is_text).distinct()
    return tx.values(found.order_by("text").limit(limit))


def metric_range(tx: Tx, project_id: int) -> tuple[float | None, float | None]:
    """Least and greatest best value of the searcher's metric among the runs of a project; None without any."""
    value = runs.c.searcher_metric_value
    row = tx.row(sa.select(sa.func.min(value), sa.func.max(value)).where(runs.c.project_id == project_id))
    return (None, None) if row is None else (row[0], row[1])


def _conditions(tx: Tx, scope: Scope, which: ProjectFilter) -> list[sa.ColumnElement[bool]]:
    conditions: list[sa.ColumnElement[bool]] = [] if scope.everywhere else [projects.c.workspace_id.in_(scope.workspaces)]
    if which.workspace_id:
        conditions.append(projects.c.workspace_id == which.workspace_id)
    if which.name:
        conditions.append(dialect.ilike(tx.conn, projects.c.name, which.name))
    if which.archived is not None:
        conditions.append(_ARCHIVED if which.archived else sa.not_(_ARCHIVED))
    if which.users:
        conditions.append(users.c.username.in_(set(which.users)))
    if which.user_ids:
        conditions.append(projects.c.user_id.in_(set(which.user_ids)))
    return conditions


def _found(row: Any | None, what: str) -> Any:
    if row is None:
        raise NotFound(f"{what} not found")
    return row
