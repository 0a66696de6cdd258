"""Ends what a launcher runs in our name although no open allocation stands for it, and removes what ended ones have left."""

from undeterred.engine.launchers import Launchers
from undeterred.store import allocations
from undeterred.store.database import Database


class OrphanService:
    """A task is ended when it was an orphan twice in a row, so that none is mistaken for one while its rows are written."""

    name = "orphans"
    period = 60.0
    wakes = ()

    def __init__(self, db: Database, launchers: Launchers) -> None:
        self._db = db
        self._launchers = launchers
        self._suspects: set[str] = set()

    async def run_once(self) -> None:
        """Compare what runs with what should."""
        suspects: set[str] = set()
        for launcher in self._launchers.all():
            owned = await launcher.list_owned()
            known = await self._db.read(lambda tx, owned=owned: allocations.states(tx, [name for name, _, _ in owned]))  # type: ignore[misc]
            for name, handle, status in owned:
                if known.get(name, allocations.ENDED) != allocations.ENDED:
                    continue
                if status.terminal:
                    await launcher.release(handle)
                    continue
                suspects.add(name)
                if name in self._suspects:
                    await launcher.kill(handle, 0)
        self._suspects = suspects
