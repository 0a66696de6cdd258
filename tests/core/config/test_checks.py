"""Reading makes a value canonical and tells every mistake in it."""

import math

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.config.trees import JSON, canonical, trees
from undeterred.core.config.checks import missing, read
from undeterred.core.config.kinds import (
    Anything,
    Field,
    Flag,
    Items,
    Join,
    Null,
    Number,
    OneOf,
    Pod,
    Record,
    Shaped,
    Size,
    Space,
    Table,
    Text,
    Union,
    Whole,
)
from undeterred.core.config.problems import Problems
from undeterred.core.config.schema import experiment

EXPERIMENT = experiment()
PAIR = Record({"a": Field(Whole(0, 9), at_once=True), "b": Field(Text(("x", "y"))), "old": Field(Null("gone"), ignored=True)})
SHAPE = Union("type", {"size": Field(Whole(0))}, {"disc": Record({"radius": Field(Number(above=0), required=True)})}, "disc")


def told(kind, value):
    """The canonical form and the lines of mistakes."""
    problems = Problems("wrong")
    return read(kind, value, "<config>", problems), problems.lines()


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        (Anything(), {"x": None}, {"x": None}),
        (Flag(), False, False),
        (Text(), "", ""),
        (Whole(), 4.0, 4),
        (Whole(1, 99), 99, 99),
        (Number(minimum=0), 0, 0),
        (Number(above=1), 1.5, 1.5),
        (Size(), "1k", 1024),
        (Size(), 5, 5),
        (Items(Whole()), [1, 2.0], [1, 2]),
        (Table(Whole()), {"a": 1, "b": None}, {"a": 1}),
        (Table(Anything()), {"a": None}, {"a": None}),
        (Shaped(lambda value: [value], Items(Text())), "x", ["x"]),
        (OneOf((Text(), Items(Text())), "text"), "x", "x"),
        (OneOf((Text(), Items(Text())), "text"), ["x"], ["x"]),
        (OneOf((Whole(), PAIR), "number"), {"a": 1}, {"a": 1}),
        (PAIR, {"a": 1, "b": None, "old": None}, {"a": 1}),
        (Record({}, open=True), {"z": 1, "y": None}, {"z": 1}),
        (SHAPE, {"type": "disc", "radius": 2}, {"type": "disc", "radius": 2}),
        (SHAPE, {"size": 1, "type": None}, {"size": 1}),
        (Space(), {"a": 1}, {"a": {"type": "const", "val": 1}}),
        (Pod(), {"spec": {"containers": []}}, {"spec": {"containers": []}}),
        (Null("use x"), None, None),
    ],
)
def test_right_values(kind, value, expected):
    """A right value is read into its canonical form without a word."""
    assert told(kind, value) == (expected, [])


@pytest.mark.parametrize(
    ("kind", "value", "line"),
    [
        (Flag(), 1, "<config>: must be true or false, not the number 1"),
        (Text(), 5, "<config>: must be a text, not the number 5"),
        (Text(("a", "b")), "c", '<config>: must be one of a, b, not the text "c"'),
        (Whole(), 1.5, "<config>: must be an integer, not the number 1.5"),
        (Whole(), True, "<config>: must be an integer, not true"),
        (Whole(), "5", '<config>: must be an integer, not the text "5"'),
        (Whole(1), 0, "<config>: must be at least 1, not the number 0"),
        (Whole(0, 9), 10, "<config>: must be at most 9, not the number 10"),
        (Whole(), 1e30, "<config>: must be at most 9223372036854775807, not a number"),
        (Number(), False, "<config>: must be a number, not false"),
        (Number(minimum=0), -0.5, "<config>: must be at least 0, not the number -0.5"),
        (Number(above=1), 1, "<config>: must be above 1, not the number 1"),
        (Size(), "much", '<config>: must be a number of bytes or a size such as "4g", not the text "much"'),
        (Size(), -1, "<config>: must be at least 0, not the number -1"),
        (Items(Text()), "x", '<config>: must be a list, not the text "x"'),
        (Items(Text()), ["x", None], "<config>[1]: must not be null"),
        (Items(Text()), ["x", 5], "<config>[1]: must be a text, not the number 5"),
        (Items(Text(), Join.ABOVE, lambda text: text, distinct=True), ["x", "x"], '<config>: "x" is given more than once'),
        (Table(Whole()), [], "<config>: must be an object, not a list"),
        (Table(Whole()), {"k": "v"}, '<config>.k: must be an integer, not the text "v"'),
        (OneOf((Text(), Items(Text())), "a text or a list"), True, "<config>: must be a text or a list, not true"),
        (PAIR, [], "<config>: must be an object, not a list"),
        (PAIR, {"b": "x"}, "<config>.a: a is a required property"),
        (PAIR, {"a": 1, "old": {}}, "<config>.old: is not allowed: gone"),
        (PAIR, {"a": 1, "aa": 1}, '<config>.aa: unknown key "aa"; did you mean "a"?'),
        (PAIR, {"a": 1, "zzz": 1}, '<config>.zzz: unknown key "zzz"; allowed are a, b'),
        (SHAPE, "disc", '<config>: must be an object whose type is disc, not the text "disc"'),
        (SHAPE, {"type": "ball"}, '<config>.type: must be disc, not the text "ball"'),
        (SHAPE, {"type": 5}, "<config>.type: must be disc, not the number 5"),
        (SHAPE, {"radius": 1}, "<config>.radius: is only known once type says which: disc"),
        (SHAPE, {"type": "disc", "qq": 1}, '<config>.qq: unknown key "qq"; allowed are radius, size, type'),
        (Space(), [1], "<config>: must be an object of hyperparameters, not a list"),
        (Pod(), "x", '<config>: must be an object, not the text "x"'),
    ],
)
def test_wrong_values(kind, value, line):
    """A wrong value is told in one line with its path."""
    assert told(kind, value)[1] == [line]


def test_unreadable_parts_are_left_out():
    """One mistake does not spoil the rest: the canonical tree holds what could be read."""
    value, lines = told(
        Record({"list": Field(Items(PAIR)), "n": Field(Whole())}), {"list": [{"b": "x"}, {"a": 1, "b": "q"}], "n": "x"}
    )
    assert value == {"list": [{"a": 1}]}
    assert len(lines) == 3


def test_missing_keys():
    """Keys that must be there after all merges are told, in nested objects too, except where something else was said."""
    kind = Record({"shape": Field(SHAPE), "name": Field(Text(), required=True)})
    problems = Problems("wrong")
    missing(kind, {"shape": {"type": "disc"}, "name": None}, "<config>", problems)
    assert problems.lines() == [
        "<config>.name: name is a required property",
        "<config>.shape.radius: radius is a required property",
    ]
    problems = Problems("wrong")
    problems.add("<template>.shape.radius", "is odd")
    missing(kind, {"shape": {"type": "disc"}, "name": "x"}, "<config>", problems)
    assert problems.lines() == ["<template>.shape.radius: is odd"]


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(trees(EXPERIMENT))
def test_reading_twice_is_reading_once(tree):
    """The canonical form of a canonical tree is itself."""
    once = canonical(EXPERIMENT, tree)
    assert canonical(EXPERIMENT, once) == once


@settings(deadline=None)
@given(st.sampled_from(sorted(EXPERIMENT.fields)), JSON)
def test_any_value_of_any_key_is_read_or_told(key, value):
    """No value makes reading fail."""
    read(EXPERIMENT, {key: value}, "<config>", Problems(""))


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1.5])
@pytest.mark.parametrize("tree", [lambda v: {"max_restarts": v}, lambda v: {"searcher": {"name": "random", "max_trials": v}}])
def test_numbers_that_are_no_integers_are_told(tree, value):
    """Also those that no integer comes near to."""
    problems = Problems("")
    read(EXPERIMENT, tree(value), "<config>", problems)
    assert "must be an integer" in str(problems.lines())
