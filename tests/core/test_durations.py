"""Durations in Go's text form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.core.durations import MAX_DAYS, parse

HOUR = 3_600_000_000


@pytest.mark.parametrize(
    ("text", "micros"),
    [
        ("48h", 48 * HOUR),
        ("30m", HOUR // 2),
        ("1h30m", HOUR * 3 // 2),
        ("1.5h", HOUR * 3 // 2),
        (".5h", HOUR // 2),
        ("1.h", HOUR),
        ("0", 0),
        ("-0", 0),
        ("0h", 0),
        ("+5s", 5_000_000),
        ("-5h", -5 * HOUR),
        ("1us", 1),
        ("1µs", 1),
        ("1μs", 1),
        ("1999ns", 1),
        ("250ms", 250_000),
        (f"{MAX_DAYS * 24}h", MAX_DAYS * 24 * HOUR),
    ],
)
def test_durations_are_read_in_microseconds(text: str, micros: int) -> None:
    """Every unit, sums of units, fractions and signs."""
    assert parse(text) == micros


@pytest.mark.parametrize(
    "text", ["", "5d", "abc", "10", "h", ".h", "1h ", " 1h", "1 h", "--1h", "1H", "٣h", "9999999h", "1e3h", "-1"]
)
def test_other_texts_are_refused(text: str) -> None:
    """Days, bare numbers, blanks, foreign digits and overflow are no durations."""
    with pytest.raises(ValueError):
        parse(text)


@given(st.integers(0, 10**6), st.integers(0, 59), st.integers(0, 59))
def test_sums_of_units_add_up(hours: int, minutes: int, seconds: int) -> None:
    """The parts of a duration are added."""
    assert parse(f"{hours}h{minutes}m{seconds}s") == ((hours * 60 + minutes) * 60 + seconds) * 1_000_000


@given(st.text(max_size=20))
def test_no_text_breaks_it(text: str) -> None:
    """Any text is a number of microseconds or a ValueError."""
    try:
        assert isinstance(parse(text), int)
    except ValueError:
        pass
