"""What can be searched is cut into cells."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from undeterred.base.json import dumps
from undeterred.core.filters.columns import Family, Table, metric_column, resolve
from undeterred.core.filters.values import (
    HUGE,
    MAX_KEY,
    MAX_TEXT,
    Cell,
    CellKind,
    Form,
    column_key,
    experiment_cells,
    experiment_column,
    family_of,
    run_cells,
    run_column,
)

K, F = CellKind, Form


def shown(cells: list[Cell]) -> dict[str, object]:
    """Key -> kind and value of single cells."""
    return {cell.key: (cell.kind, cell.text or cell.number) for cell in cells}


def test_hyperparameters_are_flattened():
    """Nested ones get dotted names; null, empty texts, lists and objects have no cell."""
    hparams = {"lr": 0.5, "n": {"m": {"x": 1}}, "opt": "sgd", "on": True, "none": None, "e": "", "l": [], "o": {}}
    assert shown(run_cells(json.dumps(hparams), "{}", None)) == {
        "h:lr": (K.NUMBER, 0.5),
        "h:n.m.x": (K.NUMBER, 1),
        "h:opt": (K.TEXT, "sgd"),
        "h:on": (K.BOOLEAN, "true"),
    }


def test_summaries():
    """A number has four columns, everything else the last value; special numbers are told apart and stay in order."""
    entry = {"type": "number", "count": 1, "sum": 1, "min": "-Infinity", "max": "Infinity", "mean": "NaN", "last": None}
    groups = {"validation": {"loss": entry, "name": {"type": "string", "last": "v"}}, "my group": {"t": {"type": "date"}}}
    groups["my group"]["t"]["last"] = "2020-01-01T00:00:00Z"
    cells = run_cells("{}", json.dumps(groups), None)
    assert shown(cells) == {
        "m:validation.loss.min": (K.NUMBER, -HUGE),
        "m:validation.loss.max": (K.NUMBER, HUGE),
        "m:validation.loss.mean": (K.NAN, 0.0),
        "m:validation.name.last": (K.TEXT, "v"),
        "m:my group.t.last": (K.DATE, "2020-01-01T00:00:00Z"),
    }
    assert next(cell.number for cell in cells if cell.kind is K.DATE) == 1577836800 * 1_000_000


def test_metadata_lists_have_a_cell_for_each_member():
    """Members keep their order; null is no member, an object in a list is kept as its text."""
    cells = run_cells("{}", "{}", json.dumps({"deep": {"k": [1, "a", None, {"x": 1}]}}))
    assert [(cell.key, cell.seq, cell.form, cell.kind, cell.text) for cell in cells] == [
        ("d:deep.k", 0, F.MEMBER, K.NUMBER, ""),
        ("d:deep.k", 1, F.MEMBER, K.TEXT, "a"),
        ("d:deep.k", 2, F.MEMBER, K.OTHER, '{"x":1}'),
    ]


def test_hyperparameters_of_experiments():
    """A constant is its value, a range its two ends, a choice all that may be chosen; nested ones have dotted names."""
    space = {
        "c": {"type": "const", "val": "x"},
        "i": {"type": "int", "minval": 1, "maxval": 5},
        "k": {"type": "categorical", "vals": ["a", 2]},
        "n": {"m": {"type": "log", "minval": -3, "maxval": 0, "base": 10}},
    }
    cells = experiment_cells(json.dumps({"name": "e", "hyperparameters": space}))
    assert [(cell.key, cell.seq, cell.form, cell.text or cell.number) for cell in cells] == [
        ("h:c", 0, F.SINGLE, "x"),
        ("h:i", 0, F.BOUND, 1),
        ("h:i", 1, F.BOUND, 5),
        ("h:k", 0, F.MEMBER, "a"),
        ("h:k", 1, F.MEMBER, 2),
        ("h:n.m", 0, F.BOUND, -3),
        ("h:n.m", 1, F.BOUND, 0),
    ]
    assert experiment_cells('{"hyperparameters":null}') == experiment_cells("{}") == []


def test_what_is_indexed_is_short():
    """Long texts are cut, and columns with very long names are left out."""
    (cell,) = run_cells(json.dumps({"a": "x" * 5000, "k" * MAX_KEY: 1}), "{}", None)
    assert (cell.key, len(cell.text)) == ("h:a", MAX_TEXT)


@pytest.mark.parametrize(
    ("name", "key"),
    [("hp.a.b", "h:a.b"), ("metadata.m", "d:m"), ("validation.loss.max", "m:validation.loss.max")],
)
def test_keys(name, key):
    """A key tells its family and the name in it."""
    column = resolve(Table.RUNS, name)
    assert column_key(column) == key
    assert family_of(key) == (column.family, key[2:])


scalars = st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=True) | st.text("ab.", max_size=3)
trees = st.recursive(
    scalars | st.lists(scalars, max_size=3), lambda inner: st.dictionaries(st.text("ab", min_size=1), inner), max_leaves=6
)
objects = st.dictionaries(st.text("ab", min_size=1, max_size=2), trees, max_size=4)


@given(objects, objects)
def test_one_column_is_cut_like_all(hparams, metadata):
    """The cells of one column are those that it has among all."""
    texts = dumps(hparams), dumps({"g": {"m": {"type": "number", "last": 1, "min": 1, "max": 2, "mean": "NaN"}}}), dumps(metadata)
    cells = run_cells(*texts)
    columns = {resolve(Table.RUNS, prefix + cell.key[2:]) for cell in cells if (prefix := _PREFIX[cell.key[0]])}
    columns |= {metric_column("g", "m", aggregate) for aggregate in ("last", "min", "max", "mean")}
    for column in columns:
        assert run_column(column, *texts) == [cell for cell in cells if cell.key == column_key(column)]
    assert not run_column(resolve(Table.RUNS, "validation.none.last"), *texts)


_PREFIX = {"h": "hp.", "d": "metadata.", "m": ""}


@given(st.floats() | st.integers())
def test_numbers_are_finite_and_in_order(value):
    """Every number that is stored is finite; NaN has a kind of its own."""
    for cell in run_cells(dumps({"x": value}), "{}", None):
        assert math.isfinite(cell.number)
        assert (cell.kind is K.NAN) == (value != value)


def test_one_column_of_an_experiment():
    """It holds that hyperparameter alone."""
    config = json.dumps({"hyperparameters": {"a": {"type": "const", "val": 1}, "b": {"type": "const", "val": 2}}})
    column = resolve(Table.EXPERIMENTS, "hp.b")
    assert column.family is Family.HYPERPARAMETER
    assert [cell.number for cell in experiment_column(column, config)] == [2]
