"""A walk over every operation that is served: without a login, with a garbage token, without a role, with the token of a task."""

import json
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.conftest import PASSWORD, make_settings, serving
from tests.contract.walk import body_of, body_type, make_one_of_each, path_of, query_of, tells_nothing
from tests.databases import Stores
from tests.support import Answer, Client
from tests.wire.shapes import snake
from undeterred.api.all import HANDLERS
from undeterred.api.operation import Handler, Needs
from undeterred.app import App
from undeterred.core.rights import Right
from undeterred.store import sessions, users
from undeterred.wire.codec import Codec
from undeterred.wire.operation import Operation
from undeterred.wire.operations import OPERATIONS

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALL = sorted(HANDLERS)
GUARDED = sorted(name for name, handler in HANDLERS.items() if any(isinstance(need, Right) for need in handler.needs))
CLOSED = sorted(name for name, handler in HANDLERS.items() if handler.operation.auth != "none")
SUPERVISOR = sorted(name for name, handler in HANDLERS.items() if handler.operation.auth == "supervisor")

GRANT = {"userId": 1, "roleAssignment": {"role": {"roleId": 4}, "scopeWorkspaceId": 1}}


def shows_one_thing(handler: Handler) -> bool:
    """Whether an operation reads one thing named in its path, and answers at once."""
    operation = handler.operation
    waits = operation.streaming or operation.id.endswith(("Signal", "RendezvousInfo"))
    maybe_none = operation.id == "GetBestSearcherValidationMetric"
    return operation.method == "GET" and bool(operation.path_params) and not waits and not maybe_none


BODIES: dict[str, Any] = {
    "AssignRoles": {"userRoleAssignments": [GRANT]},
    "RemoveAssignments": {"userRoleAssignments": [GRANT]},
    "PostAccessToken": {"userId": 1},
}
"""Requests that must be more than plausible to get as far as the question of rights."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    """One server for the whole walk, where roles decide; `ann` has none, and a task of hers runs."""

    def prepare(tx: Any) -> None:
        ann = users.create(tx, "ann", active=True, password_hash=users.get(tx, 1).password_hash)
        sessions.create(tx, ann, "task of ann", kind="allocation", allocation_id="7.of-ann.1")
        make_one_of_each(tx)

    async with serving(stores, tmp_path_factory.mktemp("walk"), make_settings(security__authz__type="rbac")) as application:
        await application.db.write(prepare)
        yield application


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(app: App) -> AsyncIterator[Client]:
    """Calls of anybody."""
    async with Client.open(app.asgi, PASSWORD) as opened:
        yield opened


async def call(client: Client, handler: Handler, user: str | None) -> Answer:
    """The operation with a plausible request."""
    operation = handler.operation
    body = BODIES.get(operation.id, body_of(operation))
    query = query_of(operation) if operation.id not in BODIES else {}
    for name in ("offset", "limit", "follow"):
        query.pop(name, None)
    return await client.call(operation.method, path_of(operation), body, user=user, **query)


@pytest.mark.parametrize("name", CLOSED)
async def test_nobody_is_let_in(client: Client, name: str) -> None:
    """401 without a token, with a garbage one, and with one that only looks right."""
    for user in (None, "token:garbage", "token:" + "A" * 43):
        answer = await call(client, HANDLERS[name], user)
        assert answer.status == 401, answer.text
        if HANDLERS[name].operation.path.startswith("/api/"):
            assert answer.error.get("grpcCode" if HANDLERS[name].operation.streaming else "code") == 16
        else:
            assert answer.body.keys() == {"message"}


@pytest.mark.parametrize("name", GUARDED)
async def test_without_the_right_nothing_is_done_or_told(client: Client, name: str) -> None:
    """Refused or not found, or a list of nothing; a request that is bad for everybody tells nothing either."""
    handler = HANDLERS[name]
    answer = await call(client, handler, "ann")
    if answer.status == 200:
        told = answer.lines if handler.operation.streaming else answer.body
        assert tells_nothing(told), answer.text
    elif answer.status == 400:
        again = await call(client, handler, "admin")
        assert again.status == 400, f"{answer.text} for ann, but {again.status} for admin: {again.text}"
    else:
        assert answer.status in (403, 404), answer.text


@pytest.mark.parametrize("name", [name for name in GUARDED if shows_one_thing(HANDLERS[name])])
async def test_what_is_hidden_is_there(client: Client, name: str) -> None:
    """Or the test above would have proved nothing: what is not found without a right is found with it."""
    answer = await call(client, HANDLERS[name], "admin")
    assert answer.status in (200, 400), answer.text


@pytest.mark.parametrize("name", [name for name in CLOSED if name not in SUPERVISOR])
async def test_a_task_reaches_nothing_but_itself(client: Client, name: str) -> None:
    """With the token of a task every operation is refused, or finds nothing that is the task's."""
    operation = HANDLERS[name].operation
    headers = {"Grpc-Metadata-x-allocation-token": "Bearer task of ann"}
    content = json.dumps(BODIES.get(name, body_of(operation)))
    answer = Answer(await client.http.request(operation.method, path_of(operation), content=content, headers=headers))
    if not HANDLERS[name].task:
        assert answer.status == 403, answer.text
    elif any(isinstance(need, Right) for need in HANDLERS[name].needs):
        assert answer.status in (400, 403, 404) or tells_nothing(answer.lines if operation.streaming else answer.body), (
            answer.text
        )
    else:
        assert answer.status in (200, 400, 403, 404), answer.text


@pytest.mark.parametrize("name", ALL)
async def test_the_declared_rights_are_known(name: str) -> None:
    """Every handler says what it needs; what is open to all is open in the contract too."""
    handler = HANDLERS[name]
    assert handler.needs
    assert (Needs.NOTHING in handler.needs) == (handler.operation.auth == "none")


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.id)
async def test_both_styles_of_query_names_are_the_same_request(operation: Operation) -> None:
    """lowerCamel and snake_case, for every parameter of every operation."""
    texts = tuple("1" for _ in operation.path_params)

    def read(snake: bool) -> Any:
        query = "&".join(f"{name}={text}" for name, text in query_of(operation, snake=snake).items())
        return Codec(operation).decode(texts, query.encode(), b"")

    assert read(snake=True) == read(snake=False)
    if operation.query_params:
        assert read(snake=False) != Codec(operation).decode(texts, b"", b"")


@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.body is not None], ids=lambda one: one.id)
async def test_both_styles_of_body_names_are_the_same_request(operation: Operation) -> None:
    """With every field of every message filled."""
    texts, reader = tuple("1" for _ in operation.path_params), Codec(operation)
    here = body_of(operation)
    there = snake(body_type(operation), here)
    requests = [reader.decode(texts, b"", json.dumps(body).encode()) for body in (here, there)]
    assert requests[0] == requests[1]
    nothing = reader.decode(texts, b"", b"")
    assert requests[0] != nothing or len(msgspec.structs.fields(operation.request)) <= len(operation.path_params)
