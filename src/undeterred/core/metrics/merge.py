"""The same trial, group and step reported twice: a repeated report is accepted, more names are added, other values are refused.

A client sends a report again when the answer was lost, and a script may report one step in several parts.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from undeterred.base.errors import Exists
from undeterred.base.struct import Struct
from undeterred.core.metrics.checks import number


class Row(Struct, frozen=True):
    """What one report holds: averages by name, and values per batch (None when there are none)."""

    averages: Mapping[str, Any]
    batches: Sequence[Mapping[str, Any]] | None = None


class Merged(Struct, frozen=True):
    """A stored row with a further report worked in."""

    row: Row
    added: Mapping[str, Any]
    """Averages that were not there before: what summaries have to take up."""
    changed: bool
    """Whether there is anything to write."""


def merge(stored: Row, report: Row, what: str) -> Merged:
    """Work a further report into a stored row; `what` names the row in messages ("group loss at 50 steps").

    Raises Exists when a name, or the values per batch, are there with another value.
    """
    added: dict[str, Any] = {}
    for name, value in report.averages.items():
        if name not in stored.averages:
            added[name] = value
        elif not same(stored.averages[name], value):
            before = _short(stored.averages[name])
            raise Exists(f"{what}: metric {name[:64]!r} was already reported as {before} and cannot become {_short(value)}")
    batches = stored.batches
    if report.batches is not None and batches is not None and not same(batches, report.batches):
        raise Exists(f"{what}: batch metrics were already reported with other values")
    if batches is None:
        batches = report.batches
    changed = bool(added) or batches is not stored.batches
    return Merged(Row({**stored.averages, **added}, batches), added, changed)


def same(one: Any, other: Any) -> bool:
    """Whether two reported values are equal: numbers by value (NaN equals NaN, 1 equals 1.0), the rest by type and content."""
    left, right = number(one), number(other)
    if left is not None and right is not None:
        return left == right or (math.isnan(left) and math.isnan(right))
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, (list, tuple)) and isinstance(other, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
