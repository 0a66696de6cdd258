"""Clients that go away in the middle of a stream, over real sockets."""

import asyncio
import json

from tests.api import unmanaged
from tests.api.running import pretend
from tests.http.live import Place


async def _left(place: Place, key: tuple[str, str]) -> None:
    while place.app.waiters.count(key):  # noqa: ASYNC110 (nothing tells when one ceases to wait)
        await asyncio.sleep(0.01)


async def _waits(place: Place, key: tuple[str, str], count: int = 1) -> None:
    while place.app.waiters.count(key) < count:  # noqa: ASYNC110 (nor when one begins)
        await asyncio.sleep(0.01)


async def _follow(place: Place, trial: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    host, port = place.host.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    token = await place.client.token("admin")
    request = f"GET /api/v1/trials/{trial}/logs?follow=true HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\r\n"
    writer.write(request.encode())
    await writer.drain()
    return reader, writer


async def _trial(place: Place) -> tuple[int, str]:
    trial = await unmanaged.trial(place.client, await unmanaged.experiment(place.client))
    return trial, (await place.client.ok("GET", f"trials/{trial}"))["trial"]["taskId"]


async def test_a_client_that_leaves_frees_its_stream(place: Place) -> None:
    """Nothing has to be written for the server to notice."""
    trial, task = await _trial(place)
    await place.client.ok("POST", "task/logs", {"logs": [{"taskId": task, "log": "hello\n"}]})
    streams = [await _follow(place, trial) for _ in range(50)]
    for reader, _ in streams:
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    await _waits(place, ("logs", task), 50)
    for _, writer in streams[:25]:
        writer.close()
    for _, writer in streams[25:]:
        writer.transport.abort()
    await asyncio.wait_for(_left(place, ("logs", task)), 30)


async def test_a_client_that_leaves_without_reading_frees_its_stream(place: Place) -> None:
    """Also while the server waits for room to write."""
    trial, task = await _trial(place)
    lines = [{"taskId": task, "log": "x" * 4000 + "\n"} for _ in range(500)]
    for _ in range(4):
        await place.client.ok("POST", "task/logs", {"logs": lines})
    _, writer = await _follow(place, trial)
    await _waits(place, ("logs", task))
    writer.transport.abort()
    await asyncio.wait_for(_left(place, ("logs", task)), 30)


async def test_a_client_that_stays_gets_everything(place: Place) -> None:
    """Slowly, with lines added meanwhile."""
    trial, task = await _trial(place)
    url = f"http://{place.host}/api/v1/trials/{trial}/logs?follow=true"
    headers = {"Authorization": f"Bearer {await place.client.token('admin')}"}
    await place.client.ok("POST", "task/logs", {"logs": [{"taskId": task, "log": "0\n"}]})  # an answer begins with its first line
    async with place.http.stream("GET", url, headers=headers) as answer:
        await place.client.ok("POST", "task/logs", {"logs": [{"taskId": task, "log": f"{n}\n"} for n in range(1, 2500)]})
        await unmanaged.patch(place.client, trial, "COMPLETED")
        got = [json.loads(line)["result"]["message"].split()[-1] async for line in answer.aiter_lines()]
    assert got == [str(n) for n in range(2500)]


async def _running(place: Place) -> str:
    config = "{name: one, entrypoint: python x.py, searcher: {name: single, metric: loss}}"
    await place.client.ok("POST", "experiments", {"config": config, "activate": True})
    return await pretend(place.app)


async def _ask(place: Place, method: str, path: str, body: object = None) -> asyncio.StreamWriter:
    host, port = place.host.split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    token, text = await place.client.token("admin"), b"" if body is None else json.dumps(body).encode()
    head = f"{method} /api/v1/{path} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: {len(text)}\r\n\r\n"
    writer.write(head.encode() + text)
    await writer.drain()
    return writer


async def test_a_client_that_waits_and_leaves_is_waited_for_no_longer(place: Place) -> None:
    """Not only streams: whoever asked to be told of something within ten minutes, or to meet others."""
    allocation = await _running(place)
    paths = [
        ("GET", f"allocations/{allocation}/signals/preemption?timeoutSeconds=600", None),
        ("POST", f"allocations/{allocation}/all_gather", {"requestUuid": "a", "numPeers": 2, "data": {}}),
        ("POST", f"allocations/{allocation}/notify_container_running", {"requestUuid": "b", "numPeers": 2, "data": {}}),
    ]
    for method, path, body in paths:
        writer = await _ask(place, method, path, body)
        await _waits(place, ("allocation", allocation))
        writer.transport.abort()
        await asyncio.wait_for(_left(place, ("allocation", allocation)), 30)


async def test_what_a_client_brought_leaves_with_it(place: Place) -> None:
    """Others do not meet somebody who is gone; they meet who comes instead."""
    allocation = await _running(place)
    path = f"allocations/{allocation}/all_gather"
    writer = await _ask(place, "POST", path, {"requestUuid": "gone", "numPeers": 2, "data": {"v": 0}})
    await _waits(place, ("allocation", allocation))
    writer.transport.abort()
    await asyncio.wait_for(_left(place, ("allocation", allocation)), 30)
    both = [place.client.ok("POST", path, {"requestUuid": name, "numPeers": 2, "data": {"v": name}}) for name in ("a", "b")]
    assert await asyncio.wait_for(asyncio.gather(*both), 30) == [{"data": [{"v": "a"}, {"v": "b"}]}] * 2
