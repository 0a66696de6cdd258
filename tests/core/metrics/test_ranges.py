"""Ranges that limit the reports of a chart."""

import math
from typing import Any

import pytest

from undeterred.core.metrics.ranges import EVERYTHING, Range


@pytest.mark.parametrize("value", [None, "text", math.nan, "NaN", 1, True])
def test_a_range_without_limits_holds_everything(value: Any) -> None:
    """Also what is no number."""
    assert EVERYTHING.open
    assert EVERYTHING.holds(value)


@pytest.mark.parametrize("value", [None, "text", math.nan, "NaN", True])
def test_what_is_no_number_is_inside_no_limited_range(value: Any) -> None:
    """NaN, texts, missing and other values."""
    assert not Range(gt=-math.inf).holds(value)
    assert not Range(without=frozenset({5})).holds(value)


def test_bounds_are_as_their_names_say() -> None:
    """lt and gt leave the bound out, lte and gte take it in; lists pick or leave out."""
    numbers = [1, 2, 3, 4, 5]
    assert [n for n in numbers if Range(gt=1, lt=4).holds(n)] == [2, 3]
    assert [n for n in numbers if Range(gte=1, lte=4).holds(n)] == [1, 2, 3, 4]
    assert [n for n in numbers if Range(only=frozenset({2, 9})).holds(n)] == [2]
    assert [n for n in numbers if Range(without=frozenset({2, 9}), lt=4).holds(n)] == [1, 3]
    assert Range(lte=2).holds("-Infinity")
