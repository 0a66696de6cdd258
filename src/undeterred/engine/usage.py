"""Accounting of slots: the sums of days that are over, made once each, and the waiting times shown beside the queues."""

import datetime as dt
from collections.abc import Iterable

from undeterred.base import json
from undeterred.base.clock import DAY, SECOND, Micros, from_text
from undeterred.core.usage import QUEUED, Use, add_up, day_of, next_day
from undeterred.store import usage
from undeterred.store.database import Tx


def day_text(day: Micros) -> str:
    """The date of a day, such as 2024-01-31."""
    return dt.datetime.fromtimestamp(day // SECOND, dt.UTC).strftime("%Y-%m-%d")


def missing_day(tx: Tx) -> Micros | None:
    """The earliest day that is over and has no sums yet."""
    last = usage.last_day(tx)
    return next_day(None if last is None else from_text(f"{last}T00:00:00Z"), usage.first_use(tx), tx.now)


def sums_of(tx: Tx, day: Micros) -> dict[tuple[str, str], float]:
    """Slot-seconds of one day by all kinds, and mean waiting times by pool."""
    sums = add_up(
        (
            Use(
                row.start_time,
                row.end_time,
                row.slots,
                row.username or "",
                json.loads(row.labels or "[]"),
                row.resource_pool,
                [(agent, len(slots)) for agent, slots in json.loads(row.nodes)],
            )
            for row in usage.uses(tx, day, day + DAY)
        ),
        day,
        day + DAY,
    )
    return sums | {(QUEUED, pool): mean / SECOND for pool, mean in usage.waits(tx, day, day + DAY).items()}


def queue_times(tx: Tx, pools: Iterable[str], past_days: int) -> dict[str, list[tuple[str, int]]]:
    """Pool -> (date, mean seconds in the queue, rounded) of past days that have any, and of today so far."""
    today = day_of(tx.now)
    found: dict[str, list[tuple[str, int]]] = {pool: [] for pool in pools}
    for row in usage.days(tx, day_text(today - past_days * DAY), day_text(today - DAY)):
        if row.kind == QUEUED and row.key in found:
            found[row.key].append((row.day, round(row.seconds)))
    waits = usage.waits(tx, today, today + DAY)
    for pool, listed in found.items():
        listed.append((day_text(today), round(waits.get(pool, 0) / SECOND)))
    return found
