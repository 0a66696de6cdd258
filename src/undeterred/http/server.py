"""The ASGI application: the contract's paths go to `dispatch`, a task's to its proxy, the rest to `site`."""

from typing import TYPE_CHECKING, Any

from undeterred.api.call import Services
from undeterred.api.operation import Handler
from undeterred.http.dispatch import Dispatch, Receive, Scope, Send

if TYPE_CHECKING:
    import asyncio

    from starlette.types import ASGIApp

    from undeterred.http.proxy_door import Door


class Server:
    """Splits by path; knows the base path under which a reverse proxy serves us.

    What is not the contract's is made when it is first asked for: it is slow to import.
    """

    def __init__(self, services: Services, handlers: dict[str, Handler], *, check_rights: bool = False) -> None:
        self.dispatch = Dispatch(services, handlers, check_rights=check_rights)
        self._services = services
        self._base = services.settings.undeterred.prefix
        self._proxy: ASGIApp | None = None
        self._site: ASGIApp | None = None

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
            await self._other(scope, receive, send)

    def upgrades(self, *, server_state: Any, **_more: Any) -> "asyncio.Protocol":
        """What takes over a connection that asks for a WebSocket: the value of uvicorn's setting `ws`."""
        from undeterred.http.proxy_ws import Upgraded

        return Upgraded(self._door(), self._base, server_state.connections, server_state.tasks)

    async def _proxied(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._proxy is None:
            from undeterred.http.proxy import Proxy

            self._proxy = Proxy(self._door())
        await self._proxy(scope, receive, send)

    async def _other(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._site is None:
            from undeterred.http.site import site

            self._site = site(self._services, self.dispatch.counters)
        await self._site(scope, receive, send)

    def _door(self) -> "Door":
        from undeterred.http.proxy_door import Door

        return Door(self._services)
