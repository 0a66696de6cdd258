"""Reports that cannot be stored are refused with what is allowed."""

import math

import pytest

from undeterred.base.errors import Invalid
from undeterred.core.metrics.checks import (
    Kind,
    check_group,
    check_progress,
    check_run_id,
    check_steps,
    check_values,
    kind_of,
    number,
)


@pytest.mark.parametrize("name", ["training", "my group/x", "gpu", "Ünïcode ✓", "x" * 255, " "])
def test_group_names(name):
    """Any text without a dot is a group, blanks and slashes included."""
    assert check_group(name) == name


@pytest.mark.parametrize(("name", "message"), [("", "required"), ("g.h", "dot"), ("x" * 256, "255"), ("a\x00", "NUL")])
def test_bad_group_names(name, message):
    """The message says what a name must be."""
    with pytest.raises(Invalid, match=message):
        check_group(name)


def test_kinds_of_groups():
    """Two groups and five profiler groups have a meaning of their own, the rest are custom."""
    assert [kind_of(g) for g in ("training", "validation", "cpu", "inference", "Training")] == [
        Kind.TRAINING,
        Kind.VALIDATION,
        Kind.PROFILING,
        Kind.CUSTOM,
        Kind.CUSTOM,
    ]


def test_steps():
    """Steps must be given and fit 32 bits; below zero is allowed."""
    assert [check_steps(steps) for steps in (0, -1, 2**31 - 1)] == [0, -1, 2**31 - 1]
    for steps in (None, 2**31, -(2**31) - 1):
        with pytest.raises(Invalid, match="stepsCompleted"):
            check_steps(steps)


def test_run_ids():
    """Only the present run reports."""
    assert check_run_id(2, 2) == 2
    for reported in (1, 9):
        with pytest.raises(Invalid, match="present run is 2"):
            check_run_id(reported, 2)


@pytest.mark.parametrize(
    "metrics",
    [{}, {"a.b": 1}, {"": 1}, {"epoch": 3, "epochs": 0.5}, {"epoch": "NaN"}, {"x": None, "y": [1, {"z": "t"}], "w": True}],
)
def test_values(metrics):
    """Values may be any JSON; an epoch is a number."""
    assert check_values(metrics) is metrics


@pytest.mark.parametrize(
    ("metrics", "message"),
    [
        (None, "required"),
        ({"epoch": "three"}, "must be a number, not text"),
        ({"epochs": True}, "must be a number, not true or false"),
        ({"x" * 1001: 1}, "1000 characters"),
        ({"a\x00b": 1}, "NUL"),
        ({"huge": 10**400}, "too large"),
    ],
)
def test_bad_values(metrics, message):
    """The message names the metric and what it must be."""
    with pytest.raises(Invalid, match=message):
        check_values(metrics)


def test_progress():
    """0 to 1; NaN is 0."""
    assert [check_progress(p) for p in (0.0, 0.5, 1.0, math.nan)] == [0.0, 0.5, 1.0, 0.0]
    for progress in (1.5, -0.5, math.inf):
        with pytest.raises(Invalid, match="between 0 and 1"):
            check_progress(progress)


@pytest.mark.parametrize(
    ("value", "expected"), [(1, 1.0), (0.5, 0.5), ("Infinity", math.inf), ("-Infinity", -math.inf), (True, None), ("1", None)]
)
def test_what_counts_as_a_number(value, expected):
    """Numbers and the three texts for special ones; a truth value and a text that looks like a number do not count."""
    assert number(value) == expected


def test_nan_text_is_a_number():
    """The text NaN is the number NaN, in this spelling only."""
    assert math.isnan(number("NaN"))
    assert number("nan") is None
