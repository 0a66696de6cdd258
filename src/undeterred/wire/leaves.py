"""Leaf types of messages whose JSON form differs from Python's.

| type | in Python | in JSON |
|---|---|---|
| Int64 | int | quoted decimal text |
| Double | float | number, a whole one without a point; NaN and infinities as the texts "NaN", "Infinity", "-Infinity" |
| Timestamp | int, microseconds UTC | RFC 3339 with Z and 0, 3 or 6 fraction digits |
| Object, Array | dict, list, or `msgspec.Raw` on the way out | free JSON whose numbers are doubles |

msgspec hands exactly these to the hooks below, so a message is encoded and decoded in one pass of its C code.
"""

import math
import re
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias, TypeVar

import msgspec

from undeterred.base import clock
from undeterred.base.json import special_float

Int32: TypeAlias = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Uint32: TypeAlias = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]


class Int64(int):
    """A 64-bit integer; clients expect it quoted."""

    __slots__ = ()


class Double(float):
    """A float or double."""

    __slots__ = ()


class Timestamp(int):
    """Microseconds since 1970 UTC."""

    __slots__ = ()


T = TypeVar("T")

if TYPE_CHECKING:
    Maybe = Annotated[T, "null is accepted and means unset"]
    Object: TypeAlias = dict[str, Any] | msgspec.Raw
    Array: TypeAlias = list[Any] | msgspec.Raw
else:

    class Maybe:
        """`Maybe[X]`: an X that may be null on the wire; the message puts the default in its place."""

        def __class_getitem__(cls, kind):
            return kind | None

    class Object(dict):
        """A free JSON object (protobuf `Struct`)."""

    class Array(list):
        """A free JSON list (protobuf `ListValue`)."""


_EXACT = 2.0**53
_OBJECT: Any = Object
_ARRAY: Any = Array


SPECIAL_FLOATS = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def encode_leaf(value: Any) -> Any:
    """msgspec's `enc_hook`."""
    kind = type(value)
    if kind is Int64:
        return str(int(value))
    if kind is Double:
        return int(value) if value.is_integer() and abs(value) < 2**53 else special_float(float(value))
    if kind is Timestamp:
        return clock.to_text(value)
    raise TypeError(f"no JSON form for {kind.__name__}")


def decode_leaf(kind: Any, value: Any) -> Any:
    """msgspec's `dec_hook`: JSON value to leaf; raises ValueError for a wrong type, text or range."""
    if kind is Object:
        if type(value) is dict:
            return _OBJECT(as_doubles(value))
        raise ValueError("expected an object")
    if kind is Double:
        return to_double(value)
    if kind is Int64:
        return to_int64(value)
    if kind is Timestamp:
        if type(value) is str:
            return Timestamp(clock.from_text(value))
        raise ValueError("expected a time in RFC 3339")
    if kind is Array:
        if type(value) is list:
            return _ARRAY(as_doubles(value))
        raise ValueError("expected a list")
    raise TypeError(f"no leaf type {kind.__name__}")


def to_double(value: Any) -> Double:
    """A number, a quoted number, or one of the three special texts."""
    kind = type(value)
    if kind is str:
        special = SPECIAL_FLOATS.get(value)
        if special is not None:
            return Double(special)
        if _NUMBER.fullmatch(value) is None:
            raise ValueError("expected a number")
    elif kind is not float and kind is not int:
        raise ValueError("expected a number")
    number = Double(value)
    if math.isinf(number):
        raise ValueError("number out of range")
    return number


def to_int64(value: Any, low: int = -(2**63), high: int = 2**63 - 1) -> Int64:
    """An integer or a quoted decimal in the range."""
    if type(value) is str and _INTEGER.fullmatch(value):
        value = int(value) if len(value) < 40 else high + 1
    if type(value) is not int:
        raise ValueError("expected an integer")
    if not low <= value <= high:
        raise ValueError(f"integer out of range {low}..{high}")
    return Int64(value)


def as_doubles(value: Any) -> Any:
    """Free JSON as a client reads it back: every number is a double (1.0 reads as 1, -0 as 0, 20 digits are rounded)."""
    kind = type(value)
    if kind is float:
        if value.is_integer() and abs(value) < 2**53:
            return int(value)
        if math.isinf(value):
            raise ValueError("number out of range")
        return special_float(value)
    if kind is dict:
        for key, item in value.items():
            inner = type(item)
            if inner is float and -_EXACT < item < _EXACT:
                if item.is_integer():
                    value[key] = int(item)
            elif inner is not str and inner is not bool:
                value[key] = as_doubles(item)
        return value
    if kind is list:
        return [as_doubles(item) for item in value]
    if kind is int and not -(2**53) <= value <= 2**53:
        return _rounded(value)
    return value


def _rounded(value: int) -> int | float | str:
    try:
        number = float(value)
    except OverflowError:
        raise ValueError("number out of range") from None
    return special_float(number)
