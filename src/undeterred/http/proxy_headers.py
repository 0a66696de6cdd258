"""Which headers pass between a caller and a task's own server. Pure functions on raw bytes; names are lower case.

No credential of the caller reaches the task: not the Authorization header, not the login cookie (other cookies pass), not the
token headers of clients. And the task cannot meddle with the login: it sets no cookie of that name, clears no data of the whole
site, and installs no service worker beyond its own path.
"""

import re
from collections.abc import Iterable, Sequence

from undeterred.base.struct import Struct
from undeterred.http.identity import COOKIE

Headers = list[tuple[bytes, bytes]]

_HOP = frozenset(
    b"connection keep-alive proxy-authenticate proxy-authorization proxy-connection te trailer transfer-encoding upgrade".split()
)
"""They belong to one connection and are made anew for the next."""
_SITE = frozenset((b"clear-site-data", b"service-worker-allowed", b"strict-transport-security", b"alt-svc"))
"""Answers of a task that would hold for the whole site."""
_OURS = frozenset((b"date",))
"""The server sets it for every answer."""
_TOKEN = re.compile(rb"grpc-metadata-x-[a-z-]*token")
_LOGIN = re.compile(rb"(?:^|\s)" + COOKIE.encode() + rb"\s*=")
_UNSENDABLE = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


class Caller(Struct, frozen=True):
    """What a task may know of who calls."""

    address: str
    scheme: str
    """http or https, as far as this server sees it."""


def to_task(headers: Sequence[tuple[bytes, bytes]], caller: Caller, *, own_authorization: bool = False) -> Headers:
    """Headers of a request as the task gets them; `own_authorization`: the Authorization header is for the task itself."""
    dropped = _HOP | _named(headers) | {b"expect"} | (frozenset() if own_authorization else {b"authorization"})
    passed: Headers = []
    for name, value in headers:
        if name in dropped or _TOKEN.fullmatch(name):
            continue
        if name == b"cookie":
            value = without_login(value)
            if not value:
                continue
        passed.append((name, value))
    return passed + _forwarded(headers, passed, caller)


def to_caller(headers: Iterable[tuple[bytes, bytes]]) -> Headers:
    """Headers of a task's answer as the caller gets them; repeated ones stay repeated."""
    known = [(name.lower(), value) for name, value in headers]
    dropped = _HOP | _SITE | _OURS | _named(known)
    return [
        (name, value)
        for name, value in known
        if name not in dropped and not _UNSENDABLE.search(value) and not (name == b"set-cookie" and _LOGIN.match(value.lstrip()))
    ]


def without_login(cookies: bytes) -> bytes:
    """A Cookie header without the login cookie; the others are left as they were written."""
    kept = [part.strip() for part in cookies.split(b";") if not _LOGIN.search(part)]
    return b"; ".join(part for part in kept if part)


def first(headers: Iterable[tuple[bytes, bytes]], wanted: bytes) -> bytes:
    """The value of the first header of this name; empty when there is none."""
    return next((value for name, value in headers if name == wanted), b"")


def _named(headers: Iterable[tuple[bytes, bytes]]) -> frozenset[bytes]:
    """What the Connection header names belongs to the connection, too."""
    named = [token.strip().lower() for name, value in headers if name == b"connection" for token in value.split(b",")]
    return frozenset(named) - {b"", b"host", b"cookie", b"content-length", b"content-type"}


def _forwarded(headers: Sequence[tuple[bytes, bytes]], passed: Headers, caller: Caller) -> Headers:
    """The usual three, unless a reverse proxy before us has set them; our caller joins the list of addresses."""
    before = first(headers, b"x-forwarded-for")
    address = caller.address.encode()
    more: Headers = [(b"x-forwarded-for", before + b", " + address if before else address)]
    passed[:] = [(name, value) for name, value in passed if name != b"x-forwarded-for"]
    if not first(headers, b"x-forwarded-proto"):
        more.append((b"x-forwarded-proto", caller.scheme.encode()))
    if not first(headers, b"x-forwarded-host") and (host := first(headers, b"host")):
        more.append((b"x-forwarded-host", host))
    return more
