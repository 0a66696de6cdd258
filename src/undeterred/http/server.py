"""The ASGI application: the contract's paths go to `dispatch`, the rest to small Starlette routes."""

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from undeterred import DETERMINED_VERSION
from undeterred.api.call import Services
from undeterred.api.operation import Handler
from undeterred.base.errors import Failure
from undeterred.http import docs, exports, files, metrics, pages
from undeterred.http.dispatch import Dispatch
from undeterred.http.identity import identify
from undeterred.wire.faults import fault_of

if TYPE_CHECKING:
    import asyncio

    from undeterred.http.proxy_door import Door

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


class Server:
    """Splits by path; knows the base path under which a reverse proxy serves us."""

    def __init__(self, services: Services, handlers: dict[str, Handler], *, check_rights: bool = False) -> None:
        self.dispatch = Dispatch(services, handlers, check_rights=check_rights)
        self._services = services
        self._base = services.settings.undeterred.prefix
        self._proxy: ASGIApp | None = None
        self._rest: ASGIApp = Starlette(
            routes=[
                Route("/", self._root),
                Route("/info", self._info, methods=_METHODS),
                *pages.routes(services),
                *docs.routes(),
                *files.routes(services),
                *exports.routes(services),
                *metrics.routes(services, self.dispatch.counters),
                Route("/{path:path}", self._unknown, methods=_METHODS),
            ],
            exception_handlers={HTTPException: _plain_error},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] == "lifespan":
            return
        if self._base and scope["path"].startswith(self._base + "/"):
            scope["path"] = scope["path"][len(self._base) :]
        path = scope["path"]
        contract = (path.startswith(("/api/v1/", "/api/undeterred/")) and path != "/api/v1/api.swagger.json") or path == "/health"
        if contract and scope["type"] == "http":
            await self.dispatch(scope, receive, send)
        elif path.startswith("/proxy/") and scope["type"] == "http":
            await self._proxied(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    def upgrades(self, *, server_state: Any, **_more: Any) -> "asyncio.Protocol":
        """What takes over a connection that asks for a WebSocket: the value of uvicorn's setting `ws`."""
        from undeterred.http.proxy_ws import Upgraded  # slow to import, and often not needed

        return Upgraded(self._door(), self._base, server_state.connections, server_state.tasks)

    async def _proxied(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._proxy is None:
            from undeterred.http.proxy import Proxy  # slow to import, and often not needed

            self._proxy = Proxy(self._door())
        await self._proxy(scope, receive, send)

    def _door(self) -> "Door":
        from undeterred.http.proxy_door import Door

        return Door(self._services)

    async def _root(self, _request: Request) -> Response:
        return RedirectResponse(f"{self._base}/docs/", status_code=301)

    async def _info(self, request: Request) -> Response:
        """What a client may know before it logs in."""
        engine, settings = self._services.engine, self._services.settings
        if request.method not in ("GET", "HEAD"):
            return JSONResponse({"message": "Not Found"}, status_code=404)
        return JSONResponse(
            {
                "version": DETERMINED_VERSION,
                "master_id": engine.master_id,
                "cluster_id": engine.cluster_id,
                "cluster_name": settings.cluster_name,
                "telemetry": {"enabled": False, "otel_enabled": False, "otel_endpoint": ""},
                "sso_providers": None,
            }
        )

    async def _unknown(self, request: Request) -> Response:
        """401 before a login, 404 after one."""
        try:
            who = await identify(dict(request.scope["headers"]), request.method, self._services.identities)
        except Failure as failure:
            fault = fault_of(failure)
            return Response(fault.plain(), fault.status, media_type="application/json")
        if who is None:
            return JSONResponse({"message": "log in first"}, status_code=401)
        return JSONResponse({"message": "Not Found"}, status_code=404)


async def _plain_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": error.detail}, status_code=error.status_code)
