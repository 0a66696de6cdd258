"""Runs the background services: each as one task that repeats `run_once`, woken after commits, periodic besides.

A service takes no input: it reads the state, decides, writes and returns, and is safe to run twice. What it raises is logged and
remembered; it runs again after a delay that grows with each failure in a row.
"""

import asyncio
import logging
from collections.abc import Hashable, Sequence
from typing import Protocol

from undeterred.base.clock import Clock, Micros
from undeterred.base.errors import Failure
from undeterred.base.struct import Struct
from undeterred.engine.waiters import Waiters, wait

log = logging.getLogger(__name__)

FIRST_DELAY = 0.2
"""Seconds before a failed service runs again; doubled with each failure in a row."""
LONGEST_DELAY = 60.0
PATIENCE = 5.0
"""Seconds that a running service has to come to its end when the server stops."""


class Service(Protocol):
    """One kind of background work."""

    @property
    def name(self) -> str:
        """For logs and views."""

    @property
    def period(self) -> float:
        """Seconds between two runs when nothing wakes it."""

    @property
    def wakes(self) -> tuple[Hashable, ...]:
        """Keys of waiters that wake it."""

    async def run_once(self) -> None:
        """Bring things to where they should be."""


class ServiceState(Struct):
    """How a service is doing."""

    name: str
    last_start: Micros | None = None
    last_seconds: float = 0.0
    runs: int = 0
    failures: int = 0
    """In a row."""
    error: str = ""
    """Of the last failure; empty after a run that went well."""
    busy: bool = False


class Supervisor:
    """Starts services in order and stops them in reverse."""

    def __init__(self, services: Sequence[Service], waiters: Waiters, clock: Clock) -> None:
        self._services = tuple(services)
        self._waiters = waiters
        self._clock = clock
        self._states = {service.name: ServiceState(service.name) for service in services}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._halted: set[str] = set()

    def states(self) -> list[ServiceState]:
        """One for each service, in their order."""
        return list(self._states.values())

    def start(self) -> None:
        """Start them all."""
        for service in self._services:
            self._tasks[service.name] = asyncio.create_task(self._run(service), name=f"service {service.name}")

    async def stop(self, *names: str) -> None:
        """Stop some of them, or all: what runs may finish for a while, then it is canceled."""
        chosen = [name for name in reversed(self._tasks) if not names or name in names]
        self._halted.update(chosen)
        for name in chosen:
            task = self._tasks.pop(name)
            if not self._states[name].busy:
                task.cancel()
            done, _ = await asyncio.wait({task}, timeout=PATIENCE)
            if not done:
                task.cancel()
                await asyncio.wait({task})

    async def _run(self, service: Service) -> None:
        state = self._states[service.name]
        with self._waiters.on(*service.wakes) as event:
            while service.name not in self._halted:
                event.clear()
                await self._once(service, state)
                if service.name in self._halted:
                    return
                if state.failures:
                    await asyncio.sleep(min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(state.failures, 12)))
                else:
                    await wait(event, service.period)

    async def _once(self, service: Service, state: ServiceState) -> None:
        begun = self._clock.monotonic()
        state.last_start, state.busy = self._clock.now(), True
        try:
            await service.run_once()
        except Exception as error:
            state.failures += 1
            state.error = f"{type(error).__name__}: {error}"
            foreseen = isinstance(error, Failure)  # says what is wrong; where it was raised tells nobody more
            log.error("service %s failed (%d in a row): %s", service.name, state.failures, error, exc_info=not foreseen)
        else:
            state.failures, state.error = 0, ""
        finally:
            state.busy = False
        state.runs += 1
        state.last_seconds = self._clock.monotonic() - begun
