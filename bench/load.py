"""A load generator: N connections, each sending its next request as soon as the last answer is there.

Requests are bytes made beforehand, answers are read without parsing JSON, so that the generator costs little beside the server
it shares the machine with. Results are rates and latencies of one run; compare them only with others of the same run.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
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


async def run(name: str, url: str, make: Make, connections: int, seconds: float) -> Result:
    """Load `url` for a time; statuses other than 200 are errors."""
    parts = urlsplit(url)
    latencies: list[float] = []
    errors = 0
    end = time.monotonic() + seconds

    async def worker(number: int) -> None:
        nonlocal errors
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        count = 0
        while time.monotonic() < end:
            started = time.perf_counter()
            writer.write(make(number, count))
            status = await _answer(reader)
            latencies.append(time.perf_counter() - started)
            errors += status != 200
            count += 1
        writer.close()

    started = time.monotonic()
    await asyncio.gather(*(worker(number) for number in range(connections)))
    took = time.monotonic() - started
    latencies.sort()
    at = lambda share: 1000 * latencies[min(len(latencies) - 1, int(len(latencies) * share))]  # noqa: E731
    return Result(name, connections, len(latencies) / took, at(0.5), at(0.95), errors)


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
