"""Where roles decide: users, groups, tokens and role assignments themselves."""

from typing import Any

import pytest

from tests.conftest import PASSWORD, make_settings
from tests.support import Client
from undeterred.app import App
from undeterred.base.settings import Settings
from undeterred.store.schema.spaces import workspaces

CLUSTER_ADMIN, WORKSPACE_ADMIN, VIEWER, EDITOR, TOKEN_CREATOR = 1, 2, 4, 5, 10


@pytest.fixture
def settings() -> Settings:
    """Roles decide."""
    return make_settings(security__authz__type="rbac")


async def make(client: Client, name: str, **fields: Any) -> int:
    """A new active user without a role; its id."""
    user = {"username": name, "active": True} | fields
    return int((await client.ok("POST", "users", {"user": user, "password": PASSWORD}))["user"]["id"])


async def workspace(app: App, name: str) -> int:
    """A workspace of the administrator."""
    return await app.db.write(lambda tx: tx.insert(workspaces, name=name, user_id=1, created_at=tx.now))


def grant(role: int, place: int | None = None, *, user: int = 0, group: int = 0) -> dict[str, Any]:
    """A request that gives a role to a user or a group, or takes it away."""
    where: dict[str, Any] = {"scopeCluster": True} if place is None else {"scopeWorkspaceId": place}
    assignment = {"roleAssignment": {"role": {"roleId": role}} | where}
    if user:
        return {"userRoleAssignments": [{"userId": user} | assignment]}
    return {"groupRoleAssignments": [{"groupId": group} | assignment]}


async def give(client: Client, *args: Any, by: str = "admin", **kwargs: Any) -> None:
    """Give a role."""
    await client.ok("POST", "roles/add-assignments", grant(*args, **kwargs), user=by)


async def test_the_admin_flag_means_nothing(client: Client) -> None:
    """Only the role administrates; the first user holds it."""
    ann = await make(client, "ann", admin=True)
    assert (await client.post("users", {"user": {"username": "x"}}, user="ann")).error["code"] == 7
    await give(client, CLUSTER_ADMIN, user=ann)
    await client.ok("POST", "users", {"user": {"username": "x"}}, user="ann")


async def test_a_role_counts_with_the_very_next_request(client: Client) -> None:
    """Given and taken away, to the user or to a group that the user joins and leaves."""
    ann = await make(client, "ann")
    team = (await client.ok("POST", "groups", {"name": "team"}))["group"]["groupId"]
    await give(client, CLUSTER_ADMIN, group=team)
    assert (await client.post("groups", {"name": "a"}, user="ann")).error["code"] == 7
    await client.ok("PUT", f"groups/{team}", {"addUsers": [ann]})
    await client.ok("POST", "groups", {"name": "a"}, user="ann")
    await client.ok("PUT", f"groups/{team}", {"removeUsers": [ann]})
    assert (await client.post("groups", {"name": "b"}, user="ann")).error["code"] == 7


async def test_an_access_token_may_do_what_its_owner_may_now(client: Client) -> None:
    """Roles given and taken away after it was made count for it at once."""
    ann = await make(client, "ann")
    robot = f"token:{(await client.ok('POST', 'tokens', {'userId': ann}))['token']}"
    assert (await client.post("groups", {"name": "a"}, user=robot)).error["code"] == 7
    await give(client, CLUSTER_ADMIN, user=ann)
    await client.ok("POST", "groups", {"name": "a"}, user=robot)
    await client.ok("POST", "roles/remove-assignments", grant(CLUSTER_ADMIN, user=ann))
    assert (await client.post("groups", {"name": "b"}, user=robot)).error["code"] == 7


async def test_without_the_right_users_and_groups_are_not_changed(client: Client) -> None:
    """One's own names and password are; an editor of everything is no administrator of users."""
    ann = await make(client, "ann")
    await give(client, EDITOR, user=ann)
    for method, path, body in (
        ("POST", "users", {"user": {"username": "x"}}),
        ("PATCH", "users/1", {"displayName": "x"}),
        ("POST", "users/1/password", "x"),
        ("PATCH", f"users/{ann}", {"admin": True}),
        ("POST", "groups", {"name": "x"}),
        ("PATCH", "users/assignments", {}),
        ("POST", "tokens", {"userId": ann}),
        ("GET", "tokens", None),
    ):
        assert (await client.call(method, path, body, user="ann")).error["code"] == 7, (method, path)
    await client.ok("PATCH", f"users/{ann}", {"displayName": "Ann"}, user="ann")
    assert all(one["error"] for one in (await client.ok("PATCH", "users", {"userIds": [1]}, user="ann"))["results"])


async def test_users_are_listed_by_roles_held_directly(client: Client) -> None:
    """The filter that basic mode refuses; it goes with every login."""
    ann = await make(client, "ann")
    await give(client, VIEWER, user=ann)
    found = await client.ok("GET", "users", roleIdAssignedDirectlyToUser=[VIEWER, EDITOR], user="ann")
    assert [user["id"] for user in found["users"]] == [ann]


async def test_a_workspace_s_admin_gives_roles_in_it_and_nowhere_else(client: Client, app: App) -> None:
    """Elsewhere is hidden, the cluster refused; what it gave it may take away."""
    ann, bob = await make(client, "ann"), await make(client, "bob")
    place, other = await workspace(app, "a"), await workspace(app, "b")
    await give(client, WORKSPACE_ADMIN, place, user=ann)
    await give(client, EDITOR, place, user=bob, by="ann")
    assert (await client.post("roles/add-assignments", grant(EDITOR, other, user=bob), user="ann")).error["code"] == 5
    assert (await client.post("roles/add-assignments", grant(EDITOR, user=bob), user="ann")).error["code"] == 7
    assert (await client.post("roles/add-assignments", grant(CLUSTER_ADMIN, place, user=ann), user="ann")).error["code"] == 3
    mixed = {
        "userRoleAssignments": [
            *grant(VIEWER, place, user=bob)["userRoleAssignments"],
            *grant(VIEWER, other, user=bob)["userRoleAssignments"],
        ]
    }
    assert (await client.post("roles/add-assignments", mixed, user="ann")).error["code"] == 5
    await client.ok("POST", "roles/remove-assignments", grant(EDITOR, place, user=bob), user="ann")
    assert (await client.ok("GET", "permissions/summary", user="bob"))["roles"] == []


async def test_an_editor_sees_the_workspace_and_gives_no_roles(client: Client, app: App) -> None:
    """A visible workspace is refused, not hidden."""
    ann, place = await make(client, "ann"), await workspace(app, "a")
    await give(client, EDITOR, place, user=ann)
    assert (await client.post("roles/add-assignments", grant(VIEWER, place, user=ann), user="ann")).error["code"] == 7


async def test_who_works_in_a_workspace_is_shown_to_those_who_see_it(client: Client, app: App) -> None:
    """To others the workspace is not there, as an unknown one."""
    ann, place = await make(client, "ann"), await workspace(app, "a")
    hidden, unknown = await client.get(f"roles/workspace/{place}", user="ann"), await client.get("roles/workspace/99", user="ann")
    assert hidden.error["code"] == unknown.error["code"] == 5
    assert hidden.error["error"].replace(str(place), "99") == unknown.error["error"]
    await give(client, VIEWER, place, user=ann)
    shown = await client.ok("GET", f"roles/workspace/{place}", user="ann")
    assert [user["id"] for user in shown["usersAssignedDirectly"]] == [ann]


async def test_assignments_are_shown_where_one_may_give_roles(client: Client, app: App) -> None:
    """One's own always; those of others only within one's own workspaces."""
    ann, bob = await make(client, "ann"), await make(client, "bob")
    place, other = await workspace(app, "a"), await workspace(app, "b")
    for where in (place, other, None):
        await give(client, VIEWER, where, user=bob)

    async def seen(user: str) -> tuple[int, int]:
        of_bob = (await client.ok("GET", f"roles/search/by-user/{bob}", user=user))["roles"]
        by_id = (await client.ok("POST", "roles/search/by-ids", {"roleIds": [VIEWER]}, user=user))["roles"]
        return sum(len(one["userRoleAssignments"]) for one in of_bob), len(by_id[0]["userRoleAssignments"])

    assert await seen("admin") == (3, 3)
    assert (await seen("bob"))[0] == 3
    assert await seen("ann") == (0, 0)
    await give(client, WORKSPACE_ADMIN, place, user=ann)
    assert await seen("ann") == (1, 1)


async def test_groups_are_shown_to_members_and_to_those_who_work_with_them(client: Client, app: App) -> None:
    """Others find none; who gives roles in any workspace finds all."""
    ann, bob, place = await make(client, "ann"), await make(client, "bob"), await workspace(app, "a")
    team, other = [
        (await client.ok("POST", "groups", {"name": name, "addUsers": users}))["group"]["groupId"]
        for name, users in (("team", [ann]), ("other", []))
    ]

    async def seen(user: str) -> list[int]:
        found = await client.ok("POST", "groups/search", {"limit": 10}, user=user)
        ids = [one["group"]["groupId"] for one in found["groups"]]
        assert found["pagination"]["total"] == len(ids)
        for group in (team, other):
            assert (await client.get(f"groups/{group}", user=user)).status == (200 if group in ids else 404)
        return ids

    assert (await seen("admin"), await seen("ann"), await seen("bob")) == ([team, other], [team], [])
    await give(client, WORKSPACE_ADMIN, place, user=bob)
    assert await seen("bob") == [team, other]


async def test_a_token_creator_works_with_its_own_tokens_only(client: Client) -> None:
    """Make, see, change; those of others are neither shown nor touched."""
    ann = await make(client, "ann")
    await give(client, TOKEN_CREATOR, user=ann)
    foreign = (await client.ok("POST", "tokens", {"userId": 1}))["tokenId"]
    own = (await client.ok("POST", "tokens", {"userId": ann}, user="ann"))["tokenId"]
    assert [one["id"] for one in (await client.ok("GET", "tokens", user="ann"))["tokenInfo"]] == [own]
    assert [one["id"] for one in (await client.ok("GET", "tokens"))["tokenInfo"]] == [foreign, own]
    assert [one["id"] for one in (await client.ok("GET", "tokens", username="ann", user="ann"))["tokenInfo"]] == [own]
    await client.ok("PATCH", f"tokens/{own}", {"description": "x"}, user="ann")
    for method, path, body in (
        ("POST", "tokens", {"userId": 1}),
        ("GET", "tokens?username=admin", None),
        ("PATCH", f"tokens/{foreign}", {"setRevoked": True}),
    ):
        assert (await client.call(method, path, body, user="ann")).error["code"] == 7, path


async def test_the_last_cluster_admin_is_kept(client: Client) -> None:
    """The role is not taken away, its holder not deactivated, nor its group emptied or deleted."""
    ann = await make(client, "ann")
    team = (await client.ok("POST", "groups", {"name": "team", "addUsers": [ann]}))["group"]["groupId"]
    await give(client, CLUSTER_ADMIN, group=team)
    await client.ok("POST", "roles/remove-assignments", grant(CLUSTER_ADMIN, user=1), user="ann")
    for method, path, body in (
        ("POST", "roles/remove-assignments", grant(CLUSTER_ADMIN, group=team)),
        ("PATCH", f"users/{ann}", {"active": False}),
        ("PUT", f"groups/{team}", {"removeUsers": [ann]}),
        ("PATCH", "users/assignments", {"userIds": [ann], "removeGroups": [team]}),
        ("DELETE", f"groups/{team}", None),
    ):
        assert (await client.call(method, path, body, user="ann")).error["code"] == 9, path
    await client.ok("POST", "groups", {"name": "still an admin"}, user="ann")
