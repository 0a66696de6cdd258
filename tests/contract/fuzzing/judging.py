"""Judges answers by the document: never a failure of the server, the form that the document promises, and in time."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from jsonschema import Draft202012Validator

from tests.contract.fuzzing.request import Request

Json = dict[str, Any]
NO_SUCH_PATH = b"no operation answers"
"""A slash in a parameter, or a dot, makes it another path, which has no operation."""


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    """0 when nothing came in time."""
    content_type: str = ""
    body: bytes = b""
    ended: bool = True
    """False where the client went away from a stream or a wait."""


@dataclass(frozen=True)
class Finding:
    """What is wrong with an answer."""

    kind: str
    operation: str
    text: str
    request: Request
    status: int
    shown: str

    def __str__(self) -> str:
        return (
            f"{self.kind} {self.operation} ({self.request.mode}): {self.text}\n  {self.request}\n  -> {self.status} {self.shown}"
        )

    @property
    def key(self) -> tuple[str, str, str]:
        """Findings with the same key are the same one."""
        return self.kind, self.operation, self.text


class Judge:
    """Knows what every operation may answer."""

    def __init__(self, document: Json, operations: dict[str, Json]) -> None:
        self._document = document
        self._operations = operations
        self._validators: dict[tuple[str, str], Draft202012Validator] = {}

    def findings(self, request: Request, answer: Answer) -> Iterator[Finding]:
        """Everything that is wrong."""
        for kind, text in self._problems(request, answer):
            shown = answer.body[:500].decode("utf-8", "replace")
            yield Finding(kind, request.operation, text, request, answer.status, shown)

    def _problems(self, request: Request, answer: Answer) -> Iterator[tuple[str, str]]:
        if answer.status == 0:
            if answer.ended or not request.waits:
                yield "hang", "no answer in time"
            return
        if answer.status == 501 and NO_SUCH_PATH in answer.body:
            return
        documented = self._operations[request.operation]["responses"]
        if answer.status >= 500:
            yield "failure", f"status {answer.status}"
        elif str(answer.status) not in documented:
            yield "undocumented", f"status {answer.status}"
        if answer.content_type.partition(";")[0] != "application/json":
            yield "type", f"content type {answer.content_type!r}"
            return
        yield from self._body(request, answer)

    def _body(self, request: Request, answer: Answer) -> Iterator[tuple[str, str]]:
        streamed = self._streams(request.operation) and answer.status == 200
        parts = answer.body.splitlines() if streamed else [answer.body]
        if streamed and not answer.ended and parts and not answer.body.endswith(b"\n"):
            parts.pop()
        validator = self._validator(request.operation, str(answer.status))
        for part in parts:
            try:
                value = json.loads(part, parse_constant=_refuse, object_pairs_hook=_unique)
            except ValueError as error:
                yield "json", str(error)[:100]
                return
            for error in validator.iter_errors(value):
                best = min(error.context, key=lambda one: -len(one.absolute_path)) if error.context else error
                yield "form", f"{best.json_path}: {best.message[:160]}"
                return

    def _streams(self, name: str) -> bool:
        return "anyOf" in self._operations[name]["responses"]["200"]["content"]["application/json"]["schema"]

    def _validator(self, name: str, status: str) -> Draft202012Validator:
        responses = self._operations[name]["responses"]
        status = status if status in responses else "default"
        if (name, status) not in self._validators:
            response = responses[status]
            if "$ref" in response:
                response = self._document["components"]["responses"][response["$ref"].rsplit("/", 1)[1]]
            schema = response["content"]["application/json"]["schema"]
            self._validators[name, status] = Draft202012Validator({**schema, "components": self._document["components"]})
        return self._validators[name, status]


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _unique(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError(f"a key stands twice among {[key for key, _ in pairs][:20]}")
    return found
