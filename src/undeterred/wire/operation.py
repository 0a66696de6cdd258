"""What an operation of the contract is: the type of the rows in the generated `operations.py`."""

from enum import StrEnum

import msgspec

from undeterred.base.struct import Struct


class Empty(msgspec.Struct):
    """The request message of an operation that takes nothing."""


class Param(Struct, frozen=True):
    """One path or query parameter: where its value goes in the request message and how its text is read."""

    name: str
    """Dotted lowerCamel name; `proto_name` is the accepted snake_case spelling."""
    proto_name: str
    kind: str
    """int32, string, bool, enum, double, timestamp, or `wrapped_` and one of the first three."""
    repeated: bool = False
    enum: type[StrEnum] | None = None

    @property
    def path(self) -> tuple[str, ...]:
        """Attribute path inside the request message."""
        return tuple(self.proto_name.split("."))


class Operation(Struct, frozen=True):
    """One operation: route, message types, and where the body goes."""

    id: str
    method: str
    path: str
    area: str
    tag: str
    request: type[msgspec.Struct]
    response: type[msgspec.Struct]
    path_params: tuple[Param, ...] = ()
    query_params: tuple[Param, ...] = ()
    body: str | None = None
    """None: no body is read; "*": the body is the request message; else the field (snake_case) that it fills."""
    streaming: bool = False
    auth: str = "user"
    """`user`: a login or a task's token; `none`: open to all; `supervisor`: the token of a task's supervisor."""
    own: bool = False
    """Whether the original lacks it: an operation of our own, under `/api/undeterred/v1/`."""
