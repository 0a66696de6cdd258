"""What a search will do, told in advance; the numbers are those that the compatible system answers."""

from typing import Any

import pytest

from tests.core.search.helpers import config
from undeterred.base.errors import Invalid
from undeterred.core.search import Expected, preview

SPACE = {"lr": {"type": "double", "minval": 0, "maxval": 1, "count": 3}, "k": {"type": "categorical", "vals": ["a", "b"]}}


@pytest.mark.parametrize(
    ("name", "more", "count"),
    [("single", {}, 1), ("random", {"max_trials": 5}, 5), ("grid", {}, 6), ("grid", {"max_concurrent_trials": 2}, 6)],
)
def test_to_the_end(name: str, more: dict[str, Any], count: int) -> None:
    """Searches that stop nobody tell the number of trials."""
    assert preview(config(name, SPACE, **more)) == [Expected(count)]


@pytest.mark.parametrize(
    ("more", "rows"),
    [
        ({"max_trials": 16, "max_time": 64}, {4: 9, 16: 5, 64: 2}),
        ({"max_trials": 100, "max_time": 900}, {14: 53, 56: 30, 225: 13, 900: 4}),
        ({"max_trials": 500, "max_time": 1000}, {3: 266, 15: 149, 62: 65, 250: 16, 1000: 4}),
        ({"max_trials": 16, "max_time": 64, "mode": "aggressive"}, {4: 12, 16: 3, 64: 1}),
        ({"max_trials": 100, "max_time": 900, "mode": "aggressive"}, {14: 75, 56: 19, 225: 5, 900: 1}),
        ({"max_trials": 500, "max_time": 1000, "mode": "aggressive"}, {3: 375, 15: 94, 62: 24, 250: 6, 1000: 1}),
        ({"max_trials": 16, "max_time": 64, "mode": "conservative"}, {4: 9, 16: 4, 64: 3}),
        ({"max_trials": 100, "max_time": 900, "mode": "conservative"}, {14: 51, 56: 28, 225: 13, 900: 8}),
        ({"max_trials": 500, "max_time": 1000, "mode": "conservative"}, {3: 256, 15: 143, 62: 63, 250: 25, 1000: 13}),
        ({"max_trials": 20, "max_time": 100, "bracket_rungs": [2, 3], "divisor": 3}, {11: 10, 33: 7, 100: 3}),
        ({"max_trials": 20, "max_time": 100, "max_concurrent_trials": 4}, {6: 12, 25: 6, 100: 2}),
    ],
)
def test_recorded_brackets(more: dict[str, Any], rows: dict[int, int]) -> None:
    """Trials by the units after which they are expected to stop."""
    assert preview(config("adaptive_asha", SPACE, **more)) == [Expected(count, "time", units) for units, count in rows.items()]


@pytest.mark.parametrize("name", ["async_halving", "custom", "nope"])
def test_no_preview(name: str) -> None:
    """Other searches have no preview, and say which have."""
    with pytest.raises(Invalid, match="adaptive_asha"):
        preview(config(name, SPACE))


def test_grid_without_count() -> None:
    """A grid that cannot be spread has no preview."""
    with pytest.raises(Invalid, match="count"):
        preview(config("grid", {"d": {"type": "double", "minval": 0, "maxval": 1}}))
