"""Follows allocations that run: stores the lines of their logs, sees them start, get ready, exit or get lost.

An exit is applied only after the last line of the log is stored, so that whoever sees a task ended can read all it said.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from undeterred.base import json
from undeterred.base.clock import Clock
from undeterred.base.errors import Failure
from undeterred.base.struct import Struct, asdict, field
from undeterred.core.lifecycle.exits import Cause, ExitFacts
from undeterred.core.loglines import LogLine
from undeterred.engine import allocations, keys, logs
from undeterred.engine.launchers import Launchers
from undeterred.engine.waiters import Waiters
from undeterred.launch.launcher import Handle, Launcher, Line, Offsets, Status, TaskState
from undeterred.store import allocations as rows
from undeterred.store import tasks
from undeterred.store.database import Database, Tx

log = logging.getLogger(__name__)

QUICKEST = 0.1
SLOWEST = 0.8
"""Seconds between two looks at the log of a task: quick while it writes, slower while it is silent."""
AFTER_FAILURE = 5.0
READ_AGAIN = 2.0
"""Seconds after which the allocations that run are read again although nothing was said of them."""
AT_ONCE = 16


class _Watched(Struct):
    """What is remembered of an allocation between two looks; nothing that could not be lost."""

    pause: float = QUICKEST
    next_look: float = 0.0
    offsets: Offsets = field(default_factory=Offsets)
    started: bool = False
    ready: bool = False


class ObserverService:
    """See the module."""

    name = "observer"
    wakes = (keys.OBSERVER,)

    def __init__(self, db: Database, clock: Clock, launchers: Launchers, waiters: Waiters) -> None:
        self._db = db
        self._clock = clock
        self._launchers = launchers
        self._watched: dict[str, _Watched] = {}
        self._urgent: set[str] = set()
        self._live: list[Any] = []
        self._changed = waiters.subscribe(keys.OBSERVER)
        self._changed.set()
        self._read_again = 0.0

    @property
    def period(self) -> float:
        """Seconds between two runs: long when nothing runs."""
        return QUICKEST if self._watched else 5.0

    def look_at(self, allocation_id: str) -> None:
        """Something has happened to this allocation: it does not wait for its turn at the next run."""
        self._urgent.add(allocation_id)

    async def run_once(self) -> None:
        """Look at those whose turn it is. What goes wrong with one does not hold the others up."""
        urgent, self._urgent = self._urgent, set()
        now = self._clock.monotonic()
        if self._changed.is_set() or now >= self._read_again:
            await self._read()
        live = self._live
        limit = asyncio.Semaphore(AT_ONCE)

        async def one(row: Any) -> None:
            async with limit:
                try:
                    await self._look(row)
                except Exception as error:
                    foreseen = isinstance(error, Failure)
                    log.error("looking at allocation %s failed: %s", row.id, error, exc_info=not foreseen)
                    self._watched[row.id].next_look = self._clock.monotonic() + AFTER_FAILURE

        await asyncio.gather(*(one(row) for row in live if row.id in urgent or self._watched[row.id].next_look <= now))

    async def _read(self) -> None:
        """Which allocations run. Between two readings only their logs are looked at."""
        self._changed.clear()
        self._live = await self._db.read(rows.with_handle)
        self._watched = {row.id: self._watched.get(row.id) or _Watched() for row in self._live}
        for row in self._live:
            self._watched[row.id].offsets = offsets_of(row.log_offsets)
        self._read_again = self._clock.monotonic() + READ_AGAIN

    async def _look(self, row: Any) -> None:
        launcher = self._launchers.of_pool(row.resource_pool)
        if launcher is None:
            return
        handle = Handle(row.handle)
        status = await launcher.status(handle)
        if status.state is TaskState.UNKNOWN:
            return
        watched = self._watched[row.id]
        if status.state is not TaskState.PENDING and row.ports is None and not watched.started:
            await self._started(row, status)
            watched.started = True
        wrote, complete = await self._read_log(launcher, handle, row)
        if status.terminal and complete:
            await self._ended(launcher, handle, row, status)
        elif not status.terminal and not row.is_ready and not watched.ready:
            watched.ready = await self._probe(row, status)
        watched.pause = QUICKEST if wrote or status.terminal else min(SLOWEST, watched.pause * 1.5)
        watched.next_look = self._clock.monotonic() + watched.pause

    async def _started(self, row: Any, status: Status) -> None:
        await self._db.write(lambda tx: allocations.running(tx, row.id, status.addresses, dict(status.ports)))

    async def _read_log(self, launcher: Launcher, handle: Handle, row: Any) -> tuple[bool, bool]:
        """Store what was written since the last look; whether there was anything, and whether nothing more will come."""
        watched, wrote = self._watched[row.id], False
        while True:
            read = await launcher.read_lines(handle, watched.offsets)
            if read.offsets != watched.offsets:
                lines = [_line(row, line) for line in read.lines]
                await self._db.write(lambda tx, lines=lines, after=read.offsets: _store(tx, row, lines, after))  # type: ignore[misc]
                watched.offsets, wrote = read.offsets, True
            if not read.more:
                return wrote, read.complete

    async def _ended(self, launcher: Launcher, handle: Handle, row: Any, status: Status) -> None:
        def close(tx: Tx) -> None:
            current = allocations.held(tx, row.id)
            allocations.exited(tx, current, exit_of(current, status))

        self._changed.set()
        await self._db.write(close)
        await launcher.release(handle)

    async def _probe(self, row: Any, status: Status) -> bool:
        """A task with a port of its own is ready when something listens there; one without any when it runs. Whether it is."""
        if row.launch is None:
            return False
        variable = json.loads(row.launch)["ready_port"]
        port = dict(status.ports).get(variable)
        if variable and (port is None or not await _listens(status.addresses[0], port)):
            return False

        def serves(tx: Tx) -> None:
            allocations.ready(tx, row.id)
            if variable:
                logs.say(tx, row.task_id, f"Service of {row.id} is available", allocation_id=row.id)

        await self._db.write(serves)
        return True


def exit_of(row: Any, status: Status) -> ExitFacts:
    """What the end of a task means for its allocation (its row): by itself, by us, or lost."""
    ended = status.exit
    if ended is None:
        cause = Cause.KILLED if row.kill_at is not None else Cause.LOST
        return ExitFacts(cause, message=status.reason)
    ours = ended.killed or (row.kill_at is not None and ended.code != 0)
    return ExitFacts(Cause.KILLED if ours else Cause.EXITED, ended.code, message=ended.error)


def offsets_of(text: str | None) -> Offsets:
    """Stored offsets; those of a log that was never read are zero."""
    return Offsets(**json.loads(text)) if text else Offsets()


def _store(tx: Tx, row: Any, lines: Sequence[LogLine], after: Offsets) -> None:
    """Lines and how far the log is read, in one transaction: each line is stored exactly once."""
    rows.update(tx, row.id, log_offsets=json.dumps(asdict(after)))
    if tasks.find(tx, row.task_id) is not None:
        logs.append(tx, row.task_id, lines)


def _line(row: Any, line: Line) -> LogLine:
    return LogLine(
        line.text,
        line.time,
        line.level,
        "task",
        line.source,
        line.rank,
        agent_id=row.agent_id,
        container_id=row.id,
        allocation_id=row.id,
    )


async def _listens(address: str, port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection(address, port), 1.0)
    except (OSError, TimeoutError):
        return False
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return True
