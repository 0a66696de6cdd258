"""Head and body of an answer leave together, and nothing is held back."""

import asyncio

from undeterred.http.protocol import Joined

HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


class Recorded:
    """A transport that remembers what it was told."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []

    def write(self, data: bytes) -> None:
        """As a transport's."""
        self.sent.append(data)

    def close(self) -> None:
        """As a transport's."""
        self.sent.append(b"closed")

    def is_closing(self) -> bool:
        """As a transport's."""
        return b"closed" in self.sent


async def test_a_head_waits_for_its_body() -> None:
    """One write for both, also when the body is empty; the next answer of the connection likewise."""
    recorded = Recorded()
    joined = Joined(recorded)  # type: ignore[arg-type]
    for body in (b"{}", b"", b"more"):
        joined.write(HEAD)
        joined.write(body)
    assert recorded.sent == [HEAD + b"{}", HEAD, HEAD + b"more"]
    await asyncio.sleep(0)
    assert len(recorded.sent) == 3


async def test_a_head_without_a_body_leaves_in_the_loops_next_turn() -> None:
    """A stream whose first item is late shows its status at once."""
    recorded = Recorded()
    joined = Joined(recorded)  # type: ignore[arg-type]
    joined.write(HEAD)
    assert recorded.sent == []
    await asyncio.sleep(0)
    assert recorded.sent == [HEAD]
    joined.write(b"item")
    assert recorded.sent == [HEAD, b"item"]


async def test_closing_sends_what_was_written() -> None:
    """An answer to HEAD that ends the connection is complete; the rest is the transport's own."""
    recorded = Recorded()
    joined = Joined(recorded)  # type: ignore[arg-type]
    joined.write(HEAD)
    assert not joined.is_closing()
    joined.close()
    assert recorded.sent == [HEAD, b"closed"]
    assert joined.is_closing()
