"""Groups, points and reports of metrics as clients see them."""

from collections.abc import Sequence, Set
from typing import Any

import msgspec

from undeterred.api.views.common import UNSET, when
from undeterred.base import json
from undeterred.base.errors import Invalid
from undeterred.core.metrics import chart
from undeterred.core.metrics.checks import TRAINING, VALIDATION, number
from undeterred.store.metrics import Series
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double, Timestamp

_TYPES = {m.MetricType.METRIC_TYPE_TRAINING: TRAINING, m.MetricType.METRIC_TYPE_VALIDATION: VALIDATION}
EPOCH = "epoch"


def group_of(metric_type: Any, group: str) -> str:
    """The group that a request means by its older `metricType` or by `group`; empty when it names neither. Raises Invalid."""
    if metric_type == m.MetricType.METRIC_TYPE_UNSPECIFIED:
        return group
    if group:
        raise Invalid("metricType and group exclude each other; leave metricType out")
    if metric_type not in _TYPES:
        raise Invalid(f"metricType: {metric_type} is not one of {', '.join(_TYPES)}; name the group of other metrics")
    return _TYPES[metric_type]


def type_of(group: str) -> m.MetricType:
    """The older type of a group; custom groups have none."""
    return next((kind for kind, name in _TYPES.items() if name == group), m.MetricType.METRIC_TYPE_UNSPECIFIED)


def chart_points(series: Series, names: Sequence[str], mixed: Set[str], most: int) -> list[m.DataPoint]:
    """At most so many points of a series, with the values of `names`.

    The values of a metric in `mixed`, which was reported in several kinds, are shown as texts, so that they fit one axis. A
    number read as `epoch` is shown beside the values.
    """
    columns = [series.of(name) for name in names]
    epochs = series.of(EPOCH) if EPOCH in series.names else [None] * len(series)
    shown = []
    for row in chart.thin(columns, most):
        values = {name: column[row] for name, column in zip(names, columns, strict=True)}
        for name in mixed & values.keys():
            values[name] = _as_text(values[name])
        shown.append(_data_point(series.steps[row], series.times[row], values, number(epochs[row])))
    return shown


def _data_point(steps: int | None, time: int, values: dict[str, Any], epoch: float | None) -> m.DataPoint:
    return m.DataPoint(
        batches=steps or 0,
        values=msgspec.Raw(json.dumps_finite(values).encode()),
        time=Timestamp(time),
        epoch=UNSET if epoch is None else Double(epoch),
    )


def _as_text(value: Any) -> Any:
    return value if value is None or isinstance(value, str) else json.dumps_finite(value)


def report_messages(rows: Sequence[Any], run_id: int, group: str) -> list[m.MetricsReport]:
    """Rows of `store.metrics.page`; validations have their values under another key than all other groups."""
    head, tail = ('{"validation_metrics":', None) if group == VALIDATION else ('{"avg_metrics":', ',"batch_metrics":')
    return [
        m.MetricsReport(
            trial_id=run_id,
            end_time=when(row.time),
            metrics=msgspec.Raw(
                f"{head}{row.metrics}}}".encode()
                if tail is None
                else f"{head}{row.metrics}{tail}{row.batch_metrics or 'null'}}}".encode()
            ),
            total_batches=row.steps or 0,
            id=row.id % 2**31,  # the field has 32 bits
            trial_run_id=row.run_number,
            group=group,
        )
        for row in rows
    ]
