"""Adds up, day by day, what was used; days that passed while the server was away are made up for."""

from undeterred.engine import usage
from undeterred.store import usage as rows
from undeterred.store.database import Database


class UsageService:
    """A few minutes after midnight (UTC) the day before is accounted for."""

    name = "usage"
    period = 300.0
    wakes = ()

    def __init__(self, db: Database) -> None:
        self._db = db

    async def run_once(self) -> None:
        """Account for every day that is over and has no sums."""
        while (day := await self._db.read(usage.missing_day)) is not None:
            text = usage.day_text(day)
            sums = await self._db.read(lambda tx, day=day: usage.sums_of(tx, day))  # type: ignore[misc]
            await self._db.write(lambda tx, text=text, sums=sums: rows.put_day(tx, text, sums))  # type: ignore[misc]
