"""Reports of metrics as streams, up to a thousand in a message: what clients read to have all of them."""

from collections.abc import AsyncIterator, Sequence
from functools import partial

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import few
from undeterred.api.views.metrics import report_messages
from undeterred.base.errors import Invalid
from undeterred.core.metrics.checks import TRAINING, VALIDATION
from undeterred.core.rights import Right
from undeterred.store import metrics
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_VIEW = Right.VIEW_EXPERIMENT_METADATA
PAGE = 1000


@operation("GetMetrics", needs=_VIEW, task=True)
async def get_metrics(call: Call, req: m.GetMetricsRequest) -> AsyncIterator[m.GetMetricsResponse]:
    """All reports of one group, trial after trial, each in order of steps; reports without steps come last."""
    async for reports in _pages(call, req.trial_ids, req.group):
        yield m.GetMetricsResponse(metrics=reports)


@operation("GetTrainingMetrics", needs=_VIEW, task=True)
async def get_training_metrics(call: Call, req: m.GetTrainingMetricsRequest) -> AsyncIterator[m.GetTrainingMetricsResponse]:
    """The same for the group `training`."""
    async for reports in _pages(call, req.trial_ids, TRAINING):
        yield m.GetTrainingMetricsResponse(metrics=reports)


@operation("GetValidationMetrics", needs=_VIEW, task=True)
async def get_validation_metrics(call: Call, req: m.GetValidationMetricsRequest) -> AsyncIterator[m.GetValidationMetricsResponse]:
    """The same for the group `validation`."""
    async for reports in _pages(call, req.trial_ids, VALIDATION):
        yield m.GetValidationMetricsResponse(metrics=reports)


async def _pages(call: Call, trial_ids: Sequence[int], group: str) -> AsyncIterator[list[m.MetricsReport]]:
    if not trial_ids:
        raise Invalid("trialIds: name at least one trial")
    wanted = list(dict.fromkeys(few(trial_ids, "trialIds")))
    group_id = await call.read(lambda tx: _admit(call, tx, wanted, group))
    if group_id is None:
        return
    for trial_id in wanted:
        after: metrics.After | None = metrics.FIRST
        while after is not None:
            rows, after = await call.read(partial(metrics.page, run_id=trial_id, group_id=group_id, after=after, limit=PAGE))
            if rows:
                yield report_messages(rows, trial_id, group)


def _admit(call: Call, tx: Tx, trial_ids: Sequence[int], group: str) -> int | None:
    targets.trials(call, tx, _VIEW, trial_ids)
    return metrics.group_ids(tx, [group]).get(group)
