"""Texts of paths and queries to values, with the original gateway's reading of numbers and booleans."""

import functools
import re
import typing
from collections.abc import Sequence
from typing import Any

import msgspec

from undeterred.base import clock
from undeterred.base.errors import Invalid
from undeterred.wire.leaves import Double, Timestamp, to_double
from undeterred.wire.operation import Param
from undeterred.wire.tolerant import by_number

_INTEGER = re.compile(r"([+-]?)(0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[1-9][0-9_]*|0)")
_TRUE = ("1", "t", "T", "true", "TRUE", "True")
_FALSE = ("0", "f", "F", "false", "FALSE", "False")


def read(param: Param, text: str) -> Any:
    """The value of one text; raises `Invalid` naming the parameter and what it takes."""
    kind = param.kind
    if kind in ("string", "wrapped_string"):
        return text
    if kind in ("int32", "wrapped_int32"):
        return _integer(param.name, text)
    if kind == "enum":
        return _enum(param, text)
    if kind == "bool":
        if text in _TRUE or text in _FALSE:
            return text in _TRUE
        raise Invalid(f"parameter {param.name}: {text[:64]!r} is not true or false")
    if kind == "wrapped_bool":
        if text in ("true", "false"):
            return text == "true"
        raise Invalid(f"parameter {param.name}: {text[:64]!r} is not true or false")
    return _special(param, text)


def _special(param: Param, text: str) -> Double | Timestamp:
    try:
        return Timestamp(clock.from_text(text)) if param.kind == "timestamp" else to_double(text)
    except (ValueError, OverflowError) as error:
        raise Invalid(f"parameter {param.name}: {error}") from None


def _integer(name: str, text: str) -> int:
    """Decimal, `+1`, octal `01`, `0x1`, within 32 bits."""
    if len(text) < 10 and text.isascii() and text.isdigit() and text[0] != "0":  # nearly all are ids
        return int(text)
    match = _INTEGER.fullmatch(text)
    if match is None or len(text) > 64:
        raise Invalid(f"parameter {name}: {text[:64]!r} is not an integer")
    sign, digits = match.groups()
    digits = digits.replace("_", "")
    octal = len(digits) > 1 and digits[0] == "0" and digits[1].isdigit()
    try:
        number = int(digits, 8 if octal else 0) * (-1 if sign == "-" else 1)
    except ValueError:
        raise Invalid(f"parameter {name}: {text[:64]!r} is not an integer") from None
    if not -(2**31) <= number < 2**31:
        raise Invalid(f"parameter {name}: {text[:64]} is out of the range of 32 bits")
    return number


def _enum(param: Param, text: str) -> Any:
    kind = param.enum
    if kind is None:
        raise TypeError(f"parameter {param.name} has no enum")
    if text in kind.__members__:
        return kind.__members__[text]
    if re.fullmatch(r"[+-]?\d{1,9}", text):
        return by_number(kind, int(text))
    raise Invalid(f"parameter {param.name}: {text[:64]!r} is not one of {', '.join(kind)}")


def put(message: msgspec.Struct, path: Sequence[str], value: Any) -> None:
    """Set an attribute inside nested messages, making the missing ones."""
    target: Any = message
    for name in path[:-1]:
        below = getattr(target, name)
        if below is None or below is msgspec.UNSET:
            below = _nested(typing.cast(typing.Any, type(target)), name)()
            setattr(target, name, below)
        target = below
    setattr(target, path[-1], value)


@functools.cache
def _nested(kind: typing.Any, name: str) -> type[msgspec.Struct]:
    hint = typing.get_type_hints(kind, include_extras=True)[name]
    kinds = typing.get_args(hint) or (hint,)
    return next(k for k in kinds if isinstance(k, type) and issubclass(k, msgspec.Struct))
