"""JSON in canonical text, for what is stored and passed through unparsed.

Canonical: keys as given, no blanks, UTF-8, NaN and infinities as the texts "NaN", "Infinity", "-Infinity".
"""

import math
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder()
_DECODER = msgspec.json.Decoder()


def dumps(value: Any) -> str:
    """Canonical text of plain data (dict, list, str, int, float, bool, None) or of a struct."""
    return _ENCODER.encode(_finite(value)).decode()


def loads(text: str | bytes) -> Any:
    """Parse JSON text; raises ValueError when it is none."""
    try:
        return _DECODER.decode(text)
    except msgspec.DecodeError as error:
        raise ValueError(str(error)) from None


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
    """The same data with NaN and infinities as texts; untouched (and not copied) when there are none."""
    if isinstance(value, float):
        return special_float(value)
    if isinstance(value, dict):
        for item in value.values():
            if isinstance(item, (float, dict, list)):
                return {key: _finite(item) for key, item in value.items()}
        return value
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
