"""Which reports a chart shows."""

import math
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from undeterred.core.metrics.chart import thin

VALUES = st.none() | st.floats() | st.integers(-5, 5) | st.sampled_from(["NaN", "x"])
COLUMNS = (
    st.integers(1, 3)
    .flatmap(lambda width: st.lists(st.tuples(*[VALUES] * width), max_size=60))
    .map(lambda rows: list(zip(*rows, strict=True)))
)


@given(COLUMNS, st.integers(1, 40))
def test_never_more_than_the_limit_and_always_in_order(columns: list[tuple[Any, ...]], limit: int) -> None:
    """As many rows as are allowed, as far as there are rows with a value; each once."""
    rows = thin(columns, limit)
    count = len(columns[0]) if columns else 0
    full = [row for row in range(count) if any(column[row] is not None for column in columns)]
    assert rows == sorted(set(rows))
    assert len(rows) == (count if count <= limit else min(limit, len(full)))
    if count > limit >= 2 and full:
        assert {full[0], full[-1]} <= set(rows)


@given(st.lists(st.floats(allow_nan=False), min_size=11, max_size=200))
def test_peaks_stay(values: list[float]) -> None:
    """The highest and the lowest value are among ten points of any series."""
    shown = [values[row] for row in thin([values], 10)]
    assert max(shown) == max(values)
    assert min(shown) == min(values)


def test_rows_without_a_value_go_first() -> None:
    """A metric that is reported rarely keeps all of its points."""
    values = [1.0 if row % 10 == 0 else None for row in range(100)]
    assert thin([values], 20) == list(range(0, 100, 10))


def test_special_values_do_not_hide_peaks() -> None:
    """NaN is neither high nor low."""
    values = [math.nan] * 50 + [7.0] + [math.nan] * 49
    assert 50 in thin([values], 5)
