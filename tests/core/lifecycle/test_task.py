"""Generic tasks: their states, and what an act on one does to its tree."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Refused
from undeterred.core.lifecycle.task import (
    TERMINAL,
    TRANSITIONS,
    Member,
    TaskState,
    advance,
    end_of_allocation,
    root_of,
    subtree,
    to_kill,
    to_pause,
    to_resume,
)

S = TaskState
states = st.sampled_from(list(S))

TREE = {
    "a": Member(None, S.ACTIVE),
    "b": Member("a", S.ACTIVE, no_pause=True),
    "c": Member("a", S.PAUSED),
    "d": Member("b", S.ACTIVE),
    "e": Member("b", S.COMPLETED),
    "x": Member(None, S.ACTIVE),
}


@given(states, states)
def test_advance_takes_allowed_steps_only(state, wanted):
    """A step in the table is taken, the present state is kept, anything else is refused."""
    if wanted is state or wanted in TRANSITIONS[state]:
        assert advance(state, wanted) is wanted
    else:
        with pytest.raises(Refused):
            advance(state, wanted)


@pytest.mark.parametrize(
    ("state", "failed", "after"),
    [
        (S.ACTIVE, False, S.COMPLETED),
        (S.ACTIVE, True, S.ERROR),
        (S.STOPPING_PAUSED, False, S.PAUSED),
        (S.STOPPING_CANCELED, False, S.CANCELED),
        (S.STOPPING_COMPLETED, False, S.COMPLETED),
        (S.STOPPING_ERROR, False, S.ERROR),
        (S.STOPPING_PAUSED, True, S.ERROR),
        (S.CANCELED, True, S.CANCELED),
        (S.PAUSED, False, S.PAUSED),
    ],
)
def test_end_of_allocation(state, failed, after):
    """A stop under way decides the end unless the task failed; what has ended stays."""
    assert end_of_allocation(state, failed=failed) is after


@given(states, st.booleans())
def test_the_end_of_an_allocation_is_a_legal_step(state, failed):
    """Whatever an exit makes of a task is a step its table has."""
    assert advance(state, end_of_allocation(state, failed=failed)) is not S.ACTIVE


def test_a_tree_is_walked_parents_first():
    """Parents come before children and siblings in a fixed order; other trees are left out."""
    assert subtree(TREE, "a") == ("a", "b", "c", "d", "e")
    assert subtree(TREE, "b") == ("b", "d", "e")
    assert root_of(TREE, "e") == "a"
    assert root_of(TREE, "x") == "x"


def test_kill_ends_what_has_not_ended():
    """From the task itself, or from its root if asked for."""
    assert to_kill(TREE, "b", from_root=False) == ("b", "d")
    assert to_kill(TREE, "b", from_root=True) == ("a", "b", "c", "d")


def test_pause_skips_those_that_ask_for_it_and_resume_finds_the_paused():
    """A task with no_pause goes on; only paused ones start again."""
    assert to_pause(TREE, "a") == ("a", "d")
    assert to_resume(TREE, "a") == ("c",)


@given(st.dictionaries(st.sampled_from("abcdef"), st.builds(Member, st.none() | st.sampled_from("abcdef"), states), min_size=1))
def test_broken_trees_do_not_hang(tasks):
    """Rings and missing parents, which a damaged database could hold, still give each task at most once."""
    for name in tasks:
        found = subtree(tasks, name)
        assert len(set(found)) == len(found)
        assert root_of(tasks, name) in tasks
        assert all(tasks[one].state not in TERMINAL for one in to_kill(tasks, name, from_root=True))
