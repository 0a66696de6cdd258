"""WebSockets to tasks: the two ends shake hands with each other, then bytes are passed on as they are.

So text, binary, fragments, extensions, pings and close codes are those of the two ends, and no message has to fit into memory.
The event loop hands the connection over before anything is answered (`uvicorn`, setting `ws`).
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

import h11
from starlette.responses import JSONResponse, Response

from undeterred.base.errors import Failure
from undeterred.http.proxy_door import PREFIX, Door, Knock, Passage
from undeterred.http.proxy_headers import Caller, Headers, to_caller
from undeterred.http.proxy_tcp import tunnel
from undeterred.http.proxy_upstream import CHUNK, Exchange, Unreachable, connect

_LARGEST_HEAD = 256 * 1024
_AFTER_CLOSE_S = 5.0

log = logging.getLogger(__name__)


class Upgraded(asyncio.StreamReaderProtocol):
    """A connection whose first request asks for a WebSocket."""

    def __init__(self, door: Door, base: str, connections: set[Any], tasks: set[Any]) -> None:
        """`connections` and `tasks` are the server's: it ends them when it stops."""
        self._door = door
        self._base = base.encode()
        self._connections = connections
        self._tasks = tasks
        self._serving: asyncio.Task[None] | None = None
        super().__init__(asyncio.StreamReader(limit=_LARGEST_HEAD), self._begin)

    def _begin(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections.add(self)
        self._serving = asyncio.create_task(self._serve(reader, writer))
        self._tasks.add(self._serving)
        self._serving.add_done_callback(self._tasks.discard)

    def connection_lost(self, exc: Exception | None) -> None:
        """The caller has gone."""
        self._connections.discard(self)
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """The server stops."""
        if self._serving is not None:
            self._serving.cancel()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(OSError):
                await self._answer(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
            raise
        except Exception:
            log.exception("a WebSocket failed")
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        knock = _knock(head, writer)
        path = knock.path.removeprefix(self._base)
        if not path.startswith(PREFIX.encode()):
            await _send(writer, JSONResponse({"message": "Not Found"}, 404))
            return
        try:
            passage = await self._door.admit(knock)
        except Failure as failure:
            await _send(writer, self._door.refuse(knock, failure))
            return
        try:
            if passage.service.tcp:
                await tunnel(passage, head, reader, writer)
            else:
                await _join(passage, knock.headers, reader, writer)
        except (Unreachable, h11.LocalProtocolError) as error:
            await _send(writer, self._door.unreachable(knock, passage.service, str(error)))
        finally:
            self._door.services.engine.routes.used(passage.service.task_id)


def _knock(head: bytes, writer: asyncio.StreamWriter) -> Knock:
    """The request of a head that the HTTP parser has accepted; names of headers are in lower case."""
    line, *lines = head[:-4].split(b"\r\n")
    method, target, _ = line.split(b" ")
    path, _, query = target.partition(b"?")
    headers = [(name, value) for name, _, value in (one.partition(b": ") for one in lines)]
    peer = writer.get_extra_info("peername") or ("",)
    caller = Caller(str(peer[0]), "https" if writer.get_extra_info("sslcontext") else "http")
    return Knock(method.decode(), path, query, headers, caller, websocket=True)


async def _join(
    passage: Passage, received: Sequence[tuple[bytes, bytes]], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Let the task answer the handshake; if it agrees, both talk. Raises Unreachable before anything was answered."""
    exchange = Exchange(*await connect(passage.service.address, passage.service.port))
    try:
        upgrade: Headers = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        await exchange.ask(passage.method, passage.target, [*passage.headers, *upgrade])
        await exchange.end()
        answer = await exchange.head()
        if isinstance(answer, h11.InformationalResponse):
            writer.write(_head_text(101, b"Switching Protocols", [*to_caller(answer.headers), *upgrade]))
            writer.write(exchange.left_over)
            await _both_ways(passage, reader, writer, exchange)
        else:
            await _refused(answer, exchange, writer)
    finally:
        exchange.writer.close()  # after what is still on its way


async def _refused(answer: h11.Response, exchange: Exchange, writer: asyncio.StreamWriter) -> None:
    """The task wants no WebSocket: its answer goes out, ended by the end of the connection."""
    writer.write(_head_text(answer.status_code, bytes(answer.reason), [*to_caller(answer.headers), (b"connection", b"close")]))
    with contextlib.suppress(Unreachable):
        async for piece in exchange.pieces():
            writer.write(piece)
            await writer.drain()


async def _both_ways(passage: Passage, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, exchange: Exchange) -> None:
    """Pass bytes on until both sides have ended; a side that goes on after the other's end has a few seconds for it.

    When the caller has lost what it was let through for both just end: only the two know where a frame begins.
    """
    flows = {asyncio.create_task(_flow(reader, exchange.writer)), asyncio.create_task(_flow(exchange.reader, writer))}
    try:
        if await passage.until_end(flows) is None:
            await asyncio.wait(flows, timeout=_AFTER_CLOSE_S)
        else:
            writer.transport.abort()
    finally:
        for flow in flows:
            flow.cancel()
        await asyncio.gather(*flows, return_exceptions=True)


async def _flow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:  # TLS knows no half-closed connections
            writer.close()


async def _send(writer: asyncio.StreamWriter, answer: Response) -> None:
    """An answer of our own, after which the connection ends."""
    headers = [*answer.raw_headers, (b"connection", b"close")]
    writer.write(_head_text(answer.status_code, b"", headers) + bytes(answer.body))
    await writer.drain()


def _head_text(status: int, reason: bytes, headers: Headers) -> bytes:
    lines = [b"%s: %s\r\n" % pair for pair in headers]
    return b"HTTP/1.1 %d %s\r\n%s\r\n" % (status, reason, b"".join(lines))
