"""What one pass has decided so far; the schedulers write their decisions here."""

from collections.abc import Callable

from undeterred.core.schedule import explain
from undeterred.core.schedule.fit import Room
from undeterred.core.schedule.model import Places, Plan, Request, Running, Snapshot
from undeterred.core.schedule.queue import group_ranks


class Pass:
    """The room that is left, the slots that each job uses, and the decisions."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.room = Room(snapshot)
        self.groups = {group.id: group for group in snapshot.groups}
        self.ranks = group_ranks(snapshot.groups)
        self.running = snapshot.running
        self.used: dict[str, int] = {}
        for one in snapshot.running:
            self._use(one.request)
        self._start: list[tuple[str, Places]] = []
        self._because: dict[str, str] = {}
        self._waiting: dict[str, str] = {}
        self._texts: dict[tuple[object, ...], str] = {}

    def admit(self, request: Request) -> bool:
        """Whether the pool could hold a request and its job's limit allows it; if not, it waits with that reason."""
        if not self.room.possible(request):
            key = ("impossible", request.slots, request.single_node, request.excluded)
            return self.wait(request, key, explain.impossible, self.room, request)
        group = self.groups[request.group_id]
        used = self.used.get(group.id, 0)
        if group.max_slots is not None and request.slots and used + request.slots > group.max_slots:
            return self.wait(request, ("limit", group.id, request.slots, used), explain.limited, group, request, used)
        return True

    def start(self, request: Request) -> bool:
        """Start a request if it fits now."""
        places = self.room.take_free(request)
        if places is None:
            return False
        self._start.append((request.allocation_id, places))
        self._use(request)
        return True

    def keep_soon(self, request: Request) -> bool:
        """Keep slots for a request that fits once those being given up are free."""
        if not request.slots or not self.room.take_soon(request):
            return False
        self.kept(request, explain.being_released())
        return True

    def kept(self, request: Request, reason: str) -> None:
        """A request waits with slots kept for it."""
        self._use(request)
        self._waiting[request.allocation_id] = reason

    def wait(self, request: Request, key: tuple[object, ...], reason: Callable[..., str], *facts: object) -> bool:
        """A request waits; `reason(*facts)` words it, once for all requests with the same key. Always False."""
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = reason(*facts)
        self._waiting[request.allocation_id] = text
        return False

    def wait_for_room(self, request: Request) -> None:
        """A request waits because others hold the slots."""
        free = self.room.free
        self.wait(request, ("room", request.slots, free), explain.no_room, self.room, request, free)

    def preempt(self, one: Running, reason: str) -> None:
        """Stop a running allocation."""
        self._because[one.request.allocation_id] = reason

    def plan(self, order: list[Request]) -> Plan:
        """The decisions, in the order of the queue."""
        started = {allocation_id for allocation_id, _ in self._start}
        places = dict(self._start)
        queue = [request.allocation_id for request in order]
        return Plan(
            start=tuple((one, places[one]) for one in queue if one in started),
            preempt=tuple(self._because),
            waiting={one: self._waiting[one] for one in queue if one not in started},
            because=self._because,
        )

    def _use(self, request: Request) -> None:
        self.used[request.group_id] = self.used.get(request.group_id, 0) + request.slots
