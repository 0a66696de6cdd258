"""Charts lose rows, never peaks or ends."""

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.core.metrics.downsample import extremes, pick

values = st.none() | st.floats(allow_nan=True, width=16)
series_sets = st.integers(1, 3).flatmap(
    lambda width: st.integers(0, 60).flatmap(
        lambda rows: st.lists(st.lists(values, min_size=rows, max_size=rows), min_size=width, max_size=width)
    )
)


@given(series_sets, st.integers(1, 40))
def test_never_more_than_asked_for_and_all_if_there_are_no_more(series, limit):
    """The rows are distinct, ascending and at most `limit`; the newest is always there."""
    kept = pick(series, limit)
    rows = len(series[0])
    assert kept == sorted(set(kept))
    assert len(kept) <= limit
    assert kept == list(range(rows)) if rows <= limit else kept[-1] == rows - 1


@given(series_sets, st.integers(8, 40))
def test_ends_and_peaks_stay(series, limit):
    """With room for one stretch the first row, and the highest and lowest value of every series, are kept."""
    kept = pick(series, limit)
    rows = len(series[0])
    if rows:
        assert kept[0] == 0
    for one in series:
        real = [value for value in one if value is not None and not math.isnan(value)]
        left = [one[row] for row in kept if one[row] is not None and not math.isnan(one[row])]
        if real:
            assert (max(left), min(left)) == (max(real), min(real))


def test_small_limits_keep_the_newest_then_the_first_then_the_peak():
    """Below one stretch the most telling rows come first."""
    series = [[1.0, 9.0, 3.0, -5.0, 2.0]]
    assert [pick(series, limit) for limit in (1, 2, 3)] == [[4], [0, 4], [0, 1, 4]]


def test_a_spike_in_a_long_series_is_kept():
    """One outlier among many thousand rows is in the chart, where random picking would drop it."""
    series = [[float(row % 7) for row in range(20_000)]]
    series[0][12_345] = 1e9
    kept = pick(series, 200)
    assert 12_345 in kept
    assert 100 < len(kept) <= 200


def test_rows_are_spread_evenly():
    """No stretch of the series is left without rows."""
    kept = pick([[float(row) for row in range(1000)]], 100)
    assert max(later - earlier for earlier, later in pairwise(kept)) <= 1000 / 25


def test_extremes_are_the_earliest_of_equals_and_never_nan():
    """Highest first, then lowest; NaN and missing values are no extremes."""
    assert extremes([None, math.nan, 2.0, 2.0, 1.0, 1.0], 0, 6) == (2, 4)
    assert extremes([None, math.nan], 0, 2) == ()


def test_a_limit_below_one_is_refused():
    """A chart without points is a mistake of the caller."""
    with pytest.raises(Invalid):
        pick([[1.0]], 0)
