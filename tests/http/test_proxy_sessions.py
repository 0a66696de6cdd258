"""What goes on through the proxy ends with the session or the right that opened it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection

from tests.api import worlds
from tests.conftest import PASSWORD, make_settings
from tests.http.live import Place, tcp_server, ws_server
from undeterred.base.settings import Settings

SOON_S = 30


@pytest.fixture
def settings() -> Settings:
    """Roles decide."""
    return make_settings(security__authz__type="rbac")


async def echo(socket: ServerConnection) -> None:
    """Every message comes back."""
    async for message in socket:
        await socket.send(message)


async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """An answer that has begun and does not end before the caller leaves."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n")
    await reader.read()
    writer.close()


async def raw(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Every byte comes back."""
    while data := await reader.read(1 << 16):
        writer.write(data)
    writer.close()


@dataclass
class Paths:
    """Services of a user's tasks: a WebSocket, raw TCP, plain HTTP, and a WebSocket that is open to everyone."""

    place: Place
    workspace: int
    user: int
    socket: str
    tcp: str
    http: str
    public: str

    async def open(self, path: str, token: str) -> ClientConnection:
        """A connection that has proved to work."""
        headers = {"Authorization": f"Bearer {token}"}
        socket = await connect(f"ws://{self.place.host}{path}", additional_headers=headers, proxy=None)
        await self.works(socket)
        return socket

    async def works(self, socket: ClientConnection) -> None:
        """Whether what is sent comes back."""
        await socket.send(b"ping")
        assert await asyncio.wait_for(socket.recv(), SOON_S) == b"ping"


@pytest.fixture
async def paths(place: Place) -> AsyncIterator[Paths]:
    """The services of an editor's tasks."""
    workspace = await worlds.workspace(place.client, "lab")
    user = await worlds.user(place.client, "edi")
    await worlds.grant(place.client, user, worlds.EDITOR, workspace)
    async with ws_server(echo) as ws, tcp_server(raw) as tcp, tcp_server(endless) as http:

        async def path(port: int, **options: Any) -> str:
            return f"/proxy/{await place.command(port, user='edi', workspace=workspace, **options)}:{port}/"

        yield Paths(
            place,
            workspace,
            user,
            await path(ws),
            await path(tcp, proxy_tcp=True),
            await path(http),
            await path(ws, unauthenticated=True),
        )


async def access_token(paths: Paths) -> tuple[int, str]:
    """Number and text of an access token of the user."""
    made = await paths.place.client.ok("POST", "tokens", {"userId": paths.user})
    return made["tokenId"], made["token"]


async def log_out(paths: Paths) -> None:
    await paths.place.client.ok("POST", "auth/logout", user="edi")


async def change_password(paths: Paths) -> None:
    await paths.place.client.ok("POST", f"users/{paths.user}/password", "Another1")


async def deactivate(paths: Paths) -> None:
    await paths.place.client.ok("PATCH", f"users/{paths.user}", {"active": False})


async def take_the_role(paths: Paths) -> None:
    role = {"role": {"roleId": worlds.EDITOR}, "scopeWorkspaceId": paths.workspace}
    body = {"userRoleAssignments": [{"userId": paths.user, "roleAssignment": role}]}
    await paths.place.client.ok("POST", "roles/remove-assignments", body)


@pytest.mark.parametrize("act", [log_out, change_password, deactivate, take_the_role])
async def test_what_a_session_opened_ends_with_it(paths: Paths, act: Callable[[Paths], Awaitable[None]]) -> None:
    """WebSocket, tunnel and answer end; what another has open and what is open to everyone goes on."""
    token = await paths.place.client.token("edi")
    sockets = [await paths.open(path, token) for path in (paths.socket, paths.tcp, paths.public)]
    other = await paths.open(paths.socket, await paths.place.client.token("admin"))
    async with paths.place.http.stream("GET", paths.http, headers={"Authorization": f"Bearer {token}"}) as answer:
        body = answer.aiter_bytes()
        assert await anext(body) == b"hello"
        await act(paths)
        with pytest.raises(httpx.RemoteProtocolError):
            await asyncio.wait_for(anext(body), SOON_S)
    for socket in sockets[:2]:
        await asyncio.wait_for(socket.wait_closed(), SOON_S)
    assert sockets[1].close_code == 1008
    for socket in (sockets[2], other):
        await paths.works(socket)
        await socket.close()


async def test_a_revoked_access_token_ends_what_it_opened(paths: Paths) -> None:
    """And nothing that another token of the same user opened."""
    (number, token), (_, kept) = await access_token(paths), await access_token(paths)
    ended, goes_on = await paths.open(paths.tcp, token), await paths.open(paths.tcp, kept)
    await paths.place.client.ok("PATCH", f"tokens/{number}", {"setRevoked": True})
    await asyncio.wait_for(ended.wait_closed(), SOON_S)
    assert (ended.close_code, ended.close_reason) == (1008, "the session has been ended; log in again")
    await paths.works(goes_on)
    await goes_on.close()


async def test_a_caller_who_does_not_listen_is_dismissed_all_the_same(paths: Paths) -> None:
    """The task's side ends although the goodbye cannot be delivered."""
    gone = asyncio.Event()

    async def flood(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"x" * (1 << 16))
                await writer.drain()
        gone.set()
        writer.close()

    token = (await paths.place.client.ok("POST", "auth/login", {"username": "edi", "password": PASSWORD}, user=None))["token"]
    async with tcp_server(flood) as port:
        task = await paths.place.command(port, user="edi", workspace=paths.workspace, proxy_tcp=True)
        url, headers = f"ws://{paths.place.host}/proxy/{task}:{port}/", {"Authorization": f"Bearer {token}"}
        async with connect(url, additional_headers=headers, proxy=None, max_queue=1) as socket:
            await socket.recv()
            await deactivate(paths)
            await asyncio.wait_for(gone.wait(), SOON_S)
            socket.transport.abort()
