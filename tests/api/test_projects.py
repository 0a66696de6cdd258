"""Projects: creating, listing, changing, notes, moving, archiving, deleting."""

from typing import Any

import pytest

from tests.api.worlds import EDITOR, WORKSPACE_ADMIN, grant, project, user, workspace
from tests.conftest import make_settings
from tests.rows import experiment, run
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings


async def listed(client: Client, workspace_id: int, **query: Any) -> list[str]:
    """Names of the projects of a workspace."""
    answer = await client.ok("GET", f"workspaces/{workspace_id}/projects", **query)
    return [one["name"] for one in answer["projects"]]


async def test_a_project_gets_a_key(client: Client) -> None:
    """The given one in capitals, else one from its name; taken ones and ones of another form are refused."""
    here = await workspace(client, "w")
    made = await project(client, here, "Alpha", description="d")
    assert (made["key"][:3], len(made["key"]), made["workspaceName"], made["description"]) == ("ALP", 5, "", "d")
    assert (await project(client, here, "b", key="ab1"))["key"] == "AB1"
    for key, code in (("AB1", 6), ("", 3), ("A-B", 3), ("ABCDEF", 3)):
        assert (await client.post(f"workspaces/{here}/projects", {"name": "c", "key": key})).error["code"] == code
    assert (await client.ok("GET", "projects/key/aB1"))["project"]["workspaceName"] == "w"
    assert (await client.get("projects/key/ZZZ")).error["code"] == 5


async def test_names_are_unique_in_a_workspace(client: Client) -> None:
    """Capitals count; elsewhere the name is free; empty and overlong ones are refused, blank ones not."""
    here, there = await workspace(client, "w"), await workspace(client, "v")
    await project(client, here, "a")
    await project(client, here, "A")
    await project(client, there, "a")
    await project(client, here, "  ")
    for name, code in (("a", 6), ("", 3), ("x" * 81, 3)):
        assert (await client.post(f"workspaces/{here}/projects", {"name": name})).error["code"] == code
    assert (await client.post("workspaces/9999/projects", {"name": "a"})).error["code"] == 5
    assert (await client.post("workspaces/1/projects", {"name": "a"})).error["code"] == 9


async def test_lists_show_what_is_inside(client: Client, app: App) -> None:
    """Counts of experiments and runs, the latest start; sorted by it, projects without any come first or last."""
    here = await workspace(client, "w")
    first, second = await project(client, here, "first"), await project(client, here, "second")

    def fill(tx: Any) -> None:
        for state in ("ACTIVE", "COMPLETED"):
            run(tx, experiment(tx, project_id=second["id"], state=state), project_id=second["id"])

    await app.db.write(fill)
    shown = (await client.ok("GET", f"projects/{second['id']}"))["project"]
    assert (shown["numExperiments"], shown["numActiveExperiments"], shown["numRuns"]) == (2, 1, 2)
    assert shown["lastExperimentStartedAt"].endswith("Z")
    by_start = {"sortBy": "SORT_BY_LAST_EXPERIMENT_START_TIME"}
    assert await listed(client, here, **by_start) == ["second", "first"]
    assert await listed(client, here, **by_start, orderBy="ORDER_BY_DESC") == ["first", "second"]
    assert (await client.ok("GET", f"projects/{first['id']}"))["project"]["lastExperimentStartedAt"] is None
    assert (await client.ok("GET", f"workspaces/{here}"))["workspace"]["numExperiments"] == 2


async def test_lists_are_filtered(client: Client) -> None:
    """By whole name, owner and archive flag; id 0 spans all workspaces."""
    ann = await user(client, "ann")
    here, there = await workspace(client, "w"), await workspace(client, "v", by="ann")
    await project(client, here, "Alpha", by="ann")
    await project(client, there, "beta", by="ann")
    await project(client, here, "gamma")
    assert await listed(client, here, name="alpha") == ["Alpha"]
    assert await listed(client, here, name="lph") == []
    assert await listed(client, 0, users="ann") == ["Alpha", "beta"]
    assert await listed(client, 0, userIds=ann, sortBy="SORT_BY_NAME", orderBy="ORDER_BY_DESC") == ["beta", "Alpha"]
    await client.ok("POST", f"workspaces/{there}/archive", user="ann")
    assert await listed(client, there, archived="true") == ["beta"]
    assert await listed(client, there, archived="false") == []
    for query in ({"sortBy": 99}, {"limit": -2}, {"offset": 1000}):
        assert (await client.get(f"workspaces/{here}/projects", **query)).error["code"] == 3
    assert (await client.get("workspaces/9999/projects")).error["code"] == 5


async def test_a_patch_changes_what_is_given(client: Client) -> None:
    """Name, description and key; an old key is forgotten; where nothing changes the answer names no owner."""
    here = await workspace(client, "w")
    made = await project(client, here, "a", key="AAA")
    await project(client, here, "b", key="BBB")
    path = f"projects/{made['id']}"
    changed = (await client.ok("PATCH", path, {"name": "c", "description": "", "key": "ccc"}))["project"]
    assert (changed["name"], changed["key"], changed["workspaceName"], changed["userId"]) == ("c", "CCC", "w", 1)
    assert (await client.get("projects/key/AAA")).error["code"] == 5
    same = (await client.ok("PATCH", path, {"name": "c"}))["project"]
    assert (same["name"], same["userId"], same["username"], same["workspaceName"]) == ("c", 0, "", "")
    for body, code in (({"name": "b"}, 6), ({"key": "BBB"}, 6), ({"name": ""}, 3), ({"key": "A-B"}, 3)):
        assert (await client.patch(path, body)).error["code"] == code
    assert (await client.patch("projects/1", {"name": "x"})).error["code"] == 9
    assert (await client.patch("projects/9999", {"name": "x"})).error["code"] == 5


async def test_notes_are_everybodys(client: Client) -> None:
    """They are appended or replaced as a whole, also on archived projects."""
    made = await project(client, await workspace(client, "w"), "p")
    path = f"projects/{made['id']}"
    await client.ok("POST", f"{path}/archive")
    await client.ok("POST", f"{path}/notes", {"name": "n", "contents": "c"}, user="determined")
    notes = (await client.ok("POST", f"{path}/notes", {}))["notes"]
    assert notes == [{"name": "n", "contents": "c"}, {"name": "", "contents": ""}]
    assert (await client.ok("PUT", f"{path}/notes", {"notes": [{"name": "x"}]}))["notes"] == [{"name": "x", "contents": ""}]
    assert (await client.ok("GET", path))["project"]["notes"] == [{"name": "x", "contents": ""}]
    assert (await client.put("projects/9999/notes", {})).error["code"] == 5
    assert (await client.put(f"{path}/notes", {"notes": [{}] * 1001})).error["code"] == 3


async def test_a_project_moves_with_all_in_it(client: Client) -> None:
    """Both ends must be open, the name free there, and neither the first project nor the first workspace takes part."""
    here, there = await workspace(client, "w"), await workspace(client, "v")
    made = await project(client, here, "a")
    path = f"projects/{made['id']}/move"
    await client.ok("POST", path, {"destinationWorkspaceId": there})
    assert (await client.ok("GET", f"projects/{made['id']}"))["project"]["workspaceName"] == "v"
    assert (await client.post(path, {"destinationWorkspaceId": there})).error["code"] == 9
    assert (await client.post(path, {"destinationWorkspaceId": 1})).error["code"] == 9
    assert (await client.post(path, {})).error["code"] == 5
    await project(client, here, "a")
    assert (await client.post(path, {"destinationWorkspaceId": here})).error["code"] == 6
    assert (await client.post("projects/1/move", {"destinationWorkspaceId": here})).error["code"] == 9
    await client.ok("POST", f"workspaces/{there}/archive")
    assert (await client.post(path, {"destinationWorkspaceId": here})).error["code"] == 9


async def test_who_may_change_a_project(client: Client) -> None:
    """Its owner archives and deletes it; its name belongs to the owner of the workspace; a stranger does neither."""
    await user(client, "ann")
    here = await workspace(client, "w")
    mine, theirs = await project(client, here, "mine", by="ann"), await project(client, here, "theirs")
    assert (await client.patch(f"projects/{mine['id']}", {"name": "m"}, user="ann")).error["code"] == 7
    await client.ok("POST", f"projects/{mine['id']}/archive", user="ann")
    await client.ok("POST", f"projects/{mine['id']}/unarchive", user="ann")
    for method, path in (("DELETE", ""), ("POST", "/archive"), ("POST", "/unarchive"), ("PATCH", "")):
        assert (await client.call(method, f"projects/{theirs['id']}{path}", {"name": "x"}, user="ann")).error["code"] == 7
        assert (await client.call(method, f"projects/1{path}", {"name": "x"})).error["code"] == 9
        assert (await client.call(method, f"projects/9999{path}", {"name": "x"})).error["code"] == 5
    moved = await client.post(f"projects/{theirs['id']}/move", {"destinationWorkspaceId": here}, user="ann")
    assert moved.error["code"] == 7


async def test_an_empty_project_is_gone_at_once(client: Client) -> None:
    """And for good; an archived one, too."""
    made = await project(client, await workspace(client, "w"), "p")
    await client.ok("POST", f"projects/{made['id']}/archive")
    assert (await client.patch(f"projects/{made['id']}", {"name": "q"})).error["code"] == 9
    assert await client.ok("DELETE", f"projects/{made['id']}") == {"completed": True}
    assert (await client.get(f"projects/{made['id']}")).error["code"] == 5
    assert (await client.delete(f"projects/{made['id']}")).error["code"] == 5


class TestRoles:
    """Where roles decide."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Roles decide."""
        return make_settings(security__authz__type="rbac")

    async def test_a_role_in_one_workspace_shows_that_one(self, client: Client) -> None:
        """Projects elsewhere are in no list and not found; moving needs rights at both ends."""
        ann = await user(client, "ann")
        here, there = await workspace(client, "w"), await workspace(client, "v")
        seen, hidden = await project(client, here, "seen"), await project(client, there, "hidden")
        await grant(client, ann, WORKSPACE_ADMIN, here)
        assert await listed(client, 0, user="ann") == ["seen"]
        assert (await client.get(f"workspaces/{there}/projects", user="ann")).error["code"] == 5
        assert (await client.get(f"projects/{hidden['id']}", user="ann")).error["code"] == 5
        assert (await client.get(f"projects/key/{hidden['key']}", user="ann")).error["code"] == 5
        move = {"destinationWorkspaceId": there}
        assert (await client.post(f"projects/{seen['id']}/move", move, user="ann")).error["code"] == 5
        await grant(client, ann, EDITOR, there)
        await client.ok("POST", f"projects/{seen['id']}/move", move, user="ann")
