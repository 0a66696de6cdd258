"""What a trial tells of itself: how its program calls its state, and which checkpoint it was started from."""

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, given
from undeterred.base.errors import Invalid
from undeterred.base.ids import is_uuid
from undeterred.core.names import storable
from undeterred.core.rights import Right
from undeterred.store import runs, sources
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_EDIT = Right.UPDATE_EXPERIMENT
LONGEST_STATE = 1000
_Type = m.TrialSourceInfoType
_KINDS = {
    _Type.TRIAL_SOURCE_INFO_TYPE_INFERENCE: sources.INFERENCE,
    _Type.TRIAL_SOURCE_INFO_TYPE_FINE_TUNING: sources.FINE_TUNE,
}


@operation("PostTrialRunnerMetadata", needs=_EDIT, task=True)
async def post_runner_metadata(call: Call, req: m.PostTrialRunnerMetadataRequest) -> m.PostTrialRunnerMetadataResponse:
    """Keep what a trial's program calls its state, in its own words."""
    state = storable(req.metadata.state) if req.metadata is not None else ""
    if len(state) > LONGEST_STATE:
        raise Invalid(f"metadata.state must have at most {LONGEST_STATE} characters")

    def keep(tx: Tx) -> None:
        targets.trial(call, tx, _EDIT, req.trial_id)
        runs.update(tx, req.trial_id, runner_state=state)

    await call.write(keep)
    return m.PostTrialRunnerMetadataResponse()


@operation("ReportTrialSourceInfo", needs=_EDIT, task=True)
async def report_source_info(call: Call, req: m.ReportTrialSourceInfoRequest) -> m.ReportTrialSourceInfoResponse:
    """Link a trial to the checkpoint, or version of a model, that it uses: its metrics are then found there.

    A checkpoint that is not known is no error: there is then nothing to find the metrics by.
    """
    source = req.trial_source_info or m.TrialSourceInfo()
    uuid = source.checkpoint_uuid.lower()
    kind = choose(_KINDS, source.trial_source_info_type, "trialSourceInfoType")
    if not is_uuid(uuid):
        raise Invalid(f"checkpointUuid: {source.checkpoint_uuid[:80]!r} is no uuid")

    def link(tx: Tx) -> None:
        targets.trial(call, tx, _EDIT, source.trial_id)
        sources.link(tx, source.trial_id, uuid, kind, given(source.model_id), given(source.model_version))

    await call.write(link)
    return m.ReportTrialSourceInfoResponse(trial_id=source.trial_id, checkpoint_uuid=source.checkpoint_uuid)
