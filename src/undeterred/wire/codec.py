"""Bytes to request message, response message to bytes.

The fast path is one typed decode by msgspec into structs that forbid unknown keys. Any failure there, and nothing else, goes
to `tolerant.py`, which knows what else the original accepts and alone refuses. So both must agree where both succeed.
"""

import re
import typing
from collections.abc import Sequence
from urllib.parse import parse_qsl

import msgspec

from undeterred.base.errors import Invalid
from undeterred.wire import query as queries
from undeterred.wire import tolerant
from undeterred.wire.leaves import decode_leaf, encode_leaf
from undeterred.wire.operation import Operation, Param

MAX_BODY = 10 * 1024 * 1024
"""Bytes of a request body outside context uploads."""
MAX_CONTEXT_BODY = 128 * 1024 * 1024
"""Bytes of a body that carries context files: 95 MB of files as base64, as the client's own limit."""
MAX_DEPTH = 100
"""Levels of nested lists and objects in a body."""

MAX_PARAMS = 2_000
"""Parameters of a query."""

COMMA_LISTS = frozenset(("users", "labels", "workspaceNames"))
"""List parameters whose values may also come joined by commas. In all others a comma belongs to the value (a metric's name)."""

CONTEXT_OPERATIONS = frozenset(
    (
        "CreateExperiment",
        "PutExperiment",
        "LaunchNotebook",
        "LaunchShell",
        "LaunchCommand",
        "LaunchTensorboard",
        "CreateGenericTask",
    )
)

_ENCODER = msgspec.json.Encoder(enc_hook=encode_leaf)


def body_limit(operation: Operation) -> int:
    """Most bytes that the body of this operation may have."""
    return MAX_CONTEXT_BODY if operation.id in CONTEXT_OPERATIONS else MAX_BODY


class Codec:
    """Reads requests of one operation; decoders are made on first use."""

    __slots__ = ("_body_type", "_decoder", "_params", "_path", "operation", "slow")

    def __init__(self, operation: Operation) -> None:
        self.operation = operation
        self.slow = 0
        """How many bodies took the slow path (the harness's own calls must not)."""
        self._decoder: msgspec.json.Decoder[typing.Any] | None = None
        self._body_type: typing.Any = None
        self._path = [(param, param.path) for param in operation.path_params]
        self._params: dict[str, Param] = {}
        for param in operation.query_params:
            self._params[param.name] = self._params[param.proto_name] = param

    def decode(self, path_values: Sequence[str], query: bytes, body: bytes) -> msgspec.Struct:
        """One request message from path, query and body; the path wins over a field of the body. Raises `Invalid`."""
        operation = self.operation
        message = self._read_body(body) if operation.body is not None else operation.request()
        for (param, place), text in zip(self._path, path_values, strict=True):
            queries.put(message, place, queries.read(param, text))
        if query and self._params:
            self._read_query(message, query)
        return message

    def _read_query(self, message: msgspec.Struct, query: bytes) -> None:
        lists: dict[str, list[typing.Any]] = {}
        seen: set[str] = set()
        for key, text in _pairs(query):
            param = self._params.get(key)
            if param is None:
                continue
            if param.repeated:
                parts = text.split(",") if param.name in COMMA_LISTS else (text,)
                lists.setdefault(param.name, []).extend(queries.read(param, part) for part in parts)
            elif param.name not in seen:
                seen.add(param.name)
                queries.put(message, param.path, queries.read(param, text))
        for name, values in lists.items():
            queries.put(message, self._params[name].path, values)

    def _read_body(self, body: bytes) -> msgspec.Struct:
        if self._decoder is None:
            self._body_type = self._find_body_type()
            self._decoder = msgspec.json.Decoder(self._body_type, dec_hook=decode_leaf)
        _check_depth(body)
        try:
            value = self._decoder.decode(body)
        except (msgspec.DecodeError, ValueError, OverflowError, RecursionError):
            self.slow += 1
            value = tolerant.decode(body, self._body_type)
        operation = self.operation
        if operation.body == "*":
            return typing.cast(msgspec.Struct, value if value is not None else operation.request())
        message = operation.request()
        if value is None:
            value = _empty(self._body_type)
        if value is not None:
            setattr(message, typing.cast(str, operation.body), value)
        return message

    def _find_body_type(self) -> typing.Any:
        operation = self.operation
        if operation.body == "*":
            return operation.request
        return typing.get_type_hints(operation.request, include_extras=True)[typing.cast(str, operation.body)]


def _pairs(query: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(query.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=MAX_PARAMS)
    except ValueError:
        raise Invalid(f"the query has more than {MAX_PARAMS} parameters") from None


def _empty(annotation: typing.Any) -> typing.Any:
    """An empty message where the body fills a message field; None for other fields."""
    for kind in typing.get_args(annotation) or (annotation,):
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
            return kind()
    return None


_TEXTS = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.S)
_PAIRS = re.compile(rb"\{\}|\[\]")
_NO_BRACKETS = bytes(set(range(256)) - set(b"{}[]"))


def _check_depth(body: bytes) -> None:
    """Refuse nesting beyond `MAX_DEPTH`; bodies with few brackets are not looked at twice."""
    if body.count(b"{") + body.count(b"[") <= MAX_DEPTH:
        return
    brackets = _TEXTS.sub(b"", body).translate(None, _NO_BRACKETS)
    allowed = 0
    for _ in range(MAX_DEPTH):
        outer = _PAIRS.sub(b"", brackets)  # the innermost level goes
        if len(outer) == len(brackets):  # all is gone, or what is left is no JSON
            allowed = MAX_DEPTH
            break
        brackets = outer
    if brackets.count(b"{") + brackets.count(b"[") > allowed:
        raise Invalid(f"the body is nested deeper than {MAX_DEPTH} levels")


def encode(message: msgspec.Struct) -> bytes:
    """JSON of a response, with every unset field as the contract says."""
    return _ENCODER.encode(message)


def encode_item(message: msgspec.Struct) -> bytes:
    """One line of a stream."""
    return b'{"result":' + _ENCODER.encode(message) + b"}\n"


def pretty(body: bytes) -> bytes:
    """The same JSON, indented, for `?pretty`."""
    return msgspec.json.format(body, indent=2)
