"""What a trial says of itself besides metrics: how far it is, that its hyperparameters cannot work; and its end by a user."""

import math
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.base.errors import Invalid, NotFound, Refused
from undeterred.core.lifecycle.trial import TERMINAL
from undeterred.core.rights import Right
from undeterred.core.search.events import ExitReason
from undeterred.engine import experiments, trials, unmanaged
from undeterred.store import runs
from undeterred.store.database import Tx
from undeterred.wire import messages as m


@operation("ReportTrialProgress", needs=Right.UPDATE_EXPERIMENT, task=True)
async def report_progress(call: Call, req: m.ReportTrialProgressRequest) -> m.ReportTrialProgressResponse:
    """Which part of its work a trial has done, 0 to 1; its experiment's progress follows. NaN says nothing."""
    value = float(req.progress)
    if not math.isnan(value) and not 0 <= value <= 1:
        raise Invalid(f"progress must be between 0 and 1, not {value}")

    def work(tx: Tx) -> None:
        run = _require(call, tx, req.trial_id)
        if math.isnan(value):
            return
        if run.unmanaged:
            unmanaged.progress(tx, run, value)
        else:
            trials.progress(tx, run, value)

    await call.write(work)
    return m.ReportTrialProgressResponse()


@operation("ReportTrialSearcherEarlyExit", needs=Right.UPDATE_EXPERIMENT, task=True)
async def early_exit(call: Call, req: m.ReportTrialSearcherEarlyExitRequest) -> m.ReportTrialSearcherEarlyExitResponse:
    """The trial's hyperparameters cannot work: once it has ended it is not tried again, and the search may draw another sample.

    Said a second time, by another process of the same trial, it has no further effect.
    """
    reason = req.early_exit.reason if req.early_exit is not None else None

    def work(tx: Tx) -> None:
        run = _require(call, tx, req.trial_id)
        if run.unmanaged:
            raise NotFound(f"trial {run.id} is not run by a search of this server")
        if reason not in INVALID:
            raise Invalid(f"earlyExit.reason must be one of {', '.join(INVALID)}")
        trials.left_early(tx, run, ExitReason.INVALID_HP)

    await call.write(work)
    return m.ReportTrialSearcherEarlyExitResponse()


@operation("KillTrial", needs=Right.UPDATE_EXPERIMENT)
async def kill_trial(call: Call, req: m.KillTrialRequest) -> m.KillTrialResponse:
    """End one trial at once; its search goes on without it."""

    def work(tx: Tx) -> None:
        run = _require(call, tx, req.id)
        if run.state in TERMINAL:
            raise Refused(f"trial {run.id} has ended already: it is {run.state}")
        experiments.kill_trial(tx, run.id)

    await call.write(work)
    return m.KillTrialResponse()


INVALID = (
    m.TrialEarlyExitExitedReason.EXITED_REASON_INVALID_HP,
    m.TrialEarlyExitExitedReason.EXITED_REASON_INIT_INVALID_HP,
)


def _require(call: Call, tx: Tx, trial_id: int) -> Any:
    run = runs.get(tx, trial_id)
    call.require(
        tx,
        Right.UPDATE_EXPERIMENT,
        workspace=run.workspace_id,
        owner=run.user_id,
        workspace_owner=run.workspace_owner,
        missing=f"trial {trial_id} not found",
        tasks=runs.task_ids(tx, trial_id),
    )
    return run
