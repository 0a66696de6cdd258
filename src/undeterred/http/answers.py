"""Whole answers: head and body as one text, as nearly every request gets them.

Uvicorn writes the head and the body of an answer apart and looks through each header of each answer. Where its request waits
for a complete answer whose headers are always the same, the text is put together here and handed to its transport. All that is
unusual goes uvicorn's own way: `HEAD`, a connection that is to end, a client that reads slowly, another server.
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Header = tuple[bytes, bytes]


class Answers:
    """Sends answers that begin with the same headers. For the event loop's thread."""

    def __init__(self, headers: Sequence[Header]) -> None:
        self._headers = list(headers)
        self._text = _text(headers)
        self._servers: Sequence[Header] = ()
        """What uvicorn adds to every answer (the date: a new list each second), and its text."""
        self._servers_text = b""

    async def send(self, send: Send, status: int, body: bytes, extra: Sequence[Header] = ()) -> None:
        """Answer an ASGI request."""
        cycle = getattr(send, "__self__", None)
        if not extra and type(cycle) is RequestResponseCycle and _is_usual(cycle):
            self._write(cycle, status, body)
            return
        headers = [*self._headers, (b"content-length", str(len(body)).encode()), *extra]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _write(self, cycle: RequestResponseCycle, status: int, body: bytes) -> None:
        servers = cycle.default_headers
        if servers is not self._servers:
            self._servers, self._servers_text = servers, _text(servers)
        length = b"content-length: %d\r\n\r\n" % len(body)
        cycle.transport.write(b"".join((STATUS_LINE[status], self._servers_text, self._text, length, body)))
        cycle.waiting_for_100_continue = False
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()


def _is_usual(cycle: RequestResponseCycle) -> bool:
    """Whether nothing but the answer's text is to be written, and at once."""
    return (
        cycle.keep_alive
        and not (cycle.response_started or cycle.disconnected or cycle.access_log or cycle.flow.write_paused)
        and cycle.scope["method"] != "HEAD"
    )


def _text(headers: Sequence[Header]) -> bytes:
    return b"".join(b"%b: %b\r\n" % header for header in headers)
