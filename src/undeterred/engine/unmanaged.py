"""Experiments and trials that run elsewhere: their own program reports, this server keeps what it says.

The state of an unmanaged experiment follows its trials. A RUNNING trial must give a sign of life now and then.
"""

from collections.abc import Mapping
from typing import Any

from undeterred.base import json
from undeterred.base.clock import Micros
from undeterred.base.errors import Refused
from undeterred.base.ids import new_uuid, trial_task_id
from undeterred.core.lifecycle.experiment import ExperimentState, of_trials
from undeterred.core.lifecycle.trial import TERMINAL, TrialState, reported
from undeterred.engine import keys
from undeterred.engine.facts import ExperimentStateChanged
from undeterred.store import experiments, runs, tasks, trials
from undeterred.store.database import Tx

REQUEST_ID = "00000000-0000-0000-0000-000000000000"
"""The request id of all trials that no search has asked for."""


def create_trial(tx: Tx, experiment_id: int, hparams: Mapping[str, Any] | None, external_id: str | None = None) -> int:
    """Make a PAUSED trial with its task; its id. Raises Refused for an experiment that this server runs."""
    experiment = experiments.locked(tx, experiment_id)
    _check(experiment)
    run_id = runs.create(
        tx,
        experiment_id,
        experiment.project_id,
        numbered=False,
        request_id=REQUEST_ID,
        hparams=json.dumps(dict(hparams or {})),
        state=TrialState.PAUSED,
        external_id=external_id,
        last_activity=tx.now,
        log_retention_days=experiment.log_retention_days,
    )
    task_id = trial_task_id(experiment_id, external_id or new_uuid())
    tasks.create(
        tx,
        task_id,
        "TRIAL",
        user_id=experiment.user_id,
        workspace_id=experiment.workspace_id,
        name=f"Trial {run_id} (Experiment {experiment_id})",
    )
    runs.link_task(tx, run_id, task_id, 0)
    _follow(tx, experiment)
    return run_id


def put_trial(tx: Tx, experiment_id: int, hparams: Mapping[str, Any] | None, external_id: str) -> tuple[int, bool]:
    """The trial of this external id, made when there is none, its hyperparameters replaced when there is; id, whether made."""
    _check(experiments.locked(tx, experiment_id))
    found = runs.by_external_id(tx, experiment_id, external_id)
    if found is None:
        return create_trial(tx, experiment_id, hparams, external_id), True
    runs.update(tx, found.id, hparams=json.dumps(dict(hparams or {})), last_activity=tx.now)
    return found.id, False


def start(tx: Tx, run_id: int, *, resume: bool) -> Any:
    """The trial's program begins, or begins again (`resume`): RUNNING, the next run number. The run's row.

    Raises Refused for a trial that this server runs, and for a second start without `resume`.
    """
    experiment = experiments.locked(tx, runs.get(tx, run_id).experiment_id)
    _check(experiment)
    run = runs.locked(tx, run_id)
    if run.run_number and not resume:
        raise Refused(f"trial {run_id} was started before; start it with resume to go on")
    begun = {"state": TrialState.RUNNING, "run_number": run.run_number + 1, "end_time": None, "error": ""}
    runs.update(tx, run_id, last_activity=tx.now, **begun)
    _follow(tx, experiment)
    return runs.get(tx, run_id)


def patch(tx: Tx, run_id: int, state: str | None) -> None:
    """A sign of life, and the state if one is named; only `start` forgets when the trial has ended before.

    Raises Refused for a trial of this server, Invalid for a wrong state.
    """
    experiment = experiments.locked(tx, runs.get(tx, run_id).experiment_id)
    _check(experiment)
    columns: dict[str, Any] = {"last_activity": tx.now}
    if state is not None:
        wanted = reported(state)
        columns["state"] = wanted
        if wanted in TERMINAL:
            columns["end_time"] = tx.now
    runs.update(tx, run_id, **columns)
    if state is not None:
        _wake_readers(tx, run_id)
        _follow(tx, experiment)


def progress(tx: Tx, run: Any, value: float) -> None:
    """How far a trial is, which its experiment shows, too."""
    runs.update(tx, run.id, progress=value, last_activity=tx.now)
    experiments.update(tx, run.experiment_id, progress=value)


def silent_since(tx: Tx, before: Micros) -> list[int]:
    """RUNNING trials without a sign of life since then."""
    return [row.id for row in runs.silent(tx, before)]


def fell_silent(tx: Tx, run_id: int, before: Micros) -> None:
    """A trial that is still silent has failed, at the time of its last sign of life."""
    experiment = experiments.locked(tx, runs.get(tx, run_id).experiment_id)
    run = runs.locked(tx, run_id)
    last = run.start_time if run.last_activity is None else run.last_activity
    if run.state == TrialState.RUNNING and last < before:
        runs.update(tx, run_id, state=TrialState.ERROR, end_time=last, error="it has not been heard of for too long")
        _wake_readers(tx, run_id)
        _follow(tx, experiment)


def _check(experiment: Any) -> None:
    if not experiment.unmanaged:
        raise Refused(f"experiment {experiment.id} is run by this server: its trials are made and started by its search")


def _wake_readers(tx: Tx, run_id: int) -> None:
    """Those who follow the trial's log look whether it is over."""
    tx.wake(*(("logs", task_id) for task_id in runs.task_ids(tx, run_id)))


def _follow(tx: Tx, experiment: Any) -> None:
    """Bring the experiment's state after those of its trials."""
    states = {TrialState(state) for state in trials.states(tx, experiment.id)}
    state = of_trials(states)
    tx.wake(keys.experiment(experiment.id))
    if state == experiment.state:
        return
    ended = all(one in TERMINAL for one in states)
    columns: dict[str, Any] = {"state": state, "end_time": tx.now if ended else None}
    if state == ExperimentState.COMPLETED:
        columns["progress"] = 1.0
    experiments.update(tx, experiment.id, **columns)
    tx.fact(ExperimentStateChanged(experiment.id, state))
