"""The slow path of decoding: protobuf's JSON form with everything that the original gateway tolerates.

snake_case names beside lowerCamel, numeric enums, quoted numbers, null for unset, unknown keys ignored, duplicate keys (the
last wins), text after the first JSON value, an empty body, lone surrogates. Raises `Invalid` naming the place.
"""

import base64
import binascii
import enum
import functools
import json
import re
import types
import typing
from collections.abc import Callable
from typing import Any

import msgspec

from undeterred.base.errors import Invalid
from undeterred.wire.leaves import Array, Double, Int64, Object, Timestamp, decode_leaf, to_int64

Convert = Callable[[Any, str], Any]
_FREE = (Object, Array)
_SPECIALS = (Double, Timestamp, *_FREE)
_SURROGATE = re.compile("[\ud800-\udfff]")


def decode(body: bytes, annotation: Any) -> Any:
    """The value that `body` describes for a message class or another annotation; None when there is no body or it is null."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Invalid(f"the body is not valid UTF-8 (byte {error.start})") from None
    if not text.strip():
        return None
    try:
        value, _ = _DECODER.raw_decode(text.lstrip())
    except (ValueError, RecursionError) as error:
        raise Invalid(f"the body is not valid JSON: {error}") from None
    if value is None:
        return None
    return converter(annotation)(value, "body")


def _no_constant(name: str) -> Any:
    raise ValueError(f'{name} is no JSON; send the text "{name}"')


_DECODER = json.JSONDecoder(parse_constant=_no_constant)


@functools.cache
def converter(annotation: Any) -> Convert:
    """The function that turns parsed JSON into a value of the annotation (None stands for "leave the default")."""
    origin = typing.get_origin(annotation)
    if origin is typing.Annotated:
        low, high = annotation.__metadata__[0].ge, annotation.__metadata__[0].le
        return functools.partial(_integer, low=low, high=high)
    if origin in (types.UnionType, typing.Union):
        kinds = [kind for kind in typing.get_args(annotation) if kind not in (type(None), msgspec.UnsetType)]
        return converter(kinds[0])
    if origin is list:
        return functools.partial(_list, inner=converter(typing.get_args(annotation)[0]))
    if origin is dict:
        return functools.partial(_map, inner=converter(typing.get_args(annotation)[1]))
    if annotation is Any:
        return lambda value, where: _clean(value)
    return _named(annotation)


def _named(kind: Any) -> Convert:
    if kind is str:
        return _text
    if kind is bool:
        return _bool
    if kind is bytes:
        return _bytes
    if kind is Int64:
        return functools.partial(_integer, low=-(2**63), high=2**63 - 1)
    if kind in _SPECIALS:
        return functools.partial(_leaf, kind=kind)
    if issubclass(kind, enum.StrEnum):
        return functools.partial(_enum, kind=kind)
    return functools.partial(_message, kind=kind)


@functools.cache
def _fields(kind: type[msgspec.Struct]) -> dict[str, tuple[str, Any]]:
    """Both spellings of each field -> attribute and annotation."""
    hints = typing.get_type_hints(kind, include_extras=True)
    table = {}
    for field in msgspec.structs.fields(kind):
        table[field.encode_name] = table[field.name] = (field.name, hints[field.name])
    return table


def _message(value: Any, where: str, kind: type[msgspec.Struct]) -> Any:
    if not isinstance(value, dict):
        raise Invalid(f"{where}: expected an object, got {_shown(value)}")
    fields = _fields(kind)
    result = kind()
    for key, item in value.items():
        known = fields.get(key)
        if known is None or item is None:
            continue
        name, annotation = known
        setattr(result, name, converter(annotation)(item, f"{where}.{key}"))
    return result


def _list(value: Any, where: str, inner: Convert) -> Any:
    if not isinstance(value, list):
        raise Invalid(f"{where}: expected a list, got {_shown(value)}")
    return [inner(item, f"{where}[{index}]") for index, item in enumerate(value) if item is not None]


def _map(value: Any, where: str, inner: Convert) -> Any:
    if not isinstance(value, dict):
        raise Invalid(f"{where}: expected an object, got {_shown(value)}")
    return {_text(key, where): inner(item, f"{where}.{key}") for key, item in value.items() if item is not None}


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{where}: expected a text, got {_shown(value)}")
    return _SURROGATE.sub("�", value) if not value.isascii() else value


def _bool(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{where}: expected true or false, got {_shown(value)}")
    return value


def _bytes(value: Any, where: str) -> bytes:
    text = _text(value, where).replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        raise Invalid(f"{where}: expected base64") from None


def _integer(value: Any, where: str, low: int, high: int) -> int:
    try:
        number = to_int64(value, low, high)
    except ValueError as error:
        raise Invalid(f"{where}: {error}, got {_shown(value)}") from None
    return number if high > 2**32 else int(number)


def _leaf(value: Any, where: str, kind: Any) -> Any:
    try:
        return decode_leaf(kind, _clean(value))
    except (ValueError, OverflowError) as error:
        raise Invalid(f"{where}: {error}, got {_shown(value)}") from None


def _enum(value: Any, where: str, kind: type[enum.StrEnum]) -> Any:
    if isinstance(value, str) and value in kind.__members__:
        return kind.__members__[value]
    if isinstance(value, int) and not isinstance(value, bool) and -(2**31) <= value < 2**31:
        return by_number(kind, value)
    raise Invalid(f"{where}: {_shown(value)} is not one of {', '.join(kind)}")


def by_number(kind: type[enum.StrEnum], number: int) -> Any:
    """The member with that number; an unknown number stays a number, which no handler takes for a known value."""
    numbers: dict[str, int] | None = getattr(kind, "__numbers__", None)
    if numbers is None:
        members = list(kind)
        return members[number] if 0 <= number < len(members) else number
    return next((kind(name) for name, known in numbers.items() if known == number), number)


def _clean(value: Any) -> Any:
    """Lone surrogates, which UTF-8 cannot carry, become U+FFFD."""
    if isinstance(value, str):
        return _SURROGATE.sub("�", value)
    if isinstance(value, dict):
        return {_clean(key): _clean(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(item) for item in value]
    return value


def _shown(value: Any) -> str:
    text = json.dumps(value) if not isinstance(value, (dict, list)) else ("an object" if isinstance(value, dict) else "a list")
    return text if len(text) <= 60 else text[:57] + "..."
