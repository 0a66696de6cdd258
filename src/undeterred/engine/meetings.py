"""Where the processes of one allocation meet: each brings something, all get what all have brought.

Kept in memory alone: after a restart of the server the processes ask again, because their calls failed, and meet anew.
"""

import asyncio
from typing import Generic, TypeVar

from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct, field

T = TypeVar("T")

MOST_PEERS = 10_000


class _Round(Generic[T], Struct):
    peers: int
    brought: dict[str, tuple[object, T]] = field(default_factory=dict)
    """By name: which call brought it, and what."""
    complete: asyncio.Event = field(default_factory=asyncio.Event)


class Meetings(Generic[T]):
    """Rounds by key (an allocation's id). For the event loop's thread."""

    def __init__(self) -> None:
        self._rounds: dict[str, _Round[T]] = {}

    async def meet(self, key: str, name: str, peers: int, thing: T) -> list[T]:
        """Bring `thing` under `name`; what all `peers` have brought, in order of their names, once all are there.

        The same name again (a repeated call) takes the place of the earlier one; after the round is complete it gets the same
        answer again, and a new name opens the next round. Who leaves (is canceled) before it is complete takes the thing away.
        Raises Invalid for a number of peers that cannot be or that others did not name.
        """
        if not 1 <= peers <= MOST_PEERS:
            raise Invalid(f"the number of peers must be between 1 and {MOST_PEERS}, not {peers}")
        current = self._rounds.get(key)
        if current is None or (current.complete.is_set() and name not in current.brought):
            current = self._rounds[key] = _Round(peers)
        if current.peers != peers:
            raise Invalid(f"this process names {peers} peers, others of the same allocation named {current.peers}")
        call = object()
        if not current.complete.is_set():
            current.brought[name] = (call, thing)
            if len(current.brought) >= peers:
                current.complete.set()
        try:
            await current.complete.wait()
        except asyncio.CancelledError:
            if not current.complete.is_set() and current.brought.get(name, (None,))[0] is call:
                del current.brought[name]
            raise
        return [current.brought[one][1] for one in sorted(current.brought)]

    def forget(self, key: str) -> None:
        """The allocation is over."""
        self._rounds.pop(key, None)
