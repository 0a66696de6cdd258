"""Which reports of a series a chart shows."""

from collections.abc import Sequence
from typing import Any

from undeterred.core.metrics import downsample
from undeterred.core.metrics.checks import number


def thin(columns: Sequence[Sequence[Any]], limit: int) -> list[int]:
    """Rows to show, ascending: `limit` of them, with the peaks of each column, the first and the newest row with any value.

    All rows are shown when there are no more than `limit`; otherwise those without any value go first.
    """
    count = len(columns[0]) if columns else 0
    if count <= limit:
        return list(range(count))
    kept = _with_value(columns, count)
    if len(kept) <= limit:
        return list(kept)
    numbers = [_numbers(column if len(kept) == count else [column[row] for row in kept]) for column in columns]
    picked = downsample.pick(numbers, limit)
    return sorted(kept[place] for place in (*picked, *_spread(len(kept), picked, limit - len(picked))))


def _with_value(columns: Sequence[Sequence[Any]], count: int) -> Sequence[int]:
    if any(None not in column for column in columns):
        return range(count)
    return [row for row, values in enumerate(zip(*columns, strict=True)) if any(value is not None for value in values)]


def _numbers(column: Sequence[Any]) -> list[float | None]:
    return [value if type(value) is float else number(value) for value in column]


def _spread(count: int, taken: Sequence[int], more: int) -> list[int]:
    """So many further places out of `count`, evenly spread over those not taken."""
    free = sorted(set(range(count)) - set(taken))
    return [free[place * len(free) // more] for place in range(more)]
