"""The values that columns of hyperparameters, metrics and metadata have in one run or experiment, as cells of a narrow table.

A cell is a number, a text, or what else it is; its kind decides first where it sorts: numbers, then NaN, times, texts, truth
values, and the rest. What is missing (null, an empty text, list or object) has no cell.
"""

import enum
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from undeterred.base import json
from undeterred.base.clock import from_text
from undeterred.base.struct import Struct
from undeterred.core.filters.columns import Column, Family
from undeterred.core.metrics.checks import number
from undeterred.core.metrics.summary import type_of

HUGE = 1.7976931348623157e308
"""Stands for infinity, which databases and JSON do not all take."""
MAX_TEXT = 500
"""Characters of a text that are kept for searching: what is indexed must be short."""
MAX_KEY = 600
"""Characters of the longest key of a column that can be searched by."""


class CellKind(enum.IntEnum):
    """What a cell holds, in the order in which they sort."""

    NUMBER = 1
    NAN = 2
    DATE = 3
    TEXT = 4
    BOOLEAN = 5
    OTHER = 6


class Form(enum.IntEnum):
    """What a cell is to its column."""

    SINGLE = 0
    """The one value."""
    BOUND = 1
    """The lower (first) or upper end of a range of a hyperparameter."""
    MEMBER = 2
    """One of several values: of a list, or of what a hyperparameter may be."""


class Cell(Struct, frozen=True):
    """One value of a column; columns with several have several cells, counted by `seq`."""

    key: str
    """`column_key` of the column."""
    seq: int
    form: Form
    kind: CellKind
    number: float
    """Of numbers, times (microseconds) and truth values (0 and 1); 0 for the rest."""
    text: str


_MARKS = {Family.HYPERPARAMETER: "h", Family.METADATA: "d", Family.METRIC: "m"}
_FAMILIES = {mark: family for family, mark in _MARKS.items()}


def column_key(column: Column) -> str:
    """What a column is called in the table of values; attributes have no place there."""
    name = f"{column.group}.{column.key}.{column.aggregate}" if column.family is Family.METRIC else column.key
    return f"{_MARKS[column.family]}:{name}"


def family_of(key: str) -> tuple[Family, str]:
    """The family of a key, and its name there."""
    return _FAMILIES[key[0]], key[2:]


def run_cells(hparams: str, summaries: str, metadata: str | None) -> list[Cell]:
    """Everything searchable of a run: the JSON texts of its hyperparameters, stored summaries and metadata."""
    cells = [cell for name, value in _leaves(json.loads(hparams)) for cell in _value_cells(f"h:{name}", value)]
    for group, metrics in json.loads(summaries).items():
        for metric, entry in metrics.items():
            cells += _metric_cells(f"m:{group}.{metric}", entry)
    if metadata is not None:
        cells += [cell for name, value in _leaves(json.loads(metadata)) for cell in _value_cells(f"d:{name}", value)]
    return cells


def run_column(column: Column, hparams: str, summaries: str, metadata: str | None) -> list[Cell]:
    """The same for one column, several times as fast."""
    key = column_key(column)
    if column.family is Family.METRIC:
        metrics = json.parts(summaries).get(column.group)
        entry = None if metrics is None else json.loads(bytes(metrics)).get(column.key)
        return [] if entry is None else list(_single(key, entry.get(column.aggregate)))
    text = hparams if column.family is Family.HYPERPARAMETER else metadata
    leaves = [] if text is None else _leaves(json.loads(text))
    return [cell for name, value in leaves if name == column.key for cell in _value_cells(key, value)]


def experiment_column(column: Column, config: str) -> list[Cell]:
    """The same as `experiment_cells` for one column."""
    key = column_key(column)
    return [cell for cell in experiment_cells(config) if cell.key == key]


def experiment_cells(config: str) -> list[Cell]:
    """Everything searchable of an experiment's configuration (JSON text): what its hyperparameters are or may be."""
    hyperparameters = json.loads(bytes(json.parts(config).get("hyperparameters", b"null"))) or {}
    return list(_hyperparameter_cells("h:", hyperparameters))


def _metric_cells(key: str, entry: Mapping[str, Any]) -> Iterator[Cell]:
    names = ("last", "min", "max", "mean") if entry["type"] == "number" else ("last",)
    for name in names:
        yield from _single(f"{key}.{name}", entry.get(name))


def _hyperparameter_cells(prefix: str, tree: Mapping[str, Any]) -> Iterator[Cell]:
    for name, given in tree.items():
        key = prefix + name
        kind = given.get("type") if isinstance(given, Mapping) else None
        if kind == "const":
            yield from _value_cells(key, given.get("val"))
        elif kind in ("int", "double", "log"):
            for seq, end in enumerate(("minval", "maxval")):
                yield from _single(key, given.get(end), seq=seq, form=Form.BOUND)
        elif kind == "categorical":
            yield from _members(key, given.get("vals") or [])
        elif isinstance(given, Mapping):
            yield from _hyperparameter_cells(f"{key}.", given)


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(tree, Mapping):
        for name, value in tree.items():
            if isinstance(value, Mapping):
                yield from _leaves(value, f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", value


def _value_cells(key: str, value: Any) -> Iterator[Cell]:
    return _members(key, value) if isinstance(value, list) else _single(key, value)


def _members(key: str, values: Sequence[Any]) -> Iterator[Cell]:
    seq = 0
    for value in values:
        for cell in _single(key, value, seq=seq, form=Form.MEMBER):
            yield cell
            seq += 1


def _single(key: str, value: Any, *, seq: int = 0, form: Form = Form.SINGLE) -> Iterator[Cell]:
    """One cell, or none for what is missing."""
    if value is None or value in ("", [], {}) or len(key) > MAX_KEY:
        return
    given = number(value)
    if given is not None:
        nan = math.isnan(given)
        kind, given = (CellKind.NAN, 0.0) if nan else (CellKind.NUMBER, max(-HUGE, min(HUGE, given)))
        yield Cell(key, seq, form, kind, given, "")
    elif isinstance(value, bool):
        yield Cell(key, seq, form, CellKind.BOOLEAN, float(value), "true" if value else "false")
    elif isinstance(value, str):
        date = type_of(value) == "date"
        kind = CellKind.DATE if date else CellKind.TEXT
        yield Cell(key, seq, form, kind, float(from_text(value)) if date else 0.0, kept(value))
    else:
        yield Cell(key, seq, form, CellKind.OTHER, 0.0, kept(json.dumps(value)))


def kept(text: str) -> str:
    """The part of a text that is compared."""
    return text[:MAX_TEXT].replace("\0", "")
