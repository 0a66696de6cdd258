"""The profiler of old clients: its batches are accepted and its series are empty.

Profilers of today report metric groups (`cpu`, `memory`, `disk`, `network`, `gpu`), which are read like all other metrics.
"""

from collections.abc import AsyncIterator

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import few
from undeterred.base.errors import Invalid
from undeterred.core.lifecycle.trial import TERMINAL
from undeterred.core.rights import Right
from undeterred.engine import keys
from undeterred.engine.waiters import wait
from undeterred.store import trials
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_VIEW, _EDIT = Right.VIEW_EXPERIMENT_METADATA, Right.UPDATE_EXPERIMENT
POLL_SECONDS = 30.0
"""How long a follower waits at most for a wake before it looks by itself."""


@operation("PostTrialProfilerMetricsBatch", needs=_EDIT, task=True)
async def post_batch(call: Call, req: m.PostTrialProfilerMetricsBatchRequest) -> m.PostTrialProfilerMetricsBatchResponse:
    """Check batches of an old profiler; they are not kept."""
    trial_ids = []
    for batch in few(req.batches, "batches"):
        if not len(batch.values) == len(batch.batches) == len(batch.timestamps):
            raise Invalid("batches: values, batches and timestamps must have the same length")
        trial_ids.append(0 if batch.labels is None else batch.labels.trial_id)

    def check(tx: Tx) -> None:
        call.scope(tx, _EDIT)  # asked for also when no batch was sent
        targets.trials(call, tx, _EDIT, list(dict.fromkeys(trial_ids)))

    await call.read(check)
    return m.PostTrialProfilerMetricsBatchResponse()


@operation("GetTrialProfilerMetrics", needs=_VIEW)
async def get_metrics(call: Call, req: m.GetTrialProfilerMetricsRequest) -> AsyncIterator[m.GetTrialProfilerMetricsResponse]:
    """Nothing; with `follow` when the trial has ended."""
    trial_id = 0 if req.labels is None else req.labels.trial_id
    experiment_id = await call.read(lambda tx: _experiment(call, tx, trial_id))
    if req.follow:
        await _ended(call, trial_id, experiment_id)
    for _ in ():
        yield m.GetTrialProfilerMetricsResponse()


@operation("GetTrialProfilerAvailableSeries", needs=_VIEW)
async def get_available_series(
    call: Call, req: m.GetTrialProfilerAvailableSeriesRequest
) -> AsyncIterator[m.GetTrialProfilerAvailableSeriesResponse]:
    """That there is no series; with `follow` the stream ends with the trial."""
    experiment_id = await call.read(lambda tx: _experiment(call, tx, req.trial_id))
    yield m.GetTrialProfilerAvailableSeriesResponse()
    if req.follow:
        await _ended(call, req.trial_id, experiment_id)


def _experiment(call: Call, tx: Tx, trial_id: int) -> int:
    found: int = targets.trial(call, tx, _VIEW, trial_id).experiment_id
    return found


async def _ended(call: Call, trial_id: int, experiment_id: int) -> None:
    """Return when the trial has ended or is gone."""
    with call.engine.waiters.on(keys.experiment(experiment_id)) as event:
        while True:
            event.clear()
            if await call.read(lambda tx: trials.state(tx, trial_id)) in (*TERMINAL, None):
                return
            await wait(event, POLL_SECONDS)
            await call.go_on()
