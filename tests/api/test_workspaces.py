"""Workspaces: creating, listing, changing, pinning, archiving, deleting."""

from typing import Any

import pytest

from tests.api.worlds import WORKSPACE_CREATOR, grant, project, user, workspace
from tests.conftest import make_settings
from tests.rows import experiment
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.store.schema.registry import models

GROUP = {"agentUid": 1, "agentGid": 2, "agentUser": "a", "agentGroup": "b"}


async def listed(client: Client, **query: Any) -> list[str]:
    """Names of a list."""
    return [one["name"] for one in (await client.ok("GET", "workspaces", **query))["workspaces"]]


async def test_a_created_workspace_is_its_creators_and_pinned(client: Client) -> None:
    """The creator owns it, has it pinned, and holds the role of its administrator in it."""
    await user(client, "ann")
    made = (await client.ok("POST", "workspaces", {"name": "w", "agentUserGroup": None}, user="ann"))["workspace"]
    assert (made["username"], made["pinned"], made["state"]) == ("ann", True, "WORKSPACE_STATE_UNSPECIFIED")
    assert "pinnedAt" not in made
    assert "agentUserGroup" not in made
    seen = (await client.ok("GET", f"workspaces/{made['id']}", user="ann"))["workspace"]
    assert seen["pinnedAt"].endswith("Z")
    assert (await client.ok("GET", f"workspaces/{made['id']}"))["workspace"]["pinned"] is False
    roles = await client.ok("GET", f"roles/workspace/{made['id']}")
    assert [entry["role"]["name"] for entry in roles["assignments"]] == ["WorkspaceAdmin"]


async def test_a_name_is_checked(client: Client) -> None:
    """1 to 80 characters, not blank, not taken; capitals make another name; a NUL is not kept."""
    await workspace(client, "w")
    for name in ("", "   ", "x" * 81, "\u0000"):
        assert (await client.post("workspaces", {"name": name})).error["code"] == 3
    assert (await client.post("workspaces", {"name": "w"})).error["code"] == 6
    await workspace(client, "W")
    await workspace(client, "x" * 80)
    made = (await client.ok("POST", "workspaces", {"name": "a\u0000b"}))["workspace"]
    assert made["name"] == "a\u0000b"
    assert (await client.ok("GET", f"workspaces/{made['id']}"))["workspace"]["name"] == "ab"


async def test_the_secrets_of_a_storage_are_starred(client: Client) -> None:
    """Every field of the type is shown, null where nothing was given; the stored secret stays what it was."""
    storage = {"type": "s3", "bucket": "b", "access_key": "AK", "secret_key": "SK"}
    made = (await client.ok("POST", "workspaces", {"name": "w", "checkpointStorageConfig": storage}))["workspace"]
    shown = made["checkpointStorageConfig"]
    assert (shown["access_key"], shown["secret_key"], shown["bucket"], shown["prefix"]) == ("********", "********", "b", None)
    for bad in ({"type": "x"}, {"type": "s3"}, {}):
        answer = await client.patch(f"workspaces/{made['id']}", {"checkpointStorageConfig": bad})
        assert (answer.status, answer.error["code"]) == (400, 3)


async def test_lists_are_filtered_and_sorted(client: Client) -> None:
    """By whole name ignoring case or exactly, owner, pin and archive flag; names sort by bytes."""
    ann = await user(client, "ann")
    for name in ("beta", "Alpha", "gamma"):
        await workspace(client, name, by="ann")
    await client.ok("POST", f"workspaces/{await workspace(client, 'old', by='ann')}/archive", user="ann")
    assert await listed(client, users="ann", sortBy="SORT_BY_NAME") == ["Alpha", "beta", "gamma", "old"]
    assert await listed(client, userIds=ann, sortBy="SORT_BY_NAME", orderBy="ORDER_BY_DESC", limit=2) == ["old", "gamma"]
    assert await listed(client, name="ALPHA") == ["Alpha"]
    assert await listed(client, name="alph") == []
    assert await listed(client, nameCaseSensitive="alpha") == []
    assert await listed(client, users="ann", archived="true") == ["old"]
    assert await listed(client, users="ann", pinned="true") == []
    assert await listed(client, users="ann", pinned="true", user="ann") == ["beta", "Alpha", "gamma", "old"]
    for query in ({"sortBy": 99}, {"orderBy": 9}, {"limit": -1}, {"offset": 1000}, {"offset": -1000}):
        assert (await client.get("workspaces", **query)).error["code"] == 3


async def test_a_patch_changes_what_is_given(client: Client) -> None:
    """Null keeps, an empty default pool clears, fields of older clients are not read."""
    await client.ok("POST", "workspaces", {"name": "taken"})
    number = await workspace(client, "w", defaultComputePool="default", defaultAuxPool="default", agentUserGroup=GROUP)
    path = f"workspaces/{number}"
    changed = (await client.ok("PATCH", path, {"name": "v", "agentUserGroup": None}))["workspace"]
    assert (changed["name"], changed["agentUserGroup"]) == ("v", GROUP)
    assert (await client.ok("PATCH", path, {"name": "v"}))["workspace"]["name"] == "v"
    assert (await client.ok("PATCH", path, {"defaultComputePool": ""}))["workspace"]["defaultComputePool"] == "default"
    assert (await client.ok("PATCH", path, {"defaultAuxResourcePool": ""}))["workspace"]["defaultAuxPool"] == ""
    assert (await client.patch(path, {"defaultAuxResourcePool": "nope"})).error["code"] == 3
    assert (await client.patch(path, {"name": "taken"})).error["code"] == 6
    assert (await client.patch(path, {"agentUserGroup": {"agentUid": 1}})).error["code"] == 3
    assert (await client.patch(path, {"clusterNamespaceMeta": {"default": {"namespace": "n"}}})).status == 400


async def test_only_owners_and_administrators_change_a_workspace(client: Client) -> None:
    """A stranger is refused, the owner may not choose the Unix user of tasks, the first workspace stays as it is."""
    await user(client, "ann")
    mine, theirs = await workspace(client, "mine", by="ann"), await workspace(client, "theirs")
    for method, path in (("PATCH", ""), ("DELETE", ""), ("POST", "/archive"), ("POST", "/unarchive")):
        assert (await client.call(method, f"workspaces/{theirs}{path}", {}, user="ann")).error["code"] == 7
        assert (await client.call(method, f"workspaces/9999{path}", {}, user="ann")).error["code"] == 5
        assert (await client.call(method, f"workspaces/1{path}", {})).error["code"] == 9
    await client.ok("PATCH", f"workspaces/{mine}", {"name": "m"}, user="ann")
    assert (await client.patch(f"workspaces/{mine}", {"agentUserGroup": GROUP}, user="ann")).error["code"] == 7
    assert (await client.post("workspaces", {"name": "x", "agentUserGroup": GROUP}, user="ann")).error["code"] == 7
    assert await listed(client, name="x") == []


async def test_pins_are_each_users_own(client: Client) -> None:
    """Pinning twice and unpinning what is not pinned are refused."""
    number = await workspace(client, "w")
    await client.ok("POST", f"workspaces/{number}/pin", user="determined")
    assert (await client.post(f"workspaces/{number}/pin", user="determined")).error["code"] == 9
    await client.ok("POST", f"workspaces/{number}/unpin")
    assert (await client.post(f"workspaces/{number}/unpin")).error["code"] == 9
    assert (await client.post("workspaces/9999/pin")).error["code"] == 5
    assert (await client.ok("GET", f"workspaces/{number}", user="determined"))["workspace"]["pinned"] is True


async def test_an_archived_workspace_cannot_be_changed(client: Client) -> None:
    """Archiving twice is fine; name and new projects are refused until it is unarchived; it can be deleted."""
    number = await workspace(client, "w")
    for _ in range(2):
        await client.ok("POST", f"workspaces/{number}/archive")
    assert (await client.patch(f"workspaces/{number}", {"name": "v"})).error["code"] == 9
    assert (await client.post(f"workspaces/{number}/projects", {"name": "p"})).error["code"] == 9
    await client.ok("POST", f"workspaces/{number}/unarchive")
    await client.ok("POST", f"workspaces/{number}/archive")
    assert (await client.ok("DELETE", f"workspaces/{number}")) == {"completed": True}


async def test_an_empty_workspace_is_gone_at_once(client: Client, app: App) -> None:
    """One with a project goes in the background; one with models, or with an experiment that runs, is refused."""
    empty, held = await workspace(client, "empty"), await workspace(client, "held")
    assert (await client.ok("DELETE", f"workspaces/{empty}"))["completed"] is True
    assert (await client.delete(f"workspaces/{empty}")).error["code"] == 5
    inside = await project(client, held, "p")
    number = await app.db.write(lambda tx: experiment(tx, project_id=inside["id"], state="ACTIVE", unmanaged=False))
    refused = await client.delete(f"workspaces/{held}")
    assert (refused.error["code"], str(number) in refused.error["error"]) == (9, True)
    row = {"name": "m", "user_id": 1, "created_at": 1, "updated_at": 1}
    with_model = await workspace(client, "with model")
    await app.db.write(lambda tx: tx.insert(models, workspace_id=with_model, **row))
    assert (await client.delete(f"workspaces/{with_model}")).error["code"] == 9


class TestRoles:
    """Where roles decide."""

    @pytest.fixture
    def settings(self) -> Settings:
        """Roles decide."""
        return make_settings(security__authz__type="rbac")

    async def test_a_workspace_without_a_role_is_not_there(self, client: Client) -> None:
        """It is in no list and answers "not found", whatever is asked of it."""
        await user(client, "ann")
        number = await workspace(client, "w")
        assert await listed(client, user="ann") == []
        for method, path in (("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/archive"), ("POST", "/pin")):
            answer = await client.call(method, f"workspaces/{number}{path}", {}, user="ann")
            assert answer.error == {"code": 5, "reason": "NotFound", "error": f"workspace {number} not found"}

    async def test_who_may_create_workspaces_administrates_them(self, client: Client) -> None:
        """The role for it is given with the creation, also for the storage named in the same request."""
        ann = await user(client, "ann")
        assert (await client.post("workspaces", {"name": "w"}, user="ann")).error["code"] == 7
        await grant(client, ann, WORKSPACE_CREATOR)
        storage = {"type": "shared_fs", "host_path": "/c"}
        number = await workspace(client, "w", by="ann", checkpointStorageConfig=storage)
        await client.ok("PATCH", f"workspaces/{number}", {"name": "v"}, user="ann")
        assert (await client.post("workspaces", {"name": "u", "agentUserGroup": GROUP}, user="ann")).error["code"] == 7
