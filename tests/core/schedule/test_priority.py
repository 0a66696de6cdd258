"""The priority scheduler, with and without preemption."""

from typing import Any

import pytest

from tests.core.schedule.helpers import after, agents, pool, released, reprioritised, running_ids, settle, starts
from undeterred.base.struct import replace
from undeterred.core.schedule import Group, Request, Running, Snapshot, plan


def with_priorities(snapshot: Snapshot, *priorities: int, **more: Any) -> Snapshot:
    """The pool with its jobs' priorities set."""
    groups = tuple(replace(group, priority=one) for group, one in zip(snapshot.groups, priorities, strict=True))
    return replace(snapshot, groups=groups, **more)


def test_in_order() -> None:
    """Higher priority (a lower number) starts first, whoever came first."""
    assert list(starts(plan(with_priorities(pool((2,), (1, 1, 1)), 42, 50, 10)))) == ["r2", "r0"]


def test_lower_priorities_wait_without_preemption() -> None:
    """Behind a request that does not fit, equals may pass, lower priorities may not."""
    decided = plan(with_priorities(pool((2,), (2, 2, 1, 1), running=()), 42, 42, 42, 50, running=held(1)))
    assert list(starts(decided)) == ["r2"]
    assert decided.waiting == {
        "r0": "it needs 2 slots, and 1 of 2 are free",
        "r1": "it needs 2 slots, and 1 of 2 are free",
        "r3": "r0 of priority 42 goes first; it waits for 2 slots",
    }


def held(count: int, *, priority_group: str = "j0", preemptible: bool = False) -> tuple[Running, ...]:
    """One running allocation on the first slots of the first agent."""
    return (Running(Request("held", priority_group, count, preemptible=preemptible), (("a0", tuple(range(count))),)),)


@pytest.mark.parametrize(("preemptible", "begun"), [(True, ["r1"]), (False, [])])
def test_gaps_are_filled_with_preemption(preemptible: bool, begun: list[str]) -> None:
    """With preemption on, a lower priority fills the gap if it can be stopped again."""
    snapshot = with_priorities(pool((2,), (2, 1), {"preemptible": preemptible}, preemption=True), 42, 50, running=held(1))
    assert list(starts(plan(snapshot))) == begun


def test_gap_filler_gives_way() -> None:
    """The filler is stopped as soon as that lets the one it filled the gap for start."""
    snapshot = with_priorities(pool((2,), (2, 1), preemption=True), 42, 50, running=held(1))
    snapshot = after(snapshot, plan(snapshot))
    assert plan(snapshot).preempt == ()
    snapshot = replace(snapshot, running=tuple(one for one in snapshot.running if one.request.allocation_id != "held"))
    decided = plan(snapshot)
    assert decided.preempt == ("r1",)
    assert decided.because == {"r1": "its slots go to r0, which comes before it in the queue"}
    assert decided.waiting == {"r0": "its slots are kept for it; to be stopped for it: r1"}
    assert list(starts(plan(released(after(snapshot, decided))))) == ["r0"]


def test_an_impossible_request_holds_up_nobody() -> None:
    """What the pool could never hold waits with that reason, and the queue goes on without it."""
    decided = plan(with_priorities(pool((2,), (3, 2)), 1, 99))
    assert list(starts(decided)) == ["r1"]
    assert decided.waiting == {"r0": "it needs 3 slots, and the pool has 2 that take work"}


def test_a_job_at_its_limit_holds_up_nobody() -> None:
    """What `max_slots` holds back waits with that reason, and the queue goes on without it."""
    groups = (Group("a", 1, max_slots=1), Group("b", 99))
    waiting = (Request("a0", "a", 1, 0), Request("a1", "a", 1, 1), Request("b0", "b", 1))
    decided = plan(Snapshot(agents(2), groups, waiting))
    assert list(starts(decided)) == ["a0", "b0"]
    assert decided.waiting == {"a1": "its job may use 1 slot (max_slots), 1 are in use, and it needs 1"}


@pytest.mark.parametrize(("preemption", "victims"), [(True, ("r2", "r1")), (False, ())])
def test_a_lowered_limit(preemption: bool, victims: tuple[str, ...]) -> None:
    """A job above a lowered limit gives its newest allocations back where preemption is on, and starts nothing new."""
    group = Group("a", max_slots=1)
    running = tuple(Running(Request(f"r{number}", "a", 1, number), (("a0", (number,)),)) for number in range(3))
    decided = plan(Snapshot(agents(4), (group,), (Request("w", "a", 1, 9),), running, preemption=preemption))
    assert decided.preempt == victims
    assert decided.start == ()


def test_fewest_and_newest_lose() -> None:
    """The lowest priority loses first, the newest within it, and only as many as are needed."""
    groups = (Group("top", 1), *(Group(f"g{number}", 50 + number // 2, number) for number in range(4)))
    running = tuple(Running(Request(f"r{number}", f"g{number}", 1), (("a0", (number,)),)) for number in range(4))
    decided = plan(Snapshot(agents(4), groups, (Request("w", "top", 2),), running, preemption=True))
    assert decided.preempt == ("r3", "r2")


def test_those_on_other_agents_are_left_alone() -> None:
    """Whoever holds no slot of the chosen place is not stopped, however unimportant."""
    groups = (Group("top", 1), Group("low", 99), Group("mid", 50))
    running = (
        Running(Request("low", "low", 1), (("a1", (0,)),)),
        Running(Request("mid", "mid", 2), (("a0", (0, 1)),)),
    )
    decided = plan(Snapshot(agents(2, 1), groups, (Request("w", "top", 2, single_node=True),), running, preemption=True))
    assert decided.preempt == ("mid",)


def test_non_preemptible_work_is_never_stopped() -> None:
    """Work that cannot be stopped keeps its slots whatever waits."""
    groups = (Group("top", 1), Group("j0", 99))
    decided = plan(Snapshot(agents(1), groups, (Request("w", "top", 1),), held(1), preemption=True))
    assert decided.preempt == ()
    assert decided.waiting == {"w": "it needs 1 slot, and 0 of 1 are free"}


def test_slots_being_released_are_kept() -> None:
    """While slots are being given up nobody else is stopped for the same request, and the rest of the pool is used."""
    groups = (Group("top", 1), Group("low", 99), Group("next", 99, 1))
    running = (
        Running(Request("a", "low", 1, 0), (("a0", (0,)),), releasing=True),
        Running(Request("b", "low", 1, 1), (("a0", (1,)),)),
    )
    waiting = (Request("w", "top", 1, single_node=True, excluded=frozenset({"a1"})), Request("n", "next", 1))
    decided = plan(Snapshot(agents(2, 1), groups, waiting, running, preemption=True))
    assert decided.preempt == ()
    assert list(starts(decided)) == ["n"]
    assert decided.waiting == {"w": "its slots are kept for it; they are being given up by allocations that are stopping"}


def test_the_younger_of_two_equals_is_stopped_and_comes_back_first() -> None:
    """Two slots, three equal jobs: a job of higher priority stops the younger running one, which comes back before the third."""
    groups = tuple(Group(f"e{number}", 40, number, number) for number in range(1, 4))
    waiting = tuple(Request(f"r{number}", f"e{number}", 1, number) for number in range(1, 4))
    snapshot = settle(Snapshot(agents(2), groups, waiting, preemption=True))
    assert running_ids(snapshot) == {"r1", "r2"}
    urgent = replace(snapshot, groups=(*groups, Group("e4", 30, 4, 4)), waiting=(*snapshot.waiting, Request("r4", "e4", 1, 4)))
    decided = plan(urgent)
    assert decided.preempt == ("r2",)
    snapshot = settle(urgent)
    assert running_ids(snapshot) == {"r1", "r4"}
    snapshot = replace(snapshot, running=tuple(one for one in snapshot.running if one.request.group_id != "e4"))
    assert list(plan(snapshot).waiting) == ["r3"]
    snapshot = settle(snapshot)
    assert running_ids(snapshot) == {"r1", "r2"}
    raised = reprioritised(snapshot, "e3", priority=10)
    assert plan(raised).preempt == ("r2",)
    assert running_ids(settle(raised)) == {"r1", "r3"}


def test_moving_ahead_within_a_priority() -> None:
    """A job moved ahead of a running equal takes its place when preemption is on."""
    groups = (Group("a", position=5), Group("b", position=1))
    running = (Running(Request("ra", "a", 1), (("a0", (0,)),)),)
    snapshot = Snapshot(agents(1), groups, (Request("rb", "b", 1),), running, preemption=True)
    assert plan(snapshot).preempt == ("ra",)
    assert plan(reprioritised(snapshot, "b", position=9)).preempt == ()


def test_a_gang_stops_what_it_needs_on_several_agents() -> None:
    """A gang over two agents stops the work in its way on both."""
    groups = (Group("top", 1), Group("low", 99))
    running = tuple(Running(Request(f"r{number}", "low", 1, number), ((f"a{number}", (0,)),)) for number in range(2))
    decided = plan(Snapshot(agents(2, 2), groups, (Request("w", "top", 4),), running, preemption=True))
    assert set(decided.preempt) == {"r0", "r1"}


def test_a_gang_leaves_alone_whom_it_does_not_need() -> None:
    """Of two small allocations on the second agent only the less important one is stopped when one slot is enough."""
    groups = (Group("top", 1), Group("low", 99))
    running = (
        Running(Request("v1", "low", 1, 9), (("a0", (0,)),)),
        Running(Request("v2", "low", 1, 8), (("a0", (1,)),)),
        Running(Request("v3", "low", 3, 7), (("a1", (0, 1, 2)),)),
    )
    decided = plan(Snapshot(agents(2, 3), groups, (Request("w", "top", 4),), running, preemption=True))
    assert set(decided.preempt) == {"v1", "v3"}


def test_what_a_stopped_gang_leaves_over_goes_to_the_next() -> None:
    """One stopped gang makes room for two like requests, although nothing was to be had for them before."""
    groups = (Group("top", 1), Group("low", 99))
    running = (
        Running(Request("ending", "low", 2), (("a0", (0,)), ("a1", (0,))), releasing=True),
        Running(Request("gang", "low", 4), (("a2", (0, 1, 2, 3)),)),
    )
    waiting = tuple(Request(f"w{number}", "top", 2, number, single_node=True) for number in range(3))
    decided = plan(Snapshot(agents(1, 1, 4), groups, waiting, running, preemption=True))
    assert decided.preempt == ("gang",)
    assert [reason[:18] for reason in decided.waiting.values()] == [
        "its slots are kept",
        "its slots are kept",
        "it needs 2 slots, ",
    ]


def test_kept_slots_count_for_the_limit() -> None:
    """A job whose limit allows one more allocation has slots kept for one only."""
    groups = (Group("a", max_slots=1), Group("b"))
    running = (Running(Request("r", "b", 2), (("a0", (0, 1)),), releasing=True),)
    decided = plan(Snapshot(agents(2), groups, (Request("w0", "a", 1, 0), Request("w1", "a", 1, 1)), running))
    assert [reason[:18] for reason in decided.waiting.values()] == ["its slots are kept", "its job may use 1 "]


def test_what_is_being_released_is_not_beyond_the_limit() -> None:
    """An allocation on its way out does not make a job stop another one."""
    running = (
        Running(Request("r0", "a", 1, 0), (("a0", (0,)),)),
        Running(Request("r1", "a", 1, 1), (("a0", (1,)),), releasing=True),
    )
    assert plan(Snapshot(agents(2), (Group("a", max_slots=1),), (), running, preemption=True)).preempt == ()
