"""Why a request waits, in words for the person who waits."""

from collections.abc import Iterable

from undeterred.core.schedule.fit import Room
from undeterred.core.schedule.model import Group, Request, Running


def _slots(count: int) -> str:
    return f"{count} slot" if count == 1 else f"{count} slots"


def impossible(room: Room, request: Request) -> str:
    """The pool could not hold it even if nothing else ran."""
    if not room.bays:
        return "the pool has no agent"
    if request.excluded and room.possible(_anywhere(request)):
        return f"every place for it is on an agent that it must not use ({', '.join(sorted(request.excluded))})"
    if not request.slots:
        return "no agent of the pool takes tasks without slots"
    if request.slots > room.size:
        return f"it needs {_slots(request.slots)}, and the pool has {room.size} that take work"
    largest = room.most(lambda bay: bay.size, request)
    if request.single_node:
        return f"it needs {_slots(request.slots)} of one agent, and the largest agent has {largest}"
    return f"it needs {_slots(request.slots)}, and no agent (the largest has {largest}) or set of equal agents adds up to that"


def no_room(room: Room, request: Request, free: int) -> str:
    """It would fit if others ended."""
    if not request.slots:
        return "every place for tasks without slots is taken"
    if request.slots > free:
        return f"it needs {_slots(request.slots)}, and {free} of {room.size} are free"
    return f"it needs {_slots(request.slots)} that fit together; {free} of {room.size} are free, but spread over several agents"


def limited(group: Group, request: Request, used: int) -> str:
    """Its job may not use more."""
    return f"its job may use {_slots(group.max_slots or 0)} (max_slots), {used} are in use, and it needs {request.slots}"


def behind(first: Request, priority: int) -> str:
    """A more important one goes first."""
    return f"{first.allocation_id} of priority {priority} goes first; it waits for {_slots(first.slots)}"


def being_released() -> str:
    """Its slots are known and not yet free."""
    return "its slots are kept for it; they are being given up by allocations that are stopping"


def preempting(victims: Iterable[Running]) -> str:
    """Others are stopped for it."""
    return f"its slots are kept for it; to be stopped for it: {', '.join(one.request.allocation_id for one in victims)}"


def share_used(share: int, used: int, request: Request) -> str:
    """Its job has its fair share."""
    return f"the fair share of its job is {_slots(share)}, {used} are in use, and it needs {request.slots}"


def stopped_for(request: Request) -> str:
    """Why a running one is stopped."""
    return f"its slots go to {request.allocation_id}, which comes before it in the queue"


def stopped_by_limit(group: Group) -> str:
    """Why a running one is stopped."""
    return f"its job may use {_slots(group.max_slots or 0)} (max_slots) and uses more"


def stopped_by_share(share: int) -> str:
    """Why a running one is stopped."""
    return f"the fair share of its job is {_slots(share)} and it uses more"


def _anywhere(request: Request) -> Request:
    return Request("", request.group_id, request.slots, single_node=request.single_node)
