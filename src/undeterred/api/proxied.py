"""Services of tasks behind the proxy: who may use which, and where a browser finds a task."""

import hmac
from collections.abc import Collection

from undeterred.api.call import Call
from undeterred.base.errors import Busy, Failure, Forbidden, NotFound, Unauthenticated
from undeterred.core.rights import Right
from undeterred.engine.routes import Service, Stage
from undeterred.store.database import Tx

_NOUNS = {
    "TRIAL": "trial",
    "NOTEBOOK": "notebook",
    "SHELL": "shell",
    "COMMAND": "command",
    "TENSORBOARD": "TensorBoard",
    "GENERIC": "task",
}


class NotReady(Busy):
    """The service will be there in a while."""


async def admitted(call: Call, name: str, *, tokens: Collection[str] = (), refusal: Failure | None = None) -> Service:
    """The service `name`, if the caller may use it and it serves now.

    `tokens` are what the caller shows of a notebook's own token; `refusal` is what was wrong with its login. Raises, in this
    order: NotFound for a service of no task (whoever asks), `refusal` or Unauthenticated without a login where one is needed,
    Forbidden or NotFound without the right to see the task, NotFound when the task is over, NotReady when it does not serve yet.
    """
    service = await call.read(lambda tx: _permitted(call, tx, name, tokens, refusal))
    noun = _NOUNS.get(service.task_type, "task")
    if service.stage is Stage.OVER:
        raise NotFound(f"{noun} {service.task_id} ({service.name}) has ended")
    if service.stage is Stage.WAITING:
        raise NotReady(f"{noun} {service.task_id} ({service.name}) is not ready yet: it waits for its place or is starting")
    call.engine.routes.used(service.task_id)
    return service


async def lost(call: Call, name: str, service: Service, tokens: Collection[str]) -> Failure | None:
    """Why somebody who was let in to `service` by `admitted` would not be let in any more; None while all is well.

    For connections that go on for long. All those of a session share a look at it, which is good for a second; a service for
    everyone and the own token of a notebook need no session. That the database does not answer now ends nothing.
    """
    if service.unauthenticated or is_own_token(service, tokens):
        return None
    try:
        await call.go_on()
        await call.permit(("proxy", service.task_id), _right(service), lambda tx: _permitted(call, tx, name, tokens, None))
    except (Unauthenticated, Forbidden, NotFound) as failure:
        return failure
    except Busy:
        pass  # asked again soon
    return None


async def address(call: Call, task_id: str) -> str:
    """Where a browser finds a task that the caller may see: its path with a notebook's token. Raises as `admitted` does."""
    service = await call.read(lambda tx: _permitted(call, tx, task_id, (), None))
    return f"/proxy/{service.task_id}/" + (f"?token={service.token}" if service.token else "")


def _permitted(call: Call, tx: Tx, name: str, tokens: Collection[str], refusal: Failure | None) -> Service:
    missing = f"no task serves {name[:80]!r}"
    service = call.engine.routes.find(tx, name)
    if service is None:
        raise NotFound(missing)
    if service.unauthenticated or is_own_token(service, tokens):
        return service
    if refusal is not None:
        raise refusal
    if call.who.kind == "supervisor":
        raise Unauthenticated("log in first")
    call.require(
        tx,
        _right(service),
        workspace=service.workspace_id,
        owner=service.owner_id,
        workspace_owner=service.workspace_owner,
        missing=missing,
        tasks=(service.task_id,),
    )
    return service


def _right(service: Service) -> Right:
    return Right.VIEW_EXPERIMENT_ARTIFACTS if service.task_type == "TRIAL" else Right.VIEW_NSC


def is_own_token(service: Service, tokens: Collection[str]) -> bool:
    """Whether one of `tokens` is the token of this very notebook."""
    wanted = service.token.encode()
    return bool(wanted) and any(hmac.compare_digest(wanted, token.encode()) for token in tokens)
