"""The best validation: NaN never, the earlier of equals, smaller or larger."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.core.metrics.best import improvements, is_better, searcher_value, signed

numbers = st.floats(allow_nan=True, width=16)


@pytest.mark.parametrize(
    ("value", "best", "smaller", "larger"),
    [
        (1.0, None, True, True),
        (1.0, 2.0, True, False),
        (2.0, 1.0, False, True),
        (1.0, 1.0, False, False),
        (math.nan, None, False, False),
        (math.nan, 5.0, False, False),
        (None, 5.0, False, False),
        (5.0, math.nan, True, True),
        (-math.inf, 0.0, True, False),
    ],
)
def test_is_better(value, best, smaller, larger):
    """Each row: new value, best so far, answer when smaller and when larger is better."""
    assert is_better(value, best, smaller_is_better=True) is smaller
    assert is_better(value, best, smaller_is_better=False) is larger


def test_searcher_value():
    """The value is read as a number, from its text if it is a special one; a text or nothing is no value."""
    assert searcher_value({"loss": 2}, "loss") == 2.0
    assert math.isnan(searcher_value({"loss": "NaN"}, "loss"))
    assert searcher_value({"loss": "low"}, "loss") is None
    assert searcher_value({}, "loss") is None


def test_history_keeps_improvements():
    """Only what was the best when it came is kept; missing and NaN values are no points."""
    points = [("a", None), ("b", 0.9), ("c", math.nan), ("d", 0.4), ("e", 0.6), ("f", 0.4)]
    assert improvements(points, smaller_is_better=True) == [("b", 0.9), ("d", 0.4)]
    assert improvements(points, smaller_is_better=False) == [("b", 0.9)]


@given(st.lists(numbers, min_size=1), st.booleans())
def test_the_best_is_the_extreme_of_what_is_a_number(values, smaller):
    """In whichever order values come, the last improvement is the true best."""
    real = [value for value in values if not math.isnan(value)]
    found = improvements(enumerate(values), smaller_is_better=smaller)
    assert [value for _, value in found][-1:] == ([min(real) if smaller else max(real)] if real else [])


@given(st.lists(numbers, min_size=2), st.booleans())
def test_signed_values_sort_the_best_first_and_nan_last(values, smaller):
    """Sorting by the signed value puts the best first."""
    ordered = sorted(values, key=lambda value: signed(value, smaller_is_better=smaller))
    best = improvements(enumerate(values), smaller_is_better=smaller)
    if best:
        assert signed(ordered[0], smaller_is_better=smaller) == signed(best[-1][1], smaller_is_better=smaller)
    assert signed(math.nan, smaller_is_better=smaller) >= signed(ordered[-1], smaller_is_better=smaller)
