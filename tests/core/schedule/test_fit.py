"""Where requests are placed."""

from typing import Any

import pytest

from tests.core.schedule.helpers import agents, pool, starts
from undeterred.base.struct import replace
from undeterred.core.schedule import Agent, Group, Request, Running, Slot, Snapshot, plan


def sizes(decided: Any, one: str = "r0") -> dict[str, int] | None:
    """Agents and numbers of slots that a request got."""
    places = starts(decided).get(one)
    return None if places is None else {agent_id: len(slots) for agent_id, slots in places}


@pytest.mark.parametrize(
    ("agent_sizes", "slots", "more", "got"),
    [
        ((4, 2, 8), 2, {}, {"a1": 2}),
        ((4, 2, 8), 3, {}, {"a0": 3}),
        ((4, 2, 8), 2, {"fit": "worst"}, {"a2": 2}),
        ((8, 8), 16, {}, {"a0": 8, "a1": 8}),
        ((4, 4, 4, 4, 8, 8), 16, {}, {"a4": 8, "a5": 8}),
        ((4, 4, 4, 16), 12, {}, {"a3": 12}),
        ((4, 4, 4), 12, {"allow_heterogeneous": False}, {"a0": 4, "a1": 4, "a2": 4}),
        ((8, 8), 12, {}, {"a0": 8, "a1": 4}),
        ((8, 8), 12, {"allow_heterogeneous": False}, None),
        ((8, 8), 17, {}, None),
        ((8, 8), 9, {"request": {"single_node": True}}, None),
        ((8, 8), 8, {"request": {"excluded": frozenset({"a0"})}}, {"a1": 8}),
        ((8, 8), 16, {"request": {"excluded": frozenset({"a0"})}}, None),
        ((), 1, {}, None),
    ],
)
def test_one_agent_else_several(agent_sizes: tuple[int, ...], slots: int, more: dict[str, Any], got: Any) -> None:
    """One agent that holds all; else equal whole agents, the largest first; else, where allowed, any; never a part."""
    assert sizes(plan(pool(agent_sizes, (slots,), **more))) == got


def test_half_used_agents_are_filled_first() -> None:
    """With best fit small requests share an agent, so that a whole one stays free for a gang."""
    decided = plan(pool((2, 2), (1, 1, 2)))
    assert starts(decided) == {"r0": (("a0", (0,)),), "r1": (("a0", (1,)),), "r2": (("a1", (0, 1)),)}


def test_worst_fit_spreads() -> None:
    """With worst fit requests go to the agent with the largest free part."""
    assert [places[0][0] for places in starts(plan(pool((4, 2), (1, 1, 1), fit="worst"))).values()] == ["a0", "a1", "a0"]


@pytest.mark.parametrize(
    "agent",
    [
        Agent("a", (Slot(0), Slot(1)), enabled=False),
        Agent("a", (Slot(0), Slot(1)), draining=True),
        Agent("a", (Slot(0, enabled=False), Slot(1))),
        Agent("a", (Slot(0), Slot(1, draining=True))),
    ],
)
def test_disabled_and_draining_parts_get_nothing(agent: Agent) -> None:
    """A disabled or draining agent or slot gets no new work."""
    decided = plan(replace(pool((), (2,)), agents=(agent,)))
    assert decided.start == ()
    assert "needs 2 slots" in decided.waiting["r0"]


def test_lowest_slots_first() -> None:
    """Slots are given in the order of their numbers, whatever the order in which they are listed."""
    agent = Agent("a", (Slot(7), Slot(2), Slot(10), Slot(3)))
    held = Running(Request("x", "j0", 1), (("a", (2,)),))
    decided = plan(replace(pool((), (2,)), agents=(agent,), running=(held,)))
    assert starts(decided) == {"r0": (("a", (3, 7)),)}


def test_tasks_without_slots() -> None:
    """They take places of their own kind, spread over agents, and do not wait for slots."""
    snapshot = replace(pool((1, 1), (9, 0, 0, 0, 0)), agents=agents(1, 1, aux=1))
    decided = plan(snapshot)
    assert starts(decided) == {"r1": (("a0", ()),), "r2": (("a1", ()),)}
    assert decided.waiting["r3"] == "every place for tasks without slots is taken"
    used = Running(Request("x", "j0", 0), (("a0", ()),))
    assert starts(plan(replace(snapshot, running=(used,)))) == {"r1": (("a1", ()),)}


def test_tasks_without_slots_run_on_agents_without_slots() -> None:
    """A machine without slots still takes tasks that need none."""
    assert starts(plan(pool((0,), (0,)))) == {"r0": (("a0", ()),)}


def test_excluded_agents_for_tasks_without_slots() -> None:
    """Also a task without slots avoids the agents that it must not use."""
    snapshot = pool((1, 1), (0,), {"excluded": frozenset({"a0"})})
    assert starts(plan(snapshot)) == {"r0": (("a1", ()),)}
    assert "must not use (a0)" in plan(replace(snapshot, agents=agents(1))).waiting["r0"]


def test_running_on_an_agent_that_is_gone() -> None:
    """An allocation on an agent that has left takes nothing from the others."""
    held = Running(Request("x", "j0", 1), (("gone", (0,)),))
    assert starts(plan(replace(pool((1,), (1,)), running=(held,)))) == {"r0": (("a0", (0,)),)}


def test_many_exclusions() -> None:
    """Requests with different exclusions find the agents left for them."""
    groups = tuple(Group(f"g{number}", position=number) for number in range(4))
    waiting = tuple(
        Request(f"r{number}", f"g{number}", 1, excluded=frozenset({"a0", "a1", "a2"} - {f"a{number}"})) for number in range(4)
    )
    decided = plan(Snapshot(agents(1, 1, 1), groups, waiting))
    assert {one: places[0][0] for one, places in decided.start} == {"r0": "a0", "r1": "a1", "r2": "a2"}
    assert "must not use" in decided.waiting["r3"]


def test_an_agent_passed_over_stays_in_use() -> None:
    """An agent that one task without slots must not use still takes the next one."""
    groups = (Group("g"),)
    waiting = (Request("r0", "g", 0, 0, excluded=frozenset({"a0"})), Request("r1", "g", 0, 1), Request("r2", "g", 0, 2))
    decided = plan(Snapshot(agents(1, 1, aux=1), groups, waiting))
    assert {one: places[0][0] for one, places in decided.start} == {"r0": "a1", "r1": "a0"}
