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

    @contextmanager
    def on(self, *keys: Hashable) -> Iterator[asyncio.Event]:
        """An event that is set whenever one of the keys is woken; clear it before reading the state again."""
        event = asyncio.Event()
        for key in keys:
            self._events.setdefault(key, set()).add(event)
        try:
            yield event
        finally:
            for key in keys:
                waiting = self._events.get(key)
                if waiting is not None:
                    waiting.discard(event)
                    if not waiting:
                        del self._events[key]

    def subscribe(self, *keys: Hashable) -> asyncio.Event:
        """The same without an end, for what lives as long as the process."""
        event = asyncio.Event()
        for key in keys:
            self._events.setdefault(key, set()).add(event)
        return event

    def wake(self, keys: Iterable[Hashable]) -> None:
        """Set every event that waits for one of the keys."""
        for key in keys:
            for event in self._events.get(key, ()):
                event.set()

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
