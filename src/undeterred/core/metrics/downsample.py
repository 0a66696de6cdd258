"""Fewer rows for a chart, without losing what the eye looks for: peaks, the first and the newest point stay."""

import math
from collections.abc import Iterator, Sequence

from undeterred.base.errors import Invalid

Series = Sequence[float | None]
"""One value per row, in the order of the rows; None where the row lacks the metric or has no number."""


def pick(series: Sequence[Series], limit: int) -> list[int]:
    """Which rows to keep, ascending: at most `limit`, all of them if there are no more.

    The rows are cut into equal stretches. Of each stretch its first and last row stay, and the rows where each series is lowest
    and highest there (NaN is neither). A limit too small for one stretch keeps, in this order: the newest row, the first, and
    each series' highest and lowest. Raises Invalid for a limit below 1.
    """
    if limit < 1:
        raise Invalid(f"the number of data points must be at least 1, not {limit}")
    count = len(series[0]) if series else 0
    if count <= limit:
        return list(range(count))
    stretches = limit // (2 + 2 * len(series))
    if stretches == 0:
        return sorted(_few(series, count, limit))
    size = math.ceil(count / stretches)
    kept: set[int] = set()
    for start in range(0, count, size):
        end = min(start + size, count)
        kept.update((start, end - 1))
        for values in series:
            kept.update(extremes(values, start, end))
    return sorted(kept)


def extremes(values: Series, start: int, end: int) -> tuple[int, ...]:
    """The rows of the highest and the lowest value in `values[start:end]`, the earliest of equals; none without a number."""
    stretch = values[start:end]
    present = [value for value in stretch if value is not None and value == value]  # NaN differs from itself
    return (start + stretch.index(max(present)), start + stretch.index(min(present))) if present else ()


def _few(series: Sequence[Series], count: int, limit: int) -> set[int]:
    kept: set[int] = set()
    for row in _by_weight(series, count):
        kept.add(row)
        if len(kept) == limit:
            break
    return kept


def _by_weight(series: Sequence[Series], count: int) -> Iterator[int]:
    yield count - 1
    yield 0
    for values in series:
        yield from extremes(values, 0, count)
