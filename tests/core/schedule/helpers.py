"""Small pools, and a world in which plans come true."""

from typing import Any

from undeterred.base.struct import replace
from undeterred.core.schedule import Agent, Group, Plan, Request, Running, Slot, Snapshot, plan


def agents(*sizes: int, aux: int = 100) -> tuple[Agent, ...]:
    """Agents a0, a1, … with so many slots."""
    return tuple(Agent(f"a{number}", tuple(Slot(slot) for slot in range(size)), aux) for number, size in enumerate(sizes))


def jobs(*slots: int, **more: Any) -> tuple[tuple[Group, ...], tuple[Request, ...]]:
    """One waiting job per number of slots, in this order: groups j0, j1, … with requests r0, r1, …"""
    groups = tuple(Group(f"j{number}", position=number, submitted=number) for number in range(len(slots)))
    requests = tuple(Request(f"r{number}", f"j{number}", count, number, **more) for number, count in enumerate(slots))
    return groups, requests


def pool(sizes: tuple[int, ...], slots: tuple[int, ...], request: dict[str, Any] | None = None, **more: Any) -> Snapshot:
    """A pool of agents with waiting jobs."""
    groups, requests = jobs(*slots, **(request or {}))
    return Snapshot(agents(*sizes), groups, requests, **more)


def starts(decided: Plan) -> dict[str, Any]:
    """What a plan starts, with places."""
    return dict(decided.start)


def after(snapshot: Snapshot, decided: Plan) -> Snapshot:
    """The pool once a plan is carried out: started ones run, preempted ones are releasing."""
    wanted = {request.allocation_id: request for request in snapshot.waiting}
    begun = tuple(Running(wanted[one], places) for one, places in decided.start)
    running = tuple(
        replace(one, releasing=True) if one.request.allocation_id in decided.preempt else one for one in snapshot.running
    )
    started = {one for one, _ in decided.start}
    waiting = tuple(request for request in snapshot.waiting if request.allocation_id not in started)
    return replace(snapshot, running=running + begun, waiting=waiting)


def released(snapshot: Snapshot) -> Snapshot:
    """The pool once all that are releasing are gone; they wait again."""
    gone = tuple(one.request for one in snapshot.running if one.releasing)
    return replace(snapshot, running=tuple(one for one in snapshot.running if not one.releasing), waiting=snapshot.waiting + gone)


def settle(snapshot: Snapshot) -> Snapshot:
    """Plan and carry out until nothing changes."""
    for _ in range(50):
        decided = plan(snapshot)
        if not decided.start and not decided.preempt:
            return snapshot
        snapshot = released(after(snapshot, decided))
    raise AssertionError("plans never come to rest")


def running_ids(snapshot: Snapshot) -> set[str]:
    """Who runs."""
    return {one.request.allocation_id for one in snapshot.running}


def reprioritised(snapshot: Snapshot, group_id: str, **change: Any) -> Snapshot:
    """The pool with one job changed."""
    return replace(snapshot, groups=tuple(replace(one, **change) if one.id == group_id else one for one in snapshot.groups))
