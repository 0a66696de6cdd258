"""Removes logins that have run out."""

from undeterred.engine import keys
from undeterred.store import sessions
from undeterred.store.database import Database, Tx


class SessionService:
    """They are refused from the moment they run out; this only removes their rows."""

    name = "sessions"
    period = 3600.0
    wakes = ()

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run_once(self) -> None:
        """Remove them."""

        def remove(tx: Tx) -> None:
            if sessions.delete_expired(tx, tx.now):
                tx.wake(keys.SESSIONS)

        await self._db.write(remove)
