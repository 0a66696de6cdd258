"""The priority scheduler: whoever comes first in the queue and fits, starts.

A request that does not fit now holds up everything of a lower priority, unless preemption is on: then preemptible work may fill
the gap, because it can be stopped when the other one's turn comes. Requests of the same priority may pass one that does not fit.
A request that could not run even in an empty pool, or that its job's `max_slots` holds back, holds up nobody. Slots that are
being given up are kept for the first request that fits with them; the rest of the pool goes on working.
"""

from collections.abc import Iterable

from undeterred.core.schedule import explain
from undeterred.core.schedule.model import Request
from undeterred.core.schedule.preempt import Victims, over_limit
from undeterred.core.schedule.state import Pass


def schedule(state: Pass, requests: Iterable[Request], *, preemption: bool) -> None:
    """Decide about every request, given in queue order."""
    victims = Victims(state.room, state.running, state.ranks) if preemption else None
    if victims:
        _enforce_limits(state, victims)
    first: Request | None = None
    highest = 0
    hopeless: set[tuple[int, bool, frozenset[str]]] = set()
    for request in requests:
        group = state.groups[request.group_id]
        kind = (request.slots, request.single_node, request.excluded)
        if (kind not in hopeless or group.max_slots is not None) and not state.admit(request):
            continue
        if first and group.priority > highest and not (preemption and request.preemptible):
            state.wait(request, ("behind",), explain.behind, first, highest)
            continue
        if kind not in hopeless:
            if state.start(request) or state.keep_soon(request) or (victims and _preempt(state, victims, request)):
                continue
            hopeless.add(kind)  # for those of its kind further back there is never more to be had
        if first is None:
            first, highest = request, group.priority
        state.wait_for_room(request)


def _enforce_limits(state: Pass, victims: Victims) -> None:
    """Stop what goes beyond the limit of its job."""
    beyond = over_limit(state.running, state.groups.values())
    victims.drop(beyond)
    for one in beyond:
        state.room.release(one.places)
        state.preempt(one, explain.stopped_by_limit(state.groups[one.request.group_id]))


def _preempt(state: Pass, victims: Victims, request: Request) -> bool:
    """Stop others for a request, if that makes it fit."""
    chosen = victims.make_room(request, state.ranks[request.group_id])
    for one in chosen:
        state.preempt(one, explain.stopped_for(request))
    if chosen:
        state.kept(request, explain.preempting(chosen))
    return bool(chosen)
