"""Documentation pages and the playground: static files, no login needed."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

STATIC = Path(__file__).parent / "static"
POLICY = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'",
    "X-Content-Type-Options": "nosniff",
}


def routes() -> list[BaseRoute]:
    """Routes of the documentation."""
    return [
        Route("/docs", _to("docs/")),
        Route("/docs/", _page("docs.html")),
        Route("/docs/rest-api", _to("rest-api/")),
        Route("/docs/rest-api/", _page("playground.html")),
        Mount("/docs/static", StaticFiles(directory=STATIC, check_dir=False)),
        Route("/api/v1/api.swagger.json", _document),
    ]


def _to(target: str):  # type: ignore[no-untyped-def]
    async def redirect(_request: Request) -> Response:
        return RedirectResponse(target)

    return redirect


def _page(name: str):  # type: ignore[no-untyped-def]
    async def page(_request: Request) -> Response:
        return FileResponse(STATIC / name, media_type="text/html", headers=POLICY)

    return page


async def _document(_request: Request) -> Response:
    """The OpenAPI document of the contract."""
    return FileResponse(STATIC / "openapi.json", media_type="application/json")
