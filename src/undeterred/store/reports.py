"""Writing metric reports: a batch of them, from many trials, in one transaction.

A report that is refused does not touch the others: its failure is a value in the answer. A report sent again after a lost
answer is accepted and stored once. A report of a restarted trial archives what earlier starts had reported at the same or
later steps, and then the trial's summaries are made anew.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.clock import Micros
from undeterred.base.errors import Failure, NotFound
from undeterred.base.struct import Struct, field
from undeterred.core.metrics import best, checks, merge, summary
from undeterred.core.metrics.checks import TRAINING, VALIDATION, Kind, kind_of
from undeterred.store import bulk, dialect
from undeterred.store.database import Tx
from undeterred.store.fast import Prepared, PreparedIn, insert_counted
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.metrics import metric_groups, reports


class Report(NamedTuple):
    """What a trial measured."""

    run_id: int
    run_number: int
    group: str
    steps: int | None
    time: Micros | None
    metrics: Mapping[str, Any]
    batches: Sequence[Mapping[str, Any]] | None = None


class State(Struct):
    """A run while a batch is worked in; written once at the end."""

    row: Any
    summaries: dict[str, summary.GroupSummary]
    total_batches: int
    best_report_id: int | None
    best_value: float | None
    latest_report_id: int | None
    reports_run: int
    rollback_steps: int | None


class Known(Struct):
    """What is remembered from one batch to the next; nothing in it can be out of date."""

    groups: dict[str, int] = field(default_factory=dict)
    """Ids of metric groups."""
    summaries: dict[int, tuple[str, dict[str, summary.GroupSummary]]] = field(default_factory=dict)
    """By run: the text of its summaries as last written, and what it says. A row with another text is parsed."""

    def read(self, run_id: int, text: str) -> dict[str, summary.GroupSummary]:
        """The summaries in a row, for the caller to change by group; each group's stays as it is."""
        remembered = self.summaries.get(run_id)
        if remembered is not None and remembered[0] == text:
            return dict(remembered[1])
        read: dict[str, summary.GroupSummary] = json.loads(text)
        return read

    def write(self, run_id: int, summaries: dict[str, summary.GroupSummary]) -> str:
        """The text of summaries that are not changed any more."""
        text = json.dumps_finite(summaries)
        if len(self.summaries) >= _SUMMARIES:
            self.summaries.clear()
        self.summaries[run_id] = (text, summaries)
        return text


_SUMMARIES = 500
"""Runs whose summaries are remembered at most."""

OnValidation = Callable[[Tx, Any, Mapping[str, Any]], None]
"""Called with the run's row and the metrics for each validation that is new."""

_RUNS = PreparedIn(
    sa.select(
        runs.c.id,
        runs.c.experiment_id,
        runs.c.project_id,
        runs.c.request_id,
        runs.c.state,
        runs.c.run_number,
        runs.c.summary_metrics,
        runs.c.total_batches,
        runs.c.best_report_id,
        runs.c.searcher_metric_value,
        runs.c.latest_report_id,
        runs.c.reports_run,
        runs.c.rollback_steps,
        experiments.c.searcher_metric,
        experiments.c.smaller_is_better,
        experiments.c.unmanaged,
    )
    .join(experiments, experiments.c.id == runs.c.experiment_id)
    .order_by(runs.c.id),
    runs.c.id,
    locked=True,
    of=runs,
)
_EXISTING = Prepared(
    sa.select(reports.c.id, reports.c.metrics, reports.c.batch_metrics).where(
        reports.c.run_id == sa.bindparam("run"),
        reports.c.group_id == sa.bindparam("group"),
        reports.c.steps == sa.bindparam("steps"),
        reports.c.run_number == sa.bindparam("number"),
    )
)
_EXISTING_WITHOUT_STEPS = Prepared(
    sa.select(reports.c.id, reports.c.metrics).where(
        reports.c.run_id == sa.bindparam("run"),
        reports.c.group_id == sa.bindparam("group"),
        reports.c.steps.is_(None),
        reports.c.run_number == sa.bindparam("number"),
        reports.c.time == sa.bindparam("time"),
    )
)
_COLUMNS = ("run_id", "run_number", "group_id", "steps", "time", "metrics", "batch_metrics")
_RUN_COLUMNS = (
    "summary_metrics",
    "total_batches",
    "best_report_id",
    "searcher_metric_value",
    "latest_report_id",
    "reports_run",
    "rollback_steps",
    "last_activity",
    "values_stale",
)


class Batch(Struct):
    """The work of one transaction."""

    tx: Tx
    on_validation: OnValidation | None
    states: dict[int, State]
    groups: dict[str, int]
    known: Known
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    """Inserted at the end, in order; reports whose id is needed are inserted at once."""
    seen: set[tuple[int, int, int | None, int]] = field(default_factory=set)
    """Keys in `rows`: a repetition inside the batch flushes them first."""


def store(
    tx: Tx, batch: Sequence[Report], on_validation: OnValidation | None = None, known: Known | None = None
) -> list[Failure | None]:
    """Work all in; for each report None, or why it was refused (unknown trial, wrong run, conflicting value).

    `known` spares work from call to call.
    """
    known = known or Known()
    found = _RUNS.rows(tx, sorted({report.run_id for report in batch}))
    work = Batch(
        tx,
        on_validation,
        {row.id: _state(row, known) for row in found},
        _group_ids(tx, {report.group for report in batch}, known.groups),
        known,
    )
    outcome: list[Failure | None] = []
    for report in batch:
        try:
            _add(work, report)
            outcome.append(None)
        except Failure as failure:
            outcome.append(failure)
    _flush(work)
    _write_runs(work, {report.run_id for report, failure in zip(batch, outcome, strict=True) if failure is None})
    return outcome


def _state(row: Any, known: Known) -> State:
    return State(
        row,
        known.read(row.id, row.summary_metrics),
        row.total_batches,
        row.best_report_id,
        row.searcher_metric_value,
        row.latest_report_id,
        row.reports_run,
        row.rollback_steps,
    )


def _group_ids(tx: Tx, names: set[str], cache: dict[str, int]) -> dict[str, int]:
    if names <= cache.keys():
        return cache
    query = sa.select(metric_groups.c.name, metric_groups.c.id).where(metric_groups.c.name.in_(names))
    groups = {row.name: row.id for row in tx.rows(query)}
    missing = sorted(names - groups.keys())
    if missing:
        for name in missing:
            tx.run(dialect.insert_ignore(tx.conn, metric_groups).values(name=name))
        groups = {row.name: row.id for row in tx.rows(query)}
    tx.after.append(lambda: cache.update(groups))
    return groups


def _add(work: Batch, report: Report) -> None:
    state = work.states.get(report.run_id)
    if state is None:
        raise NotFound(f"trial {report.run_id} not found")
    checks.check_run_id(report.run_number, state.row.run_number)
    kind, group_id = kind_of(report.group), work.groups[report.group]
    key = (report.run_id, group_id, report.steps, report.run_number)
    if key in work.seen:
        _flush(work)
    if report.steps is None:
        _add_without_steps(work, report, group_id, key)
        return
    if kind is not Kind.PROFILING:
        _roll_back(work, state, report)
    existing = None
    if kind is Kind.PROFILING or report.steps <= state.total_batches:  # nothing stored has more steps
        existing = _EXISTING.first(work.tx, run=report.run_id, group=group_id, steps=report.steps, number=report.run_number)
    if existing is not None:
        _merge(work, state, report, existing)
        return
    validation = report.group == VALIDATION
    row = _row(report, group_id, work.tx.now)
    report_id = None
    if validation:
        report_id = insert_counted(work.tx, reports, dict(zip(_COLUMNS, row, strict=True)))
    else:
        work.rows.append(row)
        work.seen.add(key)
    if kind is Kind.PROFILING:
        return
    state.summaries[report.group] = summary.fold(state.summaries.get(report.group, {}), report.metrics)
    state.total_batches = max(state.total_batches, report.steps)
    if report_id is not None:
        _validated(work, state, report_id, report.metrics)


def _add_without_steps(work: Batch, report: Report, group_id: int, key: tuple[int, int, int | None, int]) -> None:
    """Profiling: no steps, no summary; the same time with the same values is the same report."""
    if report.time is not None:
        _flush(work)
        text = json.dumps(report.metrics)
        same = _EXISTING_WITHOUT_STEPS.rows(
            work.tx, run=report.run_id, group=group_id, number=report.run_number, time=report.time
        )
        if any(row.metrics == text for row in same):
            return
    work.rows.append(_row(report, group_id, work.tx.now))
    work.seen.add(key)


def _row(report: Report, group_id: int, now: Micros) -> tuple[Any, ...]:
    batches = json.dumps(list(report.batches)) if report.batches else None
    time = now if report.time is None else report.time
    return (report.run_id, report.run_number, group_id, report.steps, time, json.dumps(report.metrics), batches)


def _validated(work: Batch, state: State, report_id: int, metrics: Mapping[str, Any]) -> None:
    value = best.searcher_value(metrics, state.row.searcher_metric)
    if value is not None:
        state.latest_report_id = report_id
        if best.is_better(value, state.best_value, smaller_is_better=state.row.smaller_is_better):
            state.best_report_id, state.best_value = report_id, value
    if work.on_validation is not None:
        work.on_validation(work.tx, state.row, metrics)


def _merge(work: Batch, state: State, report: Report, existing: Any) -> None:
    """A second report for the same step: equal values change nothing, new names are added, others conflict."""
    stored = merge.Row(
        json.loads(existing.metrics), None if existing.batch_metrics is None else json.loads(existing.batch_metrics)
    )
    what = f"group {report.group} at {report.steps} steps"
    merged = merge.merge(stored, merge.Row(report.metrics, report.batches or None), what)
    if not merged.changed:
        return
    batches = None if merged.row.batches is None else json.dumps(list(merged.row.batches))
    work.tx.run(
        sa.update(reports)
        .where(reports.c.id == existing.id)
        .values(metrics=json.dumps(dict(merged.row.averages)), batch_metrics=batches)
    )
    if merged.added and kind_of(report.group) is not Kind.PROFILING:
        newest = _newest(work, report, existing.id)
        before = state.summaries.get(report.group, {})
        state.summaries[report.group] = summary.fold_added(before, merged.added, newest=newest)
        if report.group == VALIDATION and state.row.searcher_metric in merged.added:
            _validated(work, state, existing.id, merged.row.averages)


def _newest(work: Batch, report: Report, report_id: int) -> bool:
    """Whether a report is the last that came of its group."""
    _flush(work)
    last = work.tx.value(
        sa.select(sa.func.max(reports.c.id)).where(
            reports.c.run_id == report.run_id, reports.c.group_id == work.groups[report.group], reports.c.archived.is_(False)
        )
    )
    return bool(last == report_id)


def _roll_back(work: Batch, state: State, report: Report) -> None:
    """Archive what earlier starts reported at these steps or later; costs nothing for a trial that never restarted."""
    steps = checks.check_steps(report.steps)
    if report.run_number > state.reports_run:
        state.rollback_steps = state.total_batches  # also when it is the first start: a program may report before it starts
        state.reports_run = report.run_number
    if state.rollback_steps is None or steps > state.rollback_steps:
        return
    _flush(work)
    own = work.groups[report.group]
    live = (reports.c.run_id == report.run_id, reports.c.archived.is_(False), reports.c.run_number < report.run_number)
    later = sa.or_(reports.c.steps > steps, sa.and_(reports.c.group_id == own, reports.c.steps == steps))
    touched = set(work.tx.values(sa.select(reports.c.group_id).where(*live, later).distinct()))
    touched -= set(work.tx.values(sa.select(metric_groups.c.id).where(metric_groups.c.name.in_(checks.PROFILING))))
    if touched:
        work.tx.run(sa.update(reports).where(*live, later, reports.c.group_id.in_(touched)).values(archived=True))
        _recompute(work, state, touched)
    state.rollback_steps = steps


def _recompute(work: Batch, state: State, group_ids: set[int]) -> None:
    """Summaries, best and latest validation, and the number of batches, from the reports that are left."""
    run_id = state.row.id
    live = (reports.c.run_id == run_id, reports.c.archived.is_(False))
    names = {row.id: row.name for row in work.tx.rows(sa.select(metric_groups))}
    for group_id in group_ids:
        rows = work.tx.rows(
            sa.select(reports.c.id, reports.c.metrics).where(*live, reports.c.group_id == group_id).order_by(reports.c.id)
        )
        metrics = [json.loads(row.metrics) for row in rows]
        name = names[group_id]
        state.summaries.pop(name, None)
        if metrics:
            state.summaries[name] = summary.recompute(metrics)
        if name == VALIDATION:
            _best_of(state, [(row.id, values) for row, values in zip(rows, metrics, strict=True)])
    profiling = [group_id for group_id, name in names.items() if kind_of(name) is Kind.PROFILING]
    most = work.tx.value(sa.select(sa.func.max(reports.c.steps)).where(*live, reports.c.group_id.not_in(profiling)))
    state.total_batches = most or 0


def _best_of(state: State, validations: list[tuple[int, Mapping[str, Any]]]) -> None:
    state.best_report_id = state.best_value = state.latest_report_id = None
    for report_id, metrics in validations:
        value = best.searcher_value(metrics, state.row.searcher_metric)
        if value is None:
            continue
        state.latest_report_id = report_id
        if best.is_better(value, state.best_value, smaller_is_better=state.row.smaller_is_better):
            state.best_report_id, state.best_value = report_id, value


def _flush(work: Batch) -> None:
    bulk.insert_rows(work.tx, reports, _COLUMNS, work.rows)
    work.rows.clear()
    work.seen.clear()


def _write_runs(work: Batch, run_ids: set[int]) -> None:
    states = [work.states[run_id] for run_id in sorted(run_ids)]
    bulk.update_rows(
        work.tx,
        runs,
        _RUN_COLUMNS,
        [
            (
                work.known.write(state.row.id, state.summaries),
                state.total_batches,
                state.best_report_id,
                state.best_value,
                state.latest_report_id,
                state.reports_run,
                state.rollback_steps,
                work.tx.now,
                True,
                state.row.id,
            )
            for state in states
        ],
    )
    improved: dict[int, list[State]] = defaultdict(list)
    for state in states:
        work.tx.wake(("trial-metrics", state.row.id), ("experiment-metrics", state.row.experiment_id))
        if state.best_value != state.row.searcher_metric_value:
            improved[state.row.experiment_id].append(state)
    for experiment_id in improved:
        _best_run(work.tx, experiment_id)


def _best_run(tx: Tx, experiment_id: int) -> None:
    """Keep the experiment's best trial: the best value, the earliest of equals."""
    smaller = tx.value(sa.select(experiments.c.smaller_is_better).where(experiments.c.id == experiment_id))
    value = runs.c.searcher_metric_value
    found = tx.value(
        sa.select(runs.c.id)
        .where(runs.c.experiment_id == experiment_id, value.is_not(None))
        .order_by(value if smaller else value.desc(), runs.c.id)
        .limit(1)
    )
    tx.run(sa.update(experiments).where(experiments.c.id == experiment_id).values(best_run_id=found))


__all__ = ["TRAINING", "VALIDATION", "Report", "store"]
