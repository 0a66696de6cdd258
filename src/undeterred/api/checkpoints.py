"""Checkpoints: reported by training code, listed, changed when files of them are gone."""

from collections.abc import Collection, Mapping
from typing import Any

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.checkpoints import checkpoint_message, checkpoint_messages
from undeterred.api.views.common import choose, few, given, is_descending, pagination
from undeterred.base import json
from undeterred.base.errors import Exists, Invalid
from undeterred.base.ids import is_uuid
from undeterred.core import checkpoints as rules
from undeterred.core.rights import Right
from undeterred.store import checkpoints, experiments, runs, tasks
from undeterred.store.database import Tx
from undeterred.store.paging import memory_page
from undeterred.wire import messages as m

_VIEW, _EDIT = Right.VIEW_EXPERIMENT_ARTIFACTS, Right.UPDATE_EXPERIMENT


@operation("ReportCheckpoint", needs=_EDIT, task=True)
async def report_checkpoint(call: Call, req: m.ReportCheckpointRequest) -> m.ReportCheckpointResponse:
    """Store a checkpoint of a trial. The same report sent again is accepted and stored once; another one of its uuid is not."""
    sent = req.checkpoint or m.Checkpoint()

    def report(tx: Tx) -> None:
        task = tasks.get(tx, sent.task_id)
        run_id = runs.of_task(tx, task.id)
        if run_id is None:
            raise Invalid(f"task {task.id} is no trial: only trials report checkpoints")
        experiment_id = targets.trial(call, tx, _EDIT, run_id).experiment_id
        columns = _columns(sent)
        experiments.locked(tx, experiment_id)
        if columns["storage_id"] is not None and not checkpoints.has_storage(tx, columns["storage_id"]):
            raise Invalid(f"storageId: there is no storage {columns['storage_id']}; POST /runs/start tells the one of a trial")
        stored = checkpoints.find(tx, columns["uuid"])
        if stored is None:
            if columns["report_time"] is None:
                columns["report_time"] = tx.now
            checkpoints.create(tx, **columns, run_id=run_id, state=checkpoints.COMPLETED)
        elif not _same(stored, columns):
            raise Exists(f"checkpoint {stored.uuid} was reported already, with other content")

    await call.write(report)
    return m.ReportCheckpointResponse()


@operation("GetCheckpoint", needs=_VIEW, task=True)
async def get_checkpoint(call: Call, req: m.GetCheckpointRequest) -> m.GetCheckpointResponse:
    """One checkpoint with its files, its metadata, and the metrics at its steps."""
    uuid = _uuid(req.checkpoint_uuid)

    def load(tx: Tx) -> m.Checkpoint:
        row = _target(call, tx, _VIEW, uuid)
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


@operation("PatchCheckpoints", needs=_EDIT, task=True)
async def patch_checkpoints(call: Call, req: m.PatchCheckpointsRequest) -> m.PatchCheckpointsResponse:
    """Say which files of checkpoints are left: none means deleted, fewer means partially deleted."""
    left: dict[str, Mapping[str, int]] = {}
    for one in few(req.checkpoints, "checkpoints"):
        change = given(one.resources)
        if change is None:
            raise Invalid(f"checkpoint {one.uuid[:80]}: resources is required, the files that are left")
        left[_uuid(one.uuid)] = rules.check_resources(change.resources)

    def patch(tx: Tx) -> None:
        rows = _changeable(call, tx, left)
        checkpoints.set_files(tx, {row.id: left[row.uuid] for row in rows})

    await call.write(patch)
    return m.PatchCheckpointsResponse()


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


def _columns(sent: m.Checkpoint) -> dict[str, Any]:
    """The columns of a reported checkpoint; raises Invalid."""
    if sent.state not in (m.CheckpointState.STATE_COMPLETED, m.CheckpointState.STATE_UNSPECIFIED):
        raise Invalid(f"state: a checkpoint is reported when it is complete, as STATE_COMPLETED, not as {sent.state}")
    files = rules.check_resources(sent.resources)
    metadata = sent.metadata if isinstance(sent.metadata, dict) else {}
    return {
        "uuid": _uuid(sent.uuid),
        "task_id": sent.task_id,
        "allocation_id": given(sent.allocation_id),
        "storage_id": given(sent.storage_id),
        "report_time": None if sent.report_time is None else int(sent.report_time),
        "metadata": json.dumps(metadata),
        "resources": json.dumps(files),
        "size": checkpoints.total_size(files.values()),
        "steps_completed": rules.steps_completed(metadata),
    }


def _same(stored: Any, columns: Mapping[str, Any]) -> bool:
    """Whether a report says what is stored; the time of the report is no part of it."""
    if (stored.task_id, stored.storage_id) != (columns["task_id"], columns["storage_id"]):
        return False
    return all(json.loads(getattr(stored, name)) == json.loads(columns[name]) for name in ("resources", "metadata"))


def _uuid(text: str) -> str:
    """The uuid in lower case; raises Invalid."""
    if not is_uuid(text):
        raise Invalid(f"{text[:80]!r} is no uuid of a checkpoint")
    return text.lower()


def _target(call: Call, tx: Tx, right: Right, uuid: str) -> Any:
    row = checkpoints.get(tx, uuid)
    _require(call, tx, right, row)
    return row


def _require(call: Call, tx: Tx, right: Right, row: Any) -> None:
    """A task's token reaches the checkpoints of its experiment and the one that its trial was started from."""
    reached: Collection[str] = ()
    if call.who.task_id:
        reached = [*experiments.task_ids(tx, row.experiment_id), *checkpoints.warm_started_tasks(tx, row.uuid)]
    call.require(
        tx,
        right,
        workspace=row.workspace_id,
        owner=row.user_id,
        workspace_owner=row.workspace_owner,
        missing=str(checkpoints.missing(row.uuid)),
        tasks=reached,
    )


def _changeable(call: Call, tx: Tx, uuids: Collection[str]) -> list[Any]:
    """The rows of checkpoints whose files may go; raises NotFound, Forbidden, or Invalid for versions of models."""
    call.scope(tx, _EDIT)
    rows = checkpoints.several(tx, uuids)
    for row in rows:
        _require(call, tx, _EDIT, row)
    kept = checkpoints.registered(tx, [row.id for row in rows])
    for row in rows:
        if row.id in kept:
            raise Invalid(f"checkpoint {row.uuid} is a version of the model {kept[row.id]!r}: delete that version first")
    return rows
