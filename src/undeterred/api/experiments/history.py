"""How the validations of an experiment went: the best value, and how it got better."""

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import when
from undeterred.base.errors import NotFound
from undeterred.core.metrics import best
from undeterred.core.metrics.checks import number
from undeterred.core.rights import Right
from undeterred.store import metrics, trials
from undeterred.store.database import Tx
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double

_VIEW = Right.VIEW_EXPERIMENT_METADATA


@operation("GetBestSearcherValidationMetric", needs=_VIEW, task=True)
async def get_best(call: Call, req: m.GetBestSearcherValidationMetricRequest) -> m.GetBestSearcherValidationMetricResponse:
    """The best value of the searcher's metric; not found while there is none."""

    def load(tx: Tx) -> float:
        targets.experiment(call, tx, _VIEW, req.experiment_id)
        value = trials.best_value(tx, req.experiment_id)
        if value is None:
            raise NotFound(f"no trial of experiment {req.experiment_id} has reported the searcher's metric as a number yet")
        return value

    return m.GetBestSearcherValidationMetricResponse(metric=Double(await call.read(load)))


@operation("GetExperimentValidationHistory", needs=_VIEW)
async def get_history(call: Call, req: m.GetExperimentValidationHistoryRequest) -> m.GetExperimentValidationHistoryResponse:
    """The validations that were the best of the whole experiment when they came, in order of their time."""

    def load(tx: Tx) -> list[m.ValidationHistoryEntry]:
        row = targets.experiment(call, tx, _VIEW, req.experiment_id)
        found = metrics.validations(tx, row.id, row.searcher_metric)
        points = [((run_id, time), number(value)) for run_id, time, value in found]
        return [
            m.ValidationHistoryEntry(trial_id=run_id, end_time=when(time), searcher_metric=Double(value))
            for (run_id, time), value in best.improvements(points, smaller_is_better=row.smaller_is_better)
        ]

    return m.GetExperimentValidationHistoryResponse(validation_history=await call.read(load))
