"""Templates: creating, replacing, listing, renaming, deleting."""

from typing import Any

import pytest

from tests.api.worlds import EDITOR, grant, user, workspace
from tests.conftest import make_settings
from tests.support import Client
from undeterred.base.settings import Settings


async def listed(client: Client, **query: Any) -> list[str]:
    """Names of a list."""
    return [one["name"] for one in (await client.ok("GET", "templates", **query))["templates"]]


async def test_a_template_keeps_any_configuration(client: Client) -> None:
    """It is not checked before it is used; without a workspace it lands in the first one; the path names it."""
    config = {"resources": 5, "nested": {"x": [1, 2.5, None, True]}}
    made = (await client.ok("POST", "templates/a", {"name": "other", "config": config}))["template"]
    assert made == {"name": "a", "config": config, "workspaceId": 1}
    assert (await client.ok("POST", "templates/b%20%25", {}))["template"]["config"] == {}
    assert (await client.ok("GET", "templates/b%20%25"))["template"]["name"] == "b %"
    assert (await client.post("templates/a", {"config": {}})).error["code"] == 6
    assert (await client.post("templates/c", {"config": "x"})).error["code"] == 3
    assert (await client.post("templates/c", {"workspaceId": 9999})).error["code"] == 5
    assert (await client.get("templates/A")).error["code"] == 5


async def test_put_creates_or_replaces(client: Client) -> None:
    """The answer repeats the request, with the workspace of one that was there."""
    here = await workspace(client, "w")
    new = (await client.ok("PUT", "templates/a", {"config": {"x": 1}}))["template"]
    assert new == {"name": "a", "config": {"x": 1}, "workspaceId": 0}
    assert (await client.ok("PUT", "templates/a", {"config": {}, "workspaceId": here}))["template"]["workspaceId"] == here
    assert (await client.ok("PUT", "templates/a", {}))["template"] == {"name": "a", "config": None, "workspaceId": here}
    assert (await client.ok("GET", "templates/a"))["template"] == {"name": "a", "config": {}, "workspaceId": here}
    assert (await client.put("templates/a", {"workspaceId": 9999})).error["code"] == 5


async def test_lists_are_cut_into_pages(client: Client) -> None:
    """By name, in bytes; a part of the name filters without regard to capitals; -2 shows all and claims none."""
    here = await workspace(client, "w")
    for name in ("b", "A", "ab"):
        await client.ok("POST", f"templates/{name}", {"workspaceId": here if name == "b" else 1})
    assert await listed(client) == ["A", "ab", "b"]
    assert await listed(client, orderBy="ORDER_BY_DESC", limit=2) == ["b", "ab"]
    assert await listed(client, name="a") == ["A", "ab"]
    assert await listed(client, workspaceIds=here) == ["b"]
    assert await listed(client, offset=-1) == ["b"]
    assert await listed(client, offset=99) == []
    odd = await client.ok("GET", "templates", limit=-2)
    assert (len(odd["templates"]), odd["pagination"]["endIndex"]) == (3, 0)
    assert (await client.get("templates", sortBy=9)).error["code"] == 3


async def test_a_template_is_changed_and_renamed_by_anybody(client: Client) -> None:
    """Its configuration is replaced as a whole; a taken name is refused, an empty one is a name."""
    await client.ok("POST", "templates/a", {"config": {"x": 1}})
    await client.ok("POST", "templates/b", {})
    changed = (await client.ok("PATCH", "templates/a", {"y": 2}, user="determined"))["template"]
    assert changed["config"] == {"y": 2}
    rename = {"oldName": "a", "newName": "b"}
    assert (await client.patch("template/rename", rename)).error["code"] == 6
    assert (await client.ok("PATCH", "template/rename", {"oldName": "a", "newName": ""}))["template"]["name"] == ""
    assert (await client.patch("template/rename", {"oldName": "zz", "newName": "y"})).error["code"] == 5
    await client.ok("DELETE", "templates/b", user="determined")
    for method in ("DELETE", "PATCH", "GET"):
        assert (await client.call(method, "templates/b", {})).error["code"] == 5


class TestRoles:
    """Where roles decide."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Roles decide."""
        return make_settings(security__authz__type="rbac")

    async def test_a_template_follows_its_workspace(self, client: Client) -> None:
        """Those of other workspaces are not there; one cannot be pulled out of or pushed into them."""
        ann = await user(client, "ann")
        mine, other = await workspace(client, "w"), await workspace(client, "v")
        await grant(client, ann, EDITOR, mine)
        await client.ok("POST", "templates/a", {"workspaceId": other})
        await client.ok("POST", "templates/b", {"workspaceId": mine}, user="ann")
        assert await listed(client, user="ann") == ["b"]
        assert (await client.get("templates/a", user="ann")).error["code"] == 5
        assert (await client.put("templates/a", {"workspaceId": mine}, user="ann")).error["code"] == 5
        assert (await client.put("templates/b", {"workspaceId": other}, user="ann")).error["code"] == 5
        assert (await client.patch("template/rename", {"oldName": "a", "newName": "c"}, user="ann")).error["code"] == 5
