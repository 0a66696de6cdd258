"""Removing the files of checkpoints: all of them, or those that match globs. It goes on in the background."""

from undeterred.api.call import Call
from undeterred.api.checkpoints.targets import changeable, check_uuid
from undeterred.api.operation import operation
from undeterred.api.views.common import few
from undeterred.core.globs import check_globs
from undeterred.core.rights import Right
from undeterred.engine import checkpoints
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_EDIT = Right.UPDATE_EXPERIMENT


@operation("DeleteCheckpoints", needs=_EDIT, task=True)
async def delete_checkpoints(call: Call, req: m.DeleteCheckpointsRequest) -> m.DeleteCheckpointsResponse:
    """Remove all files of checkpoints, none of which may be a version of a model."""
    await _remove(call, req.checkpoint_uuids, None)
    return m.DeleteCheckpointsResponse()


@operation("CheckpointsRemoveFiles", needs=_EDIT, task=True)
async def checkpoints_remove_files(call: Call, req: m.CheckpointsRemoveFilesRequest) -> m.CheckpointsRemoveFilesResponse:
    """Remove those files of checkpoints that match one of the globs; without globs only look which files are there."""
    await _remove(call, req.checkpoint_uuids, check_globs(req.checkpoint_globs))
    return m.CheckpointsRemoveFilesResponse()


async def _remove(call: Call, uuids: list[str], globs: list[str] | None) -> None:
    wanted = {check_uuid(uuid) for uuid in few(uuids, "checkpointUuids")}

    def remove(tx: Tx) -> None:
        rows = changeable(call, tx, _EDIT, wanted)
        if rows:
            checkpoints.remove(tx, [row.uuid for row in rows], globs)

    await call.write(remove)
