"""Removes the logs of tasks that ended long enough ago: trials by their own setting or the cluster's, others by the cluster's."""

from undeterred.core.retention.logs import cutoff
from undeterred.store import expiry, logs
from undeterred.store.database import Database, Tx

TASKS_AT_ONCE = 100
LINES_AT_ONCE = 5_000
"""Lines of one transaction: a longer one would hold the writer up."""


async def clean_logs(db: Database, default_days: int | None) -> int:
    """Remove what has expired; the number of lines removed."""
    removed = 0
    while tasks := await db.read(lambda tx: _expired(tx, default_days)):
        while lines := await db.write(lambda tx, tasks=tasks: logs.delete_of_tasks(tx, tasks, LINES_AT_ONCE)):  # type: ignore[misc]
            removed += lines
    return removed


def _expired(tx: Tx, default_days: int | None) -> list[str]:
    """Some tasks whose logs may go."""
    found: list[str] = []
    for days in expiry.settings_of_runs(tx):
        before = cutoff(tx.now, days, default_days)
        if before is not None:
            found += expiry.of_runs(tx, days, before, TASKS_AT_ONCE)
    before = cutoff(tx.now, None, default_days)
    if before is not None:
        found += expiry.of_others(tx, before, TASKS_AT_ONCE)
    return found
