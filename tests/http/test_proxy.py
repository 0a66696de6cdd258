"""Plain HTTP to the servers of tasks."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.http.live import Echo, Place, tcp_server
from undeterred.store import sessions

MB = 1 << 20


async def raw(place: Place, request: bytes) -> tuple[bytes, bytes]:
    """Head and body of the answer to bytes that no client would change."""
    host, port = place.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    body = await reader.read()
    writer.close()
    return head, body


def resident() -> int:
    """Bytes of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


async def test_credentials_stay_behind_and_everything_else_arrives_as_it_was_sent(place: Place) -> None:
    """Path and query byte for byte, other cookies, repeated headers; neither token, login cookie nor connection headers."""
    async with tcp_server(Echo()) as port:
        task = await place.command(port)
        token = (await place.client.token("admin")).encode()
        path = b"/proxy/%s:%d/x%%2Fy;a=1/%%C3%%BC/../z//?q=%%2B&q=+&e&=" % (task.encode(), port)
        head, body = await raw(
            place,
            b'GET %s HTTP/1.1\r\nHost: example.org:99\r\nAuthorization: Bearer %s\r\nCookie: auth=T; theme=dark;  b="c"\r\n'
            b"Grpc-Metadata-x-allocation-token: Bearer A\r\nGrpc-Metadata-x-user-token: Bearer U\r\nX-Two: 1\r\nX-Two: 2\r\n"
            b"Keep-Alive: 5\r\nX-Hop: 1\r\nProxy-Authorization: Basic x\r\nConnection: close, X-Hop\r\n\r\n" % (path, token),
        )
        assert head.startswith(b"HTTP/1.1 200 ")
        seen = json.loads(body)
    assert seen["line"] == f"GET {path.decode()} HTTP/1.1"
    names = [name for name, _ in seen["headers"]]
    assert not {"authorization", "keep-alive", "x-hop", "proxy-authorization"} & set(names)
    assert not [name for name in names if "token" in name]
    values = dict(seen["headers"])
    assert (values["cookie"], values["host"]) == ('theme=dark; b="c"', "example.org:99")
    assert [value for name, value in seen["headers"] if name == "x-two"] == ["1", "2"]
    assert (values["x-forwarded-for"], values["x-forwarded-proto"], values["x-forwarded-host"]) == (
        "127.0.0.1",
        "http",
        "example.org:99",
    )
    assert token.decode() not in str(seen)


async def test_the_login_cookie_opens_but_does_not_pass(place: Place) -> None:
    """A browser that is logged in reads; a write from another site's page is refused, one from our own goes on."""
    echo = Echo()
    async with tcp_server(echo) as port:
        url = f"/proxy/{await place.command(port)}:{port}/"
        cookie = f"auth={await place.client.token('admin')}"
        assert (await place.get(url, None, Cookie=cookie)).json()["line"] == f"GET {url} HTTP/1.1"
        assert echo.requests[-1].header("cookie") is None
        foreign = {"Cookie": cookie, "Origin": "https://evil.example"}
        assert (await place.http.post(url, headers=foreign)).status_code == 403
        own = {"Cookie": cookie, "Origin": f"http://{place.host}"}
        assert (await place.http.post(url, headers=own, content=b"abc")).json()["size"] == 3


async def test_only_tasks_and_their_ports_are_served_and_only_after_a_login(place: Place) -> None:
    """An unknown service is 404 for everybody; a stranger gets 401, or, in a browser, the way to the login and back."""
    async with tcp_server(Echo()) as port:
        task = await place.command(port)
        for path in ("/proxy/none/", "/proxy/", f"/proxy/{task}/", f"/proxy/{task}:{port + 1}/", f"/proxy/{task}:{port}0/"):
            assert (await place.get(path, None)).status_code == 404, path
        url = f"/proxy/{task}:{port}/a%2Fb?c=d&e"
        assert (await place.get(url, None)).json() == {"message": "log in first"}
        assert (await place.get(url, None, Authorization="Bearer nope")).status_code == 401
        sent = await place.get(url, None, Accept="text/html,*/*;q=0.8")
        assert sent.status_code == 303
        assert sent.headers["location"] == f"/det/login?redirect=%2Fproxy%2F{task}%3A{port}%2Fa%252Fb%3Fc%3Dd%26e"
        assert (await place.get(url)).status_code == 200


async def test_open_services_need_no_login(place: Place) -> None:
    """`unauthenticated` in the configuration says so; credentials that are sent all the same do not pass."""
    echo = Echo()
    async with tcp_server(echo) as port:
        task = await place.command(port, unauthenticated=True, default_service_id=True)
        for path in (f"/proxy/{task}", f"/proxy/{task}/", f"/proxy/{task}:{port}/"):
            assert (await place.get(path, None, Authorization="Bearer nope")).status_code == 200
            assert echo.requests[-1].header("authorization") is None


async def test_a_service_is_there_from_its_ready_to_its_end(place: Place) -> None:
    """Before: 503 at once, to people as a page that asks again. After: 404, as soon as its end is decided."""
    async with tcp_server(Echo()) as port:
        made = await place.client.ok("POST", "notebooks", {"config": {"resources": {"slots": 0}}})
        task = made["notebook"]["id"]
        path = f"/proxy/{task}/lab"

        async def waits() -> None:
            answer = await place.get(path)
            assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
            assert "not ready yet" in answer.json()["message"]
            page = await place.get(path, Accept="text/html")
            assert page.status_code == 503
            assert 'http-equiv="refresh"' in page.text

        await waits()
        await place.run(task, ports=json.dumps({"NOTEBOOK_PORT": port}))
        await waits()
        await place.run(task, ports=json.dumps({"NOTEBOOK_PORT": port}), is_ready=True)
        assert (await place.get(path)).status_code == 200
        await place.run(task, ports=json.dumps({"NOTEBOOK_PORT": port}), is_ready=True, kill_at=1)
        for accept in ("*/*", "text/html"):
            answer = await place.get(path, Accept=accept)
            assert (answer.status_code, "has ended" in answer.text, "refresh" in answer.text) == (404, True, False)


async def test_the_token_of_a_notebook_opens_that_notebook_alone(place: Place) -> None:
    """In the query or as its clients send it; there it is the notebook's own and passes."""
    echo = Echo()
    async with tcp_server(echo) as port:
        tasks, tokens = [], []
        for _ in range(2):
            notebook = (await place.client.ok("POST", "notebooks", {"config": {"resources": {"slots": 0}}}))["notebook"]
            await place.run(notebook["id"], ports=json.dumps({"NOTEBOOK_PORT": port}), is_ready=True)
            tasks.append(notebook["id"])
            tokens.append(notebook["serviceAddress"].partition("?token=")[2])
        assert (await place.get(f"/proxy/{tasks[0]}/api?token={tokens[0]}", None)).status_code == 200
        assert echo.requests[-1].line == f"GET /proxy/{tasks[0]}/api?token={tokens[0]} HTTP/1.1"
        assert (await place.get(f"/proxy/{tasks[0]}/api", None, Authorization=f"token {tokens[0]}")).status_code == 200
        assert echo.requests[-1].header("authorization") == f"token {tokens[0]}"
        for path, headers in (
            (f"/proxy/{tasks[1]}/api?token={tokens[0]}", {}),
            (f"/proxy/{tasks[1]}/api?token=", {}),
            (f"/proxy/{tasks[1]}/api", {"Authorization": f"token {tokens[0]}"}),
        ):
            assert (await place.get(path, None, **headers)).status_code == 401
        shown = {"Authorization": f"token {tokens[1]}"}
        cookie = f"auth={await place.client.token('admin')}"
        assert (await place.get(f"/proxy/{tasks[0]}/", None, Cookie=cookie, **shown)).status_code == 401
        assert (await place.get(f"/proxy/{tasks[1]}/", None, Cookie=cookie, **shown)).status_code == 200


async def test_the_token_of_a_task_reaches_that_task_alone(place: Place) -> None:
    """A task has none of its owner's rights here either."""
    async with tcp_server(Echo()) as port:
        own, other = await place.command(port), await place.command(port)
        await place.app.db.write(lambda tx: sessions.create(tx, 1, "secret", kind="allocation", allocation_id=f"{own}.1"))
        for name in ("Authorization", "Grpc_Metadata_x_allocation_token"):
            assert (await place.get(f"/proxy/{own}:{port}/", None, **{name: "Bearer secret"})).status_code == 200
            assert (await place.get(f"/proxy/{other}:{port}/", None, **{name: "Bearer secret"})).status_code == 403


async def test_bodies_of_every_framing_arrive_whole(place: Place) -> None:
    """With a length, in chunks, empty, with any method; a chunked one stays chunked."""
    echo = Echo()

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(3):
            yield bytes([number]) * 70_000

    async with tcp_server(echo) as port:
        url = f"/proxy/{await place.command(port)}:{port}/"
        headers = await place.bearer()
        for method in ("POST", "PUT", "PATCH", "DELETE", "OPTIONS"):
            await place.http.request(method, url, headers=headers, content=b"x" * 100_000)
            assert (echo.requests[-1].line, echo.requests[-1].body) == (f"{method} {url} HTTP/1.1", b"x" * 100_000)
            assert echo.requests[-1].header("content-length") == "100000"
        await place.http.post(url, headers=headers, content=chunks())
        assert echo.requests[-1].body == b"".join([bytes([number]) * 70_000 for number in range(3)])
        assert echo.requests[-1].header("content-length") is None
        await place.http.post(url, headers=headers)
        assert (echo.requests[-1].header("content-length"), echo.requests[-1].body) == ("0", b"")


@pytest.mark.parametrize(
    ("answer", "status", "body"),
    [
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n",
            200,
            "abcde",
        ),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil the end", 200, "until the end"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204, ""),
        (b"HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 5\r\n\r\n", 304, ""),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 404 Gone Fishing\r\nContent-Length: 2\r\n\r\nno", 404, "no"),
        (b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", 500, ""),
    ],
)
async def test_answers_of_every_framing_arrive_whole(place: Place, answer: bytes, status: int, body: str) -> None:
    """Chunked, until the end of the connection, without a body, after early hints."""
    async with tcp_server(Echo(answer=answer)) as port:
        got = await place.get(f"/proxy/{await place.command(port)}:{port}/")
        assert (got.status_code, got.text) == (status, body)


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 999 Odd\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
async def test_what_is_no_answer_is_a_bad_gateway(place: Place, answer: bytes) -> None:
    """502 with what was wrong, also when nothing listens."""
    async with tcp_server(Echo(answer=answer)) as port:
        task = await place.command(port)
        url = f"/proxy/{task}:{port}/"
        got = await place.get(url)
        assert got.status_code == 502
        assert f"task {task}" in got.json()["message"]
    assert (await place.get(url)).status_code == 502
    assert "does not answer on port" in (await place.get(url, Accept="text/html")).text


async def test_an_answer_that_breaks_off_is_seen_to_break_off(place: Place) -> None:
    """The caller must not take half of a file for the whole."""
    async with tcp_server(Echo(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")) as port:
        url = f"/proxy/{await place.command(port)}:{port}/"
        with pytest.raises(Exception, match="without sending complete message body"):
            await place.get(url)


async def test_head_is_answered_without_a_body(place: Place) -> None:
    """The length of the body that GET would have is told."""
    async with tcp_server(Echo(answer=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX: y\r\n\r\n")) as port:
        got = await place.http.head(f"/proxy/{await place.command(port)}:{port}/", headers=await place.bearer())
        assert (got.status_code, got.headers["content-length"], got.headers["x"]) == (200, "10", "y")


async def test_a_task_cannot_meddle_with_the_login_or_the_site(place: Place) -> None:
    """Its cookies stay apart and in number, the login cookie is not one of them; nothing of it holds for the whole site."""
    answer = (
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=1; Path=/\r\nSet-Cookie: auth=evil; Path=/\r\nset-cookie: b=2\r\n"
        b'Set-Cookie:  auth =evil\r\nClear-Site-Data: "*"\r\nService-Worker-Allowed: /\r\nX-Kept: 1\r\nDate: then\r\n\r\n'
    )
    async with tcp_server(Echo(answer=answer)) as port:
        got = await place.get(f"/proxy/{await place.command(port)}:{port}/")
    assert got.headers.get_list("set-cookie") == ["a=1; Path=/", "b=2"]
    assert "clear-site-data" not in got.headers
    assert "service-worker-allowed" not in got.headers
    assert got.headers["x-kept"] == "1"
    assert len(got.headers.get_list("date")) == 1


async def test_events_arrive_one_by_one(place: Place) -> None:
    """The next event is sent only after the one before has been read: nothing waits in between for more."""
    turns: asyncio.Queue[bytes] = asyncio.Queue()

    async def events(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
        while event := await turns.get():
            writer.write(event)
            await writer.drain()
        writer.close()

    async with tcp_server(events) as port:
        url = f"/proxy/{await place.command(port)}:{port}/"
        async with place.http.stream("GET", url, headers=await place.bearer()) as answer:
            assert answer.headers["content-type"] == "text/event-stream"
            pieces = answer.aiter_bytes()
            for number in range(5):
                event = b"data: %d\n\n" % number
                turns.put_nowait(event)
                assert await asyncio.wait_for(anext(pieces), 10) == event
            turns.put_nowait(b"")


async def test_the_task_learns_that_the_caller_has_gone(place: Place) -> None:
    """Its connection ends, so that it can stop working for nobody."""
    gone = asyncio.Event()

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nfirst")
        try:
            await reader.read()
        except ConnectionError:
            pass
        gone.set()

    async with tcp_server(endless) as port:
        url = f"/proxy/{await place.command(port)}:{port}/"
        async with place.http.stream("GET", url, headers=await place.bearer()) as answer:
            assert await anext(answer.aiter_bytes()) == b"first"
        await asyncio.wait_for(gone.wait(), 10)


async def test_an_early_answer_reaches_a_caller_that_still_sends(place: Place) -> None:
    """A task that does not want a body says so before it has read it."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig")
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.close()

    async def slowly() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * MB
            await asyncio.sleep(0.05)

    async with tcp_server(refuse) as port:
        url = f"/proxy/{await place.command(port)}:{port}/"
        got = await place.http.post(url, headers=await place.bearer(), content=slowly())
        assert (got.status_code, got.text) == (413, "big")


async def test_large_bodies_take_no_memory(place: Place) -> None:
    """200 MB up in chunks, 200 MB down to a slow reader: the process grows by less than 20 MB."""
    echo = Echo(keep=False)

    async def up() -> AsyncIterator[bytes]:
        for _ in range(200):
            yield b"x" * MB

    async def down(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (200 * MB))
        for _ in range(200):
            writer.write(b"y" * MB)
            await writer.drain()
        writer.close()

    async with tcp_server(echo) as upward, tcp_server(down) as downward:
        urls = [f"/proxy/{await place.command(port)}:{port}/" for port in (upward, downward)]
        headers = await place.bearer()
        before, most, size = resident(), 0, 0
        assert (await place.http.post(urls[0], headers=headers, content=up())).status_code == 200
        most = resident()
        async with place.http.stream("GET", urls[1], headers=headers) as answer:
            await asyncio.sleep(0.3)
            async for piece in answer.aiter_raw():
                size += len(piece)
                most = max(most, resident())
    assert (echo.size, size) == (200 * MB, 200 * MB)
    assert most - before < 20 * MB


async def test_a_port_of_raw_tcp_is_no_web_page(place: Place) -> None:
    """426 says how it is reached."""
    task = await place.command(1, proxy_tcp=True)
    got = await place.get(f"/proxy/{task}:1/")
    assert (got.status_code, got.headers["upgrade"]) == (426, "websocket")


async def test_requests_count_as_use(place: Place) -> None:
    """Begin and end of a request are activity; one that is refused is none."""
    seen: dict[str, Any] = {}
    async with tcp_server(Echo()) as port:
        task = await place.command(port)
        routes = place.app.engine.routes
        for user in (None, "admin"):
            before = routes.last_activity(task, 0)
            await place.get(f"/proxy/{task}:{port}/", user)
            seen[str(user)] = routes.last_activity(task, 0) > before
    assert seen == {"None": False, "admin": True}
