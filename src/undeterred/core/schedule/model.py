"""What a scheduling pass sees and what it says: plain frozen data, so that a pass can run anywhere.

Times are microseconds, slots are whole numbers within their agent, priorities run from 1 (first) to 99 (last).
"""

from collections.abc import Mapping
from decimal import Decimal

from undeterred.base.struct import Struct, field

Places = tuple[tuple[str, tuple[int, ...]], ...]
"""Where an allocation runs: agents with their slots there; a zero-slot allocation has one agent with no slots."""


class Slot(Struct, frozen=True):
    """One slot of an agent; only an enabled slot that is not draining gets new work."""

    id: int
    enabled: bool = True
    draining: bool = False


class Agent(Struct, frozen=True):
    """One machine; `aux_capacity` is the number of zero-slot allocations it takes."""

    id: str
    slots: tuple[Slot, ...]
    aux_capacity: int = 100
    enabled: bool = True
    draining: bool = False


class Group(Struct, frozen=True):
    """A job: all allocations of one experiment or task. `position` orders jobs of one priority, `weight` counts in fair share."""

    id: str
    priority: int = 42
    position: int | Decimal = 0
    submitted: int = 0
    weight: float = 1.0
    max_slots: int | None = None


class Request(Struct, frozen=True):
    """An allocation that wants `slots` slots (all of them or none); `excluded` names agents that it must not use."""

    allocation_id: str
    group_id: str
    slots: int
    requested: int = 0
    preemptible: bool = True
    single_node: bool = False
    excluded: frozenset[str] = frozenset()


class Running(Struct, frozen=True):
    """An allocation that holds slots; `releasing` when it has been told to give them up."""

    request: Request
    places: Places
    releasing: bool = False


class Snapshot(Struct, frozen=True):
    """One resource pool at one moment.

    `scheduler` is "priority" or "fair_share"; `preemption` is the priority scheduler's switch (fair share always preempts);
    `fit` is "best" (fill agents up) or "worst" (spread); `allow_heterogeneous` lets a gang take different numbers of slots of
    different agents where no set of equal, idle agents holds it. Every request's group is in `groups`.
    """

    agents: tuple[Agent, ...] = ()
    groups: tuple[Group, ...] = ()
    waiting: tuple[Request, ...] = ()
    running: tuple[Running, ...] = ()
    scheduler: str = "priority"
    preemption: bool = False
    fit: str = "best"
    allow_heterogeneous: bool = True


class Plan(Struct, frozen=True):
    """What to do now.

    `start`: (allocation id, its places), in queue order. `preempt`: ids of running allocations to stop gracefully, each with its
    reason in `because`. `waiting`: allocation id to the reason why it does not start, in queue order.
    """

    start: tuple[tuple[str, Places], ...] = ()
    preempt: tuple[str, ...] = ()
    waiting: Mapping[str, str] = field(default_factory=dict)
    because: Mapping[str, str] = field(default_factory=dict)
