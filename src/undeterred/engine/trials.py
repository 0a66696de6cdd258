"""The life of a managed trial: made by the search, given allocations one after the other, and ended for good once."""

from collections.abc import Mapping
from typing import Any

from undeterred.base import ids, json
from undeterred.base.clock import SECOND
from undeterred.base.settings import PREEMPTION_TIMEOUT
from undeterred.core.lifecycle.exits import ExitDecision, ExitFacts, decide_exit
from undeterred.core.lifecycle.exits import TrialFacts as Known
from undeterred.core.lifecycle.experiment import ExperimentState
from undeterred.core.lifecycle.trial import END_OF, GRACEFUL, TERMINAL, TrialState
from undeterred.core.lifecycle.trial import stop as stopped
from undeterred.core.search.actions import Create
from undeterred.core.search.events import ExitReason
from undeterred.engine import allocations, keys, logs
from undeterred.engine.facts import ProgressReported, RunEnded
from undeterred.store import agents, runs, tasks
from undeterred.store import allocations as allocation_rows
from undeterred.store import experiments as experiment_rows
from undeterred.store.database import Tx

_S = TrialState


def create(tx: Tx, experiment: Any, new: Create) -> int:
    """Make the trial that the search asked for; it asks for slots at once if its experiment is active. Its id."""
    instead_of = None if new.replaces is None else runs.by_request(tx, experiment.id, new.replaces)
    if instead_of is not None and _S(instead_of.state) in TERMINAL:
        instead_of = None
    active = experiment.state == ExperimentState.ACTIVE
    run_id = runs.create(
        tx,
        experiment.id,
        experiment.project_id,
        request_id=new.request_id,
        seed=new.seed,
        hparams=json.dumps(dict(new.hparams)),
        state=_S.ACTIVE if active else _S.PAUSED,
        waits_for=None if instead_of is None else instead_of.id,
        warm_start_checkpoint=experiment.warm_start_checkpoint,
        log_retention_days=experiment.log_retention_days,
    )
    add_task(tx, experiment, run_id, new.request_id)
    if active and instead_of is None:
        request(tx, experiment, runs.locked(tx, run_id))
    tx.wake(keys.experiment(experiment.id))
    return run_id


def add_task(tx: Tx, experiment: Any, run_id: int, request_id: str) -> str:
    """The task of a trial, a new one after each continue of its experiment; its id."""
    task_id = ids.trial_task_id(experiment.id, request_id, experiment.continued)
    tasks.create(
        tx,
        task_id,
        "TRIAL",
        job_id=experiment.job_id,
        user_id=experiment.user_id,
        workspace_id=experiment.workspace_id,
        name=f"Trial {run_id} (Experiment {experiment.id})",
        context_digest=experiment.context_digest,
    )
    runs.link_task(tx, run_id, task_id, experiment.continued)
    return task_id


def request(tx: Tx, experiment: Any, run: Any) -> None:
    """Ask for slots, unless the trial holds some or waits for another one's end."""
    if run.waits_for is not None:
        return
    task_id = runs.task_ids(tx, run.id)[-1]
    if allocation_rows.open_of_task(tx, task_id) is not None:
        return
    config: Mapping[str, Any] = json.loads(experiment.config)
    timeout = config.get("preemption_timeout")
    number = run.run_number + 1
    runs.update(tx, run.id, run_number=number)
    allocations.request(
        tx,
        allocations.Ask(
            task_id=task_id,
            number=number,
            name=f"Trial {run.id} (Experiment {experiment.id})",
            resource_pool=experiment.resource_pool,
            slots=experiment.slots_per_trial,
            preemptible=True,
            single_node=bool((config.get("resources") or {}).get("is_single_node")),
            preemption_timeout=PREEMPTION_TIMEOUT if timeout is None else int(timeout) * SECOND,
        ),
    )


def activate(tx: Tx, experiment: Any, run: Any) -> None:
    """A paused trial goes on."""
    if run.state == _S.PAUSED:
        runs.update(tx, run.id, state=_S.ACTIVE)
        request(tx, experiment, run)


def pause(tx: Tx, run: Any, why: str) -> None:
    """An active trial saves its work and gives its slots back."""
    if run.state == _S.ACTIVE:
        runs.update(tx, run.id, state=_S.PAUSED)
        _stop_allocation(tx, run, graceful=True, why=why)


def stop(tx: Tx, run: Any, wanted: TrialState, why: str, *, by_search: bool = False) -> None:
    """Take a trial towards its end; `wanted` is a STOPPING state. Weaker requests than the one under way change nothing."""
    state = stopped(_S(run.state), wanted)
    if state == run.state:
        return
    columns: dict[str, Any] = {"state": state}
    if by_search:
        columns["stopped_by_searcher"] = True
    if state is _S.STOPPING_ERROR:
        columns["error"] = why
    runs.update(tx, run.id, **columns)
    if not _stop_allocation(tx, run, graceful=state in GRACEFUL, why=why):
        end = END_OF[state]
        _end(tx, run, end, {_S.CANCELED: ExitReason.USER_CANCELED, _S.ERROR: ExitReason.ERRORED}.get(end))


def progress(tx: Tx, run: Any, value: float) -> None:
    """The trial says which part of its work is done, 0 to 1; an ended one says nothing any more."""
    if _S(run.state) not in TERMINAL:
        experiment_rows.locked(tx, run.experiment_id)
        runs.update(tx, run.id, progress=value)
        tx.fact(ProgressReported(run.id, run.experiment_id, run.request_id, value))


def left_early(tx: Tx, run: Any, reason: ExitReason) -> None:
    """The trial says that it will end without having done its work; only its first word counts."""
    if _S(run.state) not in TERMINAL and not run.exit_reason:
        runs.update(tx, run.id, exit_reason=reason.name)


def allocation_exited(tx: Tx, run_id: int, facts: ExitFacts, *, refuse_too_few_nodes: bool) -> None:
    """Decide what the end of an allocation means for its trial, and do it."""
    experiment = experiment_rows.locked(tx, runs.get(tx, run_id).experiment_id)
    run = runs.locked(tx, run_id)
    if _S(run.state) in TERMINAL:
        return
    known = Known(
        state=_S(run.state),
        restarts=run.restarts,
        max_restarts=experiment.max_restarts,
        invalid_hp=run.exit_reason == ExitReason.INVALID_HP.name,
        retries_canceled_by=run.retries_canceled_by or None,
        too_few_nodes=_too_few_nodes(tx, experiment, run),
        refuse_too_few_nodes=refuse_too_few_nodes,
    )
    decision = decide_exit(known, facts)
    _say_decision(tx, run, decision)
    runs.update(tx, run.id, restarts=decision.restarts)
    if decision.over:
        early = decision.early
        if decision.state is _S.ERROR and not run.error:
            runs.update(tx, run.id, error=decision.reason)
        _end(tx, run, decision.state, early)
    elif decision.again:
        request(tx, experiment, run)


def gone(tx: Tx, experiment: Any, run_id: int) -> None:
    """Let those ask for slots that waited for this trial's end."""
    for run in runs.waiting_for(tx, run_id):
        runs.update(tx, run.id, waits_for=None)
        if run.state == _S.ACTIVE:
            request(tx, experiment, runs.locked(tx, run.id))


def reopen(tx: Tx, experiment: Any, run: Any) -> None:
    """Run an ended trial again, as a new task, because its experiment is continued."""
    runs.update(
        tx,
        run.id,
        state=_S.ACTIVE,
        restarts=0,
        end_time=None,
        error="",
        exit_reason="",
        retries_canceled_by="",
        stopped_by_searcher=False,
        progress=None,
    )
    add_task(tx, experiment, run.id, run.request_id)
    request(tx, experiment, runs.locked(tx, run.id))


def _too_few_nodes(tx: Tx, experiment: Any, run: Any) -> bool:
    """Whether the nodes that log policies have left cannot hold the trial."""
    excluded = tasks.excluded(tx, runs.task_ids(tx, run.id)[-1])
    if not excluded:
        return False
    sizes = agents.sizes_without(tx, experiment.resource_pool, excluded)
    resources = json.loads(experiment.config).get("resources") or {}
    most = max(sizes, default=0) if resources.get("is_single_node") else sum(sizes)
    return not sizes or most < experiment.slots_per_trial


def _end(tx: Tx, run: Any, state: TrialState, early: ExitReason | None) -> None:
    columns: dict[str, Any] = {"state": state, "end_time": tx.now, "waits_for": None}
    if early is not None and not run.exit_reason:
        columns["exit_reason"] = early.name
    if state is _S.COMPLETED and early is None and run.progress is not None:
        columns["progress"] = 1.0
    runs.update(tx, run.id, **columns)
    for task_id in runs.task_ids(tx, run.id)[-1:]:
        tasks.update(tx, task_id, end_time=tx.now)
        tx.wake(keys.task(task_id), ("logs", task_id))
    tx.wake(keys.experiment(run.experiment_id))
    tx.fact(RunEnded(run.id, early))


def _stop_allocation(tx: Tx, run: Any, *, graceful: bool, why: str) -> bool:
    """Stop the open allocation of a trial; False when there is none."""
    row = allocation_rows.open_of_task(tx, runs.task_ids(tx, run.id)[-1])
    if row is None:
        return False
    allocations.stop(tx, row, graceful=graceful, why=why)
    return True


def _say_decision(tx: Tx, run: Any, decision: ExitDecision) -> None:
    level = "ERROR" if decision.state is _S.ERROR else "INFO"
    logs.say(tx, runs.task_ids(tx, run.id)[-1], f"Trial {run.id}: {decision.reason}", level=level)
