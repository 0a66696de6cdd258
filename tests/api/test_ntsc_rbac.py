"""Who may see, launch and end tasks where roles decide."""

import pytest

from tests.api import worlds
from tests.conftest import make_settings
from tests.support import Client
from undeterred.base.settings import Settings

BODY = {"config": {"entrypoint": ["sleep", "1"], "resources": {"slots": 0}}}


@pytest.fixture
def settings() -> Settings:
    """Roles decide."""
    return make_settings(security__authz__type="rbac")


async def test_roles_decide_about_tasks(client: Client) -> None:
    """A viewer sees and may do nothing, an outsider does not even learn that there is a task, an editor may do all."""
    workspace_id = await worlds.workspace(client, "lab")
    for name, role in (("viv", worlds.VIEWER), ("edi", worlds.EDITOR), ("out", None)):
        user_id = await worlds.user(client, name)
        if role is not None:
            await worlds.grant(client, user_id, role, workspace_id)
    body = BODY | {"workspaceId": workspace_id}
    task = (await client.ok("POST", "commands", body, user="edi"))["command"]["id"]
    for name, launch, read, kill in (("viv", 403, 200, 403), ("out", 404, 404, 404), ("edi", 200, 200, 200)):
        assert (await client.post("commands", body, user=name)).status == launch, name
        assert (await client.get(f"commands/{task}", user=name)).status == read, name
        assert (await client.post(f"commands/{task}/set_priority", {"priority": 5}, user=name)).status == kill, name
        assert (await client.post(f"commands/{task}/kill", user=name)).status == kill, name
    assert (await client.ok("GET", "commands", user="out"))["commands"] == []
    assert len((await client.ok("GET", "commands", user="viv"))["commands"]) == 2
    assert (await client.get("commands", user="out", workspaceId=workspace_id)).status == 404
