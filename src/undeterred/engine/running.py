"""The engine at work: its services and what watches the launchers, started in order and stopped in reverse."""

import asyncio
import logging

from undeterred.engine import allocations, keys
from undeterred.engine.engine import Engine
from undeterred.engine.services.all import build
from undeterred.engine.services.supervisor import ServiceState, Supervisor
from undeterred.launch.launcher import Launcher
from undeterred.store import allocations as rows
from undeterred.store.database import Tx

log = logging.getLogger(__name__)

END_TASKS_S = 20.0
"""How long tasks that are to end with the server are waited for."""


class Running:
    """Background work of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._supervisor = Supervisor(build(engine), engine.waiters, engine.clock)
        self._watches: list[asyncio.Task[None]] = []
        engine.service_states = self.states

    def states(self) -> list[ServiceState]:
        """How each service is doing."""
        return self._supervisor.states()

    async def start(self) -> None:
        """Take over what runs, then start all services."""
        await self._engine.open()
        self._supervisor.start()
        self._watches = [asyncio.create_task(self._watch(launcher)) for launcher in self._engine.launchers.all()]

    async def stop(self, *, end_tasks: bool) -> int:
        """Stop all; the number of tasks that run on. With `end_tasks` they are ended before, and their logs read to the end."""
        if end_tasks:
            await self._end_tasks()
        await self._supervisor.stop()
        for watch in self._watches:
            watch.cancel()
        await asyncio.gather(*self._watches, return_exceptions=True)
        left = await self._engine.count_tasks()
        await self._engine.launchers.close()
        return left

    async def _watch(self, launcher: Launcher) -> None:
        """Let the observer look at once at what a launcher names."""
        async for event in launcher.watch():
            if event.allocation_id:
                self._engine.observer.look_at(event.allocation_id)
            self._engine.waiters.wake([keys.OBSERVER])

    async def _end_tasks(self) -> None:
        """Nothing new starts; what runs is ended. What is still wanted starts again with the next server."""
        await self._supervisor.stop("scheduler")
        await self._engine.db.write(_kill_all)
        deadline = self._engine.clock.monotonic() + END_TASKS_S
        while await self._engine.count_tasks():
            if self._engine.clock.monotonic() > deadline:
                log.warning("some tasks have not ended within %.0f s", END_TASKS_S)
                return
            await asyncio.sleep(0.05)


def _kill_all(tx: Tx) -> None:
    for row in rows.in_states(tx, allocations.GIVEN):
        allocations.stop(tx, allocations.held(tx, row.id), graceful=False, why="the server is stopped together with its tasks")
