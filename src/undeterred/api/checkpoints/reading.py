"""Reading checkpoints: one, those of a trial or an experiment, and what trials that use one have measured."""

from typing import Any

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.checkpoints.targets import check_uuid, checkpoint
from undeterred.api.operation import operation
from undeterred.api.views.checkpoints import checkpoint_message, checkpoint_messages
from undeterred.api.views.common import choose, few, given, is_descending, pagination
from undeterred.api.views.metrics import report_messages
from undeterred.api.views.sources import source_kind
from undeterred.core.rights import Right
from undeterred.store import checkpoints, experiments, source_metrics
from undeterred.store.database import Tx
from undeterred.store.paging import memory_page
from undeterred.wire import messages as m

_VIEW = Right.VIEW_EXPERIMENT_ARTIFACTS


@operation("GetCheckpoint", needs=_VIEW, task=True)
async def get_checkpoint(call: Call, req: m.GetCheckpointRequest) -> m.GetCheckpointResponse:
    """One checkpoint with its files, its metadata, and the metrics at its steps."""
    uuid = check_uuid(req.checkpoint_uuid)

    def load(tx: Tx) -> m.Checkpoint:
        row = checkpoint(call, tx, _VIEW, uuid)
        return checkpoint_message(checkpoints.load(tx, [row.id])[0])

    return m.GetCheckpointResponse(checkpoint=await call.read(load))


@operation("GetTrialCheckpoints", needs=_VIEW, task=True)
async def get_trial_checkpoints(call: Call, req: m.GetTrialCheckpointsRequest) -> m.GetTrialCheckpointsResponse:
    """The checkpoints of a trial, by trial id unless told otherwise; by a metric ascending those without it come first."""

    def load(tx: Tx) -> m.GetTrialCheckpointsResponse:
        run = targets.trial(call, tx, _VIEW, req.id)
        experiment = experiments.get(tx, run.experiment_id)
        ids = _sorted(tx, req, checkpoints.of_run(req.id), experiment, unvalidated_last=False)
        page = memory_page(req.offset, req.limit, len(ids))
        found = checkpoints.load(tx, ids[page.start : page.end])
        return m.GetTrialCheckpointsResponse(checkpoints=checkpoint_messages(found), pagination=pagination(page))

    return await call.read(load)


@operation("GetExperimentCheckpoints", needs=_VIEW, task=True)
async def get_experiment_checkpoints(call: Call, req: m.GetExperimentCheckpointsRequest) -> m.GetExperimentCheckpointsResponse:
    """The checkpoints of all trials of an experiment; by the searcher's metric those without it come last in both directions."""

    def load(tx: Tx) -> m.GetExperimentCheckpointsResponse:
        experiment = targets.experiment(call, tx, _VIEW, req.id)
        ids = _sorted(tx, req, checkpoints.of_experiment(req.id), experiment, unvalidated_last=True)
        page = memory_page(req.offset, req.limit, len(ids))
        found = checkpoints.load(tx, ids[page.start : page.end])
        return m.GetExperimentCheckpointsResponse(checkpoints=checkpoint_messages(found), pagination=pagination(page))

    return await call.read(load)


@operation("GetTrialMetricsByCheckpoint", needs=_VIEW)
async def get_trial_metrics_by_checkpoint(
    call: Call, req: m.GetTrialMetricsByCheckpointRequest
) -> m.GetTrialMetricsByCheckpointResponse:
    """What trials have measured that said that they use this checkpoint, in one group of metrics or in all."""
    uuid, kind, group = check_uuid(req.checkpoint_uuid), source_kind(req.trial_source_info_type), given(req.metric_group) or ""

    def load(tx: Tx) -> list[m.MetricsReport]:
        row, scope = checkpoint(call, tx, _VIEW, uuid), call.scope(tx, _VIEW)
        rows = source_metrics.of_checkpoint(tx, scope, row.id, kind, group)
        return [message for one in rows for message in report_messages([one], one.run_id, one.group)]

    return m.GetTrialMetricsByCheckpointResponse(metrics=await call.read(load))


_SORTS = {
    m.CheckpointSortBy.SORT_BY_UNSPECIFIED: "trial",
    m.CheckpointSortBy.SORT_BY_UUID: "uuid",
    m.CheckpointSortBy.SORT_BY_TRIAL_ID: "trial",
    m.CheckpointSortBy.SORT_BY_BATCH_NUMBER: "steps",
    m.CheckpointSortBy.SORT_BY_END_TIME: "time",
    m.CheckpointSortBy.SORT_BY_STATE: "state",
    m.CheckpointSortBy.SORT_BY_SEARCHER_METRIC: "metric",
}
_STATES = {state: str(state).removeprefix("STATE_") for state in m.CheckpointState}


def _sorted(
    tx: Tx,
    req: m.GetTrialCheckpointsRequest | m.GetExperimentCheckpointsRequest,
    where: Any,
    experiment: Any,
    *,
    unvalidated_last: bool,
) -> list[int]:
    """Ids in the order asked for. The searcher's metric without a direction means: the best first, the usable ones before."""
    states = {choose(_STATES, state, "states") for state in few(req.states, "states")}
    descending = is_descending(req.order_by)
    sort = choose(_SORTS, given(req.sort_by_attr) or m.CheckpointSortBy.SORT_BY_UNSPECIFIED, "sortByAttr")
    metric = given(req.sort_by_metric)
    if metric:
        return checkpoints.ordered_by_metric(tx, where, states, metric, descending=descending, without_last=False)
    if sort != "metric":
        return checkpoints.ordered(tx, where, states, sort, descending=descending)
    best_first = req.order_by == m.OrderBy.ORDER_BY_UNSPECIFIED
    return checkpoints.ordered_by_metric(
        tx,
        where,
        states,
        experiment.searcher_metric,
        descending=not experiment.smaller_is_better if best_first else descending,
        without_last=unvalidated_last or best_first,
        usable_first=best_first,
    )
