"""Reasons, in words."""

import pytest

from tests.core.schedule.helpers import agents, pool
from undeterred.base.struct import replace
from undeterred.core.schedule import Group, Request, Running, plan


@pytest.mark.parametrize(
    ("sizes", "slots", "single", "mixed", "words"),
    [
        ((), 1, False, True, "the pool has no agent"),
        ((), 0, False, True, "the pool has no agent"),
        ((4, 4), 9, False, True, "it needs 9 slots, and the pool has 8 that take work"),
        ((4, 2), 5, True, True, "it needs 5 slots of one agent, and the largest agent has 4"),
        ((4, 2), 6, False, False, "it needs 6 slots, and no agent (the largest has 4) or set of equal agents adds up to that"),
    ],
)
def test_never(sizes: tuple[int, ...], slots: int, single: bool, mixed: bool, words: str) -> None:
    """What the pool cannot hold is told with the numbers of both."""
    decided = plan(pool(sizes, (slots,), {"single_node": single}, allow_heterogeneous=mixed))
    assert decided.waiting == {"r0": words}


def test_free_but_apart() -> None:
    """Enough free slots that do not fit together are told apart from too few."""
    running = tuple(Running(Request(f"x{number}", "j0", 1), ((f"a{number}", (0,)),)) for number in range(2))
    decided = plan(replace(pool((2, 2), (2,), {"single_node": True}), running=running))
    assert decided.waiting == {"r0": "it needs 2 slots that fit together; 2 of 4 are free, but spread over several agents"}


def test_no_places_for_tasks_without_slots() -> None:
    """An agent that takes no such task is not the same as one whose places are taken."""
    decided = plan(replace(pool((1,), (0,)), agents=agents(1, aux=0)))
    assert decided.waiting == {"r0": "no agent of the pool takes tasks without slots"}


def test_excluded_everywhere() -> None:
    """Who must not use the only fitting agents is told which."""
    decided = plan(pool((2, 1), (2,), {"excluded": frozenset({"a0"})}))
    assert decided.waiting == {"r0": "every place for it is on an agent that it must not use (a0)"}


def test_limit_below_the_request() -> None:
    """A limit that is smaller than the request is told with the limit."""
    snapshot = replace(pool((4,), (2,)), groups=(Group("j0", max_slots=1),))
    assert plan(snapshot).waiting == {"r0": "its job may use 1 slot (max_slots), 0 are in use, and it needs 2"}
