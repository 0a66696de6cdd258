"""Sets of characters as sorted, disjoint ranges of code points."""

import unicodedata
from collections.abc import Iterable, Iterator

LAST = 0x10FFFF

Ranges = tuple[tuple[int, int], ...]
"""Inclusive ranges, ascending, with gaps between them."""

DIGITS: Ranges = ((0x30, 0x39),)
WORD: Ranges = ((0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A))
SPACE: Ranges = ((0x09, 0x0A), (0x0C, 0x0D), (0x20, 0x20))

POSIX: dict[str, Ranges] = {
    "alnum": ((0x30, 0x39), (0x41, 0x5A), (0x61, 0x7A)),
    "alpha": ((0x41, 0x5A), (0x61, 0x7A)),
    "ascii": ((0x00, 0x7F),),
    "blank": ((0x09, 0x09), (0x20, 0x20)),
    "cntrl": ((0x00, 0x1F), (0x7F, 0x7F)),
    "digit": DIGITS,
    "graph": ((0x21, 0x7E),),
    "lower": ((0x61, 0x7A),),
    "print": ((0x20, 0x7E),),
    "punct": ((0x21, 0x2F), (0x3A, 0x40), (0x5B, 0x60), (0x7B, 0x7E)),
    "space": ((0x09, 0x0D), (0x20, 0x20)),
    "upper": ((0x41, 0x5A),),
    "word": WORD,
    "xdigit": ((0x30, 0x39), (0x41, 0x46), (0x61, 0x66)),
}
"""Name of a POSIX class -> its characters (ASCII only, as in RE2)."""

_FOLDABLE = 4096


def union(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Any ranges, in any order, as a set."""
    joined: list[tuple[int, int]] = []
    for low, high in sorted(ranges):
        if joined and low <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(high, joined[-1][1]))
        else:
            joined.append((low, high))
    return tuple(joined)


def negated(ranges: Ranges) -> Ranges:
    """Every character that is not in the set."""
    gaps, start = [], 0
    for low, high in ranges:
        if low > start:
            gaps.append((start, low - 1))
        start = high + 1
    return (*gaps, (start, LAST)) if start <= LAST else tuple(gaps)


def folded(ranges: Ranges) -> Ranges:
    """The set with the other case of its letters; of very large sets only the ASCII letters are looked at."""
    small = sum(high - low + 1 for low, high in ranges) <= _FOLDABLE
    return union([*ranges, *_other_cases(ranges if small else _ascii(ranges))])


def category(name: str) -> Ranges | None:
    """The characters of a Unicode general category, by one letter (`L`) or two (`Lu`); None when there is none."""
    found = union((code, code) for code in range(LAST + 1) if unicodedata.category(chr(code)).startswith(name))
    return found or None


def _other_cases(ranges: Ranges) -> Iterator[tuple[int, int]]:
    for low, high in ranges:
        for code in range(low, high + 1):
            for other in (chr(code).lower(), chr(code).upper()):
                if len(other) == 1:
                    yield ord(other), ord(other)


def _ascii(ranges: Ranges) -> Ranges:
    return tuple((low, min(high, 0x7F)) for low, high in ranges if low <= 0x7F)
