"""Many who follow one log cost the database as much as one, and leave nothing behind."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from tests.api import unmanaged
from tests.support import Client, Stream
from undeterred.app import App

FOLLOWERS = 1000


@contextlib.contextmanager
def counted() -> Iterator[list[str]]:
    """The queries of log lines that any database is asked."""
    seen: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if statement.startswith("SELECT") and "FROM task_logs" in statement:
            seen.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(sa.Engine, "before_cursor_execute", note)


class Log:
    """The log of a trial that goes on."""

    def __init__(self, client: Client, app: App, trial: int, task: str) -> None:
        self.client = client
        self.app = app
        self.trial = trial
        self.task = task

    async def write(self, *lines: str) -> None:
        """Add lines in one call."""
        await self.client.ok("POST", "task/logs", {"logs": [{"taskId": self.task, "log": f"{line}\n"} for line in lines]})

    def readers(self) -> int:
        """How many wait for news of it."""
        return self.app.waiters.count(("logs", self.task))

    @contextlib.asynccontextmanager
    async def followed(self, many: int, path: str = "logs") -> AsyncIterator[list[Stream]]:
        """So many who follow it; they leave at the end."""
        async with contextlib.AsyncExitStack() as stack:
            url = f"trials/{self.trial}/{path}"
            yield [await stack.enter_async_context(self.client.stream(self.app.asgi, url, follow="true")) for _ in range(many)]


@pytest.fixture
async def log(client: Client, app: App) -> Log:
    """With one line."""
    trial = await unmanaged.trial(client, await unmanaged.experiment(client))
    made = Log(client, app, trial, (await client.ok("GET", f"trials/{trial}"))["trial"]["taskId"])
    await made.write("first")
    return made


async def heard(streams: list[Stream]) -> set[str]:
    """The next line of each."""
    return {item["message"].strip().split(" ")[-1] for item in await asyncio.gather(*(stream.next() for stream in streams))}


async def caught_up(log: Log, streams: list[Stream]) -> None:
    """All have had the first line and wait for the next."""
    assert await heard(streams) == {"first"}
    while log.readers() < len(streams):  # noqa: ASYNC110 (nothing tells when one begins to wait)
        await asyncio.sleep(0)


async def test_a_new_batch_is_read_once(log: Log) -> None:
    """However many follow, each call that adds lines costs one query, and all get all lines in their order."""
    async with log.followed(FOLLOWERS) as streams:
        await caught_up(log, streams)
        with counted() as queries:
            for batch in range(5):
                await log.write(*(f"{batch}.{line}" for line in range(3)))
                for line in range(3):
                    assert await heard(streams) == {f"{batch}.{line}"}
            assert len(queries) == 5
    assert log.readers() == 0


async def test_lines_that_come_while_others_are_read_are_not_missed(log: Log) -> None:
    """Writers and followers at full speed; nobody waits for the next look."""
    async with log.followed(20) as streams:
        await asyncio.gather(*(log.write(f"{batch}.a", f"{batch}.b") for batch in range(30)))
        got = [[await stream.next() for _ in range(61)] for stream in streams]
    assert all(lines == got[0] for lines in got)


async def test_fields_are_read_once(log: Log) -> None:
    """Also the values that one can filter by: one look, a query per column."""
    async with log.followed(50, "logs/fields") as streams:
        await asyncio.gather(*(stream.next() for stream in streams))
        with counted() as queries:
            line = {"taskId": log.task, "log": "x\n", "source": "new"}
            await log.client.ok("POST", "task/logs", {"logs": [line]})
            items = await asyncio.gather(*(stream.next() for stream in streams))
            assert all("new" in item["sources"] for item in items)
            assert len(queries) == 6


async def test_the_end_of_a_trial_of_its_own_is_heard_at_once(log: Log) -> None:
    """Nobody waits for the next look to learn that nothing more will come."""
    async with log.followed(3) as streams:
        assert await heard(streams) == {"first"}
        await unmanaged.patch(log.client, log.trial, "COMPLETED")
        assert [await stream.next() for stream in streams] == [None] * 3
