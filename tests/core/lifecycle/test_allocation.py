"""Allocations move forward only, and are stopped as gently as they allow."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.core.lifecycle.allocation import OPEN, RANK, AllocationState, Stop, advance, how_to_stop

S = AllocationState


@given(st.lists(st.sampled_from(list(S)), min_size=1, max_size=8))
def test_the_order_of_news_does_not_matter(news):
    """After any news in any order the allocation is as far as the furthest of them says."""
    state = S.PENDING
    for wanted in news:
        before, state = state, advance(state, wanted)
        assert RANK[state] >= RANK[before]
    assert RANK[state] == max(RANK[wanted] for wanted in news)


def test_three_late_messages_give_one_result():
    """Every order of the same messages ends alike."""
    ends = set()
    for order in permutations([S.RUNNING, S.PULLING, S.ASSIGNED]):
        state = S.PENDING
        for wanted in order:
            state = advance(state, wanted)
        ends.add(state)
    assert ends == {S.RUNNING}


def test_only_the_last_state_is_closed():
    """Everything else waits for slots or holds some."""
    assert set(S) - OPEN == {S.TERMINATED}


@pytest.mark.parametrize(
    ("state", "graceful", "preemptible", "ready", "expected"),
    [
        (S.PENDING, True, True, False, Stop.DROP),
        (S.PENDING, False, True, False, Stop.DROP),
        (S.ASSIGNED, True, True, False, Stop.KILL),
        (S.RUNNING, True, True, True, Stop.PREEMPT),
        (S.RUNNING, True, True, False, Stop.KILL),
        (S.RUNNING, True, False, True, Stop.KILL),
        (S.RUNNING, False, True, True, Stop.KILL),
        (S.TERMINATING, True, True, True, Stop.NOTHING),
        (S.TERMINATING, False, True, True, Stop.KILL),
        (S.TERMINATED, False, True, True, Stop.NOTHING),
    ],
)
def test_how_to_stop(state, graceful, preemptible, ready, expected):
    """Waiting ones are dropped, listening ones asked, the rest killed; a kill overtakes a request to leave."""
    assert how_to_stop(state, graceful=graceful, preemptible=preemptible, ready=ready) is expected
