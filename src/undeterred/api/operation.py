"""`@operation`: ties a handler to the contract and checks its annotations against it at import."""

import enum
import inspect
import typing
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from undeterred.base.struct import Struct
from undeterred.core.rights import Right
from undeterred.wire.operation import Operation
from undeterred.wire.operations import OPERATIONS

BY_ID: dict[str, Operation] = {operation.id: operation for operation in OPERATIONS}


class Needs(enum.Enum):
    """What an operation asks of its caller when it is no single right."""

    NOTHING = "nothing"
    """Open to all, logged in or not."""
    LOGIN = "login"
    """Any user: what is answered concerns the caller alone, or is for everybody."""


class Handler(Struct, frozen=True):
    """A handler as registered."""

    operation: Operation
    needs: tuple[Right | Needs, ...]
    """Several rights: which of them a call needs depends on its target."""
    function: Callable[[Any, Any], Awaitable[Any] | AsyncIterator[Any]]
    task: bool
    """Whether the token of a task is admitted; the handler then passes `tasks` to `Call.require`."""
    waits: bool
    """Whether it may wait for something to happen: then it ends when its client goes away."""


HANDLERS: dict[str, Handler] = {}
"""Operation id -> handler; filled while `undeterred.api.all` is imported and never changed later."""

F = typing.TypeVar("F", bound=Callable[..., Any])


def operation(
    operation_id: str, *, needs: Right | Needs | tuple[Right, ...], task: bool = False, waits: bool = False
) -> Callable[[F], F]:
    """Register the decorated function as the handler of an operation.

    It is `async def (call: Call, req: <request message>) -> <response message>`; for a stream an async generator of response
    messages. `task=True` admits the token of a running task, which may then touch only that task. `waits=True` is for one that
    waits for something to happen: it is canceled when its client goes away, as every stream is.
    Raises TypeError when the contract says otherwise.
    """

    def register(function: F) -> F:
        known = BY_ID.get(operation_id)
        if known is None:
            raise TypeError(f"{operation_id} is no operation of the contract")
        if operation_id in HANDLERS:
            raise TypeError(f"{operation_id} has two handlers")
        _check(known, function)
        HANDLERS[operation_id] = Handler(known, needs if isinstance(needs, tuple) else (needs,), function, task, waits)
        return function

    return register


def _check(known: Operation, function: Callable[..., Any]) -> None:
    hints = function.__annotations__
    if any(isinstance(hint, str) for hint in hints.values()):
        hints = typing.get_type_hints(function)  # ten times as slow
    request, response = hints.get(function.__code__.co_varnames[1]), hints.get("return")
    if known.streaming:
        if not inspect.isasyncgenfunction(function):
            raise TypeError(f"{known.id} is a stream: its handler must be an async generator")
        response = typing.get_args(response)[0]
    elif not inspect.iscoroutinefunction(function):
        raise TypeError(f"the handler of {known.id} must be an async function")
    if request is not known.request or response is not known.response:
        wanted = f"({known.request.__name__}) -> {known.response.__name__}"
        raise TypeError(f"the handler of {known.id} must be {wanted}, not ({request}) -> {response}")
