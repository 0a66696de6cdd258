"""Streamed answers: what comes together is sent together, nothing is lost, and nothing is read for nobody."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import PASSWORD
from tests.support import Client as ApiClient
from undeterred.app import App
from undeterred.http.streams import AHEAD, Gone, relay
from undeterred.wire.codec import encode_item
from undeterred.wire.messages import TrialLogsResponse


def item(number: int, text: str = "") -> TrialLogsResponse:
    """One line."""
    return TrialLogsResponse(id=str(number), message=text)


class Client:
    """What a client has got, and whether it is still there."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.leave = asyncio.Event()

    async def receive(self) -> dict[str, str]:
        """Silence until it leaves."""
        await self.leave.wait()
        return {"type": "http.disconnect"}

    async def send(self, data: bytes) -> None:
        """A piece for it."""
        self.pieces.append(data)


async def many(count: int, text: str = "") -> AsyncIterator[TrialLogsResponse]:
    """Items without a pause."""
    for number in range(count):
        yield item(number, text)


async def test_items_that_are_there_go_in_one_piece() -> None:
    """Whole, in order, once."""
    client = Client()
    await relay(many(500), client.receive, client.send)
    assert client.pieces == [b"".join(encode_item(item(number)) for number in range(500))]


async def test_an_item_goes_as_soon_as_it_is_there() -> None:
    """Nobody waits for the next one."""
    client, more = Client(), asyncio.Event()

    async def slow() -> AsyncIterator[TrialLogsResponse]:
        yield item(1)
        await more.wait()
        yield item(2)

    relaying = asyncio.create_task(relay(slow(), client.receive, client.send))
    while not client.pieces:  # noqa: ASYNC110
        await asyncio.sleep(0)
    assert client.pieces == [encode_item(item(1))]
    more.set()
    await relaying
    assert client.pieces == [encode_item(item(1)), encode_item(item(2))]


async def test_no_more_is_read_than_a_slow_client_takes() -> None:
    """What is kept for it is bounded."""
    client, taking, read = Client(), asyncio.Semaphore(0), 0

    async def counted() -> AsyncIterator[TrialLogsResponse]:
        nonlocal read
        for number in range(1000):
            read += 1
            yield item(number, "x" * 1000)

    async def slowly(data: bytes) -> None:
        await taking.acquire()
        await client.send(data)

    relaying = asyncio.create_task(relay(counted(), client.receive, slowly))
    for _ in range(50):
        await asyncio.sleep(0)
    assert read < 3 * AHEAD / 1000
    for _ in range(1000):
        taking.release()
    await relaying
    assert b"".join(client.pieces).count(b"\n") == read == 1000


async def test_a_failure_comes_after_what_came_before_it() -> None:
    """Also when both happen at once; without an item before it nothing is sent."""
    client = Client()

    async def failing(count: int) -> AsyncIterator[TrialLogsResponse]:
        for number in range(count):
            yield item(number)
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await relay(failing(0), client.receive, client.send)
    assert client.pieces == []
    with pytest.raises(ValueError, match="broken"):
        await relay(failing(1), client.receive, client.send)
    assert client.pieces == [encode_item(item(0))]


async def test_who_leaves_ends_the_reading_at_once() -> None:
    """What reads for a client that is gone is closed before the call returns."""
    client, closed = Client(), False

    async def endless() -> AsyncIterator[TrialLogsResponse]:
        nonlocal closed
        try:
            yield item(1)
            await asyncio.Event().wait()
        finally:
            closed = True

    relaying = asyncio.create_task(relay(endless(), client.receive, client.send))
    while not client.pieces:  # noqa: ASYNC110
        await asyncio.sleep(0)
    client.leave.set()
    with pytest.raises(Gone):
        await relaying
    assert closed


async def test_a_call_that_is_ended_while_it_waits_is_answered(app: App) -> None:
    """As a server that stops does it with long polls: the client is to ask again."""
    sent: list[dict[str, Any]] = []
    async with ApiClient.open(app.asgi, PASSWORD) as client:
        token = await client.token("admin")

    async def silence() -> dict[str, Any]:
        await asyncio.Event().wait()
        return {}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/api/v1/workspaces",
        "query_string": b"",
        "headers": [(b"authorization", f"Bearer {token}".encode())],
    }
    call = asyncio.create_task(app.asgi(scope, silence, send))
    await asyncio.sleep(0)
    call.cancel()
    await call
    assert sent[0]["status"] == 503
    assert "the server is stopping; ask again" in sent[1]["body"].decode()
