"""What users do to one experiment: activate, pause, cancel, kill, archive, delete, continue."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.experiments import load_message
from undeterred.base import json
from undeterred.base.errors import Invalid, NotFound, Refused
from undeterred.core.config import policy
from undeterred.core.config.parse import parse_tree
from undeterred.core.config.resolve import override
from undeterred.core.lifecycle.experiment import DELETABLE, TERMINAL
from undeterred.core.rights import Right
from undeterred.engine import checkpoints, pools
from undeterred.engine import experiments as lifecycle
from undeterred.store import experiments, policies, registered, workspaces
from undeterred.store.database import Tx
from undeterred.wire import messages as m

Act = Callable[[Tx, Any], None]
"""Does something to an experiment (its row); raises when it cannot be done."""


@operation("ActivateExperiment", needs=Right.UPDATE_EXPERIMENT)
async def activate_experiment(call: Call, req: m.ActivateExperimentRequest) -> m.ActivateExperimentResponse:
    """Let a paused experiment go on."""
    await _one(call, req.id, Right.UPDATE_EXPERIMENT, activate)
    return m.ActivateExperimentResponse()


@operation("PauseExperiment", needs=Right.UPDATE_EXPERIMENT)
async def pause_experiment(call: Call, req: m.PauseExperimentRequest) -> m.PauseExperimentResponse:
    """Let every trial save its work and give its slots back."""
    await _one(call, req.id, Right.UPDATE_EXPERIMENT, pause)
    return m.PauseExperimentResponse()


@operation("CancelExperiment", needs=Right.UPDATE_EXPERIMENT)
async def cancel_experiment(call: Call, req: m.CancelExperimentRequest) -> m.CancelExperimentResponse:
    """Let every trial save its work, then end the experiment; one that has ended stays as it is."""
    await _one(call, req.id, Right.UPDATE_EXPERIMENT, cancel)
    return m.CancelExperimentResponse()


@operation("KillExperiment", needs=Right.UPDATE_EXPERIMENT)
async def kill_experiment(call: Call, req: m.KillExperimentRequest) -> m.KillExperimentResponse:
    """End every trial and the experiment at once; one that has ended stays as it is."""
    await _one(call, req.id, Right.UPDATE_EXPERIMENT, kill)
    return m.KillExperimentResponse()


@operation("ArchiveExperiment", needs=Right.UPDATE_EXPERIMENT_METADATA)
async def archive_experiment(call: Call, req: m.ArchiveExperimentRequest) -> m.ArchiveExperimentResponse:
    """Hide an ended experiment from lists."""
    await _one(call, req.id, Right.UPDATE_EXPERIMENT_METADATA, archive)
    return m.ArchiveExperimentResponse()


@operation("UnarchiveExperiment", needs=Right.UPDATE_EXPERIMENT_METADATA)
async def unarchive_experiment(call: Call, req: m.UnarchiveExperimentRequest) -> m.UnarchiveExperimentResponse:
    """Show an archived experiment in lists again."""
    await _one(call, req.id, Right.UPDATE_EXPERIMENT_METADATA, unarchive)
    return m.UnarchiveExperimentResponse()


@operation("DeleteExperiment", needs=Right.DELETE_EXPERIMENT)
async def delete_experiment(call: Call, req: m.DeleteExperimentRequest) -> m.DeleteExperimentResponse:
    """Begin the deletion of an ended experiment with its checkpoints, logs and files; it goes on in the background."""
    await _one(call, req.experiment_id, Right.DELETE_EXPERIMENT, delete)
    return m.DeleteExperimentResponse()


@operation("DeleteTensorboardFiles", needs=Right.DELETE_EXPERIMENT)
async def delete_tensorboard_files(call: Call, req: m.DeleteTensorboardFilesRequest) -> m.DeleteTensorboardFilesResponse:
    """Remove the TensorBoard files of an ended experiment, in the background."""

    def remove(tx: Tx, row: Any) -> None:
        if row.state not in DELETABLE:
            raise Refused(f"experiment {row.id} is {row.state}; its TensorBoard files are removed once it has ended")
        checkpoints.remove_tensorboard(tx, row.id)

    await _one(call, req.experiment_id, Right.DELETE_EXPERIMENT, remove)
    return m.DeleteTensorboardFilesResponse()


@operation("ContinueExperiment", needs=Right.UPDATE_EXPERIMENT)
async def continue_experiment(call: Call, req: m.ContinueExperimentRequest) -> m.ContinueExperimentResponse:
    """Run an ended experiment again, from its latest checkpoints; a single one also with changes to its configuration."""
    changes = await asyncio.to_thread(_changes, req.override_config)

    def work(tx: Tx) -> m.Experiment:
        row = target(call, tx, req.id, Right.UPDATE_EXPERIMENT)
        if row.state not in TERMINAL and not row.unmanaged:
            raise Refused(f"experiment {row.id} is {row.state}; only an ended one can be continued")
        config = _changed(call, tx, row, changes) if changes else None
        lifecycle.continue_(tx, row.id, config)
        call.engine.flow.apply(tx)  # the answer shows the trials that run again
        return load_message(tx, row.id)

    message = await call.write(work)
    return m.ContinueExperimentResponse(experiment=message)


def _changed(call: Call, tx: Tx, row: Any, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """The configuration with changes, which keep to the config policies and the pools as new experiments do; raises Invalid."""
    server, own = policies.both(tx, row.workspace_id, "EXPERIMENT")
    fixed = {"global_invariant": policy.invariant(server), "workspace_invariant": policy.invariant(own)}
    new = override(json.loads(row.config), changes, **fixed)
    limits = policy.constraints(server, own)
    policy.check_constraints(limits, slots=new.slots_per_trial, max_slots=new.max_slots, priority=new.priority)
    workspace = workspaces.get(tx, row.workspace_id)
    pool, _ = pools.fit(tx, call.engine.pools, new, workspace, strict=call.settings.launch_error)
    new.config["resources"]["resource_pool"] = pool.name
    return new.config


def target(call: Call, tx: Tx, experiment_id: int, right: Right) -> Any:
    """The experiment, if the caller has the right on it; raises NotFound or Forbidden."""
    row = experiments.get(tx, experiment_id)
    call.require(
        tx,
        right,
        workspace=row.workspace_id,
        owner=row.user_id,
        workspace_owner=row.workspace_owner,
        missing=f"experiment {experiment_id} not found",
    )
    return row


def activate(tx: Tx, row: Any) -> None:
    """Raises NotFound for one that has ended or is run elsewhere, as clients expect."""
    if row.unmanaged or row.archived or row.state in TERMINAL:
        raise NotFound(f"experiment {row.id} is not running here: it is {'unmanaged' if row.unmanaged else row.state}")
    lifecycle.activate(tx, row.id)


def pause(tx: Tx, row: Any) -> None:
    """Raises Refused for one that has ended."""
    if row.archived:
        raise NotFound(f"experiment {row.id} is archived")
    lifecycle.pause(tx, row.id)


def cancel(tx: Tx, row: Any) -> None:
    """An unmanaged experiment is not ours to end: nothing happens."""
    if not row.unmanaged:
        lifecycle.cancel(tx, row.id)


def kill(tx: Tx, row: Any) -> None:
    """An unmanaged experiment is not ours to end: nothing happens."""
    if not row.unmanaged:
        lifecycle.kill(tx, row.id)


def archive(tx: Tx, row: Any) -> None:
    """Raises Refused for a live or archived one."""
    lifecycle.set_archived(tx, row.id, archived=True)


def unarchive(tx: Tx, row: Any) -> None:
    """Raises Refused for one that is not archived."""
    lifecycle.set_archived(tx, row.id, archived=False)


def delete(tx: Tx, row: Any) -> None:
    """Raises Refused for a live one, Invalid when a checkpoint of it is a version of a model."""
    model = registered.model_of_experiment(tx, row.id)
    if model is not None:
        raise Invalid(f"experiment {row.id} has a checkpoint that is registered in the model {model!r}: remove it there first")
    lifecycle.mark_deleting(tx, row.id)


async def _one(call: Call, experiment_id: int, right: Right, act: Act) -> None:
    await call.write(lambda tx: act(tx, target(call, tx, experiment_id, right)))


def _changes(text: str) -> dict[str, Any]:
    """The override of a configuration: YAML or JSON text, empty for none. Raises Invalid."""
    return dict(parse_tree(text)) if text.strip() else {}
