"""What most operations begin with: find the trial or experiment that is meant, and ask for the right on it."""

from collections.abc import Collection
from typing import Any

from undeterred.api.call import Call
from undeterred.base.errors import NotFound
from undeterred.core.rights import Right
from undeterred.store import experiments, runs
from undeterred.store import trials as stored
from undeterred.store.database import Tx


def trial(call: Call, tx: Tx, right: Right, trial_id: int) -> Any:
    """The row of a trial on which the caller has the right; raises NotFound (also where it is hidden) or Forbidden."""
    row = runs.get(tx, trial_id)
    call.require(
        tx,
        right,
        workspace=row.workspace_id,
        owner=row.user_id,
        workspace_owner=row.workspace_owner,
        missing=f"trial {trial_id} not found",
        tasks=runs.task_ids(tx, trial_id) if call.who.task_id else (),
    )
    return row


def trials(call: Call, tx: Tx, right: Right, trial_ids: Collection[int]) -> None:
    """Go on only with the right on every one of these trials; raises the same."""
    if call.who.task_id:
        for trial_id in trial_ids:
            trial(call, tx, right, trial_id)
        return
    found = stored.owners(tx, trial_ids)
    for trial_id in trial_ids:
        if trial_id not in found:
            raise NotFound(f"trial {trial_id} not found")
    places = {(row.workspace_id, row.user_id, row.workspace_owner): row for row in found.values()}
    for row in places.values():
        call.require(
            tx,
            right,
            workspace=row.workspace_id,
            owner=row.user_id,
            workspace_owner=row.workspace_owner,
            missing=f"trial {row.id} not found",
        )


def experiment(call: Call, tx: Tx, right: Right, experiment_id: int) -> Any:
    """The row of an experiment on which the caller has the right; raises the same.

    A task's token reaches the experiment of its trial.
    """
    row = experiments.get(tx, experiment_id)
    call.require(
        tx,
        right,
        workspace=row.workspace_id,
        owner=row.user_id,
        workspace_owner=row.workspace_owner,
        missing=f"experiment {experiment_id} not found",
        tasks=experiments.task_ids(tx, experiment_id) if call.who.task_id else (),
    )
    return row
