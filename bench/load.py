"""A load generator: N connections, each sending its next request as soon as the last answer is there.

Requests are bytes made beforehand, answers are read without parsing JSON, so that the generator costs little beside the server
it shares the machine with. Results are rates and latencies of one run; compare them only with others of the same run.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

Make = Callable[[int, int], bytes]
"""(connection, number) -> the bytes of a request."""


@dataclass(frozen=True, slots=True)
class Result:
    """What one load showed."""

    name: str
    connections: int
    rate: float
    """Answers a second."""
    p50: float
    """Milliseconds."""
    p95: float
    errors: int


def request(url: str, method: str, path: str, body: bytes = b"", token: str = "") -> bytes:
    """The bytes of an HTTP/1.1 request."""
    host = urlsplit(url).netloc
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Content-Length: {len(body)}"]
    if token:
        lines.append(f"Authorization: Bearer {token}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@dataclass(slots=True)
class Load:
    """One kind of request, sent again and again, and what came of it so far."""

    name: str
    url: str
    make: Make
    latencies: list[float] = field(default_factory=list)
    errors: int = 0
    seconds: float = 0.0
    sent: int = 0
    """The highest number given to `make` so far: it starts with 0 and never sees a number twice for one connection."""

    def result(self, connections: int) -> Result:
        """Of all that was sent."""
        ordered = sorted(self.latencies)
        at = lambda share: 1000 * ordered[min(len(ordered) - 1, int(len(ordered) * share))]  # noqa: E731 (a name for two uses)
        return Result(self.name, connections, len(ordered) / self.seconds, at(0.5), at(0.95), self.errors)


async def run(name: str, url: str, make: Make, connections: int, seconds: float) -> Result:
    """Load `url` for a time; statuses other than 200 are errors."""
    load = Load(name, url, make)
    await _slice(load, connections, seconds)
    return load.result(connections)


async def alternate(loads: Sequence[Load], connections: int, seconds: float, slices: int = 10) -> list[Result]:
    """Each load for `seconds` in all, in slices by turns: what else the machine does meanwhile slows all of them alike."""
    for _ in range(slices):
        for load in loads:
            await _slice(load, connections, seconds / slices)
    return [load.result(connections) for load in loads]


async def _slice(load: Load, connections: int, seconds: float) -> None:
    parts = urlsplit(load.url)
    begun = time.monotonic()
    first = load.sent

    async def worker(connection: int) -> None:
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        number = first
        while time.monotonic() < begun + seconds:
            started = time.perf_counter()
            writer.write(load.make(connection, number))
            status = await _answer(reader)
            load.latencies.append(time.perf_counter() - started)
            load.errors += status != 200
            number += 1
        writer.close()
        load.sent = max(load.sent, number)

    await asyncio.gather(*(worker(connection) for connection in range(connections)))
    load.seconds += time.monotonic() - begun


async def _answer(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head[9:12])
    lower = head.lower()
    at = lower.find(b"content-length:")
    if at >= 0:
        length = int(lower[at + 15 : lower.index(b"\r\n", at)])
        if length:
            await reader.readexactly(length)
        return status
    while True:  # chunked
        size = int(await reader.readline(), 16)
        await reader.readexactly(size + 2)
        if size == 0:
            return status
