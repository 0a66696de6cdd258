"""Checkpoints: their rows, the lists of them, and the counts and sizes that trials and experiments show."""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.errors import NotFound
from undeterred.core.metrics.checks import TRAINING, VALIDATION, number
from undeterred.store import dialect
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.metrics import metric_groups, reports
from undeterred.store.schema.registry import checkpoints, model_versions, models, storages
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.schema.tasks import run_tasks

COMPLETED, PARTIALLY_DELETED, DELETED = "COMPLETED", "PARTIALLY_DELETED", "DELETED"
MAX_SUM = 2**63 - 1

_TARGET = (
    sa.select(
        checkpoints,
        runs.c.experiment_id,
        experiments.c.user_id,
        projects.c.workspace_id,
        workspaces.c.user_id.label("workspace_owner"),
    )
    .join(runs, runs.c.id == checkpoints.c.run_id)
    .join(experiments, experiments.c.id == runs.c.experiment_id)
    .join(projects, projects.c.id == experiments.c.project_id)
    .join(workspaces, workspaces.c.id == projects.c.workspace_id)
)
_CHUNK = 1000
"""Most ids in one query."""


def find(tx: Tx, uuid: str) -> Any | None:
    """A checkpoint with its experiment, owner and workspace, or None; the uuid in any case."""
    return tx.row(_TARGET.where(checkpoints.c.uuid == uuid.lower()))


def get(tx: Tx, uuid: str) -> Any:
    """The same; raises NotFound."""
    row = find(tx, uuid)
    if row is None:
        raise missing(uuid)
    return row


def missing(uuid: str) -> NotFound:
    """The failure that says so."""
    return NotFound(f"checkpoint {uuid[:80]} not found")


def several(tx: Tx, uuids: Collection[str]) -> list[Any]:
    """The same for many, held until the commit, in the order of their arrival; raises NotFound for the first unknown one."""
    wanted = _parts(sorted({uuid.lower() for uuid in uuids}))
    for part in wanted:
        ids = sa.select(checkpoints.c.id).where(checkpoints.c.uuid.in_(part)).order_by(checkpoints.c.id)
        tx.rows(dialect.lock(tx.conn, ids))
    rows = [row for part in wanted for row in tx.rows(_TARGET.where(checkpoints.c.uuid.in_(part)))]
    known = {row.uuid for row in rows}
    for uuid in uuids:
        if uuid.lower() not in known:
            raise missing(uuid)
    return sorted(rows, key=lambda row: row.id)


def ids_of(tx: Tx, uuids: Collection[str]) -> list[int]:
    """The ids of those that are known, in the order of their arrival."""
    return sorted(
        key
        for part in _parts(sorted(uuids))
        for key in tx.values(sa.select(checkpoints.c.id).where(checkpoints.c.uuid.in_(part)))
    )


def create(tx: Tx, **columns: Any) -> int:
    """Store a new checkpoint of a run; its id. The counts of its run and experiment follow."""
    checkpoint_id = tx.insert(checkpoints, **columns)
    count(tx, {columns["run_id"]: (1, columns["size"])})
    return checkpoint_id


def set_metadata(tx: Tx, checkpoint_id: int, metadata: str, steps_completed: int) -> None:
    """Replace the metadata as a whole."""
    values = {"metadata": metadata, "steps_completed": steps_completed}
    tx.run(sa.update(checkpoints).where(checkpoints.c.id == checkpoint_id).values(**values))


def set_files(tx: Tx, left: Mapping[int, Mapping[str, int]]) -> None:
    """Say which files (path -> bytes) of checkpoints are left: none makes one DELETED, others than before PARTIALLY_DELETED.

    A deleted one keeps the list of the files that it had. The counts of runs and experiments follow.
    """
    changes: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for part in _parts(sorted(left)):
        query = sa.select(checkpoints).where(checkpoints.c.id.in_(part)).order_by(checkpoints.c.id)
        for row in tx.rows(dialect.lock(tx.conn, query)):
            state, size = _set_files(tx, row, left[row.id])
            counted, counted_size = (0, 0) if row.state == DELETED else (1, row.size)
            now, now_size = (0, 0) if state == DELETED else (1, size)
            total = changes[row.run_id]
            changes[row.run_id] = (total[0] + now - counted, total[1] + now_size - counted_size)
    count(tx, {run_id: change for run_id, change in changes.items() if change != (0, 0)})


def _set_files(tx: Tx, row: Any, files: Mapping[str, int]) -> tuple[str, int]:
    """State and size afterwards."""
    text, columns = json.dumps(dict(sorted(files.items()))), {"state": DELETED, "size": row.size}
    if files and (json.loads(text) != json.loads(row.resources) or row.state == DELETED):
        columns = {"state": PARTIALLY_DELETED, "size": total_size(files.values()), "resources": text}
    elif files:
        return row.state, row.size
    tx.run(sa.update(checkpoints).where(checkpoints.c.id == row.id).values(**columns))
    return columns["state"], columns["size"]


def total_size(sizes: Iterable[int]) -> int:
    """Bytes of files together, as far as 64 bits hold them."""
    return clamp(sum(sizes))


def clamp(size: int) -> int:
    """The nearest number that 64 bits hold."""
    return max(-MAX_SUM, min(MAX_SUM, size))


def count(tx: Tx, changes: Mapping[int, tuple[int, int]]) -> None:
    """Add checkpoints and bytes to runs (run id -> both) and to their experiments; these are locked first."""
    if not changes:
        return
    of = {row.id: row.experiment_id for row in tx.rows(sa.select(runs.c.id, runs.c.experiment_id).where(runs.c.id.in_(changes)))}
    by_experiment: dict[int, tuple[int, int]] = defaultdict(lambda: (0, 0))
    for run_id, experiment_id in of.items():
        total, change = by_experiment[experiment_id], changes[run_id]
        by_experiment[experiment_id] = (total[0] + change[0], total[1] + change[1])
    for experiment_id in sorted(by_experiment):
        _add(tx, experiments, experiment_id, *by_experiment[experiment_id])
    for run_id in sorted(of):
        _add(tx, runs, run_id, *changes[run_id])


def _add(tx: Tx, table: sa.Table, row_id: int, added: int, size: int) -> None:
    row = tx.locked(sa.select(table.c.checkpoint_count, table.c.checkpoint_size).where(table.c.id == row_id))
    if row is not None:
        values = {"checkpoint_count": row.checkpoint_count + added, "checkpoint_size": clamp(row.checkpoint_size + size)}
        tx.run(sa.update(table).where(table.c.id == row_id).values(**values))


def has_storage(tx: Tx, storage_id: int) -> bool:
    """Whether a storage of this id is known."""
    return tx.value(sa.select(storages.c.id).where(storages.c.id == storage_id)) is not None


def registered(tx: Tx, checkpoint_ids: Collection[int]) -> dict[int, str]:
    """Checkpoint -> the name of a model that has it as a version, for those that are."""
    found: dict[int, str] = {}
    for part in _parts(sorted(checkpoint_ids)):
        query = (
            sa.select(model_versions.c.checkpoint_id, sa.func.min(models.c.name))
            .join(models, models.c.id == model_versions.c.model_id)
            .where(model_versions.c.checkpoint_id.in_(part))
            .group_by(model_versions.c.checkpoint_id)
        )
        found.update((checkpoint_id, name) for checkpoint_id, name in tx.rows(query))
    return found


def warm_started_tasks(tx: Tx, uuid: str) -> list[str]:
    """The tasks of all trials that were started from a checkpoint."""
    query = sa.select(run_tasks.c.task_id).join(runs, runs.c.id == run_tasks.c.run_id)
    return tx.values(query.where(runs.c.warm_start_checkpoint == uuid))


def of_run(run_id: int) -> sa.ColumnElement[bool]:
    """The condition on rows of `checkpoints`: those of a run."""
    return checkpoints.c.run_id == run_id


def of_experiment(experiment_id: int) -> sa.ColumnElement[bool]:
    """The condition on rows of `checkpoints`: those of the runs of an experiment."""
    return checkpoints.c.run_id.in_(sa.select(runs.c.id).where(runs.c.experiment_id == experiment_id))


_STATES = ("", "ACTIVE", "COMPLETED", "ERROR", "DELETED", "PARTIALLY_DELETED")
_KEYS: dict[str, tuple[Any, ...]] = {
    "uuid": (checkpoints.c.uuid,),
    "trial": (checkpoints.c.run_id,),
    "steps": (checkpoints.c.steps_completed,),
    "time": (checkpoints.c.report_time,),
    "state": (sa.case({state: place for place, state in enumerate(_STATES)}, value=checkpoints.c.state, else_=0),),
}
_UNUSABLE = sa.case((checkpoints.c.state == COMPLETED, 0), else_=1)


def ordered(tx: Tx, where: sa.ColumnElement[bool], states: Collection[str], sort: str, *, descending: bool) -> list[int]:
    """Ids in the order of uuid, trial, steps, time or state; of equals the one that came first is first (descending: last).

    Clients take the first one by steps, descending, for the latest: there those without all their files come last.
    """
    key, arrival = _KEYS[sort][0], checkpoints.c.id
    order = [key.desc(), arrival.desc()] if descending else [key, arrival]
    if sort == "steps" and descending:
        order.insert(0, _UNUSABLE)
    return tx.values(sa.select(arrival).where(where, *_in(states)).order_by(*order))


def ordered_by_metric(
    tx: Tx,
    where: sa.ColumnElement[bool],
    states: Collection[str],
    metric: str,
    *,
    descending: bool,
    without_last: bool,
    usable_first: bool = False,
) -> list[int]:
    """Ids in the order of a metric in the validation at their steps, NaN after all numbers.

    Those without a value come last, or where `without_last` is not set they count as smallest of all. `usable_first` puts
    those without all their files after all others.
    """
    values = _validated(tx, where, metric)
    rows = tx.rows(sa.select(checkpoints.c.id, checkpoints.c.state).where(where, *_in(states)).order_by(checkpoints.c.id))
    ids = [row.id for row in rows]
    known = [one for one in ids if one in values]
    rest = [one for one in ids if one not in values]
    sign = -1.0 if descending else 1.0
    known.sort(key=lambda one: (math.isnan(values[one]), sign * values[one]))
    ids = known + rest if without_last or descending else rest + known
    if usable_first:
        usable = {row.id for row in rows if row.state == COMPLETED}
        ids.sort(key=lambda one: one not in usable)
    return ids


def _validated(tx: Tx, where: sa.ColumnElement[bool], metric: str) -> dict[int, float]:
    """Checkpoint -> the metric in the validation at its steps."""
    read = json.members(metric)
    query = (
        sa.select(checkpoints.c.id, reports.c.metrics)
        .join(reports, sa.and_(reports.c.run_id == checkpoints.c.run_id, reports.c.steps == checkpoints.c.steps_completed))
        .where(where, reports.c.group_id == _group(VALIDATION), reports.c.archived.is_(False))
        .order_by(reports.c.id)
    )
    found: dict[int, float] = {}
    for checkpoint_id, text in tx.conn.execute(query):
        value = number(read(text)[0])
        if value is not None:
            found[checkpoint_id] = value
    return found


def _group(name: str) -> Any:
    return sa.select(metric_groups.c.id).where(metric_groups.c.name == name).scalar_subquery()


def _in(states: Collection[str]) -> list[sa.ColumnElement[bool]]:
    return [checkpoints.c.state.in_(states)] if states else []


_SHOWN = (
    sa.select(
        checkpoints,
        runs.c.experiment_id,
        runs.c.hparams,
        experiments.c.searcher_metric,
    )
    .outerjoin(runs, runs.c.id == checkpoints.c.run_id)
    .outerjoin(experiments, experiments.c.id == runs.c.experiment_id)
)


class Shown:
    """A checkpoint with what is shown beside it."""

    __slots__ = ("config", "row", "training", "validation")

    def __init__(self, row: Any, config: str | None, training: Any | None, validation: Any | None) -> None:
        self.row = row
        self.config = config
        """The resolved configuration of its experiment, as JSON text."""
        self.training = training
        """The training report at its steps: `metrics`, `batch_metrics`."""
        self.validation = validation
        """The validation at its steps."""


def load(tx: Tx, ids: Sequence[int]) -> list[Shown]:
    """Checkpoints with the metrics at their steps, in the order of the ids given."""
    found: dict[int, Shown] = {}
    configs: dict[int, str] = {}
    for part in _parts(ids):
        rows = tx.rows(_SHOWN.where(checkpoints.c.id.in_(part)))
        wanted = {row.experiment_id for row in rows if row.experiment_id is not None} - configs.keys()
        if wanted:
            query = sa.select(experiments.c.id, experiments.c.config).where(experiments.c.id.in_(wanted))
            configs |= {row.id: row.config for row in tx.rows(query)}
        training, validation = _reports(tx, part, TRAINING), _reports(tx, part, VALIDATION)
        for row in rows:
            config = configs.get(row.experiment_id)
            found[row.id] = Shown(row, config, training.get(row.id), validation.get(row.id))
    return [found[one] for one in ids if one in found]


def _reports(tx: Tx, ids: Sequence[int], group: str) -> dict[int, Any]:
    query = (
        sa.select(checkpoints.c.id, reports.c.metrics, reports.c.batch_metrics)
        .join(reports, sa.and_(reports.c.run_id == checkpoints.c.run_id, reports.c.steps == checkpoints.c.steps_completed))
        .where(checkpoints.c.id.in_(ids), reports.c.group_id == _group(group), reports.c.archived.is_(False))
        .order_by(reports.c.id)
    )
    return {row.id: row for row in tx.rows(query)}


def _parts(items: Sequence[Any]) -> list[Sequence[Any]]:
    return [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
