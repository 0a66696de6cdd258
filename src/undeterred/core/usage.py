"""Accounting: how many slot-seconds were used, by whom, for what and where."""

from collections.abc import Iterable, Sequence

from undeterred.base.clock import DAY, SECOND, Micros
from undeterred.base.struct import Struct

TOTAL, USER, LABEL, POOL, AGENT, QUEUED = "total", "username", "experiment_label", "resource_pool", "agent", "queued"
KINDS = (TOTAL, USER, LABEL, POOL, AGENT)
"""By what slot-seconds are added up; QUEUED is a mean of waiting times beside."""


class Use(Struct, frozen=True):
    """One allocation that held slots."""

    start: Micros
    end: Micros | None
    """None while it runs."""
    slots: int
    username: str
    labels: Sequence[str]
    pool: str
    places: Sequence[tuple[str, int]]
    """Agent and number of its slots."""


def seconds_within(start: Micros, end: Micros | None, low: Micros, high: Micros) -> float:
    """Seconds that the time from `start` to `end` (None: still going on) has in common with that from `low` to `high`."""
    return max(0, min(high if end is None else end, high) - max(start, low)) / SECOND


def add_up(uses: Iterable[Use], low: Micros, high: Micros) -> dict[tuple[str, str], float]:
    """(kind, key) -> slot-seconds between two times. The total is always there; a use with several labels counts for each."""
    sums: dict[tuple[str, str], float] = {(TOTAL, TOTAL): 0.0}
    for use in uses:
        seconds = seconds_within(use.start, use.end, low, high)
        keys = [(TOTAL, TOTAL), (USER, use.username), (POOL, use.pool), *((LABEL, label) for label in use.labels)]
        for key in keys if use.slots and seconds else ():
            sums[key] = sums.get(key, 0.0) + seconds * use.slots
        for agent, slots in use.places if seconds else ():
            if slots:
                sums[AGENT, agent] = sums.get((AGENT, agent), 0.0) + seconds * slots
    return sums


def day_of(time: Micros) -> Micros:
    """The beginning of the day, in UTC, that a time lies in."""
    return time // DAY * DAY


def next_day(last_done: Micros | None, first_use: Micros | None, now: Micros) -> Micros | None:
    """The earliest day that is over and not yet accounted for, or None: the one after the last, or that of the first use."""
    if last_done is not None:
        day = last_done + DAY
    elif first_use is not None:
        day = day_of(first_use)
    else:
        day = day_of(now) - DAY
    return day if day < day_of(now) else None
