"""What the end of an allocation means for its trial."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.core.lifecycle.exits import Cause, ExitFacts, TrialFacts, decide_exit, failed
from undeterred.core.lifecycle.trial import STOPPING, TERMINAL, TrialState, advance
from undeterred.core.search.events import ExitReason

S = TrialState
CLEAN = ExitFacts(Cause.EXITED, 0)
CRASH = ExitFacts(Cause.EXITED, 1, message="boom")
GAVE_WAY = ExitFacts(Cause.EXITED, 0, preempted=True, acked=True)
SILENT = ExitFacts(Cause.EXITED, 0, preempted=True)
KILLED = ExitFacts(Cause.KILLED, 137)
LOST = ExitFacts(Cause.LOST)
NO_CODE = ExitFacts(Cause.EXITED, None, message="no such image")

ACTIVE = TrialFacts(S.ACTIVE, restarts=0, max_restarts=2)
PAUSED = TrialFacts(S.PAUSED, restarts=0, max_restarts=2)


@pytest.mark.parametrize(
    ("trial", "exit_facts", "state", "restarts", "again", "early"),
    [
        (ACTIVE, CLEAN, S.COMPLETED, 0, False, None),
        (ACTIVE, SILENT, S.COMPLETED, 0, False, None),
        (PAUSED, CLEAN, S.COMPLETED, 0, False, None),
        (ACTIVE, ExitFacts(Cause.KILLED, 0), S.COMPLETED, 0, False, None),
        (ACTIVE, GAVE_WAY, S.ACTIVE, 0, True, None),
        (PAUSED, GAVE_WAY, S.PAUSED, 0, False, None),
        (ACTIVE, ExitFacts(Cause.EXITED, 1, preempted=True, acked=True), S.ACTIVE, 0, True, None),
        (ACTIVE, ExitFacts(Cause.EXITED, 1, preempted=True), S.ACTIVE, 1, True, None),
        (ACTIVE, ExitFacts(Cause.EXITED, 0, acked=True), S.COMPLETED, 0, False, None),
        (ACTIVE, KILLED, S.ACTIVE, 0, True, None),
        (PAUSED, KILLED, S.PAUSED, 0, False, None),
        (ACTIVE, ExitFacts(Cause.DROPPED), S.ACTIVE, 0, True, None),
        (PAUSED, ExitFacts(Cause.DROPPED), S.PAUSED, 0, False, None),
        (ACTIVE, CRASH, S.ACTIVE, 1, True, None),
        (PAUSED, CRASH, S.PAUSED, 1, False, None),
        (ACTIVE, NO_CODE, S.ACTIVE, 1, True, None),
        (ACTIVE, ExitFacts(Cause.EXITED, 137), S.ACTIVE, 1, True, None),
        (TrialFacts(S.ACTIVE, 2, 2), CRASH, S.ERROR, 3, False, ExitReason.ERRORED),
        (TrialFacts(S.ACTIVE, 0, 0), CRASH, S.ERROR, 1, False, ExitReason.ERRORED),
        (TrialFacts(S.ACTIVE, 2, 2), LOST, S.ACTIVE, 2, True, None),
        (TrialFacts(S.PAUSED, 2, 2), LOST, S.PAUSED, 2, False, None),
        (ACTIVE, ExitFacts(Cause.NOT_STARTED), S.ACTIVE, 0, True, None),
        (ACTIVE, ExitFacts(Cause.IMPOSSIBLE), S.ERROR, 0, False, ExitReason.ERRORED),
        (ACTIVE, ExitFacts(Cause.REJECTED), S.ERROR, 0, False, ExitReason.ERRORED),
        (TrialFacts(S.ACTIVE, 0, 5, retries_canceled_by="CUDA error"), CRASH, S.ERROR, 0, False, ExitReason.ERRORED),
        (TrialFacts(S.ACTIVE, 0, 5, retries_canceled_by="CUDA error"), LOST, S.ACTIVE, 0, True, None),
        (TrialFacts(S.ACTIVE, 0, 5, too_few_nodes=True), CRASH, S.ERROR, 1, False, ExitReason.ERRORED),
        (TrialFacts(S.ACTIVE, 0, 5, too_few_nodes=True, refuse_too_few_nodes=False), CRASH, S.ACTIVE, 1, True, None),
        (TrialFacts(S.ACTIVE, 0, 5, invalid_hp=True), CLEAN, S.COMPLETED, 0, False, ExitReason.INVALID_HP),
        (TrialFacts(S.ACTIVE, 0, 5, invalid_hp=True), CRASH, S.ERROR, 0, False, ExitReason.INVALID_HP),
        (TrialFacts(S.STOPPING_COMPLETED), GAVE_WAY, S.COMPLETED, 0, False, None),
        (TrialFacts(S.STOPPING_COMPLETED), SILENT, S.COMPLETED, 0, False, None),
        (TrialFacts(S.STOPPING_COMPLETED), KILLED, S.COMPLETED, 0, False, None),
        (TrialFacts(S.STOPPING_COMPLETED), LOST, S.COMPLETED, 0, False, None),
        (TrialFacts(S.STOPPING_COMPLETED, 0, 5), CRASH, S.ERROR, 0, False, ExitReason.ERRORED),
        (TrialFacts(S.STOPPING_CANCELED), GAVE_WAY, S.CANCELED, 0, False, ExitReason.USER_CANCELED),
        (TrialFacts(S.STOPPING_CANCELED, 0, 5), CRASH, S.ERROR, 0, False, ExitReason.ERRORED),
        (TrialFacts(S.STOPPING_KILLED), KILLED, S.CANCELED, 0, False, ExitReason.USER_CANCELED),
        (TrialFacts(S.STOPPING_KILLED), ExitFacts(Cause.DROPPED), S.CANCELED, 0, False, ExitReason.USER_CANCELED),
        (TrialFacts(S.STOPPING_ERROR), KILLED, S.ERROR, 0, False, ExitReason.ERRORED),
        (TrialFacts(S.COMPLETED, 1, 5), CRASH, S.COMPLETED, 1, False, None),
    ],
)
def test_decisions(trial, exit_facts, state, restarts, again, early):
    """Each row is one situation: the trial, how its allocation ended, and what becomes of it."""
    decision = decide_exit(trial, exit_facts)
    assert (decision.state, decision.restarts, decision.again, decision.early) == (state, restarts, again, early)


def test_the_reason_tells_what_happened_and_what_follows():
    """A person reads why the trial failed and how many restarts are left."""
    assert decide_exit(ACTIVE, CRASH).reason == "it failed with exit code 1 (boom); restart 1 of 2"
    assert "no such image" in decide_exit(ACTIVE, NO_CODE).reason
    assert "all 0 restarts are used up" in decide_exit(TrialFacts(S.ACTIVE), CRASH).reason
    assert "CUDA error" in decide_exit(TrialFacts(S.ACTIVE, 0, 5, retries_canceled_by="CUDA error"), CRASH).reason


trials = st.builds(
    TrialFacts,
    state=st.sampled_from([s for s in S if s is not S.RUNNING]),
    restarts=st.integers(0, 4),
    max_restarts=st.integers(0, 4),
    invalid_hp=st.booleans(),
    retries_canceled_by=st.none() | st.just("line"),
    too_few_nodes=st.booleans(),
    refuse_too_few_nodes=st.booleans(),
)
exits = st.builds(
    ExitFacts,
    cause=st.sampled_from(list(Cause)),
    exit_code=st.none() | st.sampled_from([0, 1, 137]),
    preempted=st.booleans(),
    acked=st.booleans(),
)


@given(trials, exits)
def test_every_decision_is_a_legal_step(trial, exit_facts):
    """The decided state is one the trial's table allows, and a new allocation is asked for only by an active trial."""
    decision = decide_exit(trial, exit_facts)
    assert advance(trial.state, decision.state) is decision.state
    assert decision.again == (decision.state is S.ACTIVE)
    assert decision.over == (decision.state in TERMINAL)
    assert decision.reason


@given(trials, exits)
def test_restarts_count_failures_only_and_are_limited(trial, exit_facts):
    """A restart is counted when the trial itself failed, at most one per exit, and never leads beyond the limit."""
    decision = decide_exit(trial, exit_facts)
    assert decision.restarts - trial.restarts in (0, 1)
    if decision.restarts > trial.restarts:
        assert failed(exit_facts)
        assert decision.over or decision.restarts <= trial.max_restarts


@given(trials.filter(lambda t: t.state in STOPPING), exits)
def test_a_stopping_trial_always_ends(trial, exit_facts):
    """No exit of any kind brings a stopping trial back."""
    assert decide_exit(trial, exit_facts).over


@given(
    trials.filter(lambda t: not t.invalid_hp and t.state in (S.ACTIVE, S.PAUSED)),
    st.sampled_from([Cause.LOST, Cause.NOT_STARTED]),
)
def test_faults_of_the_system_are_never_the_trials_fault(trial, cause):
    """However often machines are lost, the trial is tried again and nothing is counted."""
    decision = decide_exit(trial, ExitFacts(cause))
    assert (decision.state, decision.restarts) == (trial.state, trial.restarts)


@given(st.lists(exits, max_size=30), st.integers(0, 4))
def test_a_trial_fails_at_most_once_more_than_it_may_restart(ends, limit):
    """Over any sequence of exits the count stays within max_restarts + 1, where the trial is over."""
    state, restarts = S.ACTIVE, 0
    for end in ends:
        decision = decide_exit(TrialFacts(state, restarts, limit), end)
        state, restarts = decision.state, decision.restarts
        assert restarts <= limit + 1
        if decision.over:
            break
    assert restarts <= limit or state is S.ERROR
