"""Values of messages for hypothesis: JSON as a client may send it for any annotation of a message field."""

import base64
import enum
import functools
import json
import types
import typing
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import strategies as st

from undeterred.base import clock
from undeterred.wire import messages
from undeterred.wire.leaves import Array, Double, Int64, Object, Timestamp

CONTRACT: dict[str, Any] = json.loads((Path(__file__).parents[2] / "contract" / "contract.json").read_text(encoding="utf-8"))
DEPTH = 3

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
FREE = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | FINITE | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
"""Any JSON."""


def classes() -> dict[str, type[msgspec.Struct]]:
    """Name in the contract -> class of every message."""
    found: dict[str, type[msgspec.Struct]] = {}
    for value in vars(messages).values():
        if isinstance(value, type) and issubclass(value, msgspec.Struct):
            found[str(value.__doc__).split("`")[1]] = value
    return found


def enums() -> dict[str, type[enum.StrEnum]]:
    """Name in the contract -> class of every enum."""
    found: dict[str, type[enum.StrEnum]] = {}
    for value in vars(messages).values():
        if isinstance(value, type) and issubclass(value, enum.StrEnum):
            found[str(value.__doc__).split("`")[1]] = value
    return found


def values(annotation: Any, depth: int = DEPTH) -> st.SearchStrategy[Any]:
    """JSON values, as Python has them, that are right for an annotation."""
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Annotated:
        return st.integers(annotation.__metadata__[0].ge, annotation.__metadata__[0].le)
    if origin in (types.UnionType, typing.Union):
        kinds = [kind for kind in args if kind not in (types.NoneType, msgspec.UnsetType)]
        return values(kinds[0], depth) | st.none() if types.NoneType in args else values(kinds[0], depth)
    if origin is list:
        return st.lists(values(args[0], depth - 1), max_size=2) if depth > 0 else st.just([])
    if origin is dict:
        return st.dictionaries(TEXTS, values(args[1], depth - 1), max_size=2) if depth > 0 else st.just({})
    return FREE if annotation is Any else _plain(annotation, depth)


def _plain(kind: Any, depth: int) -> st.SearchStrategy[Any]:
    leaves: dict[Any, st.SearchStrategy[Any]] = {
        str: TEXTS,
        bool: st.booleans(),
        bytes: st.binary(max_size=6).map(lambda data: base64.b64encode(data).decode()),
        Int64: st.integers(-(2**63), 2**63 - 1).flatmap(lambda number: st.sampled_from([number, str(number)])),
        Double: FINITE | st.integers(-(2**60), 2**60) | st.sampled_from(["NaN", "Infinity", "-Infinity", "1.5", "-2e3"]),
        Timestamp: st.integers(-(10**15), 10**16).map(clock.to_text),
        Object: st.dictionaries(TEXTS, FREE, max_size=3),
        Array: st.lists(FREE, max_size=3),
    }
    if kind in leaves:
        return leaves[kind]
    if issubclass(kind, enum.StrEnum):
        return st.sampled_from([str(member) for member in kind])
    return objects(kind, depth - 1)


@functools.cache
def objects(kind: type[msgspec.Struct], depth: int = DEPTH) -> st.SearchStrategy[dict[str, Any]]:
    """JSON objects of a message, each field there or not."""
    if depth <= 0:
        return st.just({})
    hints = typing.get_type_hints(kind, include_extras=True)
    fields = {field.encode_name: values(hints[field.name], depth) for field in msgspec.structs.fields(kind)}
    return st.fixed_dictionaries({}, optional=fields)


def snake(kind: Any, value: Any) -> Any:
    """The same JSON with the names of the contract's other style."""
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return snake(next(one for one in args if one not in (types.NoneType, msgspec.UnsetType)), value)
    if origin is list and value is not None:
        return [snake(args[0], item) for item in value]
    if origin is dict and value is not None:
        return {key: snake(args[1], item) for key, item in value.items()}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and value is not None:
        hints = typing.get_type_hints(kind, include_extras=True)
        names = {field.encode_name: field.name for field in msgspec.structs.fields(kind)}
        return {names[key]: snake(hints[names[key]], item) for key, item in value.items()}
    return value
