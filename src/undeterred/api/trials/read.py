"""Reading trials: one, those of an experiment, and the workloads of one."""

from typing import Any

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, is_descending, pagination
from undeterred.api.views.metrics import group_of
from undeterred.api.views.trials import checkpoint_workload, load_message, trial_message, workload_message
from undeterred.base.errors import NotFound
from undeterred.core.rights import Right
from undeterred.store import trials, workloads
from undeterred.store.database import Tx
from undeterred.store.trials import Sort
from undeterred.store.workloads import Kind, Workload
from undeterred.wire import messages as m

_VIEW = Right.VIEW_EXPERIMENT_METADATA
_By = m.GetExperimentTrialsRequestSortBy
_SORTS = {
    _By.SORT_BY_UNSPECIFIED: Sort.ID,
    _By.SORT_BY_ID: Sort.ID,
    _By.SORT_BY_START_TIME: Sort.START_TIME,
    _By.SORT_BY_END_TIME: Sort.END_TIME,
    _By.SORT_BY_STATE: Sort.STATE,
    _By.SORT_BY_BEST_VALIDATION_METRIC: Sort.BEST_VALIDATION,
    _By.SORT_BY_LATEST_VALIDATION_METRIC: Sort.LATEST_VALIDATION,
    _By.SORT_BY_BATCHES_PROCESSED: Sort.BATCHES,
    _By.SORT_BY_DURATION: Sort.DURATION,
    _By.SORT_BY_RESTARTS: Sort.RESTARTS,
    _By.SORT_BY_CHECKPOINT_SIZE: Sort.CHECKPOINT_SIZE,
    _By.SORT_BY_LOG_RETENTION_DAYS: Sort.LOG_RETENTION,
}
_STATES = {state: state.removeprefix("STATE_") for state in m.ExperimentState if state != m.ExperimentState.STATE_UNSPECIFIED}
_Filter = m.GetTrialWorkloadsRequestFilterOption
_KINDS = {
    _Filter.FILTER_OPTION_UNSPECIFIED: (Kind.TRAINING, Kind.VALIDATION, Kind.CHECKPOINT),
    _Filter.FILTER_OPTION_CHECKPOINT: (Kind.VALIDATION, Kind.CHECKPOINT),  # a checkpoint is judged by its validation
    _Filter.FILTER_OPTION_VALIDATION: (Kind.VALIDATION,),
    _Filter.FILTER_OPTION_CHECKPOINT_OR_VALIDATION: (Kind.VALIDATION, Kind.CHECKPOINT),
}


@operation("GetTrial", needs=_VIEW, task=True)
async def get_trial(call: Call, req: m.GetTrialRequest) -> m.GetTrialResponse:
    """One trial with its best and latest validation, its best checkpoint and the summaries of its metrics."""

    def load(tx: Tx) -> m.Trial:
        targets.trial(call, tx, _VIEW, req.trial_id)
        return load_message(tx, req.trial_id)

    return m.GetTrialResponse(trial=await call.read(load, quick=True))


@operation("GetTrialByExternalID", needs=_VIEW)
async def get_trial_by_external_id(call: Call, req: m.GetTrialByExternalIDRequest) -> m.GetTrialByExternalIDResponse:
    """The unmanaged trial that its own program calls so."""
    missing = f"no trial {req.external_trial_id[:80]!r} in an experiment {req.external_experiment_id[:80]!r}"

    def load(tx: Tx) -> m.Trial:
        found = trials.by_external_id(tx, req.external_experiment_id, req.external_trial_id)
        if found is None:
            raise NotFound(missing)
        targets.trial(call, tx, _VIEW, found)
        return load_message(tx, found)

    return m.GetTrialByExternalIDResponse(trial=await call.read(load))


@operation("GetExperimentTrials", needs=_VIEW, task=True)
async def get_experiment_trials(call: Call, req: m.GetExperimentTrialsRequest) -> m.GetExperimentTrialsResponse:
    """The trials of an experiment in any order, all or those in some states.

    By validation the best comes first (ascending); a trial without the value that is sorted by comes last in both directions.
    """
    sort, descending = choose(_SORTS, req.sort_by, "sortBy"), is_descending(req.order_by)
    states = {choose(_STATES, state, "states") for state in req.states}

    def load(tx: Tx) -> m.GetExperimentTrialsResponse:
        experiment = targets.experiment(call, tx, _VIEW, req.experiment_id)
        found, page = trials.page(tx, experiment, states, sort, descending=descending, offset=req.offset, limit=req.limit)
        return m.GetExperimentTrialsResponse(
            trials=[trial_message(trial, tx.now) for trial in found], pagination=pagination(page)
        )

    return await call.read(load)


@operation("GetTrialWorkloads", needs=_VIEW)
async def get_trial_workloads(call: Call, req: m.GetTrialWorkloadsRequest) -> m.GetTrialWorkloadsResponse:
    """Training reports, validations and checkpoints of a trial in one list, by steps unless `sortKey` names something else.

    `sortKey` is `batches`, `endTime`, or the name of a metric. The kind of metric does not limit the list: `filter` does.
    """
    kinds, descending = choose(_KINDS, req.filter, "filter"), is_descending(req.order_by)
    group_of(req.metric_type, req.group)

    def load(tx: Tx) -> m.GetTrialWorkloadsResponse:
        targets.trial(call, tx, _VIEW, req.trial_id)
        found, page = workloads.page(
            tx,
            req.trial_id,
            kinds,
            metric="" if req.sort_key in ("batches", "endTime") else req.sort_key,
            by_time=req.sort_key == "endTime",
            descending=descending,
            deleted=not req.remove_deleted_checkpoints,
            batches=req.include_batch_metrics,
            offset=req.offset,
            limit=req.limit or -1,
        )
        return m.GetTrialWorkloadsResponse(workloads=[_container(one) for one in found], pagination=pagination(page))

    return await call.read(load)


def _container(workload: Workload) -> m.WorkloadContainer:
    row = workload.row
    if workload.kind is Kind.CHECKPOINT:
        return m.WorkloadContainer(checkpoint=checkpoint_workload(row, metadata=True))
    message = workload_message(row.time, row.steps, row.metrics, _batches(row))
    if workload.kind is Kind.TRAINING:
        return m.WorkloadContainer(training=message)
    return m.WorkloadContainer(validation=message)


def _batches(row: Any) -> str | None:
    found: str | None = getattr(row, "batch_metrics", None)
    return found
