"""Text of a configuration, YAML or JSON, to plain JSON data.

The tree is built from parser events, so no tag can make an object, aliases cannot grow without bound, and depth is limited.
Plain words are read as clients of Determined expect: `1e-3` is a number, `1:30` and `2020-01-01` are texts, `yes` and `on` are
true, a repeated key counts as last written, a key is the text that was written.
"""

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from undeterred.base.errors import Invalid
from undeterred.base.json import loads
from undeterred.core.config.kinds import INT64, Tree

DEPTH_LIMIT = 100
"""How deep objects and lists may lie in one another."""

NODE_LIMIT = 1_000_000
"""How many values a text may hold, those counted again that aliases repeat."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), math.inf),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), -math.inf),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), math.nan),
}
_NUMERIC = frozenset("+-.0123456789")
_DECIMAL = re.compile(r"[-+]?(0|[1-9][0-9]*)\Z")
_BASED = re.compile(r"([-+]?)0(?:[xX](?P<x>[0-9a-fA-F]+)|[bB](?P<b>[01]+)|[oO]?(?P<o>[0-7]+))\Z")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?\Z")
_TAG = "tag:yaml.org,2002:"


def parse_tree(text: str) -> Tree:
    """The object that a text of YAML or JSON holds.

    Raises Invalid, with the line where there is one, when the text is neither, holds something else than an object, is nested
    deeper than `DEPTH_LIMIT`, or has a number that is not finite.
    """
    value = _from_json(text) if text.lstrip().startswith("{") else None
    if value is None:
        value = _from_yaml(_without_surrogates(text))
    if value is None:
        raise Invalid("the configuration is empty")
    if not isinstance(value, dict):
        raise Invalid(f"a configuration is an object of keys and values, not {describe(value)}")
    return plain(value)


def plain(tree: Mapping[str, Any]) -> Tree:
    """A copy of JSON data with 64-bit integers; raises Invalid for data that is too deep, not finite, or no JSON."""
    copy: Tree = _plain(tree, "", 0)
    return copy


def describe(value: Any) -> str:
    """What kind of JSON value this is, for messages."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"the number {value}" if abs(value) < INT64 else "a number"
    if isinstance(value, str):
        return f'the text "{value}"' if len(value) <= 40 else "a text"
    return "a list" if isinstance(value, list) else "an object"


def _plain(value: Any, path: str, depth: int) -> Any:
    if depth > DEPTH_LIMIT:
        raise Invalid(f"{path[:60]}...: nested deeper than {DEPTH_LIMIT} levels")
    if isinstance(value, str | bool) or value is None:
        return value
    if isinstance(value, Mapping):
        return {str(key): _plain(item, f"{path}.{key}", depth + 1) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value)]
    if isinstance(value, int):
        if -INT64 <= value < INT64:
            return int(value)
        value = float(value) if value.bit_length() < 1024 else math.inf
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise Invalid(f"{path}: {value} is no number that JSON can hold")


def _from_json(text: str) -> Any:
    """The value of strict JSON text, None when it is not (it may still be YAML)."""
    try:
        return loads(text)
    except (ValueError, RecursionError):
        return None


def _without_surrogates(text: str) -> str:
    """The text with halves of surrogate pairs replaced by U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _from_yaml(text: str) -> Any:
    try:
        return _Builder().build(yaml.parse(text, Loader=_LOADER))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        raise Invalid(f"the configuration is not valid YAML: {where}{error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise Invalid(f"the configuration is not valid YAML: {str(error).splitlines()[0]}") from None


class _Frame:
    """A list or an object under construction."""

    __slots__ = ("anchor", "before", "key", "merged", "value")

    def __init__(self, value: Any, anchor: str | None, before: int) -> None:
        self.value = value
        self.anchor = anchor
        self.before = before
        self.key: str | None = None
        self.merged: list[Any] = []


class _Builder:
    """Builds the first document of an event stream without recursion."""

    def __init__(self) -> None:
        self._stack: list[_Frame] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._nodes = 0
        self._root: Any = None

    def build(self, events: Iterator[Any]) -> Any:
        """The value of the only document; raises Invalid when there are several."""
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._wrong(event, "only one document is expected")
            elif isinstance(event, yaml.NodeEvent):
                self._node(event)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._close(event)
        return self._root

    def _node(self, event: Any) -> None:
        self._nodes += 1
        if isinstance(event, yaml.CollectionStartEvent):
            if len(self._stack) > DEPTH_LIMIT:
                raise self._wrong(event, f"nested deeper than {DEPTH_LIMIT} levels")
            if self._expects_key():
                raise self._wrong(event, "a key must be a text, not a list or an object")
            known = f"{_TAG}{'map' if isinstance(event, yaml.MappingStartEvent) else 'seq'}"
            if event.tag not in (None, "!", known):
                raise self._wrong(event, f"the tag {event.tag} is not supported")
            value: Any = {} if isinstance(event, yaml.MappingStartEvent) else []
            self._stack.append(_Frame(value, event.anchor, self._nodes))
        elif isinstance(event, yaml.AliasEvent):
            self._alias(event)
        elif self._expects_key():
            self._stack[-1].key = self._key(event)
        else:
            value = self._scalar(event)
            self._remember(event.anchor, value, 1)
            self._put(value, event)

    def _alias(self, event: Any) -> None:
        if event.anchor not in self._anchors:
            raise self._wrong(event, f"there is no anchor {event.anchor} before this line")
        value, size = self._anchors[event.anchor]
        self._nodes += size
        if self._nodes > NODE_LIMIT:
            raise self._wrong(event, f"aliases make this larger than {NODE_LIMIT} values")
        if self._expects_key():
            if not isinstance(value, str):
                raise self._wrong(event, "a key must be a text")
            self._stack[-1].key = value
        else:
            self._put(value, event)

    def _close(self, event: Any) -> None:
        frame = self._stack.pop()
        for source in frame.merged:
            frame.value = {**source, **frame.value}
        self._remember(frame.anchor, frame.value, self._nodes - frame.before + 1)
        self._put(frame.value, event)

    def _put(self, value: Any, event: Any) -> None:
        """Hand a finished value to what contains it."""
        if not self._stack:
            self._root = value
            return
        frame = self._stack[-1]
        if isinstance(frame.value, list):
            frame.value.append(value)
            return
        key, frame.key = frame.key, None
        if key == _MERGE:
            frame.merged = value if isinstance(value, list) else [value]
            if not all(isinstance(source, dict) for source in frame.merged):
                raise self._wrong(event, "<< takes an object or a list of objects")
        else:
            frame.value[key] = value

    def _expects_key(self) -> bool:
        return bool(self._stack) and isinstance(self._stack[-1].value, dict) and self._stack[-1].key is None

    def _key(self, event: Any) -> str:
        text: str = event.value
        key = _MERGE if text == "<<" and event.implicit[0] else text
        self._remember(event.anchor, text, 1)
        return key

    def _remember(self, anchor: str | None, value: Any, size: int) -> None:
        if anchor is not None:
            self._anchors[anchor] = (value, size)

    def _scalar(self, event: Any) -> Any:
        text: str = event.value
        if event.tag is None:
            return resolve_plain(text) if event.implicit[0] else text
        name = event.tag.removeprefix(_TAG)
        if name in ("!", "str", "timestamp"):
            return text
        value = resolve_plain(text)
        types = {"int": int, "float": int | float, "bool": bool, "null": type(None)}
        if name not in types:
            raise self._wrong(event, f"the tag {event.tag} is not supported")
        if not isinstance(value, types[name]) or (isinstance(value, bool) and name != "bool"):
            raise self._wrong(event, f'"{text}" is no {name}')
        return value

    @staticmethod
    def _wrong(event: Any, message: str) -> Invalid:
        return Invalid(f"the configuration is not valid: line {event.start_mark.line + 1}: {message}")


_MERGE = "\0<<"
"""Stands for a merge key while its object is built; no key of a text can hold a zero byte."""


def resolve_plain(text: str) -> Any:
    """What an unquoted word means: null, a flag, a number, or the text itself."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMERIC:
        return text
    digits = text.replace("_", "")
    if _DECIMAL.match(digits):
        return int(digits) if len(digits) < 20 else _wide(digits)
    if based := _BASED.match(digits):
        found = {"x": 16, "b": 2, "o": 8}
        name = next(key for key in found if based[key] is not None)
        number = int(based[name], found[name])
        return -number if based[1] == "-" else number
    return float(digits) if _FLOAT.match(digits) else text


def _wide(digits: str) -> int | float:
    """A decimal beyond 18 digits: exact while it fits 64 bits."""
    number = float(digits)
    return int(digits) if abs(number) < INT64 else number
