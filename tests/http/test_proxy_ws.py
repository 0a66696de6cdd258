"""WebSockets to the servers of tasks, and raw TCP through them."""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.http.live import Place, tcp_server, ws_server

MB = 1 << 20


async def echo(socket: ServerConnection) -> None:
    """First what the handshake said, then every message back; "close CODE" closes."""
    assert socket.request is not None
    await socket.send(json.dumps({"path": socket.request.path, "headers": list(socket.request.headers.raw_items())}))
    async for message in socket:
        if isinstance(message, str) and message.startswith("close "):
            await socket.close(int(message.split()[1]), "as told")
            return
        await socket.send(message)


def opened(place: Place, path: str, headers: dict[str, str], **options: Any) -> connect:
    """A client's connection; nothing of the environment's proxies."""
    return connect(f"ws://{place.host}{path}", additional_headers=headers, proxy=None, **options)


async def status(place: Place, path: str, headers: dict[str, str]) -> int:
    """The status of a handshake that is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with opened(place, path, headers):
            pass
    return refused.value.response.status_code


async def test_frames_pass_both_ways_as_they_are(place: Place) -> None:
    """Subprotocol, text, 5 MB of binary, fragments, pings; and no credential of the caller."""
    async with ws_server(echo, subprotocols=["v2.kernel", "other"], max_size=None) as port:
        path = f"/proxy/{await place.command(port)}:{port}/a%2Fb?c=%2B"
        headers = await place.bearer() | {"Cookie": "auth=T; theme=dark"}
        async with opened(place, path, headers, subprotocols=["x", "v2.kernel"], max_size=None) as socket:
            assert socket.subprotocol == "v2.kernel"
            seen = json.loads(await socket.recv())
            assert seen["path"] == path
            values = {name.lower(): value for name, value in seen["headers"]}
            assert values["cookie"] == "theme=dark"
            assert "authorization" not in values
            for message in ("text ✓", b"", bytes(range(256)) * (5 * MB // 256)):
                await socket.send(message)
                assert await socket.recv() == message
            await socket.send(part for part in ["in ", "three ", "parts"])
            assert await socket.recv() == "in three parts"
            await asyncio.wait_for(await socket.ping(), 10)


async def test_close_codes_pass_both_ways(place: Place) -> None:
    """Whoever closes, the other side learns code and reason."""
    codes: asyncio.Queue[int | None] = asyncio.Queue()

    async def remember(socket: ServerConnection) -> None:
        try:
            await echo(socket)
        finally:
            await socket.wait_closed()
            codes.put_nowait(socket.close_code)

    async with ws_server(remember) as port:
        path = f"/proxy/{await place.command(port)}:{port}/"
        async with opened(place, path, await place.bearer()) as socket:
            await socket.recv()
            await socket.send("close 4001")
            with pytest.raises(ConnectionClosed) as closed:
                await socket.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "as told")
        assert await codes.get() == 4001
        async with opened(place, path, await place.bearer()) as socket:
            await socket.recv()
            await socket.close(4002)
        assert await asyncio.wait_for(codes.get(), 10) == 4002


async def test_nobody_gets_in_without_a_login(place: Place) -> None:
    """404 for what no task serves, 401 for a stranger, 403 for another site's page with the login cookie."""
    async with ws_server(echo) as port:
        task = await place.command(port)
        path = f"/proxy/{task}:{port}/"
        assert await status(place, "/proxy/none/", {}) == 404
        assert await status(place, "/api/v1/me", {}) == 404
        assert await status(place, path, {}) == 401
        cookie = {"Cookie": f"auth={await place.client.token('admin')}"}
        assert await status(place, path, cookie | {"Origin": "https://evil.example"}) == 403
        async with opened(place, path, cookie | {"Origin": f"http://{place.host}"}) as socket:
            await socket.recv()


async def test_a_refusal_of_the_task_arrives(place: Place) -> None:
    """With its status and body; a server that is not there is a bad gateway."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 418 Teapot\r\nContent-Length: 5\r\nX-Why: tea\r\n\r\nshort")
        await reader.read()
        writer.close()

    async with tcp_server(refuse) as port:
        path = f"/proxy/{await place.command(port)}:{port}/"
        with pytest.raises(InvalidStatus) as refused:
            async with opened(place, path, await place.bearer()):
                pass
        answer = refused.value.response
        assert (answer.status_code, answer.headers["X-Why"], answer.body) == (418, "tea", b"short")
    assert await status(place, path, await place.bearer()) == 502


async def test_the_task_learns_that_the_caller_has_gone(place: Place) -> None:
    """A connection that breaks without a goodbye breaks on the other side, too."""
    gone = asyncio.Event()

    async def wait(socket: ServerConnection) -> None:
        await socket.send("hello")
        await socket.wait_closed()
        gone.set()

    async with ws_server(wait) as port:
        path = f"/proxy/{await place.command(port)}:{port}/"
        async with opened(place, path, await place.bearer()) as socket:
            await socket.recv()
            socket.transport.abort()
        await asyncio.wait_for(gone.wait(), 20)


async def test_a_slow_reader_holds_the_writer_back(place: Place) -> None:
    """What nobody reads is not collected in the server: the task's writes wait."""
    sent = 0

    async def flood(socket: ServerConnection) -> None:
        nonlocal sent
        while sent < 200:
            await socket.send(b"x" * MB)
            sent += 1

    async with ws_server(flood, compression=None) as port:
        path = f"/proxy/{await place.command(port)}:{port}/"
        async with opened(place, path, await place.bearer(), max_size=None, max_queue=1) as socket:
            await socket.recv()
            await asyncio.sleep(1)
            assert sent < 100
            socket.transport.abort()


def tcp(answer: bytes | None = None) -> Any:
    """A server that sends `answer` and closes, or sends back what it gets until the other side closes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if answer is not None:
            writer.write(answer)
        while answer is None and (data := await reader.read(1 << 16)):
            writer.write(data)
            await writer.drain()
        writer.close()

    return serve


async def received(socket: ClientConnection, size: int) -> bytes:
    """The next bytes of a tunnel, wherever they are cut."""
    got = b""
    while len(got) < size:
        message = await asyncio.wait_for(socket.recv(), 20)
        assert isinstance(message, bytes)
        got += message
    return got


@pytest.mark.parametrize("subprotocols", [None, ["binary"]])
async def test_tcp_passes_through_a_websocket(place: Place, subprotocols: Sequence[Any] | None) -> None:
    """Bytes arrive in order and whole, wherever messages cut them."""
    async with tcp_server(tcp()) as port:
        path = f"/proxy/{await place.command(port, proxy_tcp=True)}:{port}/"
        async with opened(place, path, await place.bearer(), subprotocols=subprotocols, max_size=None) as socket:
            assert socket.subprotocol == (subprotocols[0] if subprotocols else None)
            data = bytes(range(256)) * 4 * 1024
            await socket.send(data)
            await socket.send([b"frag", b"ments"])
            assert await received(socket, len(data) + 9) == data + b"fragments"


async def test_the_end_of_a_tcp_connection_closes_the_websocket(place: Place) -> None:
    """With code 1000, after everything that was sent before."""
    async with tcp_server(tcp(b"SSH-2.0-bye\r\n" * 10_000)) as port:
        path = f"/proxy/{await place.command(port, proxy_tcp=True, unauthenticated=True)}:{port}/"
        async with opened(place, path, {}) as socket:
            assert await received(socket, 130_000) == b"SSH-2.0-bye\r\n" * 10_000
            with pytest.raises(ConnectionClosed):
                await socket.recv()
        assert socket.close_code == 1000


async def test_the_end_of_the_websocket_closes_the_tcp_connection(place: Place) -> None:
    """After the task has got everything that was sent before."""
    got = asyncio.get_running_loop().create_future()

    async def collect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.set_result(await reader.read())
        writer.close()

    async with tcp_server(collect) as port:
        path = f"/proxy/{await place.command(port, proxy_tcp=True)}:{port}/"
        async with opened(place, path, await place.bearer()) as socket:
            await socket.send(b"z" * MB)
        assert len(await asyncio.wait_for(got, 20)) == MB


async def test_sockets_end_when_the_server_stops(place: Place) -> None:
    """They do not hold it up."""
    async with ws_server(echo) as port, tcp_server(tcp()) as raw:
        paths = [f"/proxy/{await place.command(port)}:{port}/", f"/proxy/{await place.command(raw, proxy_tcp=True)}:{raw}/"]
        sockets = [await opened(place, path, await place.bearer()) for path in paths]
        place.stop()
        for socket in sockets:
            await asyncio.wait_for(socket.wait_closed(), 20)
