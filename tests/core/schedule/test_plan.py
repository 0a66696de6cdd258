"""Properties of every plan, on random pools."""

from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.schedule.helpers import after, pool, released, settle
from undeterred.base.errors import Invalid
from undeterred.base.struct import replace
from undeterred.core.schedule import Agent, Group, Plan, Request, Running, Slot, Snapshot, group_ranks, plan


@st.composite
def snapshots(pick: Any, *, schedulers: tuple[str, ...] = ("priority", "fair_share"), disturbed: bool = True) -> Snapshot:
    """A pool with agents, jobs, running and waiting allocations; `disturbed` ones have drained parts and running allocations."""
    agents = []
    for number in range(pick(st.integers(0, 4))):
        flags = st.sampled_from([True, True, True, False]) if disturbed else st.just(True)
        slots = tuple(Slot(slot, pick(flags), not pick(flags)) for slot in range(pick(st.integers(0, 4))))
        agents.append(Agent(f"a{number}", slots, pick(st.integers(0, 2)), pick(flags), not pick(flags)))
    limits = st.sampled_from([None, None, None, 0, 2, 4])
    groups = [
        Group(
            f"g{number}",
            pick(st.sampled_from([1, 42, 42, 99])),
            pick(st.integers(0, 3)),
            number,
            pick(st.sampled_from([1.0, 2.5])),
            pick(limits),
        )
        for number in range(pick(st.integers(1, 5)))
    ]

    def request(number: int, kind: str) -> Request:
        excluded = pick(st.sampled_from([frozenset(), frozenset(), frozenset({"a0"}), frozenset({"a1", "a2"})]))
        return Request(
            f"{kind}{number}",
            f"g{pick(st.integers(0, len(groups) - 1))}",
            pick(st.sampled_from([0, 1, 1, 2, 3, 4, 6, 8])),
            pick(st.integers(0, 5)),
            pick(st.booleans()),
            pick(st.booleans()),
            excluded,
        )

    waiting = tuple(request(number, "w") for number in range(pick(st.integers(0, 8))))
    running: list[Running] = []
    free = [(agent.id, slot.id) for agent in agents for slot in agent.slots]
    while disturbed and free and pick(st.booleans()):
        took = [free.pop(pick(st.integers(0, len(free) - 1))) for _ in range(min(len(free), pick(st.integers(1, 3))))]
        places = tuple(
            (agent_id, tuple(slot for other, slot in took if other == agent_id)) for agent_id in sorted({one for one, _ in took})
        )
        one = replace(request(len(running), "r"), slots=len(took))
        running.append(Running(one, places, pick(st.sampled_from([False, False, True]))))
    return Snapshot(
        tuple(agents), tuple(groups), waiting, tuple(running), pick(st.sampled_from(schedulers)),
        pick(st.booleans()), pick(st.sampled_from(["best", "worst"])), pick(st.booleans()),
    )  # fmt: skip


MANY = settings(max_examples=100)


@given(snapshots())
@MANY
def test_slots_are_given_once_and_gangs_whole(snapshot: Snapshot) -> None:
    """Started allocations get exactly their slots: usable, free before, of allowed agents, on one agent where that is asked."""
    usable = {
        (agent.id, slot.id)
        for agent in snapshot.agents
        if agent.enabled and not agent.draining
        for slot in agent.slots
        if slot.enabled and not slot.draining
    }
    taken = {(agent_id, slot) for one in snapshot.running for agent_id, slots in one.places for slot in slots}
    wanted = {request.allocation_id: request for request in snapshot.waiting}
    aux: Counter[str] = Counter()
    for allocation_id, places in plan(snapshot).start:
        request = wanted[allocation_id]
        mine = [(agent_id, slot) for agent_id, slots in places for slot in slots]
        assert len(mine) == len(set(mine)) == request.slots
        assert set(mine) <= usable - taken
        taken |= set(mine)
        assert not request.excluded & {agent_id for agent_id, _ in places}
        assert len(places) == 1 or not request.single_node
        if not request.slots:
            aux[places[0][0]] += 1
    for agent in snapshot.agents:
        assert aux[agent.id] <= (agent.aux_capacity if agent.enabled and not agent.draining else 0)


@given(snapshots())
@MANY
def test_everyone_is_decided_about(snapshot: Snapshot) -> None:
    """Each waiting request starts or has a reason; only running allocations that can be stopped are, each with a reason."""
    decided = plan(snapshot)
    started = [one for one, _ in decided.start]
    assert sorted([*started, *decided.waiting]) == sorted(request.allocation_id for request in snapshot.waiting)
    assert all(decided.waiting.values())
    stoppable = {one.request.allocation_id for one in snapshot.running if one.request.preemptible and not one.releasing}
    assert set(decided.preempt) <= stoppable
    assert decided.because.keys() == set(decided.preempt)


@given(snapshots(), st.integers(0, 1000))
@MANY
def test_order_of_input_does_not_matter(snapshot: Snapshot, seed: int) -> None:
    """A shuffled snapshot gives the same plan, to the last word."""
    dice = Random(seed)

    def shuffled(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dice.sample(items, len(items)))

    other = replace(
        snapshot,
        agents=tuple(replace(agent, slots=shuffled(agent.slots)) for agent in shuffled(snapshot.agents)),
        groups=shuffled(snapshot.groups),
        waiting=shuffled(snapshot.waiting),
        running=shuffled(snapshot.running),
    )
    one, two = plan(snapshot), plan(other)
    assert (one, list(one.waiting.items()), list(one.because.items())) == (
        two,
        list(two.waiting.items()),
        list(two.because.items()),
    )


@given(snapshots())
@MANY
def test_limits_of_jobs(snapshot: Snapshot) -> None:
    """No start takes a job beyond its `max_slots`."""
    used: Counter[str] = Counter()
    for one in snapshot.running:
        used[one.request.group_id] += one.request.slots
    begun: Counter[str] = Counter()
    wanted = {request.allocation_id: request for request in snapshot.waiting}
    for allocation_id, _ in plan(snapshot).start:
        begun[wanted[allocation_id].group_id] += wanted[allocation_id].slots
    for group in snapshot.groups:
        if group.max_slots is not None and begun[group.id]:
            assert used[group.id] + begun[group.id] <= group.max_slots


@given(snapshots(schedulers=("priority",), disturbed=False))
@MANY
def test_nobody_passes_a_runnable_one_of_higher_priority(snapshot: Snapshot) -> None:
    """Whoever waits, and not because a more important one goes first, would not fit beside its equals and betters that start."""
    decided = plan(snapshot)
    priority = {group.id: group.priority for group in snapshot.groups}
    limit = {group.id: group.max_slots for group in snapshot.groups}
    wanted = {request.allocation_id: request for request in snapshot.waiting}
    for waiting, reason in decided.waiting.items():
        request = wanted[waiting]
        if "goes first" in reason or not request.slots or limit[request.group_id] is not None:
            continue
        free = {agent.id: len(agent.slots) for agent in snapshot.agents if agent.id not in request.excluded}
        for allocation_id, places in decided.start:
            if priority[wanted[allocation_id].group_id] <= priority[request.group_id]:
                for agent_id, slots in places:
                    free[agent_id] = free.get(agent_id, 0) - len(slots)
        free = {agent_id: count for agent_id, count in free.items() if agent_id not in request.excluded}
        assert max(free.values(), default=0) < request.slots
        assert request.single_node or not snapshot.allow_heterogeneous or sum(free.values()) < request.slots


@given(snapshots(schedulers=("priority",), disturbed=False))
@MANY
def test_no_gap_filling_that_could_not_be_undone(snapshot: Snapshot) -> None:
    """While a request of higher priority waits for room, a lower one starts only with preemption on and if it can be stopped."""
    decided = plan(snapshot)
    priority = {group.id: group.priority for group in snapshot.groups}
    wanted = {request.allocation_id: request for request in snapshot.waiting}
    held_up = [wanted[one] for one, reason in decided.waiting.items() if wanted[one].slots and "are free" in reason]
    for allocation_id, _ in decided.start:
        request = wanted[allocation_id]
        if request.slots and any(priority[other.group_id] < priority[request.group_id] for other in held_up):
            assert snapshot.preemption
            assert request.preemptible


@given(snapshots(schedulers=("priority",)))
@MANY
def test_only_those_behind_lose_slots(snapshot: Snapshot) -> None:
    """A stopped allocation is of a job behind the one it makes room for, or beyond its own limit."""
    ranks = group_ranks(snapshot.groups)
    job = {one.request.allocation_id: one.request.group_id for one in snapshot.running}
    job |= {request.allocation_id: request.group_id for request in snapshot.waiting}
    decided = plan(snapshot)
    assert snapshot.preemption or not decided.preempt
    for victim, reason in decided.because.items():
        if "max_slots" not in reason:
            winner = reason.removeprefix("its slots go to ").split(",")[0]
            assert ranks[job[winner]] < ranks[job[victim]]
            assert victim in decided.waiting[winner]


@given(snapshots(schedulers=("priority",)))
@MANY
def test_nobody_is_stopped_in_vain(snapshot: Snapshot) -> None:
    """Once the stopped ones are gone (and wait again), those for whom slots were kept start."""
    snapshot = replace(snapshot, groups=tuple(replace(group, max_slots=None) for group in snapshot.groups))
    decided = plan(snapshot)
    kept = {one for one, reason in decided.waiting.items() if reason.startswith("its slots are kept")}
    ending = {one.request.allocation_id for one in snapshot.running if one.releasing}
    then = released(after(snapshot, decided))
    later = plan(replace(then, waiting=tuple(one for one in then.waiting if one.allocation_id not in ending)))
    assert kept <= {one for one, _ in later.start}


@given(snapshots(schedulers=("fair_share",)))
@MANY
def test_fair_share_comes_to_rest(snapshot: Snapshot) -> None:
    """Passes over a pool in which nobody ends lead to a state that the next pass leaves alone."""
    settle(snapshot)


@given(snapshots(schedulers=("priority",)))
@MANY
def test_a_second_pass_adds_nothing(snapshot: Snapshot) -> None:
    """With a plan carried out and nothing else changed, the next one has nothing to do."""
    again = plan(after(snapshot, plan(snapshot)))
    assert (again.start, again.preempt) == ((), ())


@pytest.mark.parametrize(("more", "words"), [({"scheduler": "round_robin"}, "round_robin"), ({"fit": "tight"}, "tight")])
def test_unknown_settings(more: dict[str, str], words: str) -> None:
    """An unknown scheduler or fit is refused."""
    with pytest.raises(Invalid, match=words):
        plan(pool((1,), (1,), **more))


def test_missing_group() -> None:
    """A request of an unknown job is refused."""
    with pytest.raises(Invalid, match="g9"):
        plan(Snapshot(waiting=(Request("x", "g9", 1),)))


def test_empty_pool() -> None:
    """Without anything there is nothing to do."""
    assert plan(Snapshot()) == Plan()
