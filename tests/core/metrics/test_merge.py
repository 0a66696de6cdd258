"""Reporting a step again adds, or changes nothing, or is a conflict."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.errors import Exists
from undeterred.core.metrics.merge import Row, merge, same

scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from([0.5, math.nan, math.inf, "NaN", "Infinity", "x", "1"])
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("ab"), inner, max_size=2)
)
averages = st.dictionaries(st.sampled_from("abcd"), values, max_size=4)
batches = st.none() | st.lists(averages, max_size=2)
rows = st.builds(Row, averages, batches)


def test_other_names_are_added():
    """Disjoint reports make one row."""
    merged = merge(Row({"loss": 1}), Row({"acc": 2}), "step 5")
    assert merged.row.averages == {"loss": 1, "acc": 2}
    assert merged.added == {"acc": 2}
    assert merged.changed


def test_an_equal_value_is_accepted_and_adds_nothing():
    """A repeated report is stored once."""
    merged = merge(Row({"loss": 1, "x": "NaN"}), Row({"loss": 1.0, "x": math.nan}), "step 5")
    assert not merged.changed
    assert merged.added == {}


def test_another_value_is_a_conflict():
    """The message names the row, the metric and both values."""
    with pytest.raises(Exists, match=r"group validation at 50 steps: metric 'loss' was already reported as 0\.4 .* become 0\.3"):
        merge(Row({"loss": 0.4}), Row({"loss": 0.3}), "group validation at 50 steps")


def test_batch_metrics():
    """They may come once, or again with equal values; others are a conflict."""
    assert merge(Row({"a": 1}), Row({}, [{"l": 1}]), "s").row.batches == [{"l": 1}]
    assert merge(Row({}, [{"l": 1}]), Row({"a": 1}), "s").row.batches == [{"l": 1}]
    assert not merge(Row({}, [{"l": 1}]), Row({}, [{"l": 1.0}]), "s").changed
    with pytest.raises(Exists, match="batch metrics"):
        merge(Row({}, [{"l": 1}]), Row({}, [{"l": 2}]), "s")


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        (1, 1.0, True),
        (0.0, -0.0, True),
        (math.nan, math.nan, True),
        (math.nan, "NaN", True),
        (math.inf, -math.inf, False),
        (True, 1, False),
        ("1", 1, False),
        (None, 0, False),
        ([1, [2]], [1, [2.0]], True),
        ([1, 2], [2, 1], False),
        ({"a": math.nan}, {"a": "NaN"}, True),
        ({"a": 1}, {"a": 1, "b": 1}, False),
        ([], {}, False),
        (10**400, 10**400, True),
    ],
)
def test_equality_of_values(one, other, equal):
    """Numbers compare by value, everything else by type and content."""
    assert same(one, other) is equal
    assert same(other, one) is equal


@given(rows, rows)
def test_merging_again_changes_nothing(stored, report):
    """A report that was merged once can come any number of times."""
    try:
        once = merge(stored, report, "s")
    except Exists:
        return
    again = merge(once.row, report, "s")
    assert not again.changed
    assert again.row == once.row or repr(again.row) == repr(once.row)


@given(rows)
def test_a_row_merges_with_itself(row):
    """Nothing in a report conflicts with the same report."""
    assert not merge(row, row, "s").changed


@given(rows, rows)
def test_nothing_stored_is_lost(stored, report):
    """Whatever is merged, what was there stays as it was."""
    try:
        merged = merge(stored, report, "s")
    except Exists:
        return
    assert all(same(merged.row.averages[name], value) for name, value in stored.averages.items())
    assert set(merged.row.averages) == set(stored.averages) | set(report.averages)
