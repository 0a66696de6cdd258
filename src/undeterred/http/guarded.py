"""Plain routes that need a login: the same answer to a stranger, the same form of errors, everywhere outside the API."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from undeterred.api.call import Call, Services
from undeterred.base.errors import Failure, Unauthenticated
from undeterred.http.identity import identify
from undeterred.wire.faults import fault_of

Answer = Callable[[Call, Request], Awaitable[Response]]


def guarded(services: Services, path: str, answer: Answer) -> Route:
    """A GET route whose answer is made for the user that is logged in; failures are told as `{"message": text}`."""

    async def endpoint(request: Request) -> Response:
        try:
            who = await identify(dict(request.scope["headers"]), request.method, services.identities)
            if who is None or who.kind in ("allocation", "supervisor"):
                raise Unauthenticated("log in first")
            return await answer(Call(services, who, path), request)
        except Failure as failure:
            fault = fault_of(failure)
            return Response(fault.plain(), fault.status, media_type="application/json")

    return Route(path, endpoint, methods=["GET"])
