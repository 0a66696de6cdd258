"""What the trials of an experiment report, as streams for charts that follow it.

Each stream tells at once what there is, then at most once per period what changed, and ends with its experiments.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Sequence
from contextlib import aclosing
from typing import Protocol, TypeVar

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import few, free
from undeterred.api.views.metrics import EPOCH, chart_points, group_of
from undeterred.base.errors import Invalid, Refused
from undeterred.base.struct import Struct, field
from undeterred.core.lifecycle.experiment import DELETABLE, ExperimentState
from undeterred.core.metrics.checks import TRAINING, VALIDATION, number
from undeterred.core.metrics.ranges import Range
from undeterred.core.rights import Right
from undeterred.engine import keys
from undeterred.engine.waiters import wait
from undeterred.store import metrics
from undeterred.store.database import Tx
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double

_VIEW = Right.VIEW_EXPERIMENT_METADATA
_OVER = {str(state) for state in (*DELETABLE, ExperimentState.DELETING, ExperimentState.DELETED)}
PERIOD = 30
POLL_SECONDS = 60.0
"""How long a stream waits at most for a wake before it looks by itself."""
MOST_MARGIN = 100
TRIALS, POINTS = 25, 1000
BY_LENGTH = ("adaptive_asha", "async_halving")
"""Searches whose trials are of different length by design: the furthest come first."""

D = TypeVar("D")
R = TypeVar("R", covariant=True)


class Watch(Protocol[D, R]):
    """What a stream looks at."""

    def read(self, tx: Tx) -> D:
        """What there is now; changes nothing in the watch."""

    def news(self, data: D) -> R | None:
        """The message that tells it, None when nothing is new; the first time there always is one."""


@operation("ExpMetricNames", needs=_VIEW)
async def metric_names(call: Call, req: m.ExpMetricNamesRequest) -> AsyncIterator[m.ExpMetricNamesResponse]:
    """Names of the metrics that the trials of some experiments have reported; all of them again when there is a new one."""
    if not req.ids:
        raise Invalid("ids: name at least one experiment")
    ids = list(dict.fromkeys(few(req.ids, "ids")))
    async with aclosing(_follow(call, ids, req.period_seconds, _Names(ids))) as messages:
        async for message in messages:
            yield message


@operation("MetricBatches", needs=_VIEW)
async def metric_batches(call: Call, req: m.MetricBatchesRequest) -> AsyncIterator[m.MetricBatchesResponse]:
    """Numbers of steps at which a metric was reported; all of them again when there is a new one."""
    watch = _Batches(req.experiment_id, _group(req), req.metric_name)
    async with aclosing(_follow(call, [req.experiment_id], req.period_seconds, watch)) as messages:
        async for message in messages:
            yield message


@operation("TrialsSnapshot", needs=_VIEW)
async def trials_snapshot(call: Call, req: m.TrialsSnapshotRequest) -> AsyncIterator[m.TrialsSnapshotResponse]:
    """The value of a metric in every trial at some number of steps, or at the nearest within `batchesMargin`."""
    if not 0 <= req.batches_margin <= MOST_MARGIN:
        raise Invalid(f"batchesMargin must be between 0 and {MOST_MARGIN}, got {req.batches_margin}")
    watch = _Snapshot(req.experiment_id, _group(req), req.metric_name, req.batches_processed, req.batches_margin)
    async with aclosing(_follow(call, [req.experiment_id], req.period_seconds, watch)) as messages:
        async for message in messages:
            yield message


@operation("TrialsSample", needs=_VIEW)
async def trials_sample(call: Call, req: m.TrialsSampleRequest) -> AsyncIterator[m.TrialsSampleResponse]:
    """Series of a metric in the best trials; later messages tell which came in and went out, and only what was reported since."""
    for name, value in (("maxTrials", req.max_trials), ("maxDatapoints", req.max_datapoints)):
        if value < 0:
            raise Invalid(f"{name} must not be negative, got {value}")
    watch = _Sample(
        req.experiment_id,
        _group(req),
        req.metric_name,
        req.max_trials or TRIALS,
        req.max_datapoints or POINTS,
        Range(gte=req.start_batches or None, lte=req.end_batches or None),
    )
    async with aclosing(_follow(call, [req.experiment_id], req.period_seconds, watch)) as messages:
        async for message in messages:
            yield message


def _group(req: m.MetricBatchesRequest | m.TrialsSnapshotRequest | m.TrialsSampleRequest) -> str:
    if not req.metric_name:
        raise Invalid("metricName: required")
    group = group_of(req.metric_type, req.group)
    if not group:
        raise Invalid("group: required, the group of the metric (or metricType)")
    return group


async def _follow(call: Call, ids: Sequence[int], period: int, watch: Watch[D, R]) -> AsyncGenerator[R, None]:
    """Messages of a watch until all experiments have ended or are gone."""
    if period < 0:
        raise Invalid(f"periodSeconds must not be negative, got {period}; 0 means {PERIOD}")
    await call.read(lambda tx: [targets.experiment(call, tx, _VIEW, experiment_id) for experiment_id in ids])
    states, reports = [keys.experiment(one) for one in ids], [keys.experiment_metrics(one) for one in ids]
    waiters = call.engine.waiters
    with waiters.on(*states) as state, waiters.on(*states, *reports) as anything:
        while True:
            state.clear()
            anything.clear()
            over, data = await call.read(lambda tx: (_over(tx, ids), watch.read(tx)))
            message = watch.news(data)
            if message is not None:
                yield message
            if over:
                return
            await _pause(call, ids, state, period or PERIOD)
            await wait(anything, POLL_SECONDS)
            await call.go_on()


async def _pause(call: Call, ids: Sequence[int], state: asyncio.Event, seconds: float) -> None:
    """Let a period pass; it is cut short when the experiments end."""
    loop = asyncio.get_running_loop()
    until = loop.time() + seconds
    while (left := until - loop.time()) > 0 and await wait(state, left):
        state.clear()
        if await call.read(lambda tx: _over(tx, ids)):
            return


def _over(tx: Tx, ids: Collection[int]) -> bool:
    return all(row.state in _OVER for row in metrics.followed(tx, ids))


class _Names(Struct):
    ids: Sequence[int]
    told: set[tuple[str, str]] | None = None

    def read(self, tx: Tx) -> tuple[set[tuple[str, str]], list[str]]:
        searched = {row.searcher_metric for row in metrics.followed(tx, self.ids)}
        return metrics.names(tx, self.ids), sorted(searched - {""})

    def news(self, data: tuple[set[tuple[str, str]], list[str]]) -> m.ExpMetricNamesResponse | None:
        found, searched = data
        if found == self.told:
            return None
        self.told = found
        return m.ExpMetricNamesResponse(
            searcher_metrics=searched,
            training_metrics=sorted(name for group, name in found if group == TRAINING),
            validation_metrics=sorted(name for group, name in found if group == VALIDATION),
            metric_names=[m.MetricIdentifier(group=group, name=name) for group, name in sorted(found)],
        )


class _Batches(Struct):
    experiment_id: int
    group: str
    metric: str
    told: list[int] | None = None

    def read(self, tx: Tx) -> list[int]:
        group_id = metrics.group_ids(tx, [self.group]).get(self.group)
        return [] if group_id is None else metrics.steps_with(tx, self.experiment_id, group_id, self.metric)

    def news(self, data: list[int]) -> m.MetricBatchesResponse | None:
        if data == self.told:
            return None
        self.told = data
        return m.MetricBatchesResponse(batches=data)


class _Snapshot(Struct):
    experiment_id: int
    group: str
    metric: str
    steps: int
    margin: int
    told: dict[int, tuple[int, float]] | None = None

    def read(self, tx: Tx) -> tuple[dict[int, tuple[int, float]], dict[int, str]]:
        """Trial -> steps and value, and the hyperparameters of these trials."""
        group_id = metrics.group_ids(tx, [self.group]).get(self.group)
        if group_id is None:
            return {}, {}
        found: dict[int, tuple[int, float]] = {}
        low, high = self.steps - self.margin, self.steps + self.margin
        for run_id, steps, reported in metrics.near(tx, self.experiment_id, group_id, self.metric, low, high):
            value, known = number(reported), found.get(run_id)
            if value is not None and (known is None or abs(steps - self.steps) < abs(known[0] - self.steps)):
                found[run_id] = (steps, value)
        return found, metrics.hparams(tx, found)

    def news(self, data: tuple[dict[int, tuple[int, float]], dict[int, str]]) -> m.TrialsSnapshotResponse | None:
        found, hparams = data
        if found == self.told:
            return None
        self.told = found
        return m.TrialsSnapshotResponse(
            trials=[
                m.TrialsSnapshotResponseTrial(
                    trial_id=run_id, hparams=free(hparams[run_id]), metric=Double(value), batches_processed=steps
                )
                for run_id, (steps, value) in sorted(found.items())
            ]
        )


class _Sampled(Struct, frozen=True):
    """What a sample found: the trials now shown, best first, and of those with news their points and the newest report."""

    shown: Sequence[int]
    points: dict[int, list[m.DataPoint]]
    newest: dict[int, int]
    hparams: dict[int, str]


class _Sample(Struct):
    experiment_id: int
    group: str
    metric: str
    trials: int
    most: int
    steps: Range
    told: dict[int, int] = field(default_factory=dict)
    """Trial that is shown -> its newest report that was told."""
    begun: bool = False

    def read(self, tx: Tx) -> _Sampled:
        rows = metrics.followed(tx, [self.experiment_id])
        if not rows:
            return _Sampled((), {}, {}, {})
        if rows[0].searcher_name == "single":
            raise Refused("a single search has one trial: there is nothing to sample from")
        shown = metrics.top_runs(tx, rows[0], self.trials, by_length=rows[0].searcher_name in BY_LENGTH)
        points: dict[int, list[m.DataPoint]] = {run_id: [] for run_id in shown if run_id not in self.told}
        newest: dict[int, int] = {}
        names = tuple(dict.fromkeys((self.metric, EPOCH)))
        group_id = metrics.group_ids(tx, [self.group]).get(self.group)
        asked = {} if group_id is None else {group_id: names}
        since = min((self.told.get(run_id, 0) for run_id in shown), default=0)
        for (run_id, _), found in metrics.series(tx, shown, asked, steps=(self.steps,), after=since).items():
            told = self.told.get(run_id, 0)
            fresh = [row for row, value in enumerate(found.of(self.metric)) if value is not None and found.ids[row] > told]
            if fresh:
                series = found.only(fresh)
                newest[run_id] = max(series.ids)
                points[run_id] = chart_points(series, (self.metric,), frozenset(), self.most)
        return _Sampled(shown, points, newest, metrics.hparams(tx, points))

    def news(self, data: _Sampled) -> m.TrialsSampleResponse | None:
        demoted = [run_id for run_id in self.told if run_id not in data.shown]
        promoted = [run_id for run_id in data.shown if run_id not in self.told]
        if self.begun and not demoted and not data.points:
            return None
        self.begun = True
        self.told = {run_id: data.newest.get(run_id, self.told.get(run_id, 0)) for run_id in data.shown}
        return m.TrialsSampleResponse(
            trials=[
                m.TrialsSampleResponseTrial(trial_id=run_id, hparams=free(data.hparams.get(run_id)), data=data.points[run_id])
                for run_id in data.shown
                if run_id in data.points
            ],
            promoted_trials=promoted,
            demoted_trials=demoted,
        )
