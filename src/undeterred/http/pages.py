"""The few pages under `/det/` that a browser is sent to: the login, and the way to a notebook or TensorBoard.

`/det/interactive/<task>/...` is what `det notebook start` and `det tensorboard start` open in a browser.
"""

import urllib.parse

from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from undeterred.api import proxied
from undeterred.api.call import Call, Services
from undeterred.base.errors import Failure, Unauthenticated
from undeterred.http.docs import POLICY, STATIC
from undeterred.http.identity import identify
from undeterred.wire.faults import fault_of

LOGIN = "/det/login"


def routes(services: Services) -> list[BaseRoute]:
    """Routes of the pages; other paths under `/det/` have none, which nobody has to log in to be told."""
    pages = _Pages(services)
    return [
        Route(LOGIN, pages.login),
        Route("/det/interactive/{task_id}/{rest:path}", pages.interactive),
        Route("/det", pages.other),
        Route("/det/{path:path}", pages.other),
    ]


class _Pages:
    def __init__(self, services: Services) -> None:
        self._services = services
        self._base = services.settings.undeterred.prefix

    async def login(self, _request: Request) -> Response:
        """Name and password; the answer to the login brings the cookie."""
        return FileResponse(STATIC / "login.html", media_type="text/html", headers=POLICY | {"Cache-Control": "no-store"})

    async def interactive(self, request: Request) -> Response:
        """On to the task itself, whose own page says when it is not ready; to the login and back when nobody is logged in."""
        try:
            who = await identify(dict(request.scope["headers"]), request.method, self._services.identities)
            address = await proxied.address(Call(self._services, who, LOGIN), request.path_params["task_id"])
        except Unauthenticated:
            back = f"{self._base}/det/interactive/{urllib.parse.quote(request.path_params['task_id'], safe='')}/open"
            return RedirectResponse(f"{self._base}{LOGIN}?redirect={urllib.parse.quote(back, safe='')}", 303)
        except Failure as failure:
            fault = fault_of(failure)
            return Response(fault.plain(), fault.status, media_type="application/json")
        return RedirectResponse(self._base + address, 303)

    async def other(self, request: Request) -> Response:
        """There is no web interface."""
        if request.url.path.endswith("/det"):
            return RedirectResponse(f"{self._base}/det/", status_code=301)
        return JSONResponse({"message": "Not Found"}, status_code=404)
