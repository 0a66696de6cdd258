"""The mounted endpoint of all operations of the contract: one request from bytes to bytes.

Order: route, body under its limit, parse (a mistake is 400 even without a login), credential, handler, answer. Streams read
their first item before the headers are sent, so that an early failure has its real status; they end at once when the client
goes away.
"""

import asyncio
import email.utils
import logging
import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

import msgspec

from undeterred.api.call import Call, Services
from undeterred.api.operation import Handler, Needs
from undeterred.base.errors import Broken, Busy, Failure, Forbidden, Invalid, Unauthenticated, Unsupported
from undeterred.base.settings import SESSION_LIFETIME
from undeterred.http.answers import Answers, Send
from undeterred.http.audit import Audit
from undeterred.http.counters import Counters
from undeterred.http.identity import COOKIE, identify
from undeterred.http.streams import Gone, relay, unless_gone
from undeterred.wire import codec as wire
from undeterred.wire.codec import Codec, body_limit
from undeterred.wire.faults import Fault, fault_of
from undeterred.wire.messages import HealthCheck, HealthStatus
from undeterred.wire.operations import OPERATIONS
from undeterred.wire.router import Router

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Headers = dict[bytes, bytes]

log = logging.getLogger(__name__)

_BASE_HEADERS = [
    (b"content-type", b"application/json"),
    (b"grpc-metadata-content-type", b"application/grpc"),
    (b"vary", b"Accept-Encoding"),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"x-xss-protection", b"1; mode=block"),
]


class Dispatch:
    """ASGI application for the paths of the contract."""

    def __init__(self, services: Services, handlers: dict[str, Handler], *, check_rights: bool = False) -> None:
        self._services = services
        self._handlers = handlers
        self._router = Router(OPERATIONS)
        self.codecs = {operation.id: Codec(operation) for operation in OPERATIONS}
        self.counters = Counters()
        self._answers = Answers(_BASE_HEADERS)
        self._audit = Audit(enabled=bool(services.settings.internal.get("audit_logging_enabled")))
        self._check_rights = check_rights

    def knows(self, path: str) -> bool:
        """Whether a path outside `/api/` belongs to the contract."""
        return self._router.find("GET", path) is not None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        method, path = scope["method"], scope["path"]
        api = path.startswith("/api/")
        found = self._router.find(method, path)
        if found is None:
            fault = fault_of(Unsupported(f"no operation answers {method} {path}"))
            await self._fail(send, fault, api=api, head=method == "HEAD")
            return
        operation, values = found
        stream, status, begun, caller = False, 0, time.perf_counter(), None
        try:
            handler = self._handlers.get(operation.id)
            body = await _read_body(receive, body_limit(operation)) if operation.body is not None else b""
            request = self.codecs[operation.id].decode(values, scope["query_string"], body)
            del body
            stream = operation.streaming
            headers: Headers = dict(scope["headers"])
            caller = None if operation.auth == "none" else await identify(headers, method, self._services.identities)
            if caller is None and operation.auth != "none":
                raise Unauthenticated("log in first: no token was sent")
            if handler is None:
                raise Unsupported(f"{operation.id} is not available in this version")
            if caller is not None and caller.kind == "allocation" and not handler.task:
                raise Forbidden(f"a task's token may not call {operation.id}")
            call = Call(self._services, caller, operation.id)
            if stream:
                await _stream(handler.function(call, request), receive, send)  # type: ignore[arg-type]
                status = 200
                return
            working = handler.function(call, request)
            answer = await (unless_gone(working, receive) if handler.waits else working)  # type: ignore[arg-type, misc]
            if self._check_rights:
                _check(handler, call)
            out = wire.encode(answer)
            if b"pretty" in scope["query_string"] and _asks_pretty(scope["query_string"]):
                out = wire.pretty(out)
            status = _status(answer)
            await self._answers.send(send, status, out, _cookie(scope, operation.id, answer))
        except Gone:
            return
        except (Exception, asyncio.CancelledError) as error:
            fault = _fault(error, operation.id)
            status = fault.status
            await self._fail(send, fault, api=api, stream=stream)
        finally:
            self.counters.add(operation.id, status, time.perf_counter() - begun)
            self._audit.note(operation.id, method, caller, scope.get("client"), status)

    async def _fail(self, send: Send, fault: Fault, *, api: bool, stream: bool = False, head: bool = False) -> None:
        body = fault.plain() if not api else fault.stream() if stream else fault.unary()
        await self._answers.send(send, fault.status, b"" if head else body)


async def _read_body(receive: Receive, limit: int) -> bytes:
    first = await receive()
    if first["type"] == "http.disconnect":
        raise Gone
    body: bytes = first.get("body", b"")
    if not first.get("more_body"):
        if len(body) > limit:
            raise _too_large(limit)
        return body
    parts, size = [body], len(body)
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise _too_large(limit)
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)


def _too_large(limit: int) -> Invalid:
    return Invalid(f"the body is larger than {limit // (1024 * 1024)} MB, the limit of this operation")


async def _stream(items: AsyncIterator[msgspec.Struct], receive: Receive, send: Send) -> None:
    """Headers go with the first item, so that an early failure has its real status; a later one is an item of its own."""
    started = False

    async def begin() -> None:
        nonlocal started
        if not started:
            started = True
            await send({"type": "http.response.start", "status": 200, "headers": _BASE_HEADERS})

    async def put(body: bytes) -> None:
        await begin()
        await send({"type": "http.response.body", "body": body, "more_body": True})

    try:
        await relay(items, receive, put)
        await begin()
    except Gone:
        raise
    except (Exception, asyncio.CancelledError) as error:
        if not started:
            raise
        await put(_fault(error, "stream").stream())
    await send({"type": "http.response.body", "body": b""})


def _fault(error: BaseException, where: str) -> Fault:
    if isinstance(error, Failure):
        return fault_of(error)
    if isinstance(error, asyncio.CancelledError):  # by uvicorn, which waits for calls for a while when it stops
        return fault_of(Busy("the server is stopping; ask again"))
    request_id = secrets.token_hex(6)
    log.error("request %s to %s failed", request_id, where, exc_info=error)
    return fault_of(Broken(f"internal error; the server's log has the details under {request_id}"))


def _check(handler: Handler, call: Call) -> None:
    """A handler that declares several rights may need only one of them for a given target (a trial's task or a notebook)."""
    declared = {need for need in handler.needs if not isinstance(need, Needs)}
    if declared and declared.isdisjoint(call.rights_used):
        raise AssertionError(f"{handler.operation.id} answered without having checked {sorted(right.name for right in declared)}")


def _status(answer: Any) -> int:
    """200, but 503 for a health check that finds something down."""
    return 503 if isinstance(answer, HealthCheck) and answer.status is HealthStatus.down else 200


def _asks_pretty(query: bytes) -> bool:
    return any(part.split(b"=")[0] == b"pretty" for part in query.split(b"&"))


def _cookie(scope: Scope, operation_id: str, answer: Any) -> list[tuple[bytes, bytes]]:
    """The login cookie: set by Login, removed by Logout."""
    if operation_id not in ("Login", "Logout"):
        return []
    token = answer.token if operation_id == "Login" else ""
    expires = email.utils.formatdate(time.time() + SESSION_LIFETIME / 1_000_000 if token else 0, usegmt=True)
    secure = "; Secure" if scope.get("scheme") == "https" else ""
    return [(b"set-cookie", f"{COOKIE}={token}; Path=/; Expires={expires}; HttpOnly; SameSite=Lax{secure}".encode())]
