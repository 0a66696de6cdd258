"""Answers written as one text are, byte by byte, what uvicorn would have sent, and unusual requests are left to it."""

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.http.live import listening
from undeterred.http.answers import Answers

HEADERS = [(b"content-type", b"application/json"), (b"x-frame-options", b"SAMEORIGIN")]
GET = b"GET /200 HTTP/1.1\r\nHost: a\r\n\r\n"


class Wrapped:
    """A `send` that is not uvicorn's own: its way is taken."""

    def __init__(self, send: Any) -> None:
        self._send = send

    async def __call__(self, message: Any) -> None:
        await self._send(message)


@contextlib.asynccontextmanager
async def served(*, whole: bool, body: bytes = b'{"a":1}') -> AsyncIterator[int]:
    """The port of a server that answers every request with the status in its path."""
    answers = Answers(HEADERS)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["method"] == "POST":
            await receive()
        extra = [(b"set-cookie", b"a=b")] if scope["path"] == "/201" else []
        await answers.send(send if whole else Wrapped(send), int(scope["path"][1:]), body, extra)

    async with listening(app) as (host, _):
        yield int(host.rpartition(":")[2])


async def told(port: int, request: bytes) -> bytes:
    """All that the server says to these bytes and the end of input, without the date."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    said = b""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.3):
            while more := await reader.read(65536):
                said += more
    writer.close()
    said, dates = re.subn(rb"date: [^\r]+ GMT\r\n", b"date: D\r\n", said)
    assert dates == said.count(b"HTTP/1.1 ") - said.count(b"100 Continue")
    return said


REQUESTS = {
    "plain": GET,
    "an error": b"GET /404 HTTP/1.1\r\nHost: a\r\n\r\n",
    "one after the other": GET + b"GET /404 HTTP/1.1\r\nHost: a\r\n\r\n" + GET,
    "a head only": b"HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n",
    "the last of its connection": b"GET /200 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + GET,
    "an old client": b"GET /200 HTTP/1.0\r\n\r\n",
    "an old client that goes on": b"GET /200 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "headers of its own": b"GET /201 HTTP/1.1\r\nHost: a\r\n\r\n" + GET,
    "a body that waits to be asked for": b"POST /200 HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n{}"
    + GET,
    "a body": b"POST /200 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}" + GET,
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
async def test_the_same_bytes_as_uvicorns_own_way(request_: bytes) -> None:
    """Statuses, headers, their order, bodies, and whether the connection goes on."""
    async with served(whole=True) as port:
        ours = await told(port, request_)
    async with served(whole=False) as port:
        assert ours == await told(port, request_)
    assert ours.startswith(b"HTTP/1.1 ")


async def test_a_client_that_reads_slowly_gets_everything() -> None:
    """Forty large answers to requests that were sent at once, read after a while."""
    body = b"x" * 1_000_000
    async with served(whole=True, body=body) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1000)
        writer.write(GET * 40)
        await asyncio.sleep(0.2)
        for _ in range(40):
            head = await reader.readuntil(b"\r\n\r\n")
            assert b"content-length: 1000000\r\n" in head
            assert await reader.readexactly(len(body)) == body
        writer.close()


async def test_uvicorns_send_is_still_what_we_take_it_for() -> None:
    """A method of the request's cycle, which has what we use: else every answer would quietly take the slow way."""
    seen: list[Any] = []

    class Noticing(Answers):
        def _write(self, cycle: Any, status: int, body: bytes) -> None:
            seen.append(cycle)
            super()._write(cycle, status, body)

    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await answers.send(send, 200, b"{}")

    answers = Noticing(HEADERS)
    async with listening(app) as (host, _):
        port = int(host.rpartition(":")[2])
        assert (await told(port, GET)).startswith(b"HTTP/1.1 200 OK\r\n")
        assert len(seen) == 1
        await told(port, b"HEAD /200 HTTP/1.1\r\nHost: a\r\n\r\n")
        assert len(seen) == 1
