"""Writes snapshots of searches that have gone far beyond their last one, so that a restart need not replay the whole log."""

from undeterred.core.search import SNAPSHOT_VERSION
from undeterred.engine import keys
from undeterred.engine.search import Searches
from undeterred.store import experiments, searches
from undeterred.store.database import Database, Tx


class SnapshotService:
    """Made from the log in a reading transaction: the search at work is never held up by it."""

    name = "snapshots"
    period = 3600.0
    wakes = (keys.SNAPSHOTS,)

    def __init__(self, db: Database, live: Searches) -> None:
        self._db = db
        self._searches = live

    async def run_once(self) -> None:
        """Write those that are due."""
        for experiment_id in self._searches.take_due():
            made = await self._db.read(lambda tx, one=experiment_id: self._make(tx, one))  # type: ignore[misc]
            if made is not None:
                seq, state = made
                await self._db.write(lambda tx, one=experiment_id, seq=seq, state=state: _put(tx, one, seq, state))  # type: ignore[misc]

    def _make(self, tx: Tx, experiment_id: int) -> tuple[int, str] | None:
        experiment = experiments.find(tx, experiment_id)
        return None if experiment is None else self._searches.make_snapshot(tx, experiment)


def _put(tx: Tx, experiment_id: int, seq: int, state: str) -> None:
    if experiments.find(tx, experiment_id) is not None:
        searches.put_snapshot(tx, experiment_id, seq, SNAPSHOT_VERSION, state)
