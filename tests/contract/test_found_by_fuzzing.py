"""What fuzzing found once: each a request with the answer that it must get."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tests.conftest import PASSWORD, make_settings, serving
from tests.databases import Stores
from tests.support import Client

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Found:
    """A request, and the status and a part of the answer that are right."""

    method: str
    path: str
    """Below `/api/v1/`; `{queued}` is a shell that waits for slots."""
    body: Any
    status: int
    part: str


LIST_AS_TYPE = (
    '{"filterGroup": {"kind": "group", "conjunction": "and", "children": [{"kind": "field", "columnName": "id", '
    '"location": "LOCATION_TYPE_EXPERIMENT", "operator": "=", "type": [[]], "value": 1}]}, "showArchived": true}'
)
FOUND = (
    # It counted as running without a place: it never started, could not be shown or ended, and the watchdog stumbled over it.
    Found("POST", "allocations/{queued}.1/ready", {}, 400, "still waits for slots"),
    Found("POST", "allocations/{queued}.1/waiting", {}, 400, "still waits for slots"),
    Found("GET", "shells", None, 200, "{queued}"),
    Found("POST", "task/logs", {"logs": [{}]}, 400, "taskId"),
    Found("POST", "experiments-search", {"filter": LIST_AS_TYPE}, 400, "unknown type"),
    Found("POST", "runs", {"filter": LIST_AS_TYPE}, 400, "unknown type"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def client(stores: Stores, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Client]:
    """One server for all, where tasks wait."""
    async with serving(stores, tmp_path_factory.mktemp("found"), make_settings()) as application:
        async with Client.open(application.asgi, PASSWORD) as opened:
            yield opened


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def queued(client: Client) -> str:
    """A shell that waits for slots."""
    return str((await client.ok("POST", "shells", {"config": {"resources": {"slots": 0}}}))["shell"]["id"])


@pytest.mark.parametrize("found", FOUND, ids=lambda one: f"{one.method} {one.path} {one.part}")
async def test_it_is_answered_as_it_should_be(client: Client, queued: str, found: Found) -> None:
    """With the status and the words that tell what is wrong."""
    answer = await client.call(found.method, found.path.replace("{queued}", queued), found.body)
    assert answer.status == found.status, answer.text
    assert found.part.replace("{queued}", queued) in answer.text
