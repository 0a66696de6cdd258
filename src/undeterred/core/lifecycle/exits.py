"""What it means for a trial that its allocation is gone: finished, failed, try again, or wait for slots.

The rules, the first that fits deciding:
1. the trial was stopping: it reaches the end that belongs to it, or ERROR if it failed by itself while stopping;
2. it said that its hyperparameters are invalid: it is over and never tried again, the search may draw a replacement;
3. its request for slots can never be met, or a cluster refused to take it: ERROR, trying again would not help;
4. the system failed (its machine or supervisor was lost, it never started): again, without counting a restart;
5. it failed by itself: again while restarts are left, unless a log policy forbids it or left too few nodes;
6. it ended with exit code 0 and did not say that it only gave way to a preemption: COMPLETED;
7. it gave way, or was killed by us: again if the trial is still wanted, else it waits.
"""

import enum

from undeterred.base.struct import Struct
from undeterred.core.lifecycle.trial import END_OF, STOPPING, TERMINAL, TrialState
from undeterred.core.search.events import ExitReason


class Cause(enum.Enum):
    """How an allocation came to its end."""

    EXITED = "its process ended by itself"
    KILLED = "we ended it"
    LOST = "its machine or supervisor was lost"
    NOT_STARTED = "it could not be started, or found again after a restart of the server"
    DROPPED = "it was taken back before it had slots"
    IMPOSSIBLE = "no pool can ever hold what it asks for"
    REJECTED = "the cluster refused to take it"


_SYSTEM = frozenset({Cause.LOST, Cause.NOT_STARTED})
_HOPELESS = frozenset({Cause.IMPOSSIBLE, Cause.REJECTED})


class TrialFacts(Struct, frozen=True):
    """What is known of the trial when its allocation is gone."""

    state: TrialState
    restarts: int = 0
    """Failures counted so far."""
    max_restarts: int = 0
    invalid_hp: bool = False
    """The trial reported that its hyperparameters are invalid."""
    retries_canceled_by: str | None = None
    """Why a log policy forbids another try (the line that matched), or None."""
    too_few_nodes: bool = False
    """Nodes excluded by log policies leave less than the trial needs."""
    refuse_too_few_nodes: bool = True
    """Whether that ends the trial (the setting `launch_error`) or is only a warning."""


class ExitFacts(Struct, frozen=True):
    """What is known of the end of the allocation."""

    cause: Cause
    exit_code: int | None = None
    """Exit code of the first process that failed, else 0; None when there is none (no process, or lost)."""
    preempted: bool = False
    """It had been asked to save its work and leave."""
    acked: bool = False
    """It said that it leaves because of that, not because its work is done."""
    message: str = ""
    """What is known about the failure, for people."""


class ExitDecision(Struct, frozen=True):
    """What becomes of the trial."""

    state: TrialState
    restarts: int
    again: bool
    """A new allocation is wanted now."""
    early: ExitReason | None
    """For the search, when the trial is over without having done its work; None: it did it, or it is not over."""
    reason: str
    """A sentence for the trial's log."""

    @property
    def over(self) -> bool:
        """Whether the trial has ended for good."""
        return self.state in TERMINAL


def failed(exit_facts: ExitFacts) -> bool:
    """Whether the trial itself failed: its process ended with another code than 0 without having been made to leave.

    A process that ended without any code (an image or command that cannot be run) failed, too.
    """
    return exit_facts.cause is Cause.EXITED and exit_facts.exit_code != 0 and not _left(exit_facts)


def _left(exit_facts: ExitFacts) -> bool:
    """Whether it gave way to a preemption. Without its word for it a clean exit means that its work was done."""
    return exit_facts.preempted and exit_facts.acked


def decide_exit(trial: TrialFacts, exit_facts: ExitFacts) -> ExitDecision:
    """Apply the rules above. An exit of a trial that has ended already changes nothing."""
    if trial.state in TERMINAL:
        return ExitDecision(trial.state, trial.restarts, again=False, early=None, reason=f"the trial was {trial.state} already")
    if trial.state in STOPPING:
        return _stopped(trial, exit_facts)
    if trial.invalid_hp:
        state = TrialState.ERROR if failed(exit_facts) else TrialState.COMPLETED
        reason = "the trial reported invalid hyperparameters"
        return ExitDecision(state, trial.restarts, again=False, early=ExitReason.INVALID_HP, reason=reason)
    if exit_facts.cause in _HOPELESS:
        return _error(trial, _because(exit_facts, exit_facts.cause.value))
    if exit_facts.cause in _SYSTEM:
        return _again(trial, trial.restarts, _because(exit_facts, f"{exit_facts.cause.value}; this does not count as a restart"))
    if failed(exit_facts):
        return _failure(trial, exit_facts)
    if exit_facts.exit_code == 0 and not _left(exit_facts):
        return ExitDecision(TrialState.COMPLETED, trial.restarts, again=False, early=None, reason="the trial finished its work")
    return _again(trial, trial.restarts, _because(exit_facts, "it gave way" if _left(exit_facts) else exit_facts.cause.value))


def _stopped(trial: TrialFacts, exit_facts: ExitFacts) -> ExitDecision:
    if failed(exit_facts):
        return _error(trial, _because(exit_facts, "it failed while it was being stopped"))
    state = END_OF[trial.state]
    early = {TrialState.CANCELED: ExitReason.USER_CANCELED, TrialState.ERROR: ExitReason.ERRORED}.get(state)
    return ExitDecision(state, trial.restarts, again=False, early=early, reason=f"the trial was stopped and is {state}")


def _failure(trial: TrialFacts, exit_facts: ExitFacts) -> ExitDecision:
    what = _because(
        exit_facts, f"it failed with exit code {exit_facts.exit_code}" if exit_facts.exit_code is not None else "it failed"
    )
    if trial.retries_canceled_by is not None:
        return _error(trial, f"{what}; a log policy forbids another try: {trial.retries_canceled_by}")
    restarts = trial.restarts + 1
    if restarts > trial.max_restarts:
        return _error(trial, f"{what}; all {trial.max_restarts} restarts are used up", restarts)
    if trial.too_few_nodes and trial.refuse_too_few_nodes:
        return _error(trial, f"{what}; the nodes left by log policies cannot hold it", restarts)
    warning = "; log policies leave too few nodes, so it may wait for ever" if trial.too_few_nodes else ""
    return _again(trial, restarts, f"{what}; restart {restarts} of {trial.max_restarts}{warning}")


def _error(trial: TrialFacts, reason: str, restarts: int | None = None) -> ExitDecision:
    counted = trial.restarts if restarts is None else restarts
    return ExitDecision(TrialState.ERROR, counted, again=False, early=ExitReason.ERRORED, reason=reason)


def _again(trial: TrialFacts, restarts: int, reason: str) -> ExitDecision:
    return ExitDecision(trial.state, restarts, again=trial.state is TrialState.ACTIVE, early=None, reason=reason)


def _because(exit_facts: ExitFacts, what: str) -> str:
    return f"{what} ({exit_facts.message})" if exit_facts.message else what
