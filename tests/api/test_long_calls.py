"""Streams that go on for long end when their caller would not be let in any more."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest

from tests.api import unmanaged
from tests.conftest import PASSWORD
from tests.support import Client
from undeterred.app import App

log = logging.getLogger("undeterred.test")


@dataclass
class Place:
    """A running trial, and a caller of one's own."""

    client: Client
    app: App
    experiment: int
    trial: int
    task: str
    token: int = 0

    async def line(self, text: str) -> None:
        """A line of the trial's log."""
        await self.client.ok("POST", "task/logs", {"logs": [{"taskId": self.task, "log": text}]})

    async def metric(self, text: str) -> None:
        """A new metric of the trial."""
        await unmanaged.report(self.client, self.trial, 1, {text: 1}, text)

    async def master(self, text: str) -> None:
        """A line of the server's own log."""
        log.warning(text)

    async def log_in(self) -> None:
        """Let `caller` be a login of the second user."""
        body = {"username": "determined", "password": PASSWORD}
        self.client.tokens["caller"] = (await self.client.ok("POST", "auth/login", body, user=None))["token"]

    async def make_token(self, user: int = 2) -> None:
        """Let `caller` be an access token."""
        made = await self.client.ok("POST", "tokens", {"userId": user})
        self.token, self.client.tokens["caller"] = made["tokenId"], made["token"]

    async def revoke(self) -> None:
        """Revoke it."""
        await self.client.ok("PATCH", f"tokens/{self.token}", {"setRevoked": True})

    async def log_out(self) -> None:
        """With the same login, elsewhere."""
        await self.client.ok("POST", "auth/logout", user="caller")

    async def change_password(self) -> None:
        """Ends all logins."""
        await self.client.ok("POST", "users/2/password", "Another1")

    async def deactivate(self) -> None:
        """The user has left."""
        await self.client.ok("PATCH", "users/2", {"active": False})


@pytest.fixture
async def place(client: Client, app: App) -> Place:
    """A running trial."""
    experiment = await unmanaged.experiment(client)
    trial = await unmanaged.trial(client, experiment)
    return Place(client, app, experiment, trial, (await client.ok("GET", f"trials/{trial}"))["trial"]["taskId"])


Act = Callable[[Place], Awaitable[None]]


@pytest.mark.parametrize(
    ("begin", "end", "code"),
    [
        (Place.make_token, Place.revoke, 16),
        (Place.make_token, Place.deactivate, 7),
        (Place.log_in, Place.log_out, 16),
        (Place.log_in, Place.change_password, 16),
        (Place.log_in, Place.deactivate, 7),
    ],
)
async def test_who_may_not_call_any_more_hears_nothing_new(place: Place, begin: Act, end: Act, code: int) -> None:
    """The next line ends the stream with the error that any other call would have."""
    await begin(place)
    async with place.client.stream(place.app.asgi, f"tasks/{place.task}/logs", user="caller", follow="true") as stream:
        for text in ("one", "two"):
            await place.line(text)
            assert (await stream.next())["log"] == text
        await end(place)
        await place.line("secret")
        assert (await stream.next())["error"]["grpcCode"] == code
        assert await stream.rest() == []


@pytest.mark.parametrize(
    ("path", "news", "query"),
    [
        ("master/logs", Place.master, {"follow": "true"}),
        ("trials/{trial}/logs", Place.line, {"follow": "true"}),
        ("tasks/{task}/logs/fields", Place.line, {"follow": "true"}),
        ("experiments/metrics-stream/metric-names", Place.metric, {"ids": "1", "periodSeconds": "1"}),
    ],
)
async def test_every_stream_of_news_asks(
    place: Place, path: str, news: Callable[[Place, str], Awaitable[None]], query: dict[str, str]
) -> None:
    """Whatever it tells."""
    await place.make_token(1)
    where = path.format(trial=place.trial, task=place.task)
    async with place.client.stream(place.app.asgi, where, user="caller", **query) as stream:
        await news(place, "first")
        while "first" not in str(item := await stream.next()) and "agentIds" not in str(item):
            assert "error" not in item
        await place.revoke()
        await news(place, "secret")
        items = await stream.rest()
        assert items[-1]["error"]["grpcCode"] == 16
        assert "secret" not in str(items)
