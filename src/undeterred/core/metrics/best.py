"""The searcher's metric: reading it from a validation, and which validation is the best."""

import math
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from undeterred.core.metrics.checks import number

T = TypeVar("T")


def searcher_value(metrics: Mapping[str, Any], name: str) -> float | None:
    """The searcher's metric in a validation; None when it is missing or no number. NaN is a number, though never the best."""
    return number(metrics.get(name))


def is_better(value: float | None, best: float | None, *, smaller_is_better: bool) -> bool:
    """Whether a new validation replaces the best one so far. A tie does not, NaN never does."""
    if value is None or math.isnan(value):
        return False
    if best is None or math.isnan(best):
        return True
    return value < best if smaller_is_better else value > best


def signed(value: float, *, smaller_is_better: bool) -> float:
    """The value turned so that smaller is better, for sorting; NaN becomes the worst value there is."""
    if math.isnan(value):
        return math.inf
    return value if smaller_is_better else -value


def improvements(points: Iterable[tuple[T, float | None]], *, smaller_is_better: bool) -> list[tuple[T, float]]:
    """The points of a history that were the best so far when they came; the first component is passed through."""
    best: float | None = None
    found: list[tuple[T, float]] = []
    for key, value in points:
        if value is not None and is_better(value, best, smaller_is_better=smaller_is_better):
            best = value
            found.append((key, value))
    return found
