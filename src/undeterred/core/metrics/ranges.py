"""Ranges that the reports of a chart are limited to."""

import operator
from collections.abc import Callable
from typing import Any

from undeterred.base.struct import Struct
from undeterred.core.metrics.checks import number

_TESTS: tuple[tuple[str, Callable[[Any, Any], bool]], ...] = (
    ("lt", operator.lt),
    ("lte", operator.le),
    ("gt", operator.gt),
    ("gte", operator.ge),
)


class Range(Struct, frozen=True):
    """Numbers or times that are wanted; what is None or empty limits nothing."""

    lt: float | None = None
    lte: float | None = None
    gt: float | None = None
    gte: float | None = None
    only: frozenset[int] = frozenset()
    without: frozenset[int] = frozenset()

    @property
    def open(self) -> bool:
        """Whether nothing is limited."""
        return self == EVERYTHING

    def holds(self, value: Any) -> bool:
        """Whether a reported value is a number inside; NaN, a text and a missing value are inside no limited range."""
        if self.open:
            return True
        given = number(value)
        if given is None or given != given:
            return False
        inside = all(
            limit is None or test(given, limit) for limit, test in ((getattr(self, name), test) for name, test in _TESTS)
        )
        return inside and (not self.only or given in self.only) and given not in self.without


EVERYTHING = Range()
