"""Where a request fits: one agent that holds all of it, else several; whole or not at all.

Slots are free now, or free soon (their holder is being stopped). Agents of the same size with the same number of free slots are
kept together, so that finding a place does not look at every agent.
"""

from collections.abc import Callable, Iterable, Mapping
from heapq import heapify, heappop, heappush

from undeterred.core.schedule.model import Agent, Places, Request, Running, Snapshot


class Bay:
    """One agent's usable slots during a pass."""

    __slots__ = ("aux", "aux_size", "free", "id", "number", "size", "soon", "usable")

    def __init__(self, agent: Agent, number: int, held: Mapping[int, bool], aux_used: int) -> None:
        """`held`: slots in use, and whether they are being released."""
        usable = agent.enabled and not agent.draining
        slots = sorted(slot.id for slot in agent.slots if usable and slot.enabled and not slot.draining)
        self.id = agent.id
        self.number = number
        self.size = len(slots)
        self.usable = frozenset(slots)
        self.free = [slot for slot in slots if slot not in held]
        self.soon = [slot for slot in slots if held.get(slot)]
        self.aux_size = agent.aux_capacity if usable else 0
        self.aux = max(0, self.aux_size - aux_used)


class Room:
    """All agents of a pool during a pass: what is free shrinks as places are taken."""

    def __init__(self, snapshot: Snapshot) -> None:
        held, aux = _in_use(snapshot.running)
        agents = sorted(snapshot.agents, key=lambda agent: agent.id)
        self.bays = [Bay(agent, number, held.get(agent.id, {}), aux.get(agent.id, 0)) for number, agent in enumerate(agents)]
        self.by_id = {bay.id: bay for bay in self.bays}
        self.size = sum(bay.size for bay in self.bays)
        self.free = sum(len(bay.free) for bay in self.bays)
        self.soon = sum(len(bay.soon) for bay in self.bays)
        self._mixed = snapshot.allow_heterogeneous
        self._score = _best if snapshot.fit == "best" else _worst
        self._piles: dict[tuple[int, int], list[int]] = {}
        self._misses: set[tuple[int, bool, frozenset[str]]] = set()
        self._misses_soon: set[tuple[int, bool, frozenset[str]]] = set()
        self._possible: dict[tuple[int, bool, frozenset[str]], bool] = {}
        self._aux = [(-bay.aux, bay.number) for bay in self.bays if bay.aux]
        heapify(self._aux)
        for bay in self.bays:
            self._pile(bay)

    def take_free(self, request: Request) -> Places | None:
        """Take slots that are free now; None when the request does not fit."""
        if not request.slots:
            return self._take_aux(request)
        key = (request.slots, request.single_node, request.excluded)
        if request.slots > self.free or key in self._misses:
            return None
        bay = self._one_free(request)
        chosen = [(bay, request.slots)] if bay else self.several(request, _free)
        if not chosen:
            self._misses.add(key)
            return None
        return tuple((one.id, self._remove(one, count)) for one, count in chosen)

    def take_soon(self, request: Request) -> bool:
        """Reserve slots that are free now or soon; False when that does not do."""
        key = (request.slots, request.single_node, request.excluded)
        if not self.soon or request.slots > self.free + self.soon or key in self._misses_soon:
            return False
        chosen = self.choose(request, lambda bay: len(bay.free) + len(bay.soon))
        for bay, count in chosen:
            self.reserve(bay, count)
        if not chosen:
            self._misses_soon.add(key)
        return bool(chosen)

    def release(self, places: Places) -> None:
        """Slots of an allocation that is told to stop now are free soon."""
        for agent_id, slots in places:
            bay = self.by_id.get(agent_id)
            gained = [slot for slot in slots if slot in bay.usable] if bay else []
            if bay and gained:
                bay.soon += gained
                self.soon += len(gained)
                self._misses_soon.clear()

    def reserve(self, bay: Bay, count: int) -> None:
        """Keep slots of an agent for a request that starts later: free ones first, then those that are free soon."""
        now = min(count, len(bay.free))
        self._remove(bay, now)
        del bay.soon[: count - now]
        self.soon -= count - now

    def choose(self, request: Request, count: Callable[[Bay], int]) -> list[tuple[Bay, int]]:
        """Agents and numbers of slots for a request where `count` tells what an agent can give; empty when it does not fit."""
        fitting = [bay for bay in self._allowed(request) if count(bay) >= request.slots]
        if fitting:
            return [(max(fitting, key=lambda bay: (self._score(bay.size, count(bay)), bay.size, -bay.number)), request.slots)]
        return self.several(request, count)

    def several(self, request: Request, count: Callable[[Bay], int]) -> list[tuple[Bay, int]]:
        """As `choose`, where no single agent gives all.

        Equal agents that are wholly available, the largest size first; else, where that is allowed, any agents.
        """
        if request.single_node or request.slots < 2:
            return []
        gifts = [(bay, gift) for bay in self._allowed(request) if (gift := count(bay))]
        if sum(gift for _, gift in gifts) < request.slots:
            return []
        by_size: dict[int, list[Bay]] = {}
        for bay, gift in gifts:
            if gift == bay.size:
                by_size.setdefault(gift, []).append(bay)
        for size in sorted(by_size, reverse=True):
            number, rest = divmod(request.slots, size)
            if not rest and number <= len(by_size[size]):
                return [(bay, size) for bay in by_size[size][:number]]
        return _greedy(gifts, request.slots) if self._mixed else []

    def possible(self, request: Request) -> bool:
        """Whether the request would fit if nothing else ran."""
        if not request.slots:
            return any(bay.aux_size for bay in self._allowed(request))
        key = (request.slots, request.single_node, request.excluded)
        known = self._possible.get(key)
        if known is None:
            known = self._possible[key] = bool(self.choose(request, lambda bay: bay.size))
        return known

    def most(self, count: Callable[[Bay], int], request: Request) -> int:
        """The largest number that one allowed agent can give."""
        return max((count(bay) for bay in self._allowed(request)), default=0)

    def _allowed(self, request: Request) -> list[Bay]:
        return [bay for bay in self.bays if bay.id not in request.excluded] if request.excluded else self.bays

    def _take_aux(self, request: Request) -> Places | None:
        """One place for a zero-slot request on the least loaded agent."""
        skipped = []
        found = None
        while self._aux and found is None:
            entry = heappop(self._aux)
            bay = self.bays[entry[1]]
            if bay.id in request.excluded:
                skipped.append(entry)
            else:
                found = bay
        for entry in skipped:
            heappush(self._aux, entry)
        if found is None:
            return None
        found.aux -= 1
        if found.aux:
            heappush(self._aux, (-found.aux, found.number))
        return ((found.id, ()),)

    def _one_free(self, request: Request) -> Bay | None:
        """The best agent that has all slots free."""
        fitting = [pile for pile in self._piles if pile[1] >= request.slots]
        for pile in sorted(fitting, key=lambda pile: (self._score(*pile), pile), reverse=True):
            found = self._first(pile, request.excluded)
            if found:
                return found
        return None

    def _pile(self, bay: Bay) -> None:
        if bay.free:
            heappush(self._piles.setdefault((bay.size, len(bay.free)), []), bay.number)

    def _first(self, pile: tuple[int, int], excluded: frozenset[str]) -> Bay | None:
        """The allowed agent of a pile with the lowest number; agents that have moved on are dropped."""
        heap = self._piles[pile]
        while heap and len(self.bays[heap[0]].free) != pile[1]:
            heappop(heap)
        if not heap or self.bays[heap[0]].id not in excluded:
            return self.bays[heap[0]] if heap else None
        bays = (self.bays[number] for number in heap)
        fitting = [bay for bay in bays if len(bay.free) == pile[1] and bay.id not in excluded]
        return min(fitting, key=lambda bay: bay.number, default=None)

    def _remove(self, bay: Bay, count: int) -> tuple[int, ...]:
        """Take the first free slots of an agent."""
        taken = tuple(bay.free[:count])
        if taken:
            del bay.free[:count]
            self.free -= count
            self._pile(bay)
        return taken


def _free(bay: Bay) -> int:
    return len(bay.free)


def _best(size: int, free: int) -> float:
    return 1 / (1 + free)


def _worst(size: int, free: int) -> float:
    return free / size


def _greedy(gifts: list[tuple[Bay, int]], slots: int) -> list[tuple[Bay, int]]:
    """As few agents as possible: whoever gives most comes first."""
    chosen: list[tuple[Bay, int]] = []
    for bay, gift in sorted(gifts, key=lambda gift: (-gift[1], gift[0].number)):
        chosen.append((bay, min(slots, gift)))
        slots -= min(slots, gift)
        if not slots:
            return chosen
    return []


def _in_use(running: Iterable[Running]) -> tuple[dict[str, dict[int, bool]], dict[str, int]]:
    """Per agent: slots in use and whether they are being released; zero-slot allocations."""
    held: dict[str, dict[int, bool]] = {}
    aux: dict[str, int] = {}
    for one in running:
        for agent_id, slots in one.places:
            if slots:
                held.setdefault(agent_id, {}).update(dict.fromkeys(slots, one.releasing))
            else:
                aux[agent_id] = aux.get(agent_id, 0) + 1
    return held, aux
