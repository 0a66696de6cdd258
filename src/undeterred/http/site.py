"""What is no operation of the contract: pages, documents, downloads, exports, `/info`; small Starlette routes."""

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from undeterred import DETERMINED_VERSION
from undeterred.api.call import Services
from undeterred.base.errors import Failure
from undeterred.http import docs, exports, files, metrics, pages
from undeterred.http.counters import Counters
from undeterred.http.identity import identify
from undeterred.wire.faults import fault_of

_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def site(services: Services, counters: Counters) -> Starlette:
    """The application of all these paths; any other path is answered as an unknown one."""

    async def root(_request: Request) -> Response:
        return RedirectResponse(f"{services.settings.undeterred.prefix}/docs/", status_code=301)

    async def info(request: Request) -> Response:
        """What a client may know before it logs in."""
        engine, settings = services.engine, services.settings
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

    async def unknown(request: Request) -> Response:
        """401 before a login, 404 after one."""
        try:
            who = await identify(dict(request.scope["headers"]), request.method, services.identities)
        except Failure as failure:
            fault = fault_of(failure)
            return Response(fault.plain(), fault.status, media_type="application/json")
        if who is None:
            return JSONResponse({"message": "log in first"}, status_code=401)
        return JSONResponse({"message": "Not Found"}, status_code=404)

    return Starlette(
        routes=[
            Route("/", root),
            Route("/info", info, methods=_METHODS),
            *pages.routes(services),
            *docs.routes(),
            *files.routes(services),
            *exports.routes(services),
            *metrics.routes(services, counters),
            Route("/{path:path}", unknown, methods=_METHODS),
        ],
        exception_handlers={HTTPException: _plain_error},
    )


async def _plain_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"message": error.detail}, status_code=error.status_code)
