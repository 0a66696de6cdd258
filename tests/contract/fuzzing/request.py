"""A request, drawn or read from the collection `corpus.jsonl`."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Json = dict[str, Any]
Headers = tuple[tuple[str, str], ...]
JSON = ("content-type", "application/json")
CORPUS = Path(__file__).parent / "corpus.jsonl"


@dataclass(frozen=True)
class Request:
    """One request, but for its token."""

    operation: str
    method: str
    target: str
    """Path and query, percent-encoded."""
    body: bytes | None = None
    headers: Headers = ()
    mode: str = ""
    waits: bool = field(default=False, compare=False)
    """Whether the operation may wait by design: its client goes away."""

    def __str__(self) -> str:
        shown = "" if self.body is None else f" {self.body[:600]!r}"
        extra = [one for one in self.headers if one != JSON]
        return f"{self.method} {self.target[:600]}{shown}{f' {extra}' if extra else ''}"


def waits(name: str, operation: Json) -> bool:
    """Whether an operation may take its time by design: streams, and what waits for others."""
    waiting = name.endswith(("Signal", "RendezvousInfo", "AllGather", "ContainerRunning", "AskSearch"))
    return waiting or "anyOf" in operation["responses"]["200"]["content"]["application/json"]["schema"]


def write(requests: Iterable[Request], path: Path) -> None:
    """Keep requests in a file, one a line."""
    path.write_text("".join(f"{_line(request)}\n" for request in requests), encoding="utf-8")


def _line(request: Request) -> str:
    body = None if request.body is None else request.body.decode("latin-1")
    kept = [request.operation, request.mode, request.method, request.target, body, request.headers]
    return json.dumps(kept, ensure_ascii=True, separators=(",", ":"))


def read(path: Path, operations: Json) -> Iterator[Request]:
    """The requests of a file."""
    for line in path.read_text(encoding="utf-8").splitlines():
        name, mode, method, target, body, headers = json.loads(line)
        bytes_ = None if body is None else body.encode("latin-1")
        waiting = name in operations and waits(name, operations[name])
        yield Request(name, method, target, bytes_, tuple((key, value) for key, value in headers), mode, waiting)
