"""Trials as clients see them: the row of a run with its validations, its best checkpoint, its tasks and its allocations."""

import enum
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.struct import Struct
from undeterred.core.lifecycle import shown
from undeterred.core.lifecycle.allocation import AllocationState
from undeterred.core.lifecycle.shown import ShownState
from undeterred.core.metrics import best
from undeterred.core.metrics.checks import VALIDATION, number
from undeterred.store.bulk import chunks
from undeterred.store.database import Tx
from undeterred.store.paging import Page, sql_page
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.metrics import metric_groups, reports
from undeterred.store.schema.registry import checkpoints
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.schema.tasks import allocations, run_tasks

_IDS: sa.BindParameter[Any] = sa.bindparam("ids", expanding=True)
_best, _latest = reports.alias("best"), reports.alias("latest")
_SHOWN = (
    sa.select(
        runs.c.id,
        runs.c.experiment_id,
        runs.c.state,
        runs.c.runner_state,
        runs.c.hparams,
        runs.c.restarts,
        runs.c.start_time,
        runs.c.end_time,
        runs.c.total_batches,
        runs.c.warm_start_checkpoint,
        runs.c.summary_metrics,
        runs.c.best_report_id,
        runs.c.checkpoint_count,
        runs.c.checkpoint_size,
        runs.c.metadata,
        runs.c.log_policy_matched,
        runs.c.log_retention_days,
        experiments.c.unmanaged,
        experiments.c.max_restarts,
        experiments.c.searcher_metric,
        experiments.c.smaller_is_better,
        _best.c.time.label("best_time"),
        _best.c.steps.label("best_steps"),
        _best.c.metrics.label("best_metrics"),
        _latest.c.time.label("latest_time"),
        _latest.c.steps.label("latest_steps"),
        _latest.c.metrics.label("latest_metrics"),
    )
    .join(experiments, experiments.c.id == runs.c.experiment_id)
    .outerjoin(_best, _best.c.id == runs.c.best_report_id)
    .outerjoin(_latest, _latest.c.id == runs.c.latest_report_id)
    .where(runs.c.id.in_(_IDS))
)
_OPEN = allocations.c.state != "TERMINATED"
_RANKS = {str(state): tuple(ShownState).index(shown.progress([state])) for state in AllocationState}
_FURTHEST = (
    sa.select(sa.func.coalesce(sa.func.max(sa.case(_RANKS, value=allocations.c.state, else_=0)), 0))
    .select_from(run_tasks.join(allocations, allocations.c.task_id == run_tasks.c.task_id))
    .where(run_tasks.c.run_id == runs.c.id, _OPEN)
    .correlate(runs)
    .scalar_subquery()
)
"""How far the most advanced allocation of a run is, as the index of a `ShownState`."""
_OWNERS = (
    sa.select(runs.c.id, experiments.c.user_id, projects.c.workspace_id, workspaces.c.user_id.label("workspace_owner"))
    .join(experiments, experiments.c.id == runs.c.experiment_id)
    .join(projects, projects.c.id == experiments.c.project_id)
    .join(workspaces, workspaces.c.id == projects.c.workspace_id)
    .where(runs.c.id.in_(_IDS))
)
_TASKS = (
    sa.select(run_tasks.c.run_id, run_tasks.c.task_id)
    .where(run_tasks.c.run_id.in_(_IDS))
    .order_by(run_tasks.c.run_id, run_tasks.c.seq)
)
_ALLOCATIONS = (
    sa.select(run_tasks.c.run_id, allocations.c.state)
    .join(allocations, allocations.c.task_id == run_tasks.c.task_id)
    .where(run_tasks.c.run_id.in_(_IDS), _OPEN)
)
_CHECKPOINTS = sa.select(
    checkpoints.c.run_id,
    checkpoints.c.uuid,
    checkpoints.c.report_time,
    checkpoints.c.state,
    checkpoints.c.resources,
    checkpoints.c.steps_completed,
)
_AT_BEST_VALIDATION = (
    _CHECKPOINTS.join(runs, runs.c.id == checkpoints.c.run_id)
    .join(_best, sa.and_(_best.c.id == runs.c.best_report_id, _best.c.steps == checkpoints.c.steps_completed))
    .where(checkpoints.c.run_id.in_(_IDS), checkpoints.c.state == "COMPLETED")
    .order_by(checkpoints.c.id)
)
_VALIDATED_CHECKPOINTS = (
    sa.select(checkpoints.c.run_id, checkpoints.c.id, reports.c.metrics)
    .join(reports, sa.and_(reports.c.run_id == checkpoints.c.run_id, reports.c.steps == checkpoints.c.steps_completed))
    .join(metric_groups, metric_groups.c.id == reports.c.group_id)
    .where(
        checkpoints.c.run_id.in_(_IDS),
        checkpoints.c.state == "COMPLETED",
        metric_groups.c.name == VALIDATION,
        reports.c.archived.is_(False),
    )
    .order_by(checkpoints.c.id.desc())
)


class Sort(enum.Enum):
    """What a list of trials can be sorted by."""

    ID = "id"
    START_TIME = "start time"
    END_TIME = "end time"
    STATE = "state"
    BEST_VALIDATION = "best validation"
    LATEST_VALIDATION = "latest validation"
    BATCHES = "batches"
    DURATION = "duration"
    RESTARTS = "restarts"
    CHECKPOINT_SIZE = "checkpoint size"
    LOG_RETENTION = "log retention"


class Trial(Struct, frozen=True):
    """One trial with what belongs to it."""

    row: Any
    task_ids: Sequence[str]
    allocations: Sequence[str]
    """States of its open allocations."""
    checkpoint: Any | None
    """The complete checkpoint with the best validation at its steps."""


def load(tx: Tx, run_ids: Sequence[int]) -> list[Trial]:
    """Trials in the order of their ids given; unknown ids are left out."""
    return [trial for ids in chunks(run_ids) for trial in _load(tx, ids)]


def _load(tx: Tx, run_ids: Sequence[int]) -> list[Trial]:
    rows = {row.id: row for row in tx.rows(_SHOWN, {"ids": run_ids})}
    tasks, states = _task_ids(tx, run_ids), _allocation_states(tx, rows.values())
    found = _best_checkpoints(tx, rows.values())
    return [
        Trial(rows[run_id], tasks.get(run_id, ()), states.get(run_id, ()), found.get(run_id))
        for run_id in run_ids
        if run_id in rows
    ]


def bare(tx: Tx, run_ids: Sequence[int]) -> list[Any]:
    """The rows alone, in the order of their ids given; unknown ids are left out."""
    rows = {row.id: row for ids in chunks(run_ids) for row in tx.rows(_SHOWN, {"ids": ids})}
    return [rows[run_id] for run_id in run_ids if run_id in rows]


def page(
    tx: Tx, experiment: Any, states: Collection[str], sort: Sort, *, descending: bool, offset: int, limit: int
) -> tuple[list[Trial], Page]:
    """A page of an experiment's trials, those without the value that is sorted by last in both directions.

    `states` are words that clients see or that are stored; none of them means all trials.
    """
    where = [runs.c.experiment_id == experiment.id, *([_in_states(states)] if states else [])]
    cut = sql_page(offset, limit, int(tx.value(sa.select(sa.func.count()).select_from(runs).where(*where))))
    if sort is Sort.LATEST_VALIDATION:
        ids = _by_latest(tx, experiment, where, descending=descending)[cut.start : cut.end]
    else:
        key = _keys(tx.now, smaller_is_better=experiment.smaller_is_better)[sort]
        order = (key.desc(), runs.c.id.desc()) if descending else (key, runs.c.id)
        query = sa.select(runs.c.id).where(*where).order_by(order[0].nulls_last(), order[1])
        ids = tx.values(query.limit(cut.end - cut.start).offset(cut.start))
    return load(tx, ids), cut


def owners(tx: Tx, run_ids: Collection[int]) -> dict[int, Any]:
    """Run -> what rights on it depend on: `user_id`, `workspace_id` and `workspace_owner`."""
    return {row.id: row for ids in chunks(run_ids) for row in tx.rows(_OWNERS, {"ids": ids})}


def state(tx: Tx, run_id: int) -> str | None:
    """The stored state, None for a run that is gone."""
    found: str | None = tx.value(sa.select(runs.c.state).where(runs.c.id == run_id))
    return found


def states(tx: Tx, experiment_id: int) -> list[str]:
    """The different states that the runs of an experiment have."""
    return tx.values(sa.select(runs.c.state).where(runs.c.experiment_id == experiment_id).distinct())


def by_external_id(tx: Tx, external_experiment_id: str, external_trial_id: str) -> int | None:
    """The trial that a program outside calls so, or None."""
    found: int | None = tx.value(
        sa.select(runs.c.id)
        .join(experiments, experiments.c.id == runs.c.experiment_id)
        .where(experiments.c.external_id == external_experiment_id, runs.c.external_id == external_trial_id)
    )
    return found


def best_value(tx: Tx, experiment_id: int) -> float | None:
    """The best value of the searcher's metric in an experiment, or None."""
    found: float | None = tx.value(
        sa.select(runs.c.searcher_metric_value)
        .join(experiments, experiments.c.best_run_id == runs.c.id)
        .where(experiments.c.id == experiment_id)
    )
    return found


def _in_states(states: Collection[str]) -> sa.ColumnElement[bool]:
    wanted: list[sa.ColumnElement[bool]] = [runs.c.state.in_(states)]
    ranks = [number for number, word in enumerate(ShownState) if word in states]
    if ranks:
        wanted.append(sa.and_(runs.c.state == "ACTIVE", _FURTHEST.in_(ranks)))
    return sa.or_(*wanted)


def _keys(now: int, *, smaller_is_better: bool) -> dict[Sort, Any]:
    value = runs.c.searcher_metric_value
    return {
        Sort.ID: runs.c.id,
        Sort.START_TIME: runs.c.start_time,
        Sort.END_TIME: runs.c.end_time,
        Sort.STATE: runs.c.state,
        Sort.BEST_VALIDATION: value if smaller_is_better else -value,
        Sort.BATCHES: runs.c.total_batches,
        Sort.DURATION: sa.func.coalesce(runs.c.end_time, now) - runs.c.start_time,
        Sort.RESTARTS: runs.c.restarts,
        Sort.CHECKPOINT_SIZE: runs.c.checkpoint_size,
        Sort.LOG_RETENTION: runs.c.log_retention_days,
    }


def _by_latest(tx: Tx, experiment: Any, where: Sequence[Any], *, descending: bool) -> list[int]:
    """Ids by the searcher's metric in the latest validation, best first unless descending; NaN is the worst."""
    query = sa.select(runs.c.id, _latest.c.metrics).outerjoin(_latest, _latest.c.id == runs.c.latest_report_id).where(*where)
    read = json.members(experiment.searcher_metric)
    with_value: list[tuple[float, int]] = []
    without: list[int] = []
    for run_id, text in tx.rows(query):
        value = None if text is None else number(read(text)[0])
        if value is None:
            without.append(run_id)
        else:
            with_value.append((best.signed(value, smaller_is_better=experiment.smaller_is_better), run_id))
    with_value.sort(reverse=descending)
    return [run_id for _, run_id in with_value] + sorted(without, reverse=descending)


def _task_ids(tx: Tx, run_ids: Sequence[int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for run_id, task_id in tx.rows(_TASKS, {"ids": run_ids}):
        found[run_id].append(task_id)
    return found


def _allocation_states(tx: Tx, rows: Collection[Any]) -> dict[int, list[str]]:
    """States of open allocations, of ACTIVE runs only: other states are shown as they are stored."""
    found: dict[int, list[str]] = defaultdict(list)
    active = [row.id for row in rows if row.state == "ACTIVE"]
    for run_id, state_word in tx.rows(_ALLOCATIONS, {"ids": active}) if active else ():
        found[run_id].append(state_word)
    return found


def _best_checkpoints(tx: Tx, rows: Collection[Any]) -> dict[int, Any]:
    """For each run with a validated checkpoint the best one: most often it is the one at the steps of the best validation."""
    candidates = {row.id: row for row in rows if row.checkpoint_count and row.best_report_id is not None}
    if not candidates:
        return {}
    found = {row.run_id: row for row in tx.rows(_AT_BEST_VALIDATION, {"ids": list(candidates)})}
    ids = _validated_checkpoints(tx, {run_id: row for run_id, row in candidates.items() if run_id not in found})
    if ids:
        found |= {row.run_id: row for row in tx.rows(_CHECKPOINTS.where(checkpoints.c.id.in_(ids)))}
    return found


def _validated_checkpoints(tx: Tx, by_run: Mapping[int, Any]) -> list[int]:
    """Ids of the complete checkpoint of each run with the best validation at its steps (of equals the newest)."""
    chosen: dict[int, tuple[float, int]] = {}
    for run_id, checkpoint_id, text in tx.rows(_VALIDATED_CHECKPOINTS, {"ids": list(by_run)}) if by_run else ():
        run = by_run[run_id]
        value = best.searcher_value(json.loads(text), run.searcher_metric)
        known = chosen.get(run_id, (None, 0))[0]
        if value is not None and best.is_better(value, known, smaller_is_better=run.smaller_is_better):
            chosen[run_id] = (value, checkpoint_id)
    return sorted(checkpoint_id for _, checkpoint_id in chosen.values())
