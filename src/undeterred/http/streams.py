"""Answers that take their time: items of a stream are read ahead of the client and sent in as few pieces as they come in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, MutableMapping
from typing import Any, TypeVar

import msgspec

from undeterred.wire import codec as wire

T = TypeVar("T")
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[bytes], Awaitable[None]]

AHEAD = 64 * 1024
"""Bytes that are read before the client has taken those before them."""


class Gone(Exception):
    """The client went away."""


class _Ahead:
    """Reads items into a buffer of bounded size."""

    def __init__(self, items: AsyncIterator[msgspec.Struct]) -> None:
        self._items = items
        self._buffer = bytearray()
        self._room = asyncio.Event()
        self.news = asyncio.Event()

    async def read(self) -> None:
        """Read to the end; raises what the items raise."""
        async for item in self._items:
            self._buffer += wire.encode_item(item)
            self.news.set()
            if len(self._buffer) >= AHEAD:
                self._room.clear()
                await self._room.wait()

    def take(self) -> bytes:
        """All that was read since the last time."""
        taken = bytes(self._buffer)
        self._buffer.clear()
        self.news.clear()
        self._room.set()
        return taken


async def relay(items: AsyncIterator[msgspec.Struct], receive: Receive, send: Send) -> None:
    """Send all items, those that come together in one piece; nothing is sent before the first item or the end is there.

    Raises Gone when the client goes away, and what the items raise, after what came before it is sent.
    """
    ahead = _Ahead(items)
    gone, reading = asyncio.ensure_future(_wait_gone(receive)), asyncio.ensure_future(ahead.read())
    try:
        while not reading.done():
            news = asyncio.ensure_future(ahead.news.wait())
            await asyncio.wait((news, reading, gone), return_when=asyncio.FIRST_COMPLETED)
            news.cancel()
            taken = ahead.take()
            if taken:
                await send(taken)
            elif gone.done() and not reading.done():
                raise Gone
        rest = ahead.take()
        if rest:
            await send(rest)
        reading.result()
    finally:
        gone.cancel()
        await _end(reading)
        await items.aclose()  # type: ignore[attr-defined]


async def unless_gone(work: Coroutine[Any, Any, T], receive: Receive) -> T:
    """What the work gives; it is canceled, and Gone raised, when the client goes away before."""
    gone, working = asyncio.ensure_future(_wait_gone(receive)), asyncio.ensure_future(work)
    try:
        await asyncio.wait((working, gone), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise Gone
        return working.result()
    finally:
        gone.cancel()
        await _end(working)


async def _end(task: "asyncio.Future[Any]") -> None:
    """Let it end now; what it gives or raises is known already or not wanted."""
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError, Exception):
        await task


async def _wait_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
