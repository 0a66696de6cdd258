"""Reading metric reports: pages of them, series for charts, and what an experiment's trials have reported.

Values are taken out of the stored text by `json.members`, which skips the rest of it; reports archived by a restart are never
read.
"""

from collections.abc import Collection, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.base.struct import Struct, field
from undeterred.core.metrics.checks import VALIDATION
from undeterred.core.metrics.ranges import EVERYTHING, Range
from undeterred.store.bulk import chunks
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.metrics import metric_groups, reports

_LIVE = reports.c.archived.is_(False)
_BLOCK = 5000
"""Rows that are read at a time."""


class Series(Struct):
    """The reports of one trial and group, column by column."""

    names: tuple[str, ...]
    steps: list[int | None] = field(default_factory=list)
    times: list[int] = field(default_factory=list)
    ids: list[int] = field(default_factory=list)
    columns: list[list[Any]] = field(default_factory=list)
    """For each of `names` the values, None where a report lacks the metric."""

    def of(self, name: str) -> list[Any]:
        """The values of one metric."""
        return self.columns[self.names.index(name)]

    def only(self, rows: Sequence[int]) -> "Series":
        """The same with these rows alone."""
        return Series(
            self.names,
            [self.steps[row] for row in rows],
            [self.times[row] for row in rows],
            [self.ids[row] for row in rows],
            [[column[row] for row in rows] for column in self.columns],
        )

    def __len__(self) -> int:
        return len(self.ids)

    def extend(self, rows: Sequence[Any]) -> None:
        """Take in rows of (run, group, steps, time, id, text)."""
        _, _, steps, times, ids, texts = zip(*rows, strict=True)
        self.steps += steps
        self.times += times
        self.ids += ids
        found = json.columns(self.names, texts)
        self.columns = [old + new for old, new in zip(self.columns, found, strict=True)] if self.columns else found


class After(Struct, frozen=True):
    """The last report of a page; the next page begins behind it."""

    steps: int | None = None
    """None: reports without steps are being read, which come last."""
    run_number: int = 0
    id: int = 0


FIRST = After(steps=-(2**31) - 1)
"""Before the first report."""


def group_ids(tx: Tx, names: Collection[str]) -> dict[str, int]:
    """Name -> id of those of the metric groups that anybody has ever reported."""
    query = sa.select(metric_groups.c.name, metric_groups.c.id).where(metric_groups.c.name.in_(names))
    return {row.name: row.id for row in tx.rows(query)}


def page(tx: Tx, run_id: int, group_id: int, after: After, limit: int) -> tuple[list[Any], After | None]:
    """Reports of a trial in order of their steps, those without steps last, and where the next page begins (None: no more)."""
    query = sa.select(
        reports.c.id, reports.c.steps, reports.c.run_number, reports.c.time, reports.c.metrics, reports.c.batch_metrics
    ).where(reports.c.run_id == run_id, reports.c.group_id == group_id, _LIVE)
    rows: list[Any] = []
    if after.steps is not None:
        key = sa.tuple_(reports.c.steps, reports.c.run_number, reports.c.id)
        stepped = query.where(key > sa.tuple_(after.steps, after.run_number, after.id))
        rows = tx.rows(stepped.order_by(reports.c.steps, reports.c.run_number, reports.c.id).limit(limit))
        if len(rows) == limit:
            return rows, After(rows[-1].steps, rows[-1].run_number, rows[-1].id)
    last = 0 if after.steps is not None else after.id
    without = query.where(reports.c.steps.is_(None), reports.c.id > last).order_by(reports.c.id)
    more = tx.rows(without.limit(limit - len(rows)))
    full = len(rows) + len(more) == limit
    return rows + more, After(id=more[-1].id if more else last) if full else None


def series(
    tx: Tx,
    run_ids: Collection[int],
    metrics: Mapping[int, tuple[str, ...]],
    *,
    steps: Sequence[Range] = (),
    time: Range = EVERYTHING,
    after: int = 0,
) -> dict[tuple[int, int], Series]:
    """(run, group) -> its reports in order of steps (without steps: of time), with the values of `metrics[group]`.

    `steps` and `time` are ranges that all hold. `after` leaves out reports up to this id.
    """
    found: dict[tuple[int, int], Series] = {}
    key = (reports.c.run_id, reports.c.group_id, reports.c.steps)
    query = sa.select(*key, reports.c.time, reports.c.id, reports.c.metrics).where(reports.c.group_id.in_(metrics), _LIVE)
    for column, ranges in ((reports.c.steps, steps), (reports.c.time, (time,))):
        query = query.where(*(condition for wanted in ranges for condition in _within(column, wanted)))
    if after:
        query = query.where(reports.c.id > after)
    for ids in chunks(run_ids):
        ordered = query.where(reports.c.run_id.in_(ids)).order_by(*key, reports.c.run_number, reports.c.id)
        for rows in tx.conn.execute(ordered).partitions(_BLOCK):
            for (run_id, group_id), part in groupby(rows, itemgetter(0, 1)):
                found.setdefault((run_id, group_id), Series(metrics[group_id])).extend(list(part))
    return {place: _by_time(one) for place, one in found.items()}


def _by_time(one: Series) -> Series:
    """Reports without steps, as profilers send them, in order of time before those with steps."""
    if None not in one.steps:
        return one
    return one.only(sorted(range(len(one)), key=lambda row: (one.steps[row] is not None, one.steps[row] or 0, one.times[row])))


def near(tx: Tx, experiment_id: int, group_id: int, metric: str, low: int, high: int) -> list[tuple[int, int, Any]]:
    """(run, steps, value of the metric or None) of every report of an experiment's trials between two numbers of steps."""
    read = json.members(metric)
    query = (
        sa.select(reports.c.run_id, reports.c.steps, reports.c.metrics)
        .join(runs, runs.c.id == reports.c.run_id)
        .where(runs.c.experiment_id == experiment_id, reports.c.group_id == group_id, _LIVE)
        .where(reports.c.steps >= low, reports.c.steps <= high)
        .order_by(reports.c.run_id, reports.c.steps, reports.c.id)
    )
    return [(run_id, steps, read(text)[0]) for run_id, steps, text in tx.rows(query)]


def steps_with(tx: Tx, experiment_id: int, group_id: int, metric: str) -> list[int]:
    """All numbers of steps at which a trial of the experiment has reported the metric, ascending.

    One report for each number of steps is looked into first; only where that one lacks the metric, all are.
    """
    read = json.members(metric)
    where = (runs.c.experiment_id == experiment_id, reports.c.group_id == group_id, reports.c.steps.is_not(None))
    joined = reports.join(runs, runs.c.id == reports.c.run_id)
    first = sa.select(sa.func.min(reports.c.id), reports.c.steps).select_from(joined).where(*where).group_by(reports.c.steps)
    samples = dict(map(tuple, tx.rows(first)))  # found in the index alone, so that some may be archived
    found: set[int] = set()
    for ids in chunks(samples):
        for report_id, text in tx.rows(sa.select(reports.c.id, reports.c.metrics).where(reports.c.id.in_(ids), _LIVE)):
            if read(text)[0] is not None:
                found.add(samples[report_id])
    for rest in chunks(set(samples.values()) - found):
        query = sa.select(reports.c.steps, reports.c.metrics).select_from(joined).where(*where, _LIVE, reports.c.steps.in_(rest))
        for steps, text in tx.conn.execute(query):
            if steps not in found and read(text)[0] is not None:
                found.add(steps)
    return sorted(found)


def validations(tx: Tx, experiment_id: int, metric: str) -> list[tuple[int, int, Any]]:
    """(run, time, value of the metric or None) of every validation of an experiment, in order of time."""
    read = json.members(metric)
    query = (
        sa.select(reports.c.run_id, reports.c.time, reports.c.metrics)
        .join(runs, runs.c.id == reports.c.run_id)
        .join(metric_groups, metric_groups.c.id == reports.c.group_id)
        .where(runs.c.experiment_id == experiment_id, metric_groups.c.name == VALIDATION, _LIVE)
        .order_by(reports.c.time, reports.c.id)
    )
    return [(run_id, time, read(text)[0]) for run_id, time, text in tx.rows(query)]


def names(tx: Tx, experiment_ids: Collection[int]) -> set[tuple[str, str]]:
    """(group, metric) of all that the trials of these experiments have reported, profilers left out."""
    found: dict[str, set[str]] = {}
    for ids in chunks(experiment_ids):
        for (text,) in tx.conn.execute(sa.select(runs.c.summary_metrics).where(runs.c.experiment_id.in_(ids))):
            for group, summary in json.inner_parts(text).items():
                known = found.setdefault(group, set())
                if not summary.keys() <= known:
                    known.update(summary)
    return {(group, name) for group, known in found.items() for name in known}


def top_runs(tx: Tx, experiment: Any, limit: int, *, by_length: bool) -> list[int]:
    """The trials that are furthest (`by_length`) or best by the searcher's metric, those without a validation last."""
    value = runs.c.searcher_metric_value
    order = [(value if experiment.smaller_is_better else value.desc()).nulls_last(), runs.c.id]
    if by_length:
        order.insert(0, runs.c.total_batches.desc())
    return tx.values(sa.select(runs.c.id).where(runs.c.experiment_id == experiment.id).order_by(*order).limit(limit))


def hparams(tx: Tx, run_ids: Collection[int]) -> dict[int, str]:
    """Run -> its hyperparameters as JSON text."""
    found: dict[int, str] = {}
    for ids in chunks(run_ids):
        found.update((row.id, row.hparams) for row in tx.rows(sa.select(runs.c.id, runs.c.hparams).where(runs.c.id.in_(ids))))
    return found


def summaries(tx: Tx, run_ids: Collection[int]) -> dict[int, str]:
    """Run -> its summaries as JSON text, by name of group; they tell the type of each metric."""
    found: dict[int, str] = {}
    for ids in chunks(run_ids):
        query = sa.select(runs.c.id, runs.c.summary_metrics).where(runs.c.id.in_(ids))
        found.update((row.id, row.summary_metrics) for row in tx.rows(query))
    return found


def followed(tx: Tx, experiment_ids: Collection[int]) -> list[Any]:
    """Id, state and search of experiments that a stream follows; those that are gone are missing."""
    query = sa.select(
        experiments.c.id,
        experiments.c.state,
        experiments.c.searcher_name,
        experiments.c.searcher_metric,
        experiments.c.smaller_is_better,
    )
    return [row for ids in chunks(experiment_ids) for row in tx.rows(query.where(experiments.c.id.in_(ids)))]


def _within(column: Any, wanted: Range) -> list[sa.ColumnElement[bool]]:
    limits = ((wanted.lt, column.__lt__), (wanted.lte, column.__le__), (wanted.gt, column.__gt__), (wanted.gte, column.__ge__))
    conditions = [compare(limit) for limit, compare in limits if limit is not None]
    if wanted.only:
        conditions.append(column.in_(wanted.only))
    if wanted.without:
        conditions.append(column.not_in(wanted.without))
    return conditions
