"""Raw TCP through a WebSocket: what `det shell open` and `determined.cli.tunnel` speak.

Each message carries some bytes of the stream, wherever they are cut; the end of either side closes the other.
"""

import asyncio
import contextlib
from collections.abc import Sequence

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from undeterred.http.proxy_door import Passage
from undeterred.http.proxy_upstream import CHUNK, connect

_LARGEST_FRAME = 16 * 1024 * 1024
_LEAVE_S = 5.0
_LONGEST_REASON = 120
"""Characters of the text of a close frame; ours are ASCII."""
_DATA = (Opcode.BINARY, Opcode.TEXT, Opcode.CONT)


async def tunnel(passage: Passage, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve one connection whose request (`head`) is read. Raises Unreachable before anything was answered."""
    far_reader, far_writer = await connect(passage.service.address, passage.service.port)
    socket = _Socket(reader, writer)
    try:
        if await socket.greet(head):
            await socket.carry(passage, far_reader, far_writer)
    finally:
        far_writer.close()  # after what is still on its way


class _Socket:
    """The server's end of a WebSocket."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._protocol = ServerProtocol(select_subprotocol=_binary, max_size=(None, _LARGEST_FRAME))

    async def greet(self, head: bytes) -> bool:
        """Answer the handshake; False when it is none that can be accepted."""
        self._protocol.receive_data(head)
        for event in self._protocol.events_received():
            if isinstance(event, Request):
                self._protocol.send_response(self._protocol.accept(event))
        await self._flush()
        return self._protocol.state is OPEN

    async def carry(self, passage: Passage, far_reader: asyncio.StreamReader, far_writer: asyncio.StreamWriter) -> None:
        """Carry bytes both ways until one side ends or the caller may not go on, then say goodbye."""
        inward, outward = asyncio.create_task(self._to_task(far_writer)), asyncio.create_task(self._to_caller(far_reader))
        try:
            failure = await passage.until_end((inward, outward))
            if failure is None:
                await self._leave()
            else:
                outward.cancel()
                far_writer.close()
                await self._dismiss(str(failure))
            await asyncio.wait((inward,), timeout=_LEAVE_S)  # for the caller's goodbye
        except asyncio.CancelledError:
            await self._leave(CloseCode.GOING_AWAY)
            raise
        finally:
            for flow in (inward, outward):
                flow.cancel()
            await asyncio.gather(inward, outward, return_exceptions=True)

    async def _to_task(self, far_writer: asyncio.StreamWriter) -> None:
        """Bytes of the caller, until it closes."""
        with contextlib.suppress(OSError):
            while not self._protocol.close_expected():
                data = await self._reader.read(CHUNK)
                if data:
                    self._protocol.receive_data(data)
                else:
                    self._protocol.receive_eof()
                for event in self._protocol.events_received():
                    if isinstance(event, Frame) and event.opcode in _DATA:
                        far_writer.write(event.data)
                await self._flush()
                await far_writer.drain()
                if not data:
                    return

    async def _to_caller(self, far_reader: asyncio.StreamReader) -> None:
        """Bytes of the task, until it closes."""
        with contextlib.suppress(OSError):
            while (data := await far_reader.read(CHUNK)) and self._protocol.state is OPEN:
                self._protocol.send_binary(data)
                await self._flush()

    async def _dismiss(self, why: str) -> None:
        """Say goodbye to a caller who may not go on, and who need not listen."""
        try:
            async with asyncio.timeout(_LEAVE_S):
                await self._leave(CloseCode.POLICY_VIOLATION, why[:_LONGEST_REASON])
        except TimeoutError:
            self._writer.transport.abort()

    async def _leave(self, code: int = CloseCode.NORMAL_CLOSURE, reason: str = "") -> None:
        if self._protocol.state is OPEN:
            self._protocol.send_close(code, reason)
        with contextlib.suppress(OSError):
            await self._flush()

    async def _flush(self) -> None:
        for data in self._protocol.data_to_send():
            if data:
                self._writer.write(data)
        await self._writer.drain()


def _binary(_protocol: ServerProtocol, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """The one subprotocol that says what is done here anyway; some clients insist on it."""
    return Subprotocol("binary") if "binary" in offered else None
