"""Samples and grids of nested spaces."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from undeterred.base.errors import Invalid
from undeterred.base.struct import replace
from undeterred.core.search import Grid, Rng, grid, sample
from undeterred.core.search.space import check

LEAF = st.one_of(
    st.builds(lambda val: {"type": "const", "val": val}, st.sampled_from([1, "x", None, [1, {"a": 2}], {"type": "odd"}])),
    st.builds(
        lambda vals: {"type": "categorical", "vals": vals},
        st.lists(st.sampled_from([1, True, "y", [2, 3], {}]), min_size=1, max_size=3),
    ),
    st.builds(
        lambda low, span: {"type": "int", "minval": low, "maxval": low + span, "count": 3}, st.integers(-9, 9), st.integers(1, 9)
    ),
    st.builds(
        lambda low, span: {"type": "double", "minval": low, "maxval": low + span, "count": 2},
        st.integers(-9, 9),
        st.integers(1, 9),
    ),
    st.builds(
        lambda low, span: {"type": "log", "base": 2, "minval": low, "maxval": low + span, "count": 2},
        st.integers(-9, 9),
        st.integers(1, 9),
    ),
)
NAMES = st.sampled_from(["a", "b", "B", "ä", "type"])
SPACES = st.recursive(
    st.dictionaries(NAMES, LEAF, max_size=3),
    lambda inner: st.dictionaries(NAMES, st.one_of(LEAF, inner), max_size=3),
    max_leaves=6,
)


def shape(space: Any) -> Any:
    """The names of a space, nested."""
    return {name: shape(item) if not isinstance(item.get("type"), str) else "leaf" for name, item in space.items()}


def fits(space: Any, point: Any) -> bool:
    """Whether a point lies in its space, with the right types and nesting."""
    if space.keys() != point.keys():
        return False
    for name, item in space.items():
        value = point[name]
        match item.get("type"):
            case "const":
                good = value == item["val"]
            case "categorical":
                good = any(value == one and type(value) is type(one) for one in item["vals"])
            case "int":
                good = type(value) is int and item["minval"] <= value <= item["maxval"]
            case "double":
                good = type(value) is float and item["minval"] <= value <= item["maxval"]
            case "log":
                good = type(value) is float and 2.0 ** item["minval"] <= value <= 2.0 ** item["maxval"]
            case _:
                good = fits(item, value)
        if not good:
            return False
    return True


@given(SPACES, st.integers(0, 1000))
def test_samples_lie_in_the_space(space: Any, seed: int) -> None:
    """Every sample has the space's nesting, its members their types and bounds."""
    check(space)
    assert fits(space, sample(space, Rng(seed)))


@given(SPACES)
def test_order_of_names_does_not_matter(space: Any) -> None:
    """A space and the same space written backwards give the same sample and the same grid."""

    def backwards(item: Any) -> Any:
        return {name: backwards(item[name]) for name in reversed(item)} if isinstance(item, dict) else item

    other = backwards(space)
    assert sample(space, Rng(1)) == sample(other, Rng(1))
    assert [grid(space).point(index) for index in range(grid(space).size)] == [
        grid(other).point(index) for index in range(grid(other).size)
    ]


@given(SPACES, st.data())
def test_grid_points_fit(space: Any, data: Any) -> None:
    """Every point of a grid lies in its space; two indices give two places of the product."""
    points = grid(space)
    one, other = (data.draw(st.integers(0, points.size - 1)) for _ in "ab")
    assert fits(space, points.point(one))
    assert (one == other) == (place(points, one) == place(points, other))


def place(points: Grid, index: int) -> list[int]:
    """Where a point lies on each axis, read from the point's own values."""
    tagged = Grid(tuple(replace(axis, path=(str(number),), value=int) for number, axis in enumerate(points.axes)), points.size)
    return list(tagged.point(index).values())


@given(SPACES)
@settings(max_examples=50)
def test_grid_is_the_product(space: Any) -> None:
    """All points in order are the plain product of all members' values, the last name fastest."""
    model = pytest.importorskip("tests.core.search.model")
    points = grid(space)
    every = model.spread(space)
    assert points.size == len(every)
    for index in range(0, points.size, 1 + points.size // 50):
        assert rounded(points.point(index)) == rounded(every[index])


def rounded(value: Any) -> Any:
    """Floats to twelve digits, everywhere in a nested value."""
    if isinstance(value, dict):
        return {name: rounded(item) for name, item in value.items()}
    return float(f"{value:.12g}") if isinstance(value, float) else value


def test_grid_of_a_nested_space() -> None:
    """Axes are sorted by name, the last moves fastest, whole numbers are clamped to those there are, no combination repeats."""
    space = {
        "opt": {"lr": {"type": "categorical", "vals": [0.1, 0.01]}, "mom": {"type": "const", "val": 0.9}},
        "depth": {"type": "int", "minval": 1, "maxval": 3, "count": 10},
        "act": {"type": "log", "base": 10, "minval": -3, "maxval": -1, "count": 2},
        "flag": {"type": "categorical", "vals": [True, False]},
    }
    points = grid(space)
    all_points = [points.point(index) for index in range(points.size)]
    assert points.size == 24
    assert all_points[0] == {"act": 0.001, "depth": 1, "flag": True, "opt": {"lr": 0.1, "mom": 0.9}}
    assert all_points[1]["opt"]["lr"] == 0.01
    assert all_points[2]["flag"] is False
    assert all_points[-1] == {"act": 0.1, "depth": 3, "flag": False, "opt": {"lr": 0.01, "mom": 0.9}}
    assert len({str(point) for point in all_points}) == 24


@pytest.mark.parametrize(
    ("member", "values"),
    [
        ({"type": "int", "minval": 1, "maxval": 5, "count": 2}, [1, 5]),
        ({"type": "int", "minval": 0, "maxval": 5, "count": 3}, [0, 3, 5]),
        ({"type": "int", "minval": -5, "maxval": 0, "count": 3}, [-5, -3, 0]),
        ({"type": "int", "minval": 0, "maxval": 9, "count": 1}, [5]),
        ({"type": "int", "minval": -9, "maxval": 0, "count": 1}, [-5]),
        ({"type": "int", "minval": 3, "maxval": 4, "count": 99}, [3, 4]),
        ({"type": "double", "minval": 0, "maxval": 1, "count": 3}, [0.0, 0.5, 1.0]),
        ({"type": "double", "minval": -1, "maxval": 2, "count": 1}, [0.5]),
        ({"type": "log", "base": 10, "minval": -4, "maxval": 0, "count": 3}, [0.0001, 0.01, 1.0]),
        ({"type": "log", "base": 10, "minval": -4, "maxval": 0, "count": 1}, [0.01]),
        ({"type": "categorical", "vals": [[1, 2], {"a": 1}, None]}, [[1, 2], {"a": 1}, None]),
        ({"type": "const", "val": [1, 2]}, [[1, 2]]),
        ([1, 2], [[1, 2]]),
        ({}, [{}]),
    ],
)
def test_axis_values(member: Any, values: list[Any]) -> None:
    """Spacing includes both ends, a count of one is the middle, halves round away from zero, lists stay whole."""
    points = grid({"x": member})
    assert [points.point(index)["x"] for index in range(points.size)] == values


def test_huge_grid_costs_nothing() -> None:
    """A grid of more points than memory holds is counted and read at any point."""
    space = {f"p{number}": {"type": "double", "minval": 0, "maxval": 1, "count": 10**6} for number in range(10)}
    points = grid(space)
    assert points.size == 10**60
    assert points.point(10**60 - 1) == dict.fromkeys(space, 1.0)


def test_one_empty_point() -> None:
    """Without hyperparameters the grid has one point."""
    assert (grid({}).size, grid({}).point(0)) == (1, {})


def test_grid_needs_counts() -> None:
    """A member without a count is refused with its dotted name."""
    with pytest.raises(Invalid, match=r"double hyperparameter a\.b"):
        grid({"a": {"b": {"type": "double", "minval": 0, "maxval": 1}}})


@pytest.mark.parametrize(
    ("member", "words"),
    [
        ({"type": "gauss"}, "one of const, int, double, log, categorical"),
        ({"type": "categorical", "vals": []}, r"hyperparameters\.a\.x has no value"),
        ({"type": "int", "minval": 2, "maxval": 2}, "minval below its maxval"),
        ({"type": "log", "base": 10, "minval": 1, "maxval": 999}, "beyond every number"),
    ],
)
def test_check(member: Any, words: str) -> None:
    """What cannot be sampled is refused before the search starts."""
    with pytest.raises(Invalid, match=words):
        check({"a": {"x": member}})
