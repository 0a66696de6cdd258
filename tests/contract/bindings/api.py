"""Calls of operations through the generated client of the package that tasks and the command line use, unmodified."""

import inspect
import re
import typing
from collections.abc import Callable
from typing import Any

import pytest
from determined.common.api import Session, authentication, bindings, errors

_BY_OPERATION: dict[str, Callable[..., Any]] = {
    match[1]: function
    for name, function in inspect.getmembers(bindings, inspect.isfunction)
    if (match := re.fullmatch(r"(?:get|post|put|patch|delete)_(\w+)", name))
}


class Api:
    """A user's session with a server; remembers which operations were called."""

    def __init__(self, url: str, password: str, user: str = "admin", called: set[str] | None = None) -> None:
        self.url = url
        self.password = password
        self.session: Session = authentication.login(url, user, password)
        self.called: set[str] = set() if called is None else called

    def as_user(self, name: str) -> "Api":
        """Another user's session, counted with this one."""
        return Api(self.url, self.password, name, self.called)

    def __call__(self, operation: str, **arguments: Any) -> Any:
        """The parsed answer, all items of a stream as a list; `body` is given as JSON and made the client's own type."""
        function = _BY_OPERATION[operation]
        if isinstance(arguments.get("body"), dict):
            arguments["body"] = _typed(function, arguments["body"])
        answer = function(self.session, **arguments)
        if _is_stream(function):
            answer = list(answer)
        for one in answer if isinstance(answer, list) else [answer]:
            if one is not None:
                one.to_json(omit_unset=False)
        self.called.add(operation)
        return answer

    def refused(self, operation: str, status: int, match: str, **arguments: Any) -> None:
        """The call fails with this status and a message that says this."""
        with pytest.raises(Exception, match=match) as caught:
            self(operation, **arguments)
        self.called.add(operation)
        error = caught.value
        assert isinstance(error, errors.APIException | errors.ForbiddenException | bindings.APIHttpError), error
        if isinstance(error, errors.APIException):
            assert error.status_code == status, error
        else:
            assert status == 403, error


def _typed(function: Callable[..., Any], body: dict[str, Any]) -> Any:
    name = inspect.signature(function).parameters["body"].annotation
    kind = getattr(bindings, str(name), None)
    return body if kind is None else kind.from_json(body)


def _is_stream(function: Callable[..., Any]) -> bool:
    return "Iterable" in str(inspect.signature(function).return_annotation)


def operations() -> typing.KeysView[str]:
    """Every operation that the client has."""
    return _BY_OPERATION.keys()
