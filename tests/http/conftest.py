"""Fixtures of the proxy's tests."""

from collections.abc import AsyncIterator

import pytest

from tests.http.live import Place, listening
from tests.support import Client
from undeterred.app import App


@pytest.fixture
async def place(app: App, client: Client) -> AsyncIterator[Place]:
    """The server under test on a real port."""
    async with listening(app.asgi, app.asgi.upgrades) as (host, stop):
        made = Place(app, client, host, stop)
        yield made
        await made.http.aclose()
