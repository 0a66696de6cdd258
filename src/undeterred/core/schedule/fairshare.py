"""The fair-share scheduler: slots are shared among jobs by weight, whoever needs less leaves the rest to the others."""

from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush

from undeterred.core.schedule import explain
from undeterred.core.schedule.model import Request, Running
from undeterred.core.schedule.preempt import newest_beyond
from undeterred.core.schedule.state import Pass


def schedule(state: Pass, requests: Iterable[Request]) -> None:
    """Decide about every request, given in queue order."""
    admitted = [request for request in requests if state.admit(request)]
    holding = _holding(state.running)
    shares = _settled_shares(state, admitted, holding)
    used = {group_id: sum(one.request.slots for one in ones) for group_id, ones in holding.items()}
    for group_id, ones in sorted(holding.items(), key=lambda item: state.ranks[item[0]]):
        for one in newest_beyond(ones, shares.get(group_id, 0)):
            state.room.release(one.places)
            state.preempt(one, explain.stopped_by_share(shares.get(group_id, 0)))
            used[group_id] -= one.request.slots
    for request in admitted:
        share, now = shares.get(request.group_id, 0), used.get(request.group_id, 0)
        if now + request.slots > share:
            key = ("share", request.group_id, request.slots, share, now)
            state.wait(request, key, explain.share_used, share, now, request)
        elif state.admit(request):
            if state.start(request) or state.keep_soon(request):
                used[request.group_id] = now + request.slots
            else:
                state.wait_for_room(request)


def fill(demands: Mapping[str, int], weights: Mapping[str, float], order: Mapping[str, int], capacity: int) -> dict[str, int]:
    """Share slots one by one: always to the job with the least per weight that still wants one; ties in queue order."""
    shares = dict.fromkeys(demands, 0)
    heap = [(0.0, order[group_id], group_id) for group_id, demand in demands.items() if demand]
    heapify(heap)
    while capacity and heap:
        _, rank, group_id = heappop(heap)
        shares[group_id] += 1
        capacity -= 1
        if shares[group_id] < demands[group_id]:
            heappush(heap, (shares[group_id] / max(weights[group_id], 1e-9), rank, group_id))
    return shares


def _settled_shares(state: Pass, admitted: list[Request], holding: Mapping[str, list[Running]]) -> dict[str, int]:
    """Shares after leaving out, youngest first, the jobs that could not start anything with theirs.

    Many are left out at a time; what that leaves over goes to the oldest of them.
    """
    smallest: dict[str, int] = {}
    demands = {group_id: sum(one.request.slots for one in ones) for group_id, ones in holding.items()}
    for request in admitted:
        group_id = request.group_id
        smallest[group_id] = min(request.slots, smallest.get(group_id, request.slots))
        demands[group_id] = demands.get(group_id, 0) + request.slots
    demands = {group_id: _limited(state, group_id, demand) for group_id, demand in demands.items()}
    weights = {group_id: state.groups[group_id].weight for group_id in demands}
    left_out: list[str] = []
    active = dict(demands)
    while True:
        shares = fill(active, weights, state.ranks, state.room.size)
        stuck = [one for one in active if one in smallest and one not in holding and smallest[one] > shares[one]]
        if not stuck:
            return _handed_on(state, shares, demands, smallest, left_out)
        stuck.sort(key=lambda group_id: (state.groups[group_id].submitted, state.ranks[group_id]))
        older = len(stuck) // 2
        out = [one for place, one in enumerate(stuck) if place >= older or not shares[one]]
        left_out += out
        for one in out:
            del active[one]


def _handed_on(
    state: Pass, shares: dict[str, int], demands: Mapping[str, int], smallest: Mapping[str, int], left_out: Iterable[str]
) -> dict[str, int]:
    """What is left over goes to the oldest of the jobs left out."""
    rest = state.room.size - sum(shares.values())
    for group_id in sorted(left_out, key=lambda one: (state.groups[one].submitted, state.ranks[one])):
        if not rest:
            break
        if smallest[group_id] <= rest:
            shares[group_id] = min(demands[group_id], rest)
            rest -= shares[group_id]
    return shares


def _limited(state: Pass, group_id: str, demand: int) -> int:
    """A demand within the job's limit."""
    limit = state.groups[group_id].max_slots
    return demand if limit is None else min(demand, limit)


def _holding(running: Iterable[Running]) -> dict[str, list[Running]]:
    """Per job, the allocations that hold slots and have not been told to stop."""
    holding: dict[str, list[Running]] = {}
    for one in running:
        if one.request.slots and not one.releasing:
            holding.setdefault(one.request.group_id, []).append(one)
    return holding
