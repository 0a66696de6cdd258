"""Finds the credential of a request.

| place | form | |
|---|---|---|
| `Authorization` | `Bearer T`, exactly this case and one blank | a bad one is refused although a good cookie is there |
| cookie `auth` | `T` | only without an Authorization header (an empty one counts as none) |
| `Grpc-Metadata-x-user-token` | `Bearer T` | |
| `Grpc-Metadata-x-allocation-token` | `Bearer A` | of tasks; only when no user token is sent |
"""

from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie
from typing import NamedTuple
from urllib.parse import urlsplit

from undeterred.api.who import Identities, Who
from undeterred.base.errors import Forbidden, Unauthenticated

COOKIE = "auth"
_PREFIX = "Bearer "


class Credential(NamedTuple):
    """A token and where it was found."""

    token: str
    place: str
    """authorization, cookie, user or allocation."""


def find(headers: Mapping[bytes, bytes]) -> Credential | None:
    """The credential to judge, or None; raises Unauthenticated for an Authorization header of another form."""
    authorization = headers.get(b"authorization", b"").decode("latin-1")
    if authorization:
        return Credential(_bearer(authorization), "authorization")
    user = headers.get(b"grpc-metadata-x-user-token", b"").decode("latin-1")
    if user:
        return Credential(_bearer(user), "user")
    cookie = headers.get(b"cookie")
    if cookie is not None:
        token = cookie_token(cookie.decode("latin-1"))
        if token:
            return Credential(token, "cookie")
    allocation = headers.get(b"grpc-metadata-x-allocation-token", b"").decode("latin-1")
    return Credential(_bearer(allocation), "allocation") if allocation else None


async def identify(headers: Mapping[bytes, bytes], method: str, identities: Identities) -> Who | None:
    """The caller, None without a credential; raises Unauthenticated or Forbidden."""
    credential = find(headers)
    if credential is None:
        return None
    who = await identities.who(credential.token)
    if credential.place == "allocation" and who.kind != "allocation":
        raise Unauthenticated("the allocation token is not the token of a task")
    if credential.place == "cookie" and method not in ("GET", "HEAD") and not same_site(headers):
        raise Forbidden("a write with the login cookie must come from this site's own pages")
    return who


def same_site(headers: Mapping[bytes, bytes]) -> bool:
    """Whether a browser says that the request comes from our own pages (programs send neither header)."""
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site in (b"same-origin", b"none")
    origin = headers.get(b"origin")
    return origin is None or urlsplit(origin.decode("latin-1")).netloc == headers.get(b"host", b"").decode("latin-1")


def cookie_token(header: str) -> str:
    """The token in a Cookie header, or nothing."""
    try:
        morsel = SimpleCookie(header).get(COOKIE)
    except CookieError:
        return ""
    return morsel.value if morsel is not None else ""


def _bearer(text: str) -> str:
    if not text.startswith(_PREFIX):
        raise Unauthenticated('the token must be sent as "Bearer TOKEN"')
    return text[len(_PREFIX) :].rstrip(" ")
