"""Removes expired logs by the schedule of the settings, once a day without one."""

import logging

from undeterred.base.clock import DAY, Clock, Micros
from undeterred.base.settings import Retention
from undeterred.core.retention.logs import Every, parse_schedule
from undeterred.engine.retention import clean_logs
from undeterred.store import cluster
from undeterred.store.database import Database

log = logging.getLogger(__name__)

LAST = "logs_cleaned_at"
"""Fact of the installation: when the schedule was last followed, so that a restart does not follow it again."""


class RetentionService:
    """See the module."""

    name = "retention"
    period = 60.0
    wakes = ()

    def __init__(self, db: Database, clock: Clock, settings: Retention) -> None:
        """Raises Invalid for a schedule that is none."""
        self._db = db
        self._clock = clock
        self._days = settings.log_retention_days
        self._schedule = parse_schedule(settings.schedule) if settings.schedule else Every(DAY)

    async def run_once(self) -> None:
        """Clean when it is time."""
        now, last = self._clock.now(), await self._last()
        if now < self._schedule.following(last):
            return
        removed = await clean_logs(self._db, self._days)
        await self._db.write(lambda tx: cluster.put(tx, LAST, str(now)))
        if removed:
            log.info("removed %d expired lines of logs", removed)

    async def _last(self) -> Micros:
        """When it was last done; a new server counts from its first start."""
        text = await self._db.read(lambda tx: cluster.get(tx, LAST))
        if text is not None:
            return int(text)
        now = self._clock.now()
        await self._db.write(lambda tx: cluster.put(tx, LAST, str(now)))
        return now
