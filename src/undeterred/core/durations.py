"""Durations as clients of this API write them: Go's text form, such as "48h", "1h30m", "1.5h" or "250ms"."""

import re
from fractions import Fraction

MAX_DAYS = 106_751
"""Most whole days that such a duration can hold: 64 bits of nanoseconds."""

_NANOSECONDS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,  # micro sign
    "μs": 1_000,  # Greek letter mu
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
_PART = re.compile(r"(\d+\.?\d*|\.\d+)(" + "|".join(_NANOSECONDS) + ")", re.ASCII)
_WHOLE = re.compile(rf"(?:{_PART.pattern})+", re.ASCII)
_LONGEST = 2**63 - 1


def parse(text: str) -> int:
    """Microseconds of a duration, rounded down; negative ones are allowed.

    Raises ValueError for any other text ("5d", "10", "") and for what does not fit 64 bits of nanoseconds (about 292 years).
    """
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if digits == "0":
        return 0
    if len(digits) > 100 or _WHOLE.fullmatch(digits) is None:
        raise ValueError(f'{text[:64]!r} is not a duration such as "48h", "90m" or "1h30m"; units are h, m, s, ms, us, ns')
    nanoseconds = sum(Fraction(amount) * _NANOSECONDS[unit] for amount, unit in _PART.findall(digits))
    if nanoseconds > _LONGEST:
        raise ValueError(f"{text[:64]!r} is longer than {MAX_DAYS} days, the longest duration there is")
    return sign * int(nanoseconds / 1_000)
