"""JSON in canonical text, for what is stored and passed through unparsed.

Canonical: keys as given, no blanks, UTF-8, NaN and infinities as the texts "NaN", "Infinity", "-Infinity".
"""

import functools
import json
import math
import operator
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()
_WHOLE = 2.0**53
_INNER_PARTS = msgspec.json.Decoder(dict[str, dict[str, msgspec.Raw]])
_PARTS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def dumps(value: Any) -> str:
    """Canonical text of plain data (dict, list, str, int, float, bool, None) or of a struct."""
    return _ENCODER.encode(_finite(value)).decode()


def dumps_finite(value: Any) -> str:
    """The same for data that are known to hold no NaN and no infinity as a float: twice as fast."""
    return _ENCODER.encode(value).decode()


def loads(text: str | bytes) -> Any:
    """Parse JSON text; raises ValueError when it is none."""
    try:
        return _DECODER.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def spaced(value: Any) -> str:
    """Text of plain data with a blank after each comma and colon, for the few values that clients read back in this form."""
    return json.dumps(value, ensure_ascii=False)


def raw(text: str | None) -> msgspec.Raw | None:
    """Stored text as a value that an encoder copies as it is."""
    return None if text is None else msgspec.Raw(text.encode())


def parts(text: str) -> dict[str, msgspec.Raw]:
    """The members of an object's text, each as text that is not looked into; raises ValueError for anything else."""
    try:
        return _PARTS.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def inner_parts(text: str) -> dict[str, dict[str, msgspec.Raw]]:
    """The members of the members of an object's text, all of which are objects; raises ValueError for anything else."""
    try:
        return _INNER_PARTS.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ValueError(str(error)) from None


def members(*names: str) -> Callable[[str], tuple[Any, ...]]:
    """A function that reads these members (each named once) of an object's text, None for those missing, and skips the rest.

    It is several times as fast as `loads` on objects with many members.
    """
    decode = _decoder(names)
    if decode is None:
        return lambda text: tuple(map(loads(text).get, names))
    return lambda text: msgspec.structs.astuple(decode(text))


def columns(names: tuple[str, ...], texts: Iterable[str]) -> list[list[Any]]:
    """The same members of many objects: one list for each name, in the order of the texts."""
    decode = _decoder(names)
    if decode is None:
        objects = [loads(text) for text in texts]
        return [[read.get(name) for read in objects] for name in names]
    found = list(map(decode, texts))
    return [list(map(operator.attrgetter(f"m{number}"), found)) for number in range(len(names))]


@functools.lru_cache(maxsize=64)
def _decoder(names: tuple[str, ...]) -> Callable[[str], Any] | None:
    fields = [(f"m{number}", Any, msgspec.field(default=None, name=name)) for number, name in enumerate(names)]
    try:
        kind = msgspec.defstruct("Members", fields, gc=False)
    except ValueError:  # a quote, a backslash or a control character in a name
        return None
    return msgspec.json.Decoder(kind).decode


def special_float(number: float) -> float | int | str:
    """A number as it is written on the wire: NaN and infinities as their texts, whole numbers below 1e21 without an exponent."""
    if -_WHOLE < number < _WHOLE:
        return number
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number if abs(number) >= 1e21 else _shortest(number)


def _shortest(number: float) -> int:
    """The whole number with the fewest digits that are not zero that reads back as this double."""
    digits, _, exponent = repr(number).partition("e")
    whole, _, fraction = digits.partition(".")
    fraction = fraction.rstrip("0")
    power: int = 10 ** (int(exponent or 0) - len(fraction))
    return int(whole + fraction) * power


def _finite(value: Any) -> Any:
    """The same data with NaN and infinities as texts; not copied when there are none."""
    return _replaced(value) if _has_special(value) else value


def _has_special(value: Any) -> bool:
    kind = type(value)
    if kind is float:
        return not math.isfinite(value)
    if isinstance(value, dict):
        value = value.values()
    elif kind is not list:
        return False
    for item in value:
        inner = type(item)
        if inner is float:
            if not math.isfinite(item):
                return True
        elif inner is not str and inner is not int and _has_special(item):
            return True
    return False


def _replaced(value: Any) -> Any:
    if isinstance(value, float):
        return special_float(value)
    if isinstance(value, dict):
        return {key: _replaced(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item) for item in value]
    return value
