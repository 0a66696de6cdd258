"""The life of an experiment: made with its search and first trials, driven by its users and its search, ended once.

    experiment_id = experiments.create(tx, NewExperiment(...))      # in the handler's transaction
    experiments.pause(tx, experiment_id)                            # and the other actions of users

All functions are called inside a transaction; what they set off is applied in the same one.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from undeterred.base import json
from undeterred.base.errors import Invalid, NotFound, Refused
from undeterred.base.ids import new_uuid
from undeterred.base.struct import Struct
from undeterred.core.lifecycle import experiment as lifecycle
from undeterred.core.lifecycle.experiment import STOPPING, TERMINAL, ExperimentState
from undeterred.core.lifecycle.trial import TERMINAL as TRIAL_TERMINAL
from undeterred.core.lifecycle.trial import TrialState
from undeterred.core.search import Action, Create, Fail, Shutdown, Stop, method_for
from undeterred.engine import keys, logs, trials
from undeterred.engine.facts import ExperimentCreated, ExperimentEnded, ExperimentStateChanged, MaybeFinished, RunContinued
from undeterred.store import experiments, jobs, resume, runs, users
from undeterred.store.database import Tx

_E = ExperimentState
_T = TrialState


class NewExperiment(Struct, frozen=True, kw_only=True):
    """What `create` needs. Rights, policies and capacity have been checked; `config` is resolved and complete."""

    project_id: int
    workspace_id: int
    user_id: int
    config: Mapping[str, Any]
    original_config: str
    """As submitted."""
    context_digest: str | None
    """Of the tar.gz of the model definition in `store/blobs.py`; None without files."""
    context_size: int = 0
    parent_id: int | None = None
    """Forked from."""
    template: str = ""
    activate: bool = False
    """Start at once; otherwise the experiment is made PAUSED, with its first trials."""


def create(tx: Tx, new: NewExperiment) -> int:
    """Make a managed experiment; its id. Its search begins and its first trials are made before the transaction ends.

    Raises Invalid when the checkpoint or trial that its trials are to begin from is not there.
    """
    warm_start = _warm_start(tx, new.config.get("searcher") or {})
    job_id = new_uuid()
    jobs.create(tx, job_id, "EXPERIMENT", new.user_id, new.workspace_id, **_queued(new.config))
    experiment_id = experiments.create(
        tx,
        **_described(new.config),
        **_sized(new.config),
        project_id=new.project_id,
        user_id=new.user_id,
        original_config=new.original_config,
        job_id=job_id,
        state=_E.ACTIVE if new.activate else _E.PAUSED,
        context_digest=new.context_digest,
        context_size=new.context_size,
        parent_id=new.parent_id,
        template=new.template,
        progress=0.0,
        warm_start_checkpoint=warm_start,
    )
    tx.fact(ExperimentCreated(experiment_id))
    if new.activate:
        tx.fact(ExperimentStateChanged(experiment_id, _E.ACTIVE))
    return experiment_id


def create_unmanaged(
    tx: Tx, *, project_id: int, user_id: int, config: Mapping[str, Any], original_config: str, external_id: str | None = None
) -> int:
    """Make an experiment whose trials run elsewhere; its id. Raises Exists when the external id is taken (by the database)."""
    return experiments.create(
        tx,
        **_described(config),
        project_id=project_id,
        user_id=user_id,
        original_config=original_config,
        job_id=new_uuid(),
        state=_E.PAUSED,
        progress=0.0,
        unmanaged=True,
        external_id=external_id,
    )


def activate(tx: Tx, experiment_id: int) -> None:
    """A paused experiment goes on; an active one stays as it is. Raises Refused for one that ends or has ended."""
    experiment = _managed(tx, experiment_id)
    if lifecycle.advance(_E(experiment.state), _E.ACTIVE) == experiment.state:
        return
    experiment = _set_state(tx, experiment, _E.ACTIVE)
    for run in runs.of_experiment(tx, experiment_id, [_T.PAUSED]):
        trials.activate(tx, experiment, run)


def pause(tx: Tx, experiment_id: int) -> None:
    """Every trial saves its work and gives its slots back. Raises Refused for an experiment that ends or has ended."""
    experiment = _managed(tx, experiment_id)
    if lifecycle.advance(_E(experiment.state), _E.PAUSED) == experiment.state:
        return
    _set_state(tx, experiment, _E.PAUSED)
    for run in runs.of_experiment(tx, experiment_id, [_T.ACTIVE]):
        trials.pause(tx, run, "the experiment is paused")


def cancel(tx: Tx, experiment_id: int) -> None:
    """Trials save their work, then everything ends. An experiment that has ended stays as it is."""
    _stop(tx, _managed(tx, experiment_id), _E.STOPPING_CANCELED, "the experiment is canceled")


def kill(tx: Tx, experiment_id: int) -> None:
    """Trials are ended at once. An experiment that has ended stays as it is."""
    _stop(tx, _managed(tx, experiment_id), _E.STOPPING_KILLED, "the experiment is killed")


def fail(tx: Tx, experiment_id: int, why: str) -> None:
    """The experiment cannot go on (its search or its configuration is broken): its trials are ended, it ends in ERROR."""
    experiment = experiments.locked(tx, experiment_id)
    experiments.update(tx, experiment_id, error=why)
    _stop(tx, experiment, _E.STOPPING_ERROR, why)


def kill_trial(tx: Tx, run_id: int) -> None:
    """End one trial at once; it is CANCELED. One that has ended stays as it is. Raises Refused for unmanaged trials."""
    experiment = experiments.locked(tx, runs.get(tx, run_id).experiment_id)
    if experiment.unmanaged:
        raise Refused(f"trial {run_id} is not run by this server and cannot be killed by it")
    trials.stop(tx, runs.locked(tx, run_id), _T.STOPPING_KILLED, "the trial is killed")


def set_archived(tx: Tx, experiment_id: int, *, archived: bool) -> None:
    """Hide an ended experiment from lists, or show it again. Raises Refused while it lives, or when it is so already."""
    experiment = experiments.locked(tx, experiment_id)
    if experiment.state not in TERMINAL:
        raise Refused(f"experiment {experiment_id} is {experiment.state}; only an ended one can be archived or unarchived")
    if experiment.archived == archived:
        raise Refused(f"experiment {experiment_id} is {'' if archived else 'not '}archived already")
    experiments.update(tx, experiment_id, archived=archived)


def mark_deleting(tx: Tx, experiment_id: int) -> None:
    """Begin the deletion of an ended experiment, which a service carries out. Raises Refused while it lives."""
    experiment = experiments.locked(tx, experiment_id)
    if experiment.state not in lifecycle.DELETABLE:
        raise Refused(f"experiment {experiment_id} is {experiment.state}; only an ended one can be deleted")
    _set_state(tx, experiment, _E.DELETING)
    tx.wake(keys.DELETION)


def continue_(tx: Tx, experiment_id: int, config: Mapping[str, Any] | None = None) -> None:
    """Run an ended experiment again: the trial of a single search, or those that did not complete of a random or grid search.

    `config` replaces the configuration (single searches only). Raises Refused while it lives, for other searches, when nothing
    is left to run, and when the owner's account is not active.
    """
    experiment = _managed(tx, experiment_id)
    state = lifecycle.reopen(_E(experiment.state))
    _check_continue(tx, experiment, config)
    again = runs.of_experiment(tx, experiment_id)
    if experiment.searcher_name != "single":
        again = [run for run in again if run.state != _T.COMPLETED]
    if not again:
        raise Refused(f"every trial of experiment {experiment_id} is completed: there is nothing to continue")
    changed: dict[str, Any] = {}
    if config is not None:
        changed = _described(config) | _sized(config)
        jobs.update(tx, experiment.job_id, **_queued(config))
        runs.update(tx, again[0].id, hparams=json.dumps(_fresh_hparams(config)))
    changed |= {"continued": experiment.continued + 1, "end_time": None, "progress": 0.0, "error": ""}
    experiments.update(tx, experiment_id, **changed)
    experiment = _set_state(tx, experiments.get(tx, experiment_id), state)
    for run in again:
        tx.fact(RunContinued(experiment_id, run.id, run.request_id))
        trials.reopen(tx, experiment, run)


def carry_out(tx: Tx, experiment_id: int, actions: Sequence[Action]) -> None:
    """Do what the search decided."""
    experiment = experiments.locked(tx, experiment_id)
    for action in actions:
        if isinstance(action, Shutdown):
            _shut_down(tx, experiment, action)
        elif isinstance(action, Create):
            run_id = trials.create(tx, experiment, action)
            if experiment.searcher_name == "single":
                experiments.update(tx, experiment_id, best_run_id=run_id)
        elif (run := runs.by_request(tx, experiment_id, action.request_id)) is not None:
            _end_trial(tx, run, action)


def run_ended(tx: Tx, run_id: int) -> Any:
    """A trial is gone for good: those that waited for its place start, and a stopping experiment may end. The experiment."""
    experiment = experiments.locked(tx, runs.get(tx, run_id).experiment_id)
    trials.gone(tx, experiment, run_id)
    if experiment.state in STOPPING:
        tx.fact(MaybeFinished(experiment.id))
    return experiment


def _end_trial(tx: Tx, run: Any, action: Stop | Fail) -> None:
    if isinstance(action, Fail):
        task_id = runs.task_ids(tx, run.id)[-1]
        logs.say(tx, task_id, f"Trial {run.id} is ended by the search: {action.message}", level="ERROR")
        trials.stop(tx, run, _T.STOPPING_ERROR, action.message)
    else:
        trials.stop(tx, run, _T.STOPPING_COMPLETED, f"the search stopped it: {action.reason}", by_search=True)


def _shut_down(tx: Tx, experiment: Any, action: Shutdown) -> None:
    wanted = _E.STOPPING_ERROR if action.failure else _E.STOPPING_CANCELED if action.cancel else _E.STOPPING_COMPLETED
    if action.failure:
        experiments.update(tx, experiment.id, error=action.reason)
    _stop(tx, experiment, wanted, action.reason)


_TRIAL_STOP = {
    _E.STOPPING_CANCELED: _T.STOPPING_CANCELED,
    _E.STOPPING_KILLED: _T.STOPPING_KILLED,
    _E.STOPPING_COMPLETED: _T.STOPPING_COMPLETED,
    _E.STOPPING_ERROR: _T.STOPPING_ERROR,
}


def _stop(tx: Tx, experiment: Any, wanted: ExperimentState, why: str) -> None:
    state = lifecycle.stop(_E(experiment.state), wanted)
    if state == experiment.state:
        return
    experiment = _set_state(tx, experiment, state)
    for run in runs.of_experiment(tx, experiment.id):
        if run.state not in TRIAL_TERMINAL:
            trials.stop(tx, run, _TRIAL_STOP[state], why)
    tx.fact(MaybeFinished(experiment.id))


def finish_if_empty(tx: Tx, experiment_id: int) -> None:
    """End a stopping experiment whose last trial is gone."""
    experiment = experiments.locked(tx, experiment_id)
    if experiment.state not in STOPPING or runs.any_not_in(tx, experiment.id, TRIAL_TERMINAL):
        return
    state = lifecycle.finish(_E(experiment.state))
    columns: dict[str, Any] = {"end_time": tx.now}
    if state is _E.COMPLETED:
        columns["progress"] = 1.0
    experiments.update(tx, experiment.id, **columns)
    _set_state(tx, experiment, state)
    tx.fact(ExperimentEnded(experiment.id, state))


def _set_state(tx: Tx, experiment: Any, state: ExperimentState) -> Any:
    experiments.update(tx, experiment.id, state=state)
    tx.wake(keys.experiment(experiment.id))
    tx.fact(ExperimentStateChanged(experiment.id, state))
    return experiments.get(tx, experiment.id)


def _managed(tx: Tx, experiment_id: int) -> Any:
    experiment = experiments.locked(tx, experiment_id)
    if experiment.unmanaged:
        raise Refused(f"experiment {experiment_id} is not run by this server: its own program starts and stops it")
    return experiment


def _check_continue(tx: Tx, experiment: Any, config: Mapping[str, Any] | None) -> None:
    if experiment.searcher_name not in ("single", "grid", "random"):
        raise Refused(f"a search {experiment.searcher_name} cannot be continued; single, grid and random searches can")
    if config is not None and experiment.searcher_name != "single":
        raise Invalid("only an experiment with a single searcher can be continued with another configuration")
    if config is not None and config["searcher"]["name"] != "single":
        raise Invalid("the configuration of a continued experiment must keep its single searcher")
    try:
        active = users.get(tx, experiment.user_id).active
    except NotFound:
        active = False
    if not active:
        raise Refused("the owner of this experiment is not active, and its trials would run as that user; fork it instead")


def _warm_start(tx: Tx, searcher: Mapping[str, Any]) -> str | None:
    """The checkpoint that every trial begins from: the named one, or the latest of the named trial."""
    uuid, trial_id = searcher.get("source_checkpoint_uuid"), searcher.get("source_trial_id")
    if uuid:
        if not resume.complete(tx, uuid):
            raise Invalid(f"searcher.source_checkpoint_uuid: there is no complete checkpoint {uuid}")
        return str(uuid).lower()
    if trial_id is None:
        return None
    latest = resume.latest(tx, int(trial_id))
    if latest is None:
        raise Invalid(f"searcher.source_trial_id: trial {trial_id} has no complete checkpoint to begin from")
    return str(latest.uuid)


def _fresh_hparams(config: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters that a single search with this configuration begins with."""
    (first,) = method_for(config).initial()
    assert isinstance(first, Create)
    return dict(first.hparams)


def _queued(config: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of the job, lifted out of a configuration."""
    resources: Mapping[str, Any] = config.get("resources") or {}
    weight = resources.get("weight")
    return {
        "resource_pool": str(resources.get("resource_pool") or ""),
        "priority": resources.get("priority"),
        "weight": 1.0 if weight is None else float(weight),
        "max_slots": resources.get("max_slots"),
    }


def _sized(config: Mapping[str, Any]) -> dict[str, Any]:
    """Columns that say how its trials run, lifted out of a configuration."""
    resources: Mapping[str, Any] = config.get("resources") or {}
    slots = resources.get("slots_per_trial")
    return {
        "resource_pool": str(resources.get("resource_pool") or ""),
        "slots_per_trial": 1 if slots is None else int(slots),
        "max_restarts": int(config.get("max_restarts") or 0),
    }


def _described(config: Mapping[str, Any]) -> dict[str, Any]:
    """Columns that describe it and its search, lifted out of a configuration."""
    searcher: Mapping[str, Any] = config.get("searcher") or {}
    smaller = searcher.get("smaller_is_better")
    return {
        "name": str(config.get("name") or ""),
        "description": str(config.get("description") or ""),
        "labels": json.dumps(sorted(set(config.get("labels") or []))),
        "config": json.dumps(config),
        "searcher_name": str(searcher.get("name") or ""),
        "searcher_metric": str(searcher.get("metric") or ""),
        "smaller_is_better": True if smaller is None else bool(smaller),
        "log_retention_days": (config.get("retention_policy") or {}).get("log_retention_days"),
    }
