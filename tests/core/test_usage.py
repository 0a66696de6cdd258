"""Slot-seconds: by day, user, label, pool and agent."""

from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.clock import DAY, SECOND
from undeterred.core.usage import TOTAL, Use, add_up, next_day, seconds_within

times = st.integers(0, 10 * DAY)


def use(start: int, end: int | None, slots: int = 1, **fields: object) -> Use:
    """A use by ann in the pool default."""
    values = {"username": "ann", "labels": (), "pool": "default", "places": ()} | fields
    return Use(start, end, slots, **values)  # type: ignore[arg-type]


def test_a_use_counts_for_everything_it_belongs_to() -> None:
    """For each of its labels and each of its agents; one that still runs counts to the end of the day."""
    uses = [
        use(0, 10 * SECOND, 2, labels=("a", "b"), places=(("m", 1), ("n", 1))),
        use(DAY - SECOND, None, 1, username="bob", pool="p"),
        use(0, DAY, 0, labels=("c",), places=(("m", 0),)),
    ]
    assert add_up(uses, 0, DAY) == {
        ("total", "total"): 21.0,
        ("username", "ann"): 20.0,
        ("username", "bob"): 1.0,
        ("experiment_label", "a"): 20.0,
        ("experiment_label", "b"): 20.0,
        ("resource_pool", "default"): 20.0,
        ("resource_pool", "p"): 1.0,
        ("agent", "m"): 10.0,
        ("agent", "n"): 10.0,
    }


@given(times, times, times, times)
def test_days_add_up(one: int, other: int, low: int, high: int) -> None:
    """What is used in a time is the sum of what is used in its two parts, and never negative."""
    start, end = sorted((one, other))
    low, high = sorted((low, high))
    middle = (low + high) // 2
    parts = seconds_within(start, end, low, middle) + seconds_within(start, end, middle, high)
    whole = seconds_within(start, end, low, high)
    assert abs(whole - parts) < 1e-6
    assert 0 <= whole <= (end - start) / SECOND


def test_a_day_without_use_has_a_total() -> None:
    """So that it is known to be accounted for."""
    assert add_up([], 0, DAY) == {(TOTAL, TOTAL): 0.0}


def test_days_are_made_up_for_in_order() -> None:
    """From the first use, then each after the last, never the one that is not over."""
    now = 10 * DAY + 5
    assert next_day(None, None, now) == 9 * DAY
    assert next_day(None, 7 * DAY + 3, now) == 7 * DAY
    assert next_day(7 * DAY, 3 * DAY, now) == 8 * DAY
    assert next_day(9 * DAY, None, now) is None
    assert next_day(None, 10 * DAY + 1, now) is None
