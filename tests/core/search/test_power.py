"""Powers come out as in the compatible system."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.core.search.power import power


def test_last_bit() -> None:
    """A recorded value whose last bit differs from the C library's is met."""
    assert power(10, -2.739769710480024) == 0.0018206660312738065
    assert pytest.approx(0.0018206660312738065, rel=1e-15) == 10**-2.739769710480024


@given(st.floats(1e-3, 1e3), st.floats(-80, 80))
def test_close_to_the_library(base: float, exponent: float) -> None:
    """Any other value differs by rounding only."""
    assert math.isclose(power(base, exponent), base**exponent, rel_tol=1e-12)


@given(st.integers(1, 20), st.integers(0, 12))
def test_whole_powers_are_exact(base: int, exponent: int) -> None:
    """Powers of small whole numbers are exact."""
    assert power(base, exponent) == base**exponent


def test_ends() -> None:
    """Where there is no float, a power is infinite or zero; negative whole exponents are reciprocals."""
    assert [power(10, 400), power(10, -400), power(2, 1e30), power(2, -1e30), power(1, 1e30)] == [math.inf, 0, math.inf, 0, 1]
    assert [power(10, -3), power(10, -1), power(7, 0)] == [0.001, 0.1, 1]
