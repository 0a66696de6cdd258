"""A server on a real port, tasks that "run" on it, and little servers that stand for what runs in them."""

import asyncio
import contextlib
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn
from websockets.asyncio.server import ServerConnection, serve

from tests.support import Client
from undeterred.app import App
from undeterred.store import allocations

Stream = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@contextlib.asynccontextmanager
async def listening(asgi: Any, upgrades: Any = "none") -> AsyncIterator[tuple[str, Callable[[], None]]]:
    """The address, without scheme, on which an application answers, served as ours is, and what stops it."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        config = uvicorn.Config(
            asgi, http="httptools", log_config=None, access_log=False, lifespan="off", server_header=False, ws=upgrades
        )
        server = uvicorn.Server(config)
        serving = asyncio.create_task(server.serve(sockets=[sock]))
        while not server.started:  # noqa: ASYNC110 (there is nothing to wait for)
            await asyncio.sleep(0.01)

        def stop() -> None:
            server.should_exit = True

        try:
            yield f"127.0.0.1:{sock.getsockname()[1]}", stop
        finally:
            server.should_exit = server.force_exit = True
            await serving


@dataclass
class Request:
    """What a task's server was sent."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """The value of a header, None without it."""
        return next((value for key, value in self.headers if key.lower() == name), None)


@dataclass
class Echo:
    """Answers every request with what it was sent, as JSON; `answer` sends other bytes instead."""

    port: int = 0
    answer: bytes | None = None
    size: int = 0
    """Bytes of bodies received."""
    requests: list[Request] = field(default_factory=list)
    keep: bool = True
    """Whether bodies are kept."""

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        request = _head(await reader.readuntil(b"\r\n\r\n"))
        self.requests.append(request)
        async for piece in _body(reader, request):
            self.size += len(piece)
            if self.keep:
                request.body += piece
        body = json.dumps({"line": request.line, "headers": request.headers, "size": len(request.body)}).encode()
        plain = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        writer.write(plain + body if self.answer is None else self.answer)
        await writer.drain()
        writer.close()


def _head(data: bytes) -> Request:
    line, *lines = data[:-4].decode("latin-1").split("\r\n")
    return Request(line, [(name, value) for name, _, value in (one.partition(": ") for one in lines)])


async def _body(reader: asyncio.StreamReader, request: Request) -> AsyncIterator[bytes]:
    if request.header("transfer-encoding") == "chunked":
        while size := int(await reader.readline(), 16):
            left = size
            while left:
                piece = await reader.read(left)
                left -= len(piece)
                yield piece
            await reader.readline()
        await reader.readline()
        return
    left = int(request.header("content-length") or 0)
    while left:
        piece = await reader.read(min(left, 1 << 16))
        left -= len(piece)
        yield piece


@contextlib.asynccontextmanager
async def tcp_server(handler: Stream) -> AsyncIterator[int]:
    """The port on which `handler` serves."""
    server = await asyncio.start_server(handler, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@contextlib.asynccontextmanager
async def ws_server(handler: Callable[[ServerConnection], Awaitable[None]], **options: Any) -> AsyncIterator[int]:
    """The same for WebSockets."""
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


class Place:
    """The server under test, with tasks in it."""

    def __init__(self, app: App, client: Client, host: str, stop: Callable[[], None]) -> None:
        self.app = app
        self.stop = stop
        self.client = client
        self.host = host
        self.http = httpx.AsyncClient(base_url=f"http://{host}", timeout=60)
        self.http.headers.clear()

    async def command(self, port: int, *, user: str = "admin", workspace: int = 1, **proxy: Any) -> str:
        """A running command with a service on a port; its id."""
        config = {
            "entrypoint": ["sleep", "1"],
            "resources": {"slots": 0},
            "environment": {"proxy_ports": [{"proxy_port": port} | proxy]},
        }
        made = await self.client.ok("POST", "commands", {"config": config, "workspaceId": workspace}, user=user)
        await self.run(made["command"]["id"])
        return str(made["command"]["id"])

    async def run(self, task_id: str, **columns: Any) -> None:
        """Pretend that the task's allocation runs, or change what is known of it."""
        row: dict[str, Any] = {
            "state": "RUNNING",
            "handle": "elsewhere",
            "addresses": '["127.0.0.1"]',
            "ports": "{}",
            "agent_id": "a",
        }
        await self.app.db.write(lambda tx: allocations.update(tx, f"{task_id}.1", **(row | columns)))

    async def bearer(self, user: str = "admin") -> dict[str, str]:
        """The header of somebody who is logged in."""
        return {"Authorization": f"Bearer {await self.client.token(user)}"}

    async def get(self, path: str, user: str | None = "admin", **headers: str) -> httpx.Response:
        """GET of a path of the server; nothing is followed."""
        sent = {} if user is None else await self.bearer(user)
        return await self.http.get(path, headers=sent | {name.replace("_", "-"): value for name, value in headers.items()})
