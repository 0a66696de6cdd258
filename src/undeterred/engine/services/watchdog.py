"""Looks after time-outs: tasks that do not leave when asked, tasks that are idle, unmanaged trials that fell silent."""

from typing import Any

from undeterred.base import json
from undeterred.base.clock import SECOND, Clock
from undeterred.engine import allocations, keys, tasks, unmanaged
from undeterred.engine.routes import Routes
from undeterred.store import allocations as rows
from undeterred.store.database import Database, Tx

DEFAULT_GRACE = 3600 * SECOND
SILENCE = 300 * SECOND
"""After so long without a sign of life an unmanaged trial counts as failed."""
ROLL_CALL_S = 20.0


class WatchdogService:
    """See the module."""

    name = "watchdog"
    period = 1.0
    wakes = (keys.WATCHDOG,)

    def __init__(self, db: Database, routes: Routes, clock: Clock) -> None:
        self._db = db
        self._routes = routes
        self._clock = clock
        self._next_roll_call = 0.0

    async def run_once(self) -> None:
        """Look at everything that may have run out of time."""
        late, idle = await self._db.read(self._overdue)
        for allocation_id in late:
            await self._db.write(lambda tx, name=allocation_id: _kill_late(tx, name))  # type: ignore[misc]
        for task_id in idle:
            await self._db.write(lambda tx, name=task_id: tasks.end(tx, name, "it was idle for too long"))  # type: ignore[misc]
        if self._clock.monotonic() >= self._next_roll_call:
            self._next_roll_call = self._clock.monotonic() + ROLL_CALL_S
            await self._roll_call()

    async def _roll_call(self) -> None:
        """Unmanaged trials that have not been heard of have failed."""
        for run_id in await self._db.read(lambda tx: unmanaged.silent_since(tx, tx.now - SILENCE)):
            await self._db.write(lambda tx, run=run_id: unmanaged.fell_silent(tx, run, tx.now - SILENCE))  # type: ignore[misc]

    def _overdue(self, tx: Tx) -> tuple[list[str], list[str]]:
        open_rows = rows.with_handle(tx)
        late = [
            row.id
            for row in open_rows
            if row.preempt_at is not None
            and row.kill_at is None
            and row.preempt_at + (DEFAULT_GRACE if row.preemption_timeout is None else row.preemption_timeout) <= tx.now
        ]
        idle = [row.task_id for row in open_rows if row.is_ready and row.kill_at is None and self._is_idle(tx, row)]
        return late, idle

    def _is_idle(self, tx: Tx, row: Any) -> bool:
        launch = json.loads(row.launch) if row.launch else {}
        if launch.get("idle_seconds") is None:
            return False
        last = self._routes.last_activity(row.task_id, tx.now, reports=launch["idle_reports"])
        return bool(max(last, row.start_time) + int(launch["idle_seconds"]) * SECOND <= tx.now)


def _kill_late(tx: Tx, allocation_id: str) -> None:
    row = allocations.held(tx, allocation_id)
    if row.preempt_at is not None and row.state != rows.ENDED:
        allocations.stop(tx, row, graceful=False, why="it did not leave in time after it was asked to")
