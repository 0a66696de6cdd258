"""Whom to stop so that a request fits: the least important first, the newest first among equals, and nobody in vain."""

from collections.abc import Iterable, Mapping
from itertools import islice

from undeterred.base.struct import Struct
from undeterred.core.schedule.fit import Bay, Room
from undeterred.core.schedule.model import Group, Request, Running


class Candidate(Struct, frozen=True):
    """A running allocation that may be stopped, with its job's place in the queue."""

    rank: int
    running: Running


class Victims:
    """The candidates of one pass. Only jobs behind the asking one in the queue (lower priority, or later) can lose slots."""

    def __init__(self, room: Room, running: Iterable[Running], ranks: Mapping[str, int]) -> None:
        self._room = room
        self._misses: set[tuple[int, bool, frozenset[str]]] = set()
        candidates = [Candidate(ranks[one.request.group_id], one) for one in running if _may_stop(one)]
        self._candidates = sorted(candidates, key=_importance, reverse=True)
        self._gone: set[str] = set()
        self._head = 0

    def make_room(self, request: Request, rank: int) -> list[Running]:
        """Choose whom to stop for a request and reserve the slots for it; empty when that does not make it fit.

        Requests must be asked for in queue order: what cannot be had for one cannot be had for a like one behind it.
        """
        key = (request.slots, request.single_node, request.excluded)
        if key in self._misses:
            return []
        victims = self._find(request, rank)
        if not victims:
            self._misses.add(key)
        return victims

    def drop(self, victims: Iterable[Running]) -> None:
        """These are being stopped for another reason."""
        self._gone.update(one.request.allocation_id for one in victims)
        while self._head < len(self._candidates) and self._is_gone(self._candidates[self._head]):
            self._head += 1

    def _is_gone(self, candidate: Candidate) -> bool:
        return candidate.running.request.allocation_id in self._gone

    def _find(self, request: Request, rank: int) -> list[Running]:
        gained: dict[str, list[tuple[int, Candidate]]] = {}
        total = self._room.free + self._room.soon

        def count(bay: Bay) -> int:
            return len(bay.free) + len(bay.soon) + len(gained.get(bay.id, ()))

        for candidate in islice(self._candidates, self._head, None):
            if candidate.rank <= rank:
                break
            if self._is_gone(candidate):
                continue
            enough: list[Bay] = []
            for agent_id, slots in candidate.running.places:
                bay = self._room.by_id.get(agent_id)
                useful = [] if bay is None or agent_id in request.excluded else [slot for slot in slots if slot in bay.usable]
                if bay and useful:
                    gained.setdefault(agent_id, []).extend((slot, candidate) for slot in useful)
                    total += len(useful)
                    enough += [bay] if count(bay) >= request.slots else []
            if enough:
                return self._take([(min(enough, key=lambda bay: (count(bay), bay.number)), request.slots)], gained)
            if total >= request.slots and not request.single_node and (chosen := self._room.several(request, count)):
                return self._take(chosen, gained)
        return []

    def _take(self, chosen: list[tuple[Bay, int]], gained: Mapping[str, list[tuple[int, Candidate]]]) -> list[Running]:
        """Stop those whose slots are needed, reserve the slots, and keep the others running."""
        victims: dict[str, Running] = {}
        for bay, wanted in chosen:
            missing = wanted - len(bay.free) - len(bay.soon)
            for _, candidate in gained.get(bay.id, [])[: max(0, missing)]:
                victims[candidate.running.request.allocation_id] = candidate.running
        for one in victims.values():
            self._room.release(one.places)
        for bay, wanted in chosen:
            self._room.reserve(bay, wanted)
        self.drop(victims.values())
        return list(victims.values())


def over_limit(running: Iterable[Running], groups: Iterable[Group]) -> list[Running]:
    """Allocations to stop because their job holds more slots than it may: the newest that can be stopped."""
    limits = {group.id: group.max_slots for group in groups if group.max_slots is not None}
    by_group: dict[str, list[Running]] = {}
    for one in running:
        if one.request.group_id in limits and not one.releasing:
            by_group.setdefault(one.request.group_id, []).append(one)
    victims: list[Running] = []
    for group_id, ones in sorted(by_group.items()):
        victims += newest_beyond(ones, limits[group_id] or 0)
    return victims


def newest_beyond(running: Iterable[Running], slots: int) -> list[Running]:
    """The newest allocations that can be stopped until at most `slots` slots are held."""
    ones = list(running)
    held = sum(one.request.slots for one in ones)
    victims: list[Running] = []
    for one in sorted(ones, key=lambda one: (one.request.requested, one.request.allocation_id), reverse=True):
        if held <= slots:
            break
        if _may_stop(one):
            victims.append(one)
            held -= one.request.slots
    return victims


def _may_stop(one: Running) -> bool:
    return one.request.preemptible and not one.releasing and one.request.slots > 0


def _importance(candidate: Candidate) -> tuple[int, int, str]:
    request = candidate.running.request
    return candidate.rank, request.requested, request.allocation_id
