"""The proxy to the HTTP servers of running tasks. Bodies stream both ways; WebSockets come by `proxy_ws.py`."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import h11

from undeterred.base.errors import Failure, Invalid
from undeterred.http.proxy_door import Door, Knock, Passage
from undeterred.http.proxy_headers import Caller, Headers, first, to_caller
from undeterred.http.proxy_upstream import Exchange, Unreachable, connect

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_LARGEST_STATUS = 599
_TCP_ONLY = "this port speaks raw TCP: it is reached through a WebSocket (det shell open, determined.cli.tunnel)"


class Proxy:
    """ASGI application for HTTP requests below `/proxy/`."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass one request on, and its answer back."""
        knock = _knock(scope)
        try:
            passage = await self._door.admit(knock)
            if passage.service.tcp:
                raise _Upgrade(_TCP_ONLY)
        except Failure as failure:
            answer = self._door.refuse(knock, failure)
            if isinstance(failure, _Upgrade):
                answer.status_code, answer.headers["Upgrade"] = 426, "websocket"
            await answer(scope, receive, send)
            return
        started = _Started(send)
        try:
            await _pass_on(passage, scope, receive, started)
        except (Unreachable, h11.LocalProtocolError) as error:
            if not started.yes:  # afterwards there is nothing left to do but to break off
                await self._door.unreachable(knock, passage.service, str(error))(scope, receive, send)
        except Failure as failure:
            if not started.yes:
                await self._door.refuse(knock, failure)(scope, receive, send)
        finally:
            self._door.services.engine.routes.used(passage.service.task_id)


class _Upgrade(Invalid):
    """The service needs another protocol."""


class _Started:
    """Remembers whether the answer has begun."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.yes = False

    async def __call__(self, message: MutableMapping[str, Any]) -> None:
        self.yes = True
        await self._send(message)


def _knock(scope: Scope) -> Knock:
    client = scope.get("client") or ("", 0)
    path = scope.get("raw_path") or scope["path"].encode()
    return Knock(scope["method"], path, scope["query_string"], scope["headers"], Caller(client[0], scope["scheme"]))


async def _pass_on(passage: Passage, scope: Scope, receive: Receive, send: Send) -> None:
    """The whole exchange; ends early when the caller goes away. Raises a Failure when it must not go on."""
    async with _exchange(passage) as exchange:
        headers, has_body = _framed(passage, scope["headers"])
        await exchange.ask(passage.method, passage.target, headers)
        inward = asyncio.create_task(_inward(exchange, receive, has_body=has_body))
        outward = asyncio.create_task(_outward(exchange, send))
        try:
            failure = await passage.until_end((inward, outward))
            if failure is not None:
                raise failure
            if outward.done():
                outward.result()
        finally:
            for task in (inward, outward):
                task.cancel()
            await asyncio.gather(inward, outward, return_exceptions=True)


@contextlib.asynccontextmanager
async def _exchange(passage: Passage) -> AsyncIterator[Exchange]:
    reader, writer = await connect(passage.service.address, passage.service.port)
    exchange = Exchange(reader, writer)
    try:
        yield exchange
    finally:
        exchange.close()


def _framed(passage: Passage, received: Headers) -> tuple[Headers, bool]:
    """The headers with those of the new connection, and whether a body follows: it is framed as it came."""
    headers = [*passage.headers, (b"connection", b"close")]
    if first(received, b"transfer-encoding"):
        headers = [(name, value) for name, value in headers if name != b"content-length"]
        return [*headers, (b"transfer-encoding", b"chunked")], True
    if not first(headers, b"host"):
        headers.append((b"host", f"{passage.service.address}:{passage.service.port}".encode()))
    return headers, first(received, b"content-length") not in (b"", b"0")


async def _inward(exchange: Exchange, receive: Receive, *, has_body: bool) -> None:
    """The request's body, then wait until the caller goes away. A task that does not want the rest may have answered already."""
    try:
        more = has_body
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            if message.get("body"):
                await exchange.body(message["body"])
            more = message.get("more_body", False)
        await exchange.end()
    except Unreachable:
        pass  # its answer, or that there is none, says why
    while (await receive())["type"] != "http.disconnect":
        pass


async def _outward(exchange: Exchange, send: Send) -> None:
    """The answer. Raises Unreachable; after the head has been sent the caller sees a body that breaks off."""
    head = await exchange.head()
    if head.status_code > _LARGEST_STATUS or isinstance(head, h11.InformationalResponse):
        raise Unreachable(f"its answer has the status {head.status_code}")
    await send({"type": "http.response.start", "status": head.status_code, "headers": to_caller(head.headers)})
    async for piece in exchange.pieces():
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})
