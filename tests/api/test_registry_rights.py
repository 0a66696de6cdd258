"""Where roles decide: models, their versions, and checkpoints."""

from typing import Any

import pytest

from tests.api import unmanaged, worlds
from tests.api.registered import checkpoint, model, uuid
from tests.conftest import make_settings
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.store import sessions

REGISTRY_VIEWER = 6
NOTHING: dict[str, Any] = {"resources": {}}


@pytest.fixture
def settings() -> Settings:
    """Roles decide."""
    return make_settings(security__authz__type="rbac")


@pytest.fixture
async def place(client: Client) -> int:
    """A workspace of the administrator with a project, a registered checkpoint and a plain one; ann edits it, vic sees it."""
    made = await worlds.workspace(client, "w")
    project = await worlds.project(client, made, "p")
    experiment = await unmanaged.experiment(client, projectId=project["id"])
    await model(client, "m", await checkpoint(client, 1, experiment), workspaceId=made)
    await checkpoint(client, 2, experiment)
    for name, role in (("ann", worlds.EDITOR), ("vic", worlds.VIEWER), ("reg", REGISTRY_VIEWER), ("out", None)):
        known = await worlds.user(client, name)
        if role is not None:
            await worlds.grant(client, known, role, made)
    return made


CHANGES: list[tuple[str, str, Any]] = [
    ("PATCH", "models/m", {"notes": "x"}),
    ("POST", "models/m/archive", None),
    ("POST", "models/m/versions", {"checkpointUuid": uuid(1)}),
    ("PATCH", "models/m/versions/1", {"notes": "x"}),
    ("DELETE", "models/m/versions/1", None),
    ("DELETE", "models/m", None),
    ("PATCH", "checkpoints", {"checkpoints": [{"uuid": uuid(2), "resources": NOTHING}]}),
    ("DELETE", "checkpoints", {"checkpointUuids": [uuid(2)]}),
    ("POST", "checkpoints/rm", {"checkpointUuids": [uuid(2)], "checkpointGlobs": ["a"]}),
    ("POST", f"checkpoints/{uuid(2)}/metadata", {"checkpoint": {"metadata": {}}}),
]
VIEWS = ["models/m", "models/m/versions", "models/m/versions/1", "models/m/versions/1/metrics"]
ARTIFACTS = [f"checkpoints/{uuid(1)}", f"checkpoints/{uuid(1)}/metrics", f"/checkpoints/{uuid(1)}"]


async def test_what_may_not_be_seen_is_not_found(client: Client, place: int) -> None:
    """For somebody without a role there: neither models nor checkpoints, in no operation; lists are empty."""
    for method, path, body in CHANGES:
        assert (await client.call(method, path, body, user="out")).status == 404, path
    for path in VIEWS + ARTIFACTS:
        assert (await client.get(path, user="out")).status == 404, path
    assert (await client.ok("GET", "models", user="out"))["models"] == []
    assert (await client.ok("GET", "model/labels", user="out"))["labels"] == []
    assert (await client.post("models", {"name": "n", "workspaceId": place}, user="out")).status == 404


async def test_who_sees_does_not_change(client: Client, place: int) -> None:
    """A viewer reads all and changes nothing; a viewer of the registry sees models only."""
    for method, path, body in CHANGES:
        assert (await client.call(method, path, body, user="vic")).status == 403, path
    assert (await client.post("models", {"name": "n", "workspaceId": place}, user="vic")).status == 403
    for path in VIEWS + ARTIFACTS[:2]:
        assert (await client.get(path, user="vic")).status == 200, path
    assert (await client.get("models/m", user="reg")).status == 200
    assert (await client.get(f"checkpoints/{uuid(1)}", user="reg")).status == 404
    assert [one["name"] for one in (await client.ok("GET", "models", user="reg"))["models"]] == ["m"]


async def test_things_of_others_need_a_right_of_their_own(client: Client, place: int) -> None:
    """An editor deletes their own models and versions, not those of others; an administrator of the workspace does."""
    await client.ok("POST", "models/m/versions", {"checkpointUuid": uuid(1)}, user="ann")
    await model(client, "own", by="ann", workspaceId=place)
    for path in ("models/m", "models/m/versions/1"):
        assert (await client.delete(path, user="ann")).status == 403
    for path in ("models/m/versions/2", "models/own"):
        await client.ok("DELETE", path, user="ann")
    boss = await worlds.user(client, "boss")
    await worlds.grant(client, boss, worlds.WORKSPACE_ADMIN, place)
    await client.ok("DELETE", "models/m/versions/1", user="boss")
    await client.ok("DELETE", "models/m", user="boss")


async def test_a_model_moves_where_both_ends_allow(client: Client, place: int) -> None:
    """The right to edit here, and to make models there."""
    other = await worlds.workspace(client, "other")
    move = {"destinationWorkspaceId": other}
    assert (await client.post("models/m/move", move, user="ann")).status == 404
    ann = next(one["id"] for one in (await client.ok("GET", "users"))["users"] if one["username"] == "ann")
    await worlds.grant(client, ann, worlds.VIEWER, other)
    assert (await client.post("models/m/move", move, user="ann")).status == 403
    await worlds.grant(client, ann, worlds.EDITOR, other)
    await client.ok("POST", "models/m/move", move, user="ann")


async def test_only_visible_checkpoints_are_registered(client: Client, place: int) -> None:
    """Otherwise a version would show what is hidden."""
    hidden = await checkpoint(client, 3)
    assert (await client.post("models/m/versions", {"checkpointUuid": hidden}, user="ann")).status == 404
    await client.ok("POST", "models/m/versions", {"checkpointUuid": uuid(2)}, user="ann")


async def test_a_task_reaches_the_checkpoints_of_its_experiment(client: Client, app: App, place: int) -> None:
    """It reports its own, and changes and reads those of its experiment and the one it was started from; no others."""
    first = (await client.ok("GET", f"checkpoints/{uuid(2)}"))["checkpoint"]
    task, experiment = first["taskId"], first["training"]["experimentId"]
    other = await checkpoint(client, 4)
    await app.db.write(lambda tx: sessions.create(tx, 1, "token", kind="allocation", allocation_id=f"{task}.1"))

    async def ask(method: str, path: str, body: Any = None) -> int:
        return (await client.call(method, path, body, user="token:token")).status

    own = {"uuid": uuid(5), "taskId": task, "resources": {"a": "1"}, "metadata": {"steps_completed": 1}}
    foreign = own | {"uuid": uuid(6), "taskId": (await client.ok("GET", f"checkpoints/{other}"))["checkpoint"]["taskId"]}
    assert await ask("POST", "checkpoints", own) == 200
    assert await ask("POST", "checkpoints", foreign) == 403
    assert await ask("GET", f"checkpoints/{uuid(1)}") == 200
    assert await ask("GET", f"experiments/{experiment}/checkpoints") == 200
    assert await ask("GET", f"checkpoints/{other}") == 403
    assert await ask("PATCH", "checkpoints", {"checkpoints": [{"uuid": uuid(5), "resources": NOTHING}]}) == 200
    assert await ask("PATCH", "checkpoints", {"checkpoints": [{"uuid": other, "resources": NOTHING}]}) == 403
    assert await ask("DELETE", "checkpoints", {"checkpointUuids": [uuid(2)]}) == 200
    assert await ask("GET", "models/m") == 403
