"""Time as 64-bit microseconds since 1970 in UTC, and its text form on the wire.

Durations and leases use `Clock.monotonic`, never the difference of two wall-clock readings.
"""

import datetime as dt
import re
import time
from typing import Protocol

Micros = int
"""Microseconds since 1970-01-01T00:00:00Z."""

SECOND = 1_000_000
DAY = 86_400 * SECOND

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_FIRST = (dt.datetime(1, 1, 1, tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(seconds=1)
_LAST = (dt.datetime(9999, 12, 31, 23, 59, 59, tzinfo=dt.UTC) - _EPOCH) // dt.timedelta(seconds=1)
_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)")


class Clock(Protocol):
    """What passes time; tests pass a fake."""

    def now(self) -> Micros:
        """Wall-clock time."""

    def monotonic(self) -> float:
        """Seconds that never go back; only differences mean something."""


class SystemClock:
    """The machine's clocks."""

    def now(self) -> Micros:
        """Wall-clock time."""
        return time.time_ns() // 1000

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()


def to_text(micros: Micros) -> str:
    """RFC 3339 UTC with `Z` and 0, 3 or 6 fraction digits, as few groups as needed (`reference` of the wire: api conventions)."""
    seconds, fraction = divmod(micros, SECOND)
    head = (_EPOCH + dt.timedelta(seconds=seconds)).isoformat()[:19]
    if not fraction:
        return head + "Z"
    if fraction % 1000:
        return f"{head}.{fraction:06d}Z"
    return f"{head}.{fraction // 1000:03d}Z"


def to_full_text(micros: Micros) -> str:
    """RFC 3339 UTC with `Z` and always six fraction digits."""
    return (_EPOCH + dt.timedelta(microseconds=micros)).isoformat(timespec="microseconds")[:26] + "Z"


def from_text(text: str) -> Micros:
    """Parse RFC 3339; a zone offset is converted to UTC, digits below a microsecond are cut.

    Raises ValueError for anything else.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        raise ValueError(f"not an RFC 3339 time: {text[:64]!r}")
    day, clock, fraction, zone = match.groups()
    moment = dt.datetime.fromisoformat(f"{day}T{clock}" + ("+00:00" if zone in "Zz" else zone))
    whole = (moment - _EPOCH) // dt.timedelta(seconds=1)
    if not _FIRST <= whole <= _LAST:
        raise ValueError(f"outside the years 1 to 9999: {text}")
    return whole * SECOND + (int(fraction.ljust(6, "0")[:6]) if fraction else 0)
