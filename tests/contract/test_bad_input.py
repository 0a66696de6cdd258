"""Every operation with what no client should send: no failure of the server, no hang, and refusals of the contract's shape."""

import asyncio
import json
import urllib.parse
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.conftest import make_settings, serving
from tests.contract.walk import TEXT, body_of, make_one_of_each, path_of, query_of
from tests.databases import Stores
from undeterred.api.all import HANDLERS
from undeterred.app import App
from undeterred.base.ids import new_secret
from undeterred.http.server import Server
from undeterred.store import sessions, users
from undeterred.wire.operation import Operation

pytestmark = pytest.mark.asyncio(loop_scope="module")

SECONDS = 20.0
WAITING = ("Signal", "RendezvousInfo", "AllGather", "AskSearch")
"""Operations that may wait for something by design."""
NUMBERS = ("0", "-1", "2147483648", "99999999999999999999", "abc", "1.5", "%00", "")
TEXTS = ("..%2F..%2Fetc%2Fpasswd", "%00", "%ff%fe", "%F0%9F%98%80", "%20", "x" * 3000, "%25", "*")
QUERIES = ("", "-1", "99999999999999999999", "nan", "true", "\0", "[", "{", "\ufffd" * 10, "x" * 3000, "1e400", "-2147483649")
BODIES = (
    b"",
    b"null",
    b"[]",
    b"1",
    b'"x"',
    b"{",
    b'{"a":',
    b"\xff\xfe",
    b"{}",
    b'{"unknown": {"deep": [1, {"x": null}]}}',
    b"[" * 101 + b"]" * 101,
    b'{"' + b"a" * 5000 + b'": 1}',
)
FIELDS = (
    None,
    -1,
    2**70,
    1.5,
    True,
    "",
    "\0",
    "\ud800",
    "x" * 3000,
    "../../etc/passwd",
    [],
    {},
    [None],
    [[]],
    {"a": {"b": []}},
    "NaN",
    "9999-99-99T99:99:99Z",
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    """One server with a thing of every kind for all operations."""
    async with serving(stores, tmp_path_factory.mktemp("bad"), make_settings()) as application:
        await application.db.write(make_one_of_each)
        application.asgi = Server(application.services, HANDLERS)
        yield application


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """Calls without any help, so that all is sent as it stands."""
    transport = httpx.ASGITransport(app=app.asgi, raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://test", timeout=None) as opened:
        yield opened


async def log_in(app: App) -> str:
    """A token of an administrator who was not harmed by what came before."""
    token = new_secret()

    def make(tx: Any) -> None:
        users.update(tx, 1, active=True, admin=True)
        sessions.create(tx, 1, token)

    await app.db.write(make)
    app.identities.forget()
    return token


def requests(operation: Operation) -> Iterator[tuple[str, bytes | None]]:
    """Path with query, and body."""
    good, plausible = path_of(operation), body_of(operation)
    whole = None if plausible is None else json.dumps(plausible).encode()
    for number, param in enumerate(operation.path_params):
        for value in NUMBERS if param.kind == "int32" else TEXTS:
            path = operation.path
            for other, one in enumerate(operation.path_params):
                path = path.replace("{" + one.name + "}", value if other == number else ("1" if one.kind == "int32" else TEXT))
            yield path, whole
    names = query_of(operation)
    for value in QUERIES if names else ():
        yield f"{good}?{urllib.parse.urlencode(dict.fromkeys(names, value[: 30_000 // len(names)]))}", whole
    if names:
        yield f"{good}?{'&'.join(f'{name}=%ff&{name}=1' for name in names)}", whole
    if operation.body is None:
        return
    for body in BODIES:
        yield good, body
    if isinstance(plausible, dict):
        for name in plausible:
            for value in FIELDS:
                yield good, json.dumps(plausible | {name: value}).encode()
        for value in FIELDS:
            yield good, json.dumps(dict.fromkeys(plausible, value)).encode()


@pytest.mark.parametrize("name", sorted(HANDLERS))
async def test_bad_input_is_refused_or_taken(app: App, http: httpx.AsyncClient, name: str) -> None:
    """In the shape of the contract."""
    operation = HANDLERS[name].operation
    waits = operation.streaming or name.endswith(WAITING)
    headers = {"Authorization": f"Bearer {await log_in(app)}"}
    for url, body in requests(operation):
        what = f"{operation.method} {url[:300]} {(body or b'')[:300]!r}"
        try:
            answer = await asyncio.wait_for(
                http.request(operation.method, url, content=body, headers=headers), 0.05 if waits else SECONDS
            )
        except TimeoutError:
            assert waits, f"no answer to {what}"
            continue
        if waits and answer.status_code == 503 and "is stopping" in answer.text:  # canceled in that moment, before its first item
            continue
        if answer.status_code == 501 and "no operation answers" in answer.text:  # a slash in a parameter makes it another path
            continue
        assert answer.status_code < 500, f"{answer.status_code} to {what}: {answer.text[:500]}"
        if answer.status_code == 401 and name in ("Logout", "PatchUser", "PatchUsers", "SetUserPassword", "DeleteSession"):
            headers = {"Authorization": f"Bearer {await log_in(app)}"}
        if answer.status_code >= 400 and answer.headers.get("content-type") == "application/json":
            refusal = answer.json().get("error")
            assert refusal, f"{what}: {answer.text[:300]}"
            message = refusal.get("error") or refusal.get("message")
            assert isinstance(message, str), f"{what}: {answer.text[:300]}"
            assert message, f"{what}: {answer.text[:300]}"
