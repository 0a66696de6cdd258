"""What users do to runs in the run table: most of it is done to the experiment of a run that is alone in it."""

from typing import Any

from undeterred.base.errors import Invalid, Refused
from undeterred.core.lifecycle.experiment import TERMINAL as ENDED
from undeterred.core.lifecycle.trial import TERMINAL
from undeterred.engine import checkpoints, keys
from undeterred.engine import experiments as lifecycle
from undeterred.store import erase_runs, events, experiments, runs
from undeterred.store.database import Tx

DELETE = "run.delete"
"""In the outbox: a run whose files are being removed, and which rows of the outbox that is left to."""


def in_search(tx: Tx, run: Any) -> bool:
    """Whether a run is one of several that its experiment makes, or has."""
    experiment = experiments.get(tx, run.experiment_id)
    return experiment.searcher_name != "single" or len(runs.of_experiment(tx, experiment.id)) > 1


def pause(tx: Tx, run: Any) -> None:
    """Raises Refused for a run of a search, one that is not run by this server, and one that has ended."""
    _alone(tx, run, "paused")
    lifecycle.pause(tx, run.experiment_id)


def resume(tx: Tx, run: Any) -> None:
    """Raises Refused for a run of a search, one that is not run by this server, and one that has ended."""
    _alone(tx, run, "resumed")
    lifecycle.activate(tx, run.experiment_id)


def kill(tx: Tx, run: Any) -> None:
    """Raises Refused for a live run that is not run by this server; one that has ended stays as it is."""
    if run.state not in TERMINAL:
        lifecycle.kill_trial(tx, run.id)


def archive(tx: Tx, run: Any) -> None:
    """Raises Refused for a live run."""
    if run.state not in TERMINAL:
        raise Refused(f"run {run.id} is {run.state}; only an ended one can be archived")
    runs.update(tx, run.id, archived=True)


def unarchive(tx: Tx, run: Any) -> None:
    """Nothing happens to a run that is not archived."""
    runs.update(tx, run.id, archived=False)


def delete(tx: Tx, run: Any) -> None:
    """Begin to delete a run; an experiment goes with its last run.

    Raises Refused while the run or its search lives, Invalid when a checkpoint of it is a version of a model.
    """
    experiment = experiments.locked(tx, run.experiment_id)
    if run.state not in TERMINAL:
        raise Refused(f"run {run.id} is {run.state}; only an ended one can be deleted")
    model = erase_runs.registered_as(tx, run.id)
    if model is not None:
        raise Invalid(f"a checkpoint of run {run.id} is a version of the model {model}; delete that version first")
    if len(runs.of_experiment(tx, experiment.id)) == 1:
        lifecycle.mark_deleting(tx, experiment.id)
        return
    if not experiment.unmanaged and experiment.state not in ENDED:
        raise Refused(f"the search of run {run.id} is {experiment.state}; its runs can be deleted once it has ended")
    uuids = erase_runs.stored_checkpoints(tx, run.id)
    waits = [checkpoints.remove_tensorboard(tx, experiment.id, [run.id])]
    waits += [checkpoints.remove(tx, uuids)] if uuids else []
    events.put(tx, DELETE, {"run_id": run.id, "waits_for": waits})
    tx.wake(keys.RUN_DELETION)


def _alone(tx: Tx, run: Any, done: str) -> None:
    if run.unmanaged:
        raise Refused(f"run {run.id} is not run by this server: its own program starts and stops it")
    if in_search(tx, run):
        raise Refused(f"run {run.id} is part of a search and cannot be {done} alone; act on experiment {run.experiment_id}")
