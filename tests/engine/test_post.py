"""Sending to addresses that users name."""

import socket

import pytest

from tests.receiver import receiving
from undeterred.base.errors import Invalid, Refused
from undeterred.engine.post import Sent, post


def send(url: str, *, private: bool = True) -> Sent:
    """A small request."""
    return post(url, b"{}", {"X-A": "b"}, timeout=2, allow_private=private, allow_link_local=False)


def test_a_request_arrives_as_it_was_meant() -> None:
    """Path, query, headers and body; the host is the name that was given."""
    with receiving() as receiver:
        assert send(receiver.url.replace("127.0.0.1", "localhost") + "/p?q=1") == Sent(200, "")
        (request,) = receiver.requests
    assert (request.path, request.body, request.headers["x-a"]) == ("/p?q=1", b"{}", "b")
    assert request.headers["host"].startswith("localhost:")


def test_a_redirect_is_not_followed() -> None:
    """It is an answer like any other that is no success."""
    with receiving(302) as receiver:
        sent = send(receiver.url)
        assert len(receiver.requests) == 1
    assert (sent.status, sent.error != "") == (302, True)


def test_nobody_there_is_an_error_to_be_told() -> None:
    """No exception: it may be different next time."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sent = send(f"http://127.0.0.1:{sock.getsockname()[1]}/")
    assert sent.status is None
    assert "refused" in sent.error.lower()
    assert send("http://no-such-name.invalid/").status is None


def test_what_may_not_be_sent_to_is_refused() -> None:
    """Before anything is sent."""
    with receiving() as receiver:
        with pytest.raises(Refused):
            send(receiver.url, private=False)
        assert receiver.requests == []
    for url in ("http://169.254.169.254/latest", "http://[fe80::1]/", "http://0.0.0.0/"):
        with pytest.raises(Refused):
            send(url)
    for url in ("nonsense", "file:///etc/passwd", "http:///x", "http://h:x/"):
        with pytest.raises(Invalid):
            send(url)
