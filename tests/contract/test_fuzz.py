"""Every operation with requests that were drawn from the served document: the same few each time; `make fuzz` draws many."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.conftest import make_settings
from tests.contract.fuzzing import server
from tests.contract.fuzzing.document import operations_of
from tests.contract.fuzzing.judging import Judge
from tests.contract.fuzzing.request import CORPUS, Request, read
from tests.contract.fuzzing.sending import InProcess
from tests.contract.fuzzing.world import World, with_token
from tests.databases import Stores
from undeterred.api.all import HANDLERS
from undeterred.app import App
from undeterred.http.docs import STATIC
from undeterred.http.server import Server

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOCUMENT = json.loads((STATIC / "openapi.json").read_bytes())
REFRESH = 40
"""Operations after which new things are made."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    """A server on pretended machines."""
    data_dir = tmp_path_factory.mktemp("fuzz")
    with stores.seeded(data_dir) as url:
        application = server.make(msgspec.structs.replace(make_settings(), db_url=url), data_dir)
        application.asgi = Server(application.services, HANDLERS)
        await application.start()
        yield application
        await application.stop()


class Fuzzing:
    """The operations, in turn."""

    def __init__(self, app: App) -> None:
        operations = operations_of(DOCUMENT)
        self.app = app
        self.requests = list(read(CORPUS, operations))
        self.judge = Judge(DOCUMENT, operations)
        self.send = InProcess(app.asgi)
        self.world = World(self._call)
        self.played = 0

    async def play(self, name: str) -> list[str]:
        """Send the requests of an operation; what was found."""
        self.token = (await server.rescue(self.app))["admin"]
        if self.played % REFRESH == 0:
            await self.world.refresh()
        self.played += 1
        found = []
        for request in self.requests:
            if request.operation == name:
                filled = self.world.filled(request)
                answer = await self.send(with_token(filled, self.token))
                found += [str(finding) for finding in self.judge.findings(filled, answer)]
                if answer.status == 401:
                    self.token = (await server.rescue(self.app))["admin"]
        return found

    async def _call(self, method: str, path: str, body: Any) -> dict[str, Any]:
        content = None if body is None else json.dumps(body).encode()
        headers = (("authorization", f"Bearer {self.token}"),)
        answer = await self.send(Request("", method, f"/api/v1/{path}", content, headers))
        assert answer.status == 200, f"{method} {path}: {answer.body!r}"
        return dict(json.loads(answer.body))


@pytest.fixture(scope="module")
def fuzzing(app: App) -> Fuzzing:
    """One for all operations."""
    return Fuzzing(app)


@pytest.mark.parametrize("name", sorted(HANDLERS))
async def test_answers_are_as_documented(fuzzing: Fuzzing, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """No failure, no hang, no other form than the document's, and nothing in the log that only a defect writes."""
    with caplog.at_level(logging.ERROR):
        found = await fuzzing.play(name)
    assert not found, "\n".join(found)
    assert not [record.getMessage() for record in caplog.records]


async def test_no_operation_is_left_out(fuzzing: Fuzzing) -> None:
    """Some requests of each are kept; after a change of the contract draw them again: python scripts/fuzz.py --write-corpus."""
    assert {request.operation for request in fuzzing.requests} == HANDLERS.keys()
