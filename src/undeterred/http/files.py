"""Files that are downloaded: checkpoints as archives, the files an experiment was submitted with.

Nothing is kept in memory as a whole that may be large; what a file holds is never shown as a page.
"""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from undeterred.api.call import Call, Services
from undeterred.api.checkpoints.download import open_download
from undeterred.api.checkpoints.preview import preview_removal
from undeterred.api.experiments import files
from undeterred.base.errors import Failure, Invalid, Unauthenticated
from undeterred.http.identity import identify
from undeterred.wire.faults import fault_of

_TYPES = {"application/gzip": "tgz", "application/zip": "zip", "application/x-tar": "tar"}
_ALIASES = {"application/x-gzip": "application/gzip", "*/*": "application/gzip", "application/*": "application/gzip"}
_POLICY = ("save_experiment_best", "save_trial_best", "save_trial_latest")

Answer = Callable[[Call, Request], Awaitable[Response]]


def routes(services: Services) -> list[BaseRoute]:
    """Routes of all downloads."""

    def route(path: str, answer: Answer) -> Route:
        async def endpoint(request: Request) -> Response:
            try:
                who = await identify(dict(request.scope["headers"]), request.method, services.identities)
                if who is None:
                    raise Unauthenticated("log in first")
                return await answer(Call(services, who, path), request)
            except Failure as failure:
                fault = fault_of(failure)
                return Response(fault.plain(), fault.status, media_type="application/json")

        return Route(path, endpoint, methods=["GET"])

    return [
        route("/checkpoints/{uuid}", _checkpoint),
        route("/experiments/{id}/model_def", _model_definition),
        route("/experiments/{id}/file/download", _model_file),
        route("/experiments/{id}/preview_gc", _preview_gc),
    ]


async def _checkpoint(call: Call, request: Request) -> Response:
    """All files of a checkpoint, in the form that `?format=` or the Accept header asks for: tgz (the default), zip or tar."""
    download = await open_download(call, request.path_params["uuid"])
    kind = _wanted(request)
    if kind is None:
        shown = ", ".join(_TYPES)
        return JSONResponse({"message": f"a checkpoint is sent as one of {shown}, not as the Accept header asks"}, 415)
    form = _TYPES[kind]
    headers = _attached(f"{download.uuid}.{form}")
    if request.method == "HEAD":
        answer = Response(media_type=kind, headers=headers)
        del answer.headers["content-length"]  # nobody knows it before
        return answer
    return StreamingResponse(download.pieces(form), media_type=kind, headers=headers)


async def _model_definition(call: Call, request: Request) -> Response:
    """The context directory that an experiment was submitted with."""
    experiment_id = _number(request.path_params["id"], "experiment id")
    archive = await files.archive(call, experiment_id)
    return Response(archive, media_type="application/x-gtar", headers=_attached(f"experiment-{experiment_id}-model-def.tar.gz"))


async def _model_file(call: Call, request: Request) -> Response:
    """One file of it."""
    path = request.query_params.get("path", "")
    content = await files.one(call, _number(request.path_params["id"], "experiment id"), path)
    return Response(content, media_type="application/octet-stream", headers=_attached(path.rpartition("/")[2]))


async def _preview_gc(call: Call, request: Request) -> Response:
    """What a policy of retention would remove."""
    numbers = {name: _number(request.query_params[name], name) for name in _POLICY if name in request.query_params}
    return JSONResponse(await preview_removal(call, _number(request.path_params["id"], "experiment id"), numbers))


def _wanted(request: Request) -> str | None:
    """The media type to send, None when the Accept header admits none of ours."""
    form = request.query_params.get("format")
    if form is not None:
        kind = next((kind for kind, name in _TYPES.items() if name == form), None)
        if kind is None:
            raise Invalid(f"format: {form[:20]!r} is not one of {', '.join(_TYPES.values())}")
        return kind
    accepted = [part.split(";")[0].strip().lower() for part in request.headers.get("accept", "*/*").split(",")]
    return next((_ALIASES.get(kind, kind) for kind in accepted if _ALIASES.get(kind, kind) in _TYPES), None)


def _number(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise Invalid(f"{name}: {text[:40]!r} is no whole number")
    return int(text)


def _attached(name: str) -> dict[str, str]:
    """Headers that make a browser save the file under a name, and never show it."""
    safe = "".join(char if char.isascii() and char.isprintable() and char not in '"\\;' else "_" for char in name) or "file"
    return {"Content-Disposition": f'attachment; filename="{safe}"', "X-Content-Type-Options": "nosniff"}
