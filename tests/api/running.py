"""A trial whose processes run, as far as the server knows; and servers on a clock that is moved by hand."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.clocks import Hands
from tests.conftest import PASSWORD, server_on
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.engine import allocations
from undeterred.engine.services.all import build
from undeterred.store import allocations as rows
from undeterred.store import sessions
from undeterred.store.database import Tx

TASK_SERVICES = {"observer", "orphans", "scheduler", "launcher"}
"""Services that would find out that there is no process."""


async def pretend(app: App, user_id: int = 1) -> str:
    """Let the only allocation that waits run for a user; its id. `token_of` is its token."""

    def start(tx: Tx) -> str:
        (row,) = rows.in_states(tx, ["PENDING"])
        assert allocations.assign(tx, row.id, [("local", [0])])
        allocations.submitted(tx, row.id, "{}", "{}")
        allocations.running(tx, row.id, ["127.0.0.1"], {"C10D_PORT": 29400})
        sessions.create(tx, user_id, token_of(row.id), kind="allocation", allocation_id=row.id)
        return str(row.id)

    await app.running.stop(end_tasks=False)
    return await app.db.write(start)


def token_of(allocation_id: str) -> str:
    """The token of an allocation that was made to run."""
    return f"secret of {allocation_id}"


async def end(app: App, allocation_id: str, code: int = 0) -> None:
    """Its processes are gone."""
    facts = allocations.ExitFacts(allocations.Cause.EXITED, code)
    await app.db.write(lambda tx: allocations.exited(tx, rows.locked(tx, allocation_id), facts))


class Site:
    """Servers one after the other on one database and one clock; background services work when they are told to."""

    def __init__(self, url: str, data_dir: Path, settings: Settings, clock: Hands) -> None:
        self.url, self.data_dir, self.settings, self.clock = url, data_dir, settings, clock

    @asynccontextmanager
    async def up(self) -> AsyncIterator[tuple[App, Client]]:
        """A server, from its start to its stop."""
        app = server_on(self.url, self.data_dir, self.settings, self.clock)
        app.engine.log.attach(asyncio.get_running_loop())
        await app.engine.open()
        try:
            async with Client.open(app.asgi, PASSWORD) as client:
                yield app, client
        finally:
            await app.stop()


async def serve(app: App) -> None:
    """Let every service work once, except those that look after processes."""
    for service in build(app.engine):
        if service.name not in TASK_SERVICES:
            await service.run_once()
