"""Carries facts to those concerned, inside the transaction that raised them, until none is left.

The only module that knows both the facts and their handlers. The order is that in which the facts were raised, so that the
search of an experiment sees its events in the order of the commits.
"""

import logging
from collections.abc import Callable
from typing import Any

from undeterred.core.search import Event, TrialContinued, TrialExited, TrialExitedEarly, TrialProgress, ValidationCompleted
from undeterred.engine import checkpoints, experiments, facts, policies, tasks, trials
from undeterred.engine.search import DECIDING, SearchBroken, Searches
from undeterred.store import experiments as experiment_rows
from undeterred.store import runs
from undeterred.store.database import Tx

log = logging.getLogger(__name__)

Listener = Callable[[Tx, Any], None]


class Flow:
    """`apply` is the database's `apply_facts`."""

    def __init__(self, searches: Searches, *, refuse_too_few_nodes: bool = True) -> None:
        self._searches = searches
        self._refuse_too_few_nodes = refuse_too_few_nodes
        self._listeners: dict[type[Any], list[Listener]] = {}
        self._handlers: dict[type[Any], Callable[[Tx, Any], None]] = {
            facts.ExperimentCreated: self._created,
            facts.SearchDecided: lambda tx, fact: experiments.carry_out(tx, fact.experiment_id, fact.actions),
            facts.ValidationReported: self._validated,
            facts.ProgressReported: self._progressed,
            facts.RunContinued: self._continued,
            facts.RunEnded: self._run_ended,
            facts.AllocationExited: self._allocation_exited,
            facts.ExperimentEnded: self._ended,
            facts.LinesStored: lambda tx, fact: policies.look(tx, fact.task_id, fact.lines),
        }

    def listen(self, kind: type[Any], listener: Listener) -> None:
        """Call `listener(tx, fact)` for each fact of a kind, after its own handler: webhooks and the like."""
        self._listeners.setdefault(kind, []).append(listener)

    def apply(self, tx: Tx) -> None:
        """Handle every fact, also those raised meanwhile."""
        last: dict[int, None] = {}
        while tx.facts or last:
            batch, tx.facts = tx.facts, []
            for fact in batch:
                if isinstance(fact, facts.MaybeFinished):
                    last[fact.experiment_id] = None
                else:
                    self._handle(tx, fact)
            if not tx.facts:
                waiting, last = last, {}
                for experiment_id in waiting:
                    experiments.finish_if_empty(tx, experiment_id)

    def _handle(self, tx: Tx, fact: Any) -> None:
        handler = self._handlers.get(type(fact))
        if handler is not None:
            handler(tx, fact)
        for listener in self._listeners.get(type(fact), ()):
            listener(tx, fact)

    def _created(self, tx: Tx, fact: facts.ExperimentCreated) -> None:
        experiment = experiment_rows.locked(tx, fact.experiment_id)
        try:
            actions = self._searches.begin(tx, experiment)
        except SearchBroken as error:
            self._broken(tx, experiment.id, error)
            return
        if actions:
            tx.fact(facts.SearchDecided(experiment.id, tuple(actions)))

    def _validated(self, tx: Tx, fact: facts.ValidationReported) -> None:
        self._tell(tx, fact.experiment_id, ValidationCompleted(fact.request_id, fact.metrics))

    def _progressed(self, tx: Tx, fact: facts.ProgressReported) -> None:
        self._tell(tx, fact.experiment_id, TrialProgress(fact.request_id, fact.progress))

    def _continued(self, tx: Tx, fact: facts.RunContinued) -> None:
        self._tell(tx, fact.experiment_id, TrialContinued(fact.request_id))

    def _run_ended(self, tx: Tx, fact: facts.RunEnded) -> None:
        experiment = experiments.run_ended(tx, fact.run_id)
        run = runs.locked(tx, fact.run_id)
        events: list[Event] = [TrialExited(run.request_id)]
        if fact.early is not None:
            events.insert(0, TrialExitedEarly(run.request_id, fact.early))
        self._tell(tx, experiment.id, *events)

    def _allocation_exited(self, tx: Tx, fact: facts.AllocationExited) -> None:
        run_id = runs.of_task(tx, fact.task_id)
        if run_id is None:
            tasks.allocation_exited(tx, fact.task_id, fact.exit)
        else:
            trials.allocation_exited(tx, run_id, fact.exit, refuse_too_few_nodes=self._refuse_too_few_nodes)

    def _ended(self, tx: Tx, fact: facts.ExperimentEnded) -> None:
        checkpoints.collect(tx, fact.experiment_id)
        tx.after.append(lambda: self._searches.forget(fact.experiment_id))

    def _tell(self, tx: Tx, experiment_id: int, *events: Event) -> None:
        """Tell the search of an experiment, unless it is stopping; a search that breaks fails its experiment, not the caller."""
        experiment = experiment_rows.locked(tx, experiment_id)
        if experiment.unmanaged or experiment.state not in DECIDING:
            return
        try:
            actions = self._searches.apply(tx, experiment, *events)
        except SearchBroken as error:
            self._broken(tx, experiment_id, error)
            return
        if actions:
            tx.fact(facts.SearchDecided(experiment_id, tuple(actions)))

    def _broken(self, tx: Tx, experiment_id: int, error: SearchBroken) -> None:
        log.error("the search of experiment %d failed", experiment_id, exc_info=error)
        self._searches.forget(experiment_id)
        experiments.fail(tx, experiment_id, f"its search failed: {error}")
