"""A trial takes the steps of its table and no others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid, Refused
from undeterred.core.lifecycle.trial import STOPPING, TERMINAL, TRANSITIONS, TrialState, advance, reopen, reported, stop

S = TrialState
states = st.sampled_from(list(S))


@given(states, states)
def test_advance_takes_allowed_steps_only(state, wanted):
    """A step in the table is taken, the present state is kept, anything else is refused."""
    if wanted is state or wanted in TRANSITIONS[state]:
        assert advance(state, wanted) is wanted
    else:
        with pytest.raises(Refused):
            advance(state, wanted)


@pytest.mark.parametrize(
    ("state", "wanted", "after"),
    [
        (S.ACTIVE, S.STOPPING_COMPLETED, S.STOPPING_COMPLETED),
        (S.STOPPING_COMPLETED, S.STOPPING_CANCELED, S.STOPPING_COMPLETED),
        (S.STOPPING_COMPLETED, S.STOPPING_KILLED, S.STOPPING_KILLED),
        (S.STOPPING_CANCELED, S.STOPPING_COMPLETED, S.STOPPING_CANCELED),
        (S.STOPPING_KILLED, S.STOPPING_CANCELED, S.STOPPING_KILLED),
        (S.STOPPING_KILLED, S.STOPPING_ERROR, S.STOPPING_ERROR),
        (S.STOPPING_ERROR, S.STOPPING_KILLED, S.STOPPING_ERROR),
        (S.CANCELED, S.STOPPING_KILLED, S.CANCELED),
    ],
)
def test_weaker_requests_are_ignored(state, wanted, after):
    """What is already ending more firmly, or has ended, stays as it is; a person may kill what a search only asked to leave."""
    assert stop(state, wanted) is after


def test_a_trial_may_finish_while_it_is_being_paused():
    """A clean end that crosses a pause is the end of its work."""
    assert advance(S.PAUSED, S.COMPLETED) is S.COMPLETED


@given(st.sampled_from(sorted(STOPPING)))
def test_what_stops_never_runs_again(state):
    """From a stopping state no chain of steps leads back to ACTIVE or PAUSED."""
    reach, todo = set(), [state]
    while todo:
        new = TRANSITIONS[todo.pop()] - reach
        reach |= new
        todo.extend(new)
    assert not reach & {S.ACTIVE, S.PAUSED}
    assert reach & TERMINAL


@given(states)
def test_only_an_ended_trial_runs_again(state):
    """Continuing an experiment reopens ended trials only."""
    if state in TERMINAL:
        assert reopen(state) is S.ACTIVE
    else:
        with pytest.raises(Refused):
            reopen(state)


@pytest.mark.parametrize("name", ["RUNNING", "COMPLETED", "ERROR", "PAUSED", "CANCELED"])
def test_an_unmanaged_trial_may_be_called(name):
    """Its reporter sets any of these, in any order."""
    assert reported(name) == name


@pytest.mark.parametrize("name", ["QUEUED", "UNSPECIFIED", "", "STOPPING_KILLED", "ACTIVE", "completed"])
def test_an_unmanaged_trial_may_not_be_called(name):
    """Other words are refused with the list of those allowed."""
    with pytest.raises(Invalid, match="COMPLETED, ERROR, PAUSED, RUNNING"):
        reported(name)
