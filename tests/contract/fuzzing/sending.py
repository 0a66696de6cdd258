"""Two ways to a server: through its ASGI application in this process, and over a socket, byte for byte."""

import asyncio
import urllib.parse
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tests.contract.fuzzing.judging import Answer
from tests.contract.fuzzing.request import Request

Send = Callable[[Request], Awaitable[Answer]]
SECONDS = 10.0
"""How long an answer may take."""
PATIENCE = 0.3
"""How long a client stays where an operation may wait by design."""


class InProcess:
    """Calls an ASGI application."""

    def __init__(self, asgi: Any, patience: float = 0.02) -> None:
        self._asgi = asgi
        self._patience = patience

    async def __call__(self, request: Request) -> Answer:
        """The answer, or what came of it until the client went away."""
        gone, asked = asyncio.Event(), False
        sent: list[MutableMapping[str, Any]] = []

        async def receive() -> dict[str, Any]:
            nonlocal asked
            if asked:
                await gone.wait()
                return {"type": "http.disconnect"}
            asked = True
            return {"type": "http.request", "body": request.body or b"", "more_body": False}

        async def take(message: MutableMapping[str, Any]) -> None:
            sent.append(message)

        task = asyncio.create_task(self._asgi(_scope(request), receive, take))
        limit = self._patience if request.waits else SECONDS
        done, _ = await asyncio.wait([task], timeout=limit)
        if not done:
            gone.set()
            done, _ = await asyncio.wait([task], timeout=0.1 if request.waits else SECONDS)
            if not done and request.waits:  # a wait that is no stream does not notice that its client has left
                task.cancel()
                await asyncio.wait([task])
                return Answer(0, ended=False)
        if not done:
            task.cancel()
            return Answer(0)
        task.result()
        return _collected(sent, ended=not gone.is_set())


def _scope(request: Request) -> dict[str, Any]:
    path, _, query = request.target.partition("?")
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1", "replace")) for name, value in request.headers]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": urllib.parse.unquote(path),
        "raw_path": path.encode("latin-1", "replace"),
        "query_string": query.encode("latin-1", "replace"),
        "root_path": "",
        "headers": headers,
        "client": ("test", 1),
        "server": ("test", 80),
    }


def _collected(sent: list[MutableMapping[str, Any]], *, ended: bool) -> Answer:
    if not sent:
        return Answer(0, ended=ended)
    kind = dict(sent[0]["headers"]).get(b"content-type", b"").decode()
    return Answer(sent[0]["status"], kind, b"".join(message.get("body", b"") for message in sent[1:]), ended)


class OverSocket:
    """Writes requests as they stand, each over a connection of its own."""

    def __init__(self, url: str) -> None:
        parts = urllib.parse.urlsplit(url)
        self._host, self._port = parts.hostname, parts.port

    async def __call__(self, request: Request) -> Answer:
        """The answer, or what came of it until the client went away."""
        reader, writer = await asyncio.open_connection(self._host, self._port, limit=1 << 26)
        try:
            writer.write(self._bytes(request))
            data, ended = await _read(reader, PATIENCE if request.waits else SECONDS)
        finally:
            writer.close()
        return _parsed(data, ended=ended)

    def _bytes(self, request: Request) -> bytes:
        body = request.body or b""
        given = "".join(f"{name}: {value}\r\n" for name, value in request.headers)
        own = f"host: {self._host}\r\nconnection: close\r\ncontent-length: {len(body)}\r\n"
        head = f"{request.method} {request.target} HTTP/1.1\r\n{own}{given}\r\n"
        return head.encode("latin-1", "replace") + body


async def _read(reader: asyncio.StreamReader, seconds: float) -> tuple[bytes, bool]:
    """All that comes until the end of the connection or of the time."""
    parts: list[bytes] = []
    try:
        async with asyncio.timeout(seconds):
            while part := await reader.read(1 << 20):
                parts.append(part)
    except TimeoutError:
        return b"".join(parts), False
    except ConnectionError:
        pass
    return b"".join(parts), True


def _parsed(data: bytes, *, ended: bool) -> Answer:
    head, found, body = data.partition(b"\r\n\r\n")
    if not found:
        return Answer(0, ended=ended)
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    if headers.get("transfer-encoding") == "chunked":
        body = _unchunked(body)
    return Answer(int(lines[0].split()[1]), headers.get("content-type", ""), body, ended)


def _unchunked(data: bytes) -> bytes:
    parts = []
    while data:
        size, _, data = data.partition(b"\r\n")
        length = int(size, 16)
        if length == 0:
            break
        parts.append(data[:length])
        data = data[length + 2 :]
    return b"".join(parts)
