"""Starts allocations that have their slots, and ends those that are to be killed.

The order of a start: the token's hash is written, the launcher is asked, the handle is written. A crash between two of these
is found again here: the launcher knows by the allocation's id what it has started already, and starts nothing twice.
"""

import asyncio
import logging
from typing import Any

from undeterred.base import json
from undeterred.base.clock import SECOND, Clock
from undeterred.base.errors import Broken, Busy, Invalid, NotFound, Unsupported
from undeterred.base.ids import new_secret
from undeterred.base.struct import Struct
from undeterred.core.lifecycle.exits import Cause, ExitFacts
from undeterred.engine import allocations, keys, logs, specs
from undeterred.engine.launchers import Launchers
from undeterred.launch.launcher import Handle, Launcher
from undeterred.store import allocations as rows
from undeterred.store import sessions
from undeterred.store.database import Database, Tx

log = logging.getLogger(__name__)

AT_ONCE = 4
"""Starts under way at the same time."""
KILL_GRACE_S = 5.0
"""Between SIGTERM and SIGKILL of a task that is killed."""
KILL_AGAIN = 30 * SECOND
TRIES = 5
"""Starts that may go wrong by the launcher's own fault before the allocation is given up (and asked for again)."""


class _Trouble(Struct):
    """Failed starts of one allocation."""

    tries: int
    not_before: float


class LauncherService:
    """See the module."""

    name = "launcher"
    period = 2.0
    wakes = (keys.LAUNCHER,)

    def __init__(self, db: Database, clock: Clock, launchers: Launchers, ground: specs.Ground) -> None:
        self._db = db
        self._clock = clock
        self._launchers = launchers
        self._ground = ground
        self._trouble: dict[str, _Trouble] = {}

    async def run_once(self) -> None:
        """Kill, then start."""
        waiting = await self._db.read(_to_do)
        self._trouble = {key: value for key, value in self._trouble.items() if any(row.id == key for row in waiting)}
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(row: Any) -> None:
            async with limit:
                await self._one(row)

        done = await asyncio.gather(*(one(row) for row in waiting), return_exceptions=True)
        for outcome in done:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _one(self, row: Any) -> None:
        launcher = self._launchers.of_pool(row.resource_pool)
        if launcher is None:
            if row.handle is None or row.kill_at is not None:
                await self._close(row.id, Cause.NOT_STARTED, f"pool {row.resource_pool} has no machines any more")
            return
        if row.kill_at is not None:
            await self._kill(launcher, row)
        elif row.handle is None and self._may_try(row.id):
            await self._start(launcher, row.id)

    def _may_try(self, allocation_id: str) -> bool:
        trouble = self._trouble.get(allocation_id)
        return trouble is None or self._clock.monotonic() >= trouble.not_before

    async def _kill(self, launcher: Launcher, row: Any) -> None:
        handle = row.handle or await launcher.find(row.id)
        if handle is None:
            await self._close(row.id, Cause.KILLED, row.end_cause or "")
            return
        await launcher.kill(Handle(handle), KILL_GRACE_S)

        def sent(tx: Tx) -> None:
            rows.update(tx, row.id, kill_sent_at=tx.now, handle=handle)
            tx.wake(keys.OBSERVER)

        await self._db.write(sent)

    async def _start(self, launcher: Launcher, allocation_id: str) -> None:
        try:
            token = new_secret()
            material = await self._db.write(lambda tx: _intend(tx, allocation_id, token))
            if material is None:
                return
            context = b""
            if material.task.context_digest is not None:
                context = await self._db.read(lambda tx: specs.context(tx, material))
            slots = json.loads(material.allocation.slot_ids)
            kind = self._launchers.device_kind(material.allocation.agent_id, slots)
            spec = specs.build(material, context, self._ground, token, kind)
            handle = await launcher.submit(spec)
        except (Invalid, Unsupported, NotFound) as failure:
            await self._close(allocation_id, Cause.REJECTED, str(failure))
        except (Busy, Broken, OSError) as failure:
            await self._later(allocation_id, failure)
        except Exception as error:
            log.exception("starting allocation %s failed", allocation_id)
            await self._later(allocation_id, error)
        else:
            await self._db.write(lambda tx: allocations.submitted(tx, allocation_id, handle, specs.summary(spec)))

    async def _later(self, allocation_id: str, failure: Exception) -> None:
        """The launcher could not: try again after a while, and give up after some tries."""
        trouble = self._trouble.setdefault(allocation_id, _Trouble(0, 0.0))
        trouble.tries += 1
        trouble.not_before = self._clock.monotonic() + min(60.0, 2.0**trouble.tries)
        log.warning("allocation %s could not be started (try %d): %s", allocation_id, trouble.tries, failure)
        if trouble.tries >= TRIES:
            await self._close(allocation_id, Cause.NOT_STARTED, str(failure))
        else:
            text = f"{allocation_id} could not be started yet: {failure}"
            task_id = allocation_id.rpartition(".")[0]
            await self._db.write(lambda tx: logs.say(tx, task_id, text, allocation_id=allocation_id, level="WARNING"))

    async def _close(self, allocation_id: str, cause: Cause, message: str) -> None:
        facts = ExitFacts(cause, message=message)
        await self._db.write(lambda tx: allocations.exited(tx, allocations.held(tx, allocation_id), facts))


def _to_do(tx: Tx) -> list[Any]:
    """Allocations to start, and those to kill to which no signal was sent lately."""
    found = rows.in_states(tx, [state for state in allocations.GIVEN if state != "TERMINATED"])
    old = tx.now - KILL_AGAIN
    return [
        row
        for row in found
        if (row.kill_at is None and row.handle is None) or (row.kill_at is not None and (row.kill_sent_at or 0) < old)
    ]


def _intend(tx: Tx, allocation_id: str, token: str) -> specs.Material | None:
    """Write the credential that the task will have, and read what it needs; None when it is not to be started any more."""
    row = rows.locked(tx, allocation_id)
    if row.state == rows.ENDED or row.kill_at is not None:
        return None
    material = specs.gather(tx, allocation_id)
    sessions.create(tx, material.owner.id, token, kind="allocation", allocation_id=allocation_id)
    return material
