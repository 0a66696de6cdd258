"""JSON in canonical text, for what is stored and passed through unparsed.

Canonical: keys as given, no blanks, UTF-8, NaN and infinities as the texts "NaN", "Infinity", "-Infinity".
"""

import json
import math
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()


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


def special_float(number: float) -> float | str:
    """A finite number as it is, NaN and infinities as their texts on the wire."""
    if math.isfinite(number):
        return number
    if math.isnan(number):
        return "NaN"
    return "Infinity" if number > 0 else "-Infinity"


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
