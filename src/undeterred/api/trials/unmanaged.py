"""Trials whose program runs elsewhere: making, starting and patching them."""

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import UNSET, given
from undeterred.api.views.trials import load_message
from undeterred.base.errors import Invalid, Refused
from undeterred.core.rights import Right
from undeterred.engine import unmanaged
from undeterred.store import resume
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_EDIT = Right.UPDATE_EXPERIMENT
LONGEST_ID = 1000


@operation("CreateTrial", needs=_EDIT)
async def create_trial(call: Call, req: m.CreateTrialRequest) -> m.CreateTrialResponse:
    """A new trial of an unmanaged experiment: PAUSED until its program starts it."""
    _check(req)

    def create(tx: Tx) -> m.Trial:
        targets.experiment(call, tx, _EDIT, req.experiment_id)
        made = unmanaged.create_trial(tx, req.experiment_id, _hparams(req))
        call.engine.flow.apply(tx)
        return load_message(tx, made)

    return m.CreateTrialResponse(trial=await call.write(create))


@operation("PutTrial", needs=_EDIT)
async def put_trial(call: Call, req: m.PutTrialRequest) -> m.PutTrialResponse:
    """Make the trial with an external id, or find it and replace its hyperparameters."""
    body = req.create_trial_request or m.CreateTrialRequest()
    _check(body)
    if not 0 < len(req.external_trial_id) <= LONGEST_ID or "\0" in req.external_trial_id:
        raise Invalid(f"externalTrialId must have 1 to {LONGEST_ID} characters, none of them NUL")

    def put(tx: Tx) -> m.Trial:
        targets.experiment(call, tx, _EDIT, body.experiment_id)
        found, _made = unmanaged.put_trial(tx, body.experiment_id, _hparams(body), req.external_trial_id)
        call.engine.flow.apply(tx)
        return load_message(tx, found)

    return m.PutTrialResponse(trial=await call.write(put))


@operation("StartTrial", needs=_EDIT)
async def start_trial(call: Call, req: m.StartTrialRequest) -> m.StartTrialResponse:
    """The program of a trial begins: the number of this start, and the checkpoint to go on from.

    A trial that was started before is started again with `resume` only.
    """

    def start(tx: Tx) -> m.StartTrialResponse:
        targets.trial(call, tx, _EDIT, req.trial_id)
        run = unmanaged.start(tx, req.trial_id, resume=req.resume)
        latest = resume.latest(tx, req.trial_id)
        return m.StartTrialResponse(
            trial_run_id=run.run_number,
            latest_checkpoint=UNSET if latest is None else latest.uuid,
            steps_completed=0 if latest is None else latest.steps_completed,
        )

    return await call.write(start)


@operation("PatchTrial", needs=_EDIT, task=True)
async def patch_trial(call: Call, req: m.PatchTrialRequest) -> m.PatchTrialResponse:
    """A sign of life of an unmanaged trial, and its state if one is named: RUNNING, PAUSED, COMPLETED, ERROR or CANCELED."""
    state = given(req.state)

    def patch(tx: Tx) -> m.Trial:
        targets.trial(call, tx, _EDIT, req.trial_id)
        unmanaged.patch(tx, req.trial_id, None if state is None else str(state).removeprefix("STATE_"))
        call.engine.flow.apply(tx)
        return load_message(tx, req.trial_id)

    return m.PatchTrialResponse(trial=await call.write(patch))


def _check(req: m.CreateTrialRequest) -> None:
    if not req.unmanaged:
        raise Refused("only trials of unmanaged experiments are made through the API: set unmanaged")


def _hparams(req: m.CreateTrialRequest) -> dict[str, object]:
    return req.hparams if isinstance(req.hparams, dict) else {}
