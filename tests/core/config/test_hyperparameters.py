"""The space of hyperparameters: canonical form, merging, names."""

import pytest
from hypothesis import given

from tests.core.config.trees import JSON, SPACES
from undeterred.core.config.hyperparameters import (
    flatten,
    flatten_values,
    is_map,
    merge_space,
    read_space,
    report_grid,
)
from undeterred.core.config.problems import Problems
from undeterred.core.search import space as search_space


def told(value):
    """The canonical space and the lines of mistakes."""
    problems = Problems("")
    return read_space(value, "<config>.hyperparameters", problems), problems.lines()


def test_canonical_form():
    """Bare values are constants, nested maps stay maps, typed ones keep their numbers; counts that are not given stay away."""
    given_space = {
        "a": 1,
        "b": [1, {"type": "int"}],
        "c": None,
        "d": {"e": "x", "f": {}},
        "i": {"type": "int", "minval": 1.0, "maxval": 3, "count": 2.0},
        "f": {"type": "double", "minval": 0, "maxval": 0.5, "count": None},
        "l": {"type": "log", "minval": -3, "maxval": 0, "base": 10},
        "k": {"type": "categorical", "vals": [1, None]},
        "v": {"type": "const", "val": None},
    }
    space, lines = told(given_space)
    assert lines == []
    assert space == {
        "a": {"type": "const", "val": 1},
        "b": {"type": "const", "val": [1, {"type": "int"}]},
        "c": {"type": "const", "val": None},
        "d": {"e": {"type": "const", "val": "x"}, "f": {}},
        "i": {"count": 2, "maxval": 3, "minval": 1, "type": "int"},
        "f": {"maxval": 0.5, "minval": 0, "type": "double"},
        "l": {"base": 10, "maxval": 0, "minval": -3, "type": "log"},
        "k": {"type": "categorical", "vals": [1, None]},
        "v": {"type": "const", "val": None},
    }
    assert told(space) == (space, [])


@pytest.mark.parametrize(
    ("member", "line"),
    [
        ({"type": "nope"}, '.type: must be one of const, int, double, log, categorical, not the text "nope"'),
        ({"type": None}, ".type: must be one of const, int, double, log, categorical, not null"),
        ({"type": "const"}, ".val: val is a required property"),
        ({"type": "const", "val": 1, "x": 2}, '.x: unknown key "x" of a const hyperparameter; allowed are val'),
        ({"type": "categorical"}, ".vals: vals is a required property"),
        ({"type": "categorical", "vals": []}, ".vals: must not be empty"),
        ({"type": "categorical", "vals": {}}, ".vals: must be a list, not an object"),
        ({"type": "int", "minval": 1}, ".maxval: maxval is a required property"),
        ({"type": "int", "minval": 1, "maxval": 1}, ": minval (1) must be below maxval (1)"),
        ({"type": "int", "minval": 0.5, "maxval": 1}, ".minval: must be an integer, not the number 0.5"),
        ({"type": "int", "minval": 0, "maxval": 1e30}, ".maxval: must be an integer, not a number"),
        ({"type": "double", "minval": "0", "maxval": 1}, '.minval: must be a number, not the text "0"'),
        ({"type": "double", "minval": -1.7e308, "maxval": 1.7e308}, ": from minval (-1.7e+308) to maxval (1.7e+308) is too far"),
        ({"type": "double", "minval": 0, "maxval": 1, "count": 0}, ".count: must be at least 1, not 0"),
        ({"type": "double", "minval": 0, "maxval": 1, "count": 1.5}, ".count: must be an integer, not the number 1.5"),
        ({"type": "double", "minval": 0, "maxval": 1, "base": 2}, '.base: unknown key "base" of a double'),
        ({"type": "log", "minval": 0, "maxval": 1}, ".base: base is a required property"),
        ({"type": "log", "minval": 0, "maxval": 1, "base": 0}, ".base: must be above 0, not 0"),
        ({"type": "log", "minval": 0, "maxval": 400, "base": 10}, ": base (10) to the power of minval or maxval is beyond"),
        ({"type": "log", "minval": -400, "maxval": 0, "base": 0.1}, ": base (0.1) to the power of minval or maxval is beyond"),
    ],
)
def test_mistakes(member, line):
    """Each mistake is told under the name of its hyperparameter, also when it is nested."""
    for space, path in (({"h": member}, ".h"), ({"n": {"h": member}}, ".n.h")):
        lines = told(space)[1]
        assert len(lines) == 1
        assert lines[0].startswith(f"<config>.hyperparameters{path}{line}")


@given(SPACES, SPACES, SPACES)
def test_merging(high, middle, low):
    """Merging is associative where a name is always a leaf or always a map, and an empty space is neutral."""
    high, middle, low = (told(space)[0] for space in (high, middle, low))
    assert merge_space(merge_space(high, middle), low) == merge_space(high, merge_space(middle, low))
    assert merge_space(high, {}) == merge_space({}, high) == high


@given(JSON)
def test_reading_never_fails(value):
    """Any JSON value is read or told, and what was read without a word reads the same again."""
    space, lines = told(value)
    if not lines:
        assert told(space) == (space, [])


@given(SPACES)
def test_a_canonical_space_can_be_sampled(space):
    """What passes here is what the search takes."""
    canonical, lines = told(space)
    assert lines == []
    search_space.check(canonical)


def test_names():
    """Dotted names lead to specifications and to values; an empty map has no name."""
    space = told({"a": 1, "n": {"b": {"type": "int", "minval": 0, "maxval": 1}, "e": {}}})[0]
    assert dict(flatten(space)) == {"a": {"type": "const", "val": 1}, "n.b": {"type": "int", "minval": 0, "maxval": 1}}
    assert dict(flatten_values({"a": 1, "n": {"b": [1], "e": {}}})) == {"a": 1, "n.b": [1]}
    assert is_map(space["n"])
    assert not is_map(space["a"])


def test_grid_needs_counts():
    """Every range of a grid has a count, nested ones too; constants and categories need none."""
    ranged = {"minval": 0, "maxval": 1}
    space = told(
        {
            "a": {"type": "int", **ranged},
            "n": {"b": {"type": "double", **ranged}, "c": {"type": "double", **ranged, "count": 2}},
            "l": {"type": "log", "base": 2, **ranged},
            "k": {"type": "categorical", "vals": [1]},
            "x": 5,
        }
    )[0]
    problems = Problems("")
    report_grid(space, "<config>.hyperparameters", problems)
    assert [line.split(":")[0].removeprefix("<config>.hyperparameters.") for line in problems.lines()] == ["a", "l", "n.b"]
