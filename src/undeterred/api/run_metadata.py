"""What a program attaches to its run: free metadata, and the storage of its checkpoints."""

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import UNSET, free, given
from undeterred.base import json
from undeterred.core.config.mask import read_storage
from undeterred.core.metadata import check_metadata
from undeterred.core.rights import Right
from undeterred.store import runs, storages
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_VIEW, _EDIT = Right.VIEW_EXPERIMENT_METADATA, Right.UPDATE_EXPERIMENT


@operation("GetRunMetadata", needs=_VIEW, task=True)
async def get_run_metadata(call: Call, req: m.GetRunMetadataRequest) -> m.GetRunMetadataResponse:
    """The metadata of a run, empty when none were set."""

    def load(tx: Tx) -> str:
        return targets.trial(call, tx, _VIEW, req.run_id).metadata or "{}"

    return m.GetRunMetadataResponse(metadata=free(await call.read(load)))


@operation("PostRunMetadata", needs=_EDIT, task=True)
async def post_run_metadata(call: Call, req: m.PostRunMetadataRequest) -> m.PostRunMetadataResponse:
    """Replace the metadata of a run as a whole."""
    metadata = req.metadata if isinstance(req.metadata, dict) else {}
    check_metadata(metadata)
    text = json.dumps(metadata)

    def keep(tx: Tx) -> None:
        targets.trial(call, tx, _EDIT, req.run_id)
        runs.update(tx, req.run_id, metadata=text if metadata else None)

    await call.write(keep)
    return m.PostRunMetadataResponse(metadata=free(text))


@operation("RunPrepareForReporting", needs=_EDIT, task=True)
async def prepare_for_reporting(call: Call, req: m.RunPrepareForReportingRequest) -> m.RunPrepareForReportingResponse:
    """Register the storage that a run puts its checkpoints in: the same storage has the same number."""
    sent = given(req.checkpoint_storage)
    storage = read_storage(sent) if isinstance(sent, dict) else None

    def prepare(tx: Tx) -> int | None:
        targets.trial(call, tx, _EDIT, req.run_id)
        return None if storage is None else storages.register(tx, storage)

    storage_id = await call.write(prepare)
    return m.RunPrepareForReportingResponse(storage_id=UNSET if storage_id is None else storage_id)
