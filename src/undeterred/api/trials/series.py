"""Series of metrics for charts that compare trials."""

from collections.abc import Mapping, Sequence
from typing import Any

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import few, given
from undeterred.api.views.metrics import EPOCH, chart_points, group_of, type_of
from undeterred.api.views.trials import bare_message
from undeterred.base import json
from undeterred.base.errors import Invalid, NotFound
from undeterred.base.struct import Struct
from undeterred.core.metrics.checks import TRAINING, VALIDATION
from undeterred.core.metrics.ranges import EVERYTHING, Range
from undeterred.core.rights import Right
from undeterred.store import metrics, trials
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_VIEW = Right.VIEW_EXPERIMENT_METADATA
POINTS = 200
"""Points of a series unless the request says otherwise."""
BATCHES, TIME = "batches", "time"


class Limits(Struct, frozen=True):
    """Which reports are wanted: all that are inside every range."""

    steps: tuple[Range, ...]
    time: Range = EVERYTHING
    metric: str | None = None
    values: Range = EVERYTHING
    """Of the value that the same report has for `metric`."""


@operation("CompareTrials", needs=_VIEW)
async def compare_trials(call: Call, req: m.CompareTrialsRequest) -> m.CompareTrialsResponse:
    """Series of metrics of some trials, thinned out so that peaks, the first and the newest point stay.

    The metrics are named by `metricIds` ("group.name"), or by `metricNames` of one group; of training and validation when no
    group is named. They can be limited by steps, time, or the value of any metric of the same report.
    """
    if not req.trial_ids:
        raise NotFound("no trial is named in trialIds")
    if req.max_datapoints < 0:
        raise Invalid(f"maxDatapoints must not be negative, got {req.max_datapoints}; 0 means {POINTS}")
    wanted, limits = _metrics(req), _limits(req)
    trial_ids = list(dict.fromkeys(few(req.trial_ids, "trialIds")))

    def load(tx: Tx) -> m.CompareTrialsResponse:
        targets.trials(call, tx, _VIEW, trial_ids)
        shown = _series(tx, trial_ids, wanted, limits, req.max_datapoints or POINTS)
        return m.CompareTrialsResponse(
            trials=[
                m.ComparableTrial(trial=bare_message(row, tx.now), metrics=shown.get(row.id, []))
                for row in trials.bare(tx, trial_ids)
            ]
        )

    return await call.read(load)


def _metrics(req: m.CompareTrialsRequest) -> dict[str, tuple[str, ...]]:
    """Group -> names of the metrics wanted of it, each once."""
    group = group_of(req.metric_type, req.group)
    if req.metric_ids and req.metric_names:
        raise Invalid("metricIds and metricNames exclude each other")
    wanted: dict[str, dict[str, None]] = {}
    for name in few(req.metric_names, "metricNames"):
        for one in [group] if group else [TRAINING, VALIDATION]:
            wanted.setdefault(one, {})[name] = None
    for metric_id in few(req.metric_ids, "metricIds"):
        one, dot, name = metric_id.partition(".")
        if not dot:
            raise Invalid(f'metricIds: {metric_id[:80]!r} is not of the form "group.name"')
        wanted.setdefault(one, {})[name] = None
    return {one: tuple(names) for one, names in wanted.items()}


def _limits(req: m.CompareTrialsRequest) -> Limits:
    """What `startBatches`, `endBatches` and `timeSeriesFilter` ask for; raises Invalid for a range of the wrong kind."""
    steps = Range(gte=req.start_batches or None, lte=req.end_batches or None)
    sent = req.time_series_filter or m.PolymorphicFilter()
    name = given(sent.name) or BATCHES
    numbers, times = _range(sent.double_range) or _range(sent.integer_range), _range(sent.time_range)
    if times is not None and name != TIME:
        raise Invalid("timeSeriesFilter: a timeRange limits only time")
    if numbers is not None and name == TIME:
        raise Invalid("timeSeriesFilter: time is limited by a timeRange")
    if numbers is None:
        return Limits((steps,), times or EVERYTHING)
    if name == BATCHES:
        return Limits((steps, numbers))
    return Limits((steps,), metric=name, values=numbers)


def _range(sent: Any) -> Range | None:
    """A range as it was sent; None when it was not, or limits nothing."""
    if not isinstance(sent, m.DoubleFieldFilter | m.Int32FieldFilter | m.TimestampFieldFilter):
        return None
    lists = {"only": frozenset(sent.incl), "without": frozenset(sent.not_in)} if isinstance(sent, m.Int32FieldFilter) else {}
    made = Range(given(sent.lt), given(sent.lte), given(sent.gt), given(sent.gte), **lists)
    return None if made.open else made


def _series(
    tx: Tx, trial_ids: Sequence[int], wanted: Mapping[str, tuple[str, ...]], limits: Limits, most: int
) -> dict[int, list[m.DownsampledMetrics]]:
    """Trial -> its series, those without a report left out."""
    ids = metrics.group_ids(tx, wanted)
    extra = (EPOCH,) if limits.metric is None else (EPOCH, limits.metric)
    read = {ids[group]: tuple(dict.fromkeys((*names, *extra))) for group, names in wanted.items() if group in ids}
    found = metrics.series(tx, trial_ids, read, steps=limits.steps, time=limits.time)
    summaries = {run_id: json.loads(text) for run_id, text in metrics.summaries(tx, trial_ids).items()}
    shown: dict[int, list[m.DownsampledMetrics]] = {}
    for run_id in trial_ids:
        for group, names in wanted.items():
            series = found.get((run_id, ids.get(group, 0)))
            if limits.metric is not None and series is not None:
                values = series.of(limits.metric)
                series = series.only([row for row, value in enumerate(values) if limits.values.holds(value)])
            if series:
                mixed = {name for name, entry in summaries[run_id].get(group, {}).items() if entry["type"] == "string"}
                data = chart_points(series, names, mixed, most)
                shown.setdefault(run_id, []).append(m.DownsampledMetrics(data=data, type=type_of(group), group=group))
    return shown
