"""An experiment takes the steps of its table and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Refused
from undeterred.core.lifecycle.experiment import (
    DELETABLE,
    END_OF,
    STOPPING,
    TERMINAL,
    TRANSITIONS,
    ExperimentState,
    advance,
    finish,
    of_trials,
    reopen,
    stop,
)
from undeterred.core.lifecycle.trial import TrialState

S = ExperimentState
states = st.sampled_from(list(S))

ALLOWED = """
ACTIVE: PAUSED STOPPING_CANCELED STOPPING_KILLED STOPPING_COMPLETED STOPPING_ERROR ERROR
PAUSED: ACTIVE STOPPING_CANCELED STOPPING_KILLED STOPPING_COMPLETED STOPPING_ERROR ERROR
STOPPING_CANCELED: CANCELED STOPPING_KILLED STOPPING_ERROR ERROR
STOPPING_KILLED: CANCELED STOPPING_ERROR ERROR
STOPPING_COMPLETED: COMPLETED STOPPING_ERROR ERROR
STOPPING_ERROR: ERROR
CANCELED: DELETING
COMPLETED: DELETING
ERROR: DELETING
DELETING: DELETED DELETE_FAILED
DELETE_FAILED: DELETING
"""


def test_the_table_is_the_known_one():
    """Every step of the original's table is there, apart from STOPPING_ERROR to ACTIVE, which nothing could use."""
    rows = dict(line.split(": ") for line in ALLOWED.strip().splitlines())
    assert {state: " ".join(sorted(row.split())) for state, row in rows.items()} == {
        str(state): " ".join(sorted(next_)) for state, next_ in TRANSITIONS.items() if next_
    }


@given(states, states)
def test_advance_takes_allowed_steps_only(state, wanted):
    """A step in the table is taken, the present state is kept, anything else is refused naming both states."""
    if wanted is state or wanted in TRANSITIONS[state]:
        assert advance(state, wanted) is wanted
    else:
        with pytest.raises(Refused, match=f"{state} cannot become {wanted}"):
            advance(state, wanted)


@given(st.lists(st.sampled_from(sorted(STOPPING)), max_size=6), st.sampled_from([S.ACTIVE, S.PAUSED]))
def test_requests_to_stop_never_weaken_and_always_end(requests, state):
    """Whatever stop requests come in whichever order, the experiment reaches one terminal state and stays there."""
    for wanted in requests:
        state = stop(state, wanted)
    if requests:
        end = finish(state)
        assert end in TERMINAL
        assert all(stop(end, wanted) is end for wanted in STOPPING)


@pytest.mark.parametrize(
    ("state", "wanted", "after"),
    [
        (S.ACTIVE, S.STOPPING_CANCELED, S.STOPPING_CANCELED),
        (S.STOPPING_CANCELED, S.STOPPING_KILLED, S.STOPPING_KILLED),
        (S.STOPPING_KILLED, S.STOPPING_CANCELED, S.STOPPING_KILLED),
        (S.STOPPING_COMPLETED, S.STOPPING_CANCELED, S.STOPPING_COMPLETED),
        (S.COMPLETED, S.STOPPING_KILLED, S.COMPLETED),
        (S.RUNNING, S.STOPPING_KILLED, S.RUNNING),
    ],
)
def test_stop_requests(state, wanted, after):
    """A stronger request wins, a weaker one and one for an ended or unmanaged experiment change nothing."""
    assert stop(state, wanted) is after


@pytest.mark.parametrize("state", [S.DELETING, S.DELETE_FAILED, S.DELETED])
def test_what_is_being_deleted_cannot_be_stopped(state):
    """There is nothing left to stop."""
    with pytest.raises(Refused):
        stop(state, S.STOPPING_KILLED)


@given(states)
def test_only_what_stops_finishes_and_only_what_ended_reopens(state):
    """finish and reopen refuse every other state."""
    for act, right in ((finish, state in END_OF), (reopen, state in TERMINAL)):
        if right:
            assert act(state) in TERMINAL | {S.ACTIVE}
        else:
            with pytest.raises(Refused):
                act(state)


def test_deletable_is_what_may_become_deleting():
    """The set that delete asks for and the table agree."""
    assert {state for state in S if S.DELETING in TRANSITIONS[state]} == DELETABLE


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        ([], S.PAUSED),
        ([TrialState.PAUSED, TrialState.ERROR], S.ERROR),
        ([TrialState.ERROR, TrialState.COMPLETED], S.COMPLETED),
        ([TrialState.COMPLETED, TrialState.RUNNING, TrialState.ERROR], S.RUNNING),
        ([TrialState.CANCELED, TrialState.PAUSED], S.CANCELED),
    ],
)
def test_an_unmanaged_experiment_follows_its_most_advanced_trial(trials, expected):
    """PAUSED < CANCELED < ERROR < COMPLETED < RUNNING."""
    assert of_trials(trials) is expected
