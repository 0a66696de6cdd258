"""Moving experiments."""

from typing import Any

import pytest

from tests.api import worlds
from tests.conftest import make_settings
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.store import jobs, tasks

CONFIG = "{name: m, entrypoint: x, searcher: {name: single, metric: loss}}"


@pytest.fixture
def settings(request: pytest.FixtureRequest) -> Settings:
    """Roles decide where a test is marked so."""
    return make_settings(security__authz__type="rbac" if "rbac" in request.node.name else "basic")


async def create(client: Client, project: int = 1, **fields: Any) -> Any:
    """A new experiment."""
    return (await client.ok("POST", "experiments", {"config": CONFIG, "projectId": project, **fields}))["experiment"]


@pytest.fixture
async def target(client: Client) -> int:
    """A project in another workspace."""
    return int((await worlds.project(client, await worlds.workspace(client, "w"), "p"))["id"])


async def test_all_that_belongs_to_it_follows(client: Client, app: App, target: int) -> None:
    """Its project is shown at once; its job and tasks belong to the new workspace."""
    made = await create(client)
    for _ in range(2):
        await client.ok("POST", f"experiments/{made['id']}/move", {"destinationProjectId": target})
    shown = (await client.ok("GET", f"experiments/{made['id']}"))["experiment"]
    assert (shown["projectId"], shown["workspaceName"]) == (target, "w")
    space = shown["workspaceId"]
    trial = (await client.ok("GET", f"trials/{made['trialIds'][0]}"))["trial"]
    assert await app.db.read(lambda tx: jobs.get(tx, made["jobId"]).workspace_id) == space
    assert await app.db.read(lambda tx: tasks.get(tx, trial["taskId"]).workspace_id) == space


async def test_mistakes(client: Client, target: int) -> None:
    """Unknown experiments and projects are not found; archived ones stay, and take nothing."""
    e = (await create(client))["id"]
    assert (await client.post("experiments/99/move", {"destinationProjectId": target})).status == 404
    assert (await client.post(f"experiments/{e}/move", {"destinationProjectId": 99})).status == 404
    await client.ok("POST", f"projects/{target}/archive")
    assert (await client.post(f"experiments/{e}/move", {"destinationProjectId": target})).status == 400
    await client.ok("POST", f"projects/{target}/unarchive")
    await client.ok("POST", f"experiments/{e}/kill")
    await client.ok("POST", f"experiments/{e}/archive")
    assert (await client.post(f"experiments/{e}/move", {"destinationProjectId": target})).status == 400


async def test_many(client: Client, target: int) -> None:
    """By ids or by a filter, one result for each; an unknown destination refuses the whole."""
    a, b, c = [(await create(client))["id"] for _ in range(3)]

    async def move(**body: Any) -> dict[int, bool]:
        answer = await client.ok("POST", "projects/1/experiments/move", {"destinationProjectId": target, **body})
        return {one["id"]: not one["error"] for one in answer["results"]}

    assert await move(experimentIds=[a, 99]) == {a: True, 99: False}
    assert await move(experimentIds=[a]) == {a: False}  # it is in another project now
    assert await move(filters={"name": "m", "excludedExperimentIds": [c]}) == {b: True}
    assert await move(filters={"name": "none"}) == {}
    unknown = {"experimentIds": [c], "destinationProjectId": 99}
    assert (await client.post("projects/1/experiments/move", unknown)).status == 404


async def test_members_move_foreign_experiments(client: Client, target: int) -> None:
    """As in the original; in rbac mode it takes rights on both sides."""
    e = (await create(client))["id"]
    await worlds.user(client, "member")
    assert (await client.post(f"experiments/{e}/move", {"destinationProjectId": target}, user="member")).status == 200


async def test_rbac(client: Client, target: int) -> None:
    """To delete here and to create there."""
    space = await worlds.workspace(client, "v")
    here = (await worlds.project(client, space, "q"))["id"]
    e = (await create(client, here))["id"]
    user = await worlds.user(client, "editor")
    body = {"destinationProjectId": target}
    assert (await client.post(f"experiments/{e}/move", body, user="editor")).status == 404
    await worlds.grant(client, user, worlds.EDITOR, space)
    assert (await client.post(f"experiments/{e}/move", body, user="editor")).status == 404
    there = (await client.ok("GET", f"projects/{target}"))["project"]["workspaceId"]
    await worlds.grant(client, user, worlds.EDITOR, there)
    assert (await client.post(f"experiments/{e}/move", body, user="editor")).status == 200
