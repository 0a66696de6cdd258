"""The door of the proxy: what is asked for, who asks, and what somebody is told who is not let through.

`/proxy/<service>/...`, below the base path if there is one. A service is a task's id, or a task's id, a colon and a port.
"""

import asyncio
import functools
import html
import urllib.parse
from collections.abc import Awaitable, Callable, Collection, Sequence

from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response

from undeterred.api import proxied
from undeterred.api.call import Call, Services
from undeterred.api.proxied import NotReady
from undeterred.base.errors import Failure, NotFound, Unauthenticated
from undeterred.base.struct import Struct
from undeterred.engine.routes import Service
from undeterred.http.identity import identify
from undeterred.http.pages import LOGIN
from undeterred.http.proxy_headers import Caller, Headers, first, to_task
from undeterred.wire.faults import fault_of

PREFIX = "/proxy/"
_TASK_SCHEME = b"token "
"""How clients of a notebook send its own token in the Authorization header."""
_RELOAD_S = 2
_LOOK_S = 2.0
"""How often is asked whether what goes on may still go on."""


class Knock(Struct, frozen=True):
    """A request at the door."""

    method: str
    path: bytes
    """As it was sent, percent-escapes and all; with or without the base path."""
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]
    caller: Caller
    websocket: bool = False

    @property
    def wants_page(self) -> bool:
        """Whether a person looks at the answer."""
        return not self.websocket and self.method in ("GET", "HEAD") and b"text/html" in first(self.headers, b"accept")


class Passage(Struct, frozen=True):
    """A request that is let through, as the task gets it."""

    service: Service
    method: str
    target: bytes
    headers: Headers
    lost: Callable[[], Awaitable[Failure | None]]
    """Why the caller would not be let through any more; None while all is well."""

    async def until_end(self, flows: Collection["asyncio.Task[None]"]) -> Failure | None:
        """Wait until one of the flows has ended, or until the caller has lost what it was let through for: then why."""
        while not (await asyncio.wait(flows, timeout=_LOOK_S, return_when=asyncio.FIRST_COMPLETED))[0]:
            if (failure := await self.lost()) is not None:
                return failure
        return None


class Door:
    """Lets requests through, or answers them."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self._base = services.settings.undeterred.prefix

    async def admit(self, knock: Knock) -> Passage:
        """Where the request goes. Raises a Failure for who is not let through, and for a service that is not there (yet)."""
        path = self._below_base(knock.path)
        who, refusal = None, None
        try:
            # a WebSocket acts like a write: with the login cookie it must come from this site's own pages
            who = await identify(dict(knock.headers), "POST" if knock.websocket else knock.method, self.services.identities)
        except Failure as failure:
            refusal = failure
        tokens = _tokens(knock)
        call = Call(self.services, who, PREFIX)
        name = _service_name(path)
        service = await proxied.admitted(call, name, tokens=tokens, refusal=refusal)
        authorization = first(knock.headers, b"authorization")
        own = authorization.startswith(_TASK_SCHEME) and proxied.is_own_token(service, (_after_scheme(authorization),))
        target = self._base.encode() + path + (b"?" + knock.query if knock.query else b"")
        headers = to_task(knock.headers, knock.caller, own_authorization=own)
        return Passage(service, knock.method, target, headers, functools.partial(proxied.lost, call, name, service, tokens))

    def refuse(self, knock: Knock, failure: Failure) -> Response:
        """What is answered instead: JSON for programs, a page for people; a browser that is not logged in is sent to do so."""
        fault = fault_of(failure)
        if not knock.wants_page:
            return JSONResponse({"message": str(failure)}, fault.status, _again(failure))
        if isinstance(failure, Unauthenticated):
            back = self._base.encode() + self._below_base(knock.path) + (b"?" + knock.query if knock.query else b"")
            return RedirectResponse(f"{self._base}{LOGIN}?redirect={urllib.parse.quote(back.decode('latin-1'), safe='')}", 303)
        return page(str(failure), fault.status, reload=isinstance(failure, NotReady), headers=_again(failure))

    def unreachable(self, knock: Knock, service: Service, why: str) -> Response:
        """502: the task is there and its server is not."""
        port = f" on port {service.port}" if service.port else ""
        text = f"task {service.task_id} ({service.name}) does not answer{port}: {why}"
        return page(text, 502) if knock.wants_page else JSONResponse({"message": text}, 502)

    def _below_base(self, path: bytes) -> bytes:
        base = self._base.encode()
        return path[len(base) :] if base and path.startswith(base + b"/") else path


def page(text: str, status: int, *, reload: bool = False, headers: dict[str, str] | None = None) -> Response:
    """A small page that says one thing; with `reload` it asks again by itself."""
    refresh = f'<meta http-equiv="refresh" content="{_RELOAD_S}">' if reload else ""
    body = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Undeterred</title>{refresh}'
        "<style>body{font:1rem/1.5 system-ui,sans-serif;margin:4rem auto;max-width:40rem;padding:0 1rem}</style></head>"
        f"<body><p>{html.escape(text[:1].upper() + text[1:])}.</p></body></html>"
    )
    policy = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'", "X-Content-Type-Options": "nosniff"}
    return HTMLResponse(body, status, policy | {"Cache-Control": "no-store"} | (headers or {}))


def _again(failure: Failure) -> dict[str, str]:
    return {"Retry-After": str(_RELOAD_S)} if isinstance(failure, NotReady) else {}


def _service_name(path: bytes) -> str:
    """The segment after `/proxy/`. Raises NotFound when there is none."""
    parts = path.split(b"/", 3)
    name = urllib.parse.unquote(parts[2].decode("latin-1")) if len(parts) > 2 and parts[1] == b"proxy" else ""
    if not name:
        raise NotFound("a service must be named: /proxy/<task id>/ or /proxy/<task id>:<port>/")
    return name


def _tokens(knock: Knock) -> list[str]:
    """What may be the own token of a notebook: `?token=`, or the Authorization header in the form of its clients."""
    given = urllib.parse.parse_qs(knock.query.decode("latin-1")).get("token", [])[:1]
    authorization = first(knock.headers, b"authorization")
    return given + ([_after_scheme(authorization)] if authorization.startswith(_TASK_SCHEME) else [])


def _after_scheme(authorization: bytes) -> str:
    return authorization[len(_TASK_SCHEME) :].strip().decode("latin-1")
