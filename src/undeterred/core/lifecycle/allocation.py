"""States of an allocation, which is one start of one task on some slots.

They only move forward: news of an earlier state that arrives late is ignored.
"""

import enum


class AllocationState(enum.StrEnum):
    """In the order in which an allocation passes through them; some may be skipped."""

    PENDING = "PENDING"
    ASSIGNED = "ASSIGNED"
    PULLING = "PULLING"
    STARTING = "STARTING"
    RUNNING = "RUNNING"
    WAITING = "WAITING"
    TERMINATING = "TERMINATING"
    TERMINATED = "TERMINATED"


ORDER: tuple[AllocationState, ...] = tuple(AllocationState)

RANK: dict[AllocationState, int] = {state: rank for rank, state in enumerate(ORDER)}
"""State -> how far it is (0 to 7)."""

OPEN: frozenset[AllocationState] = frozenset(ORDER[:-1])
"""Not over yet: the allocation waits for slots or holds some."""

TRANSITIONS: dict[AllocationState, frozenset[AllocationState]] = {
    state: frozenset(ORDER[RANK[state] + 1 :]) for state in AllocationState
}
"""The whole lifecycle: any later state."""


def advance(state: AllocationState, wanted: AllocationState) -> AllocationState:
    """The later of the two: news may arrive out of order and never takes an allocation back."""
    return wanted if wanted in TRANSITIONS[state] else state


class Stop(enum.Enum):
    """How an allocation is ended."""

    DROP = "take it out of the queue"
    PREEMPT = "ask it to save its work and leave"
    KILL = "end its processes now"
    NOTHING = "it is ending already"


def how_to_stop(state: AllocationState, *, graceful: bool, preemptible: bool, ready: bool) -> Stop:
    """What a request to stop does.

    Only a preemptible allocation whose processes listen (`ready`) can be asked; before that there is nothing to save. A kill
    goes on through TERMINATING, because a process that was asked to leave may not do so.
    """
    if state is AllocationState.TERMINATED:
        return Stop.NOTHING
    if state is AllocationState.PENDING:
        return Stop.DROP
    if not graceful:
        return Stop.KILL
    if state is AllocationState.TERMINATING:
        return Stop.NOTHING
    return Stop.PREEMPT if preemptible and ready else Stop.KILL
