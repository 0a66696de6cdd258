"""Key -> those who wait for it. Set after the commit that concerns the key; nothing here survives the process or needs to.

A waiter asks for its event *before* it reads the state it depends on; then a change between the two is not missed.
"""

import asyncio
from collections.abc import Hashable, Iterable, Iterator
from contextlib import contextmanager


class Waiters:
    """Used from the event loop's thread only."""

    def __init__(self) -> None:
        self._events: dict[Hashable, set[asyncio.Event]] = {}
        self._versions: dict[Hashable, int] = {}
        self._changes = 0

    @contextmanager
    def on(self, *keys: Hashable) -> Iterator[asyncio.Event]:
        """An event that is set whenever one of the keys is woken; clear it before reading the state again."""
        event = self.subscribe(*keys)
        try:
            yield event
        finally:
            for key in keys:
                waiting = self._events.get(key)
                if waiting is not None:
                    waiting.discard(event)
                    if not waiting:
                        del self._events[key]
                        del self._versions[key]

    def subscribe(self, *keys: Hashable) -> asyncio.Event:
        """The same without an end, for what lives as long as the process."""
        event = asyncio.Event()
        for key in keys:
            if key not in self._events:
                self._events[key] = set()
                self._changed(key)
            self._events[key].add(event)
        return event

    def wake(self, keys: Iterable[Hashable]) -> None:
        """Set every event that waits for one of the keys."""
        for key in keys:
            waiting = self._events.get(key, ())
            if waiting:
                self._changed(key)
            for event in waiting:
                event.set()

    def version(self, *keys: Hashable) -> tuple[int, ...]:
        """Differs after each wake of one of these keys, each of which somebody waits for.

        What was asked for at a version may be shared by all who come at the same one: nothing was committed in between.
        """
        return tuple(self._versions[key] for key in keys)

    def _changed(self, key: Hashable) -> None:
        self._changes += 1
        self._versions[key] = self._changes

    def count(self, key: Hashable) -> int:
        """How many wait for a key."""
        return len(self._events.get(key, ()))


async def wait(event: asyncio.Event, seconds: float | None) -> bool:
    """Whether the event was set within `seconds` (None: wait without end)."""
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True
