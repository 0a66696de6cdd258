"""Carries out the deletion of single runs: waits until the collector has removed their files, then removes their rows."""

import logging
from typing import Any

from undeterred.base import json
from undeterred.engine import keys
from undeterred.engine.runs import DELETE
from undeterred.store import erase, erase_runs, events
from undeterred.store.database import Database, Tx

log = logging.getLogger(__name__)

MOST_ATTEMPTS = 5
"""Attempts to remove files after which the deletion of a run is given up."""
SOON_S, IDLE_S = 0.25, 60.0


class RunDeletionService:
    """Each step leaves the outbox so that the next one can go on after a restart."""

    name = "run deletion"
    wakes = (keys.RUN_DELETION,)

    def __init__(self, db: Database) -> None:
        self._db = db
        self._period = IDLE_S

    @property
    def period(self) -> float:
        """Short while files are waited for."""
        return self._period

    async def run_once(self) -> None:
        """Go as far as it goes."""
        items, left = await self._db.read(_open)
        self._period = IDLE_S
        for item in items:
            payload = json.loads(item.payload)
            waits = [left[one] for one in payload["waits_for"] if one in left]
            if any(one.attempts >= MOST_ATTEMPTS for one in waits):
                log.warning("run %d is not deleted: its files could not be removed: %s", payload["run_id"], waits[0].error)
                await self._db.write(lambda tx, item=item: events.done(tx, item.id))  # type: ignore[misc]
            elif waits:
                self._period = SOON_S
            else:
                await self._remove(item, payload["run_id"])

    async def _remove(self, item: Any, run_id: int) -> None:
        while await self._db.write(lambda tx: erase_runs.slice_of(tx, run_id)):
            pass

        def finish(tx: Tx) -> None:
            model = erase_runs.registered_as(tx, run_id)
            if model is None:
                erase_runs.finish(tx, run_id)
            else:
                log.warning("run %d is not deleted: one of its checkpoints is a version of the model %s", run_id, model)
            events.done(tx, item.id)

        await self._db.write(finish)


def _open(tx: Tx) -> tuple[list[Any], dict[int, Any]]:
    items = events.due(tx, DELETE, limit=1000)
    return items, erase.pending(tx, {one for item in items for one in json.loads(item.payload)["waits_for"]})
