"""Tasks with pages of their own know the path under which a reverse proxy serves this server."""

import json

import pytest

from tests.conftest import make_settings
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.store import tasks


@pytest.fixture
def settings() -> Settings:
    """With a base path."""
    return make_settings(undeterred__base_path="/behind/a/proxy/")


async def test_a_notebook_serves_below_the_base_path(client: Client, app: App) -> None:
    """As the proxy sends it the whole path."""
    made = await client.ok("POST", "notebooks", {"config": {"resources": {"slots": 0}}})
    task_id = made["notebook"]["id"]
    launch = json.loads(app.db.read_now(lambda tx: tasks.get(tx, task_id)).launch)
    assert launch["env"]["NOTEBOOK_BASE_URL"] == f"/behind/a/proxy/proxy/{task_id}/"
