"""Whether the server can work."""

import dataclasses
from typing import Any

from tests.conftest import PASSWORD
from tests.support import Client
from undeterred.api.all import HANDLERS
from undeterred.api.call import Call
from undeterred.api.health import health
from undeterred.app import App
from undeterred.base.struct import replace
from undeterred.http.server import Server
from undeterred.launch.launcher import Inventory
from undeterred.wire import messages as m
from undeterred.wire.operation import Empty


async def test_all_is_up(client: Client) -> None:
    """The database and the launchers answer; a login is needed."""
    manager = {"cluster_name": "default", "status": "up"}
    assert await client.ok("GET", "/health") == {"status": "up", "database": "up", "resource_managers": [manager]}
    assert (await client.get("/health", user=None)).body["message"]
    assert (await client.get("/health", user=None)).status == 401


class Lost:
    """A launcher whose machines are not known for sure."""

    async def inventory(self) -> Inventory:
        """What was known last."""
        return Inventory((), 0, authoritative=False)


class Dead(Call):
    """A call on a server whose database and launcher do not answer."""

    async def read(self, _work: Any) -> Any:
        """Fail as a driver does."""
        raise OSError("no database")

    @property
    def engine(self) -> Any:
        """With the lost launcher."""
        return dataclasses.make_dataclass("Engine", ["launchers"])(self)

    def all(self) -> list[Lost]:
        """The launchers."""
        return [Lost()]


async def test_what_is_down_is_told_with_503(app: App) -> None:
    """The answer says which parts are."""

    async def down(call: Call, req: Empty) -> m.HealthCheck:
        return await health(Dead(call.services, call.caller), req)

    handlers = HANDLERS | {"health": replace(HANDLERS["health"], function=down)}
    async with Client.open(Server(app.services, handlers), PASSWORD) as client:
        answer = await client.get("/health")
    assert (answer.status, answer.body["status"], answer.body["database"]) == (503, "down", "down")
    assert [manager["status"] for manager in answer.body["resource_managers"]] == ["down"]
