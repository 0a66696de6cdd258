"""Checkpoints as training code reports them, and what it says of them later: which files are left, other metadata."""

from collections.abc import Mapping
from typing import Any

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.checkpoints.targets import changeable, check_uuid, checkpoint
from undeterred.api.operation import operation
from undeterred.api.views.checkpoints import checkpoint_message
from undeterred.api.views.common import few, given
from undeterred.base import json
from undeterred.base.errors import Exists, Invalid
from undeterred.core import checkpoints as rules
from undeterred.core.names import storable
from undeterred.core.rights import Right
from undeterred.store import checkpoints, experiments, runs, tasks
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_EDIT = Right.UPDATE_EXPERIMENT


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


@operation("PatchCheckpoints", needs=_EDIT, task=True)
async def patch_checkpoints(call: Call, req: m.PatchCheckpointsRequest) -> m.PatchCheckpointsResponse:
    """Say which files of checkpoints are left: none means deleted, fewer means partially deleted."""
    left: dict[str, Mapping[str, int]] = {}
    for one in few(req.checkpoints, "checkpoints"):
        change = given(one.resources)
        if change is None:
            raise Invalid(f"checkpoint {one.uuid[:80]}: resources is required, the files that are left")
        left[check_uuid(one.uuid)] = rules.check_resources(change.resources)

    def patch(tx: Tx) -> None:
        rows = changeable(call, tx, _EDIT, left)
        checkpoints.set_files(tx, {row.id: left[row.uuid] for row in rows})

    await call.write(patch)
    return m.PatchCheckpointsResponse()


@operation("PostCheckpointMetadata", needs=_EDIT, task=True)
async def post_checkpoint_metadata(call: Call, req: m.PostCheckpointMetadataRequest) -> m.PostCheckpointMetadataResponse:
    """Replace the metadata of a checkpoint as a whole."""
    sent = req.checkpoint or m.Checkpoint()
    uuid, metadata = check_uuid(sent.uuid), sent.metadata if isinstance(sent.metadata, dict) else {}
    steps = rules.steps_completed(metadata)

    def replace(tx: Tx) -> m.Checkpoint:
        row = checkpoint(call, tx, _EDIT, uuid)
        checkpoints.set_metadata(tx, row.id, json.dumps(metadata), steps)
        message = checkpoint_message(checkpoints.load(tx, [row.id])[0])
        message.metadata = message.metadata if sent.metadata is not None else None
        return message

    return m.PostCheckpointMetadataResponse(checkpoint=await call.write(replace))


def _columns(sent: m.Checkpoint) -> dict[str, Any]:
    """The columns of a reported checkpoint; raises Invalid."""
    if sent.state not in (m.CheckpointState.STATE_COMPLETED, m.CheckpointState.STATE_UNSPECIFIED):
        raise Invalid(f"state: a checkpoint is reported when it is complete, as STATE_COMPLETED, not as {sent.state}")
    files = rules.check_resources(sent.resources)
    metadata = sent.metadata if isinstance(sent.metadata, dict) else {}
    return {
        "uuid": check_uuid(sent.uuid),
        "task_id": sent.task_id,
        "allocation_id": storable(given(sent.allocation_id) or "") or None,
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
