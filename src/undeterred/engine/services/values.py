"""Brings the table that searches read up to date with what runs have reported and experiments were given."""

from collections.abc import Callable

from undeterred.base.clock import SECOND
from undeterred.store import run_values
from undeterred.store.database import Database, Tx
from undeterred.store.run_values import Owners

BATCH = 3
"""Runs of one transaction: some hundred cells, written at 25,000 a second, so that it stays short."""
PASS = 400
"""Runs of one pass at most."""
QUIET = 10 * SECOND
"""A run that reports more often than this is left alone until it ends: searches take its values from its summaries."""


class ValuesService:
    """Searches are right without it; it keeps them quick when many runs have ended."""

    name = "values"
    period = 3.0
    wakes = ()

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run_once(self) -> None:
        """Work off experiments, then runs that have ended or fallen silent."""
        await self._refresh(run_values.EXPERIMENTS, lambda tx: run_values.stale_experiments(tx, PASS))
        await self._refresh(run_values.RUNS, lambda tx: run_values.stale_runs(tx, tx.now - QUIET, PASS))

    async def _refresh(self, owners: Owners, find: Callable[[Tx], list[int]]) -> None:
        ids = await self._db.read(find)
        for start in range(0, len(ids), BATCH):
            some = ids[start : start + BATCH]
            await self._db.write(lambda tx, some=some: run_values.refresh(tx, owners, some))  # type: ignore[misc]
