"""One exchange with the server of a task: a connection of its own, a request with its body, an answer with its body.

What is sent is what was received, byte for byte; nothing is held back, and nobody runs ahead of a slow reader.
"""

import asyncio
from collections.abc import AsyncIterator

import h11

CHUNK = 64 * 1024
_CONNECT_S = 10.0
_LARGEST_HEAD = 256 * 1024


class Unreachable(Exception):
    """The task's server cannot be spoken to; the text says why."""


async def connect(address: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to a task. Raises Unreachable."""
    try:
        return await asyncio.wait_for(asyncio.open_connection(address, port, limit=CHUNK), _CONNECT_S)
    except (OSError, TimeoutError) as error:
        raise Unreachable(getattr(error, "strerror", None) or "nothing answers") from None


class Exchange:
    """See the module. All but `close` raise Unreachable when the connection breaks or what comes is not HTTP."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=_LARGEST_HEAD)

    async def ask(self, method: str, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head. Raises h11.LocalProtocolError for what is no proper request."""
        await self._write(self._http.send(h11.Request(method=method, target=target, headers=headers)))

    async def body(self, data: bytes) -> None:
        """Send a part of the body."""
        await self._write(self._http.send(h11.Data(data=data)))

    async def end(self) -> None:
        """The request is complete."""
        await self._write(self._http.send(h11.EndOfMessage()))

    async def head(self) -> h11.Response | h11.InformationalResponse:
        """Status and headers of the answer; an informational one only when it is 101 (switching protocols)."""
        while True:
            event = await self._event()
            if isinstance(event, h11.Response) or (isinstance(event, h11.InformationalResponse) and event.status_code == 101):
                return event
            if not isinstance(event, h11.InformationalResponse):
                raise Unreachable("it closed the connection without an answer")

    async def pieces(self) -> AsyncIterator[bytes]:
        """The body of the answer, as it comes."""
        while True:
            event = await self._event()
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, (h11.EndOfMessage, h11.ConnectionClosed)):
                return

    @property
    def left_over(self) -> bytes:
        """What came after the head of a 101."""
        return self._http.trailing_data[0]

    def close(self) -> None:
        """Let go of the connection at once: whoever still waits on its other side learns it."""
        self.writer.transport.abort()

    async def _event(self) -> object:
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self.reader.read(CHUNK))
        except OSError as error:
            raise Unreachable(error.strerror or "the connection broke") from None
        except h11.RemoteProtocolError as error:
            raise Unreachable(f"its answer is not proper HTTP ({error})") from None
        return event

    async def _write(self, data: bytes | None) -> None:
        try:
            self.writer.write(data or b"")
            await self.writer.drain()
        except OSError as error:
            raise Unreachable(error.strerror or "the connection broke") from None
