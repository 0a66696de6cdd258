"""Roles and assignments in basic mode: stored and shown, and giving no rights."""

from typing import Any

from tests.support import Client
from undeterred.app import App
from undeterred.core.rights.roles import ROLES
from undeterred.store.schema.spaces import workspaces


def to_user(user: int, role: int, workspace: int | None = None) -> dict[str, Any]:
    """A request that gives a role to a user, or takes it away."""
    where: dict[str, Any] = {"scopeCluster": True} if workspace is None else {"scopeWorkspaceId": workspace}
    return {"userRoleAssignments": [{"userId": user, "roleAssignment": {"role": {"roleId": role}} | where}]}


def to_group(group: int, role: int, workspace: int | None = None) -> dict[str, Any]:
    """The same for a group."""
    (one,) = to_user(0, role, workspace)["userRoleAssignments"]
    return {"groupRoleAssignments": [{"groupId": group, "roleAssignment": one["roleAssignment"]}]}


async def workspace(app: App, name: str) -> int:
    """A workspace of the administrator."""
    return await app.db.write(lambda tx: tx.insert(workspaces, name=name, user_id=1, created_at=tx.now))


async def group(client: Client, name: str, *users: int) -> int:
    """A group; its id."""
    return int((await client.ok("POST", "groups", {"name": name, "addUsers": users}))["group"]["groupId"])


async def test_everybody_may_read_the_roles(client: Client) -> None:
    """Ten of them by name, each with its permissions and where it can be given."""
    answer = await client.ok("POST", "roles/search", {}, user="determined")
    assert answer["pagination"] == {"offset": 0, "limit": 500, "startIndex": 0, "endIndex": 10, "total": 10}
    assert [role["name"] for role in answer["roles"]] == sorted(role.name for role in ROLES.values())
    admin = answer["roles"][0]
    assert admin["scopeTypeMask"] == {"cluster": True, "workspace": False}
    assert admin["permissions"][0] == {
        "id": "PERMISSION_TYPE_CREATE_EXPERIMENT",
        "name": "create experiment",
        "scopeTypeMask": {"cluster": True, "workspace": True},
    }
    assert {role["roleId"]: len(role["permissions"]) for role in answer["roles"]} == {
        role.id: len(role.permissions) for role in ROLES.values()
    }


async def test_lists_of_roles_are_cut(client: Client) -> None:
    """Offset and limit as given; bad limits are refused."""
    page = await client.ok("POST", "roles/search", {"limit": 2, "offset": 1})
    assert [role["name"] for role in page["roles"]] == ["Editor", "EditorProjectRestricted"]
    assert page["pagination"] == {"offset": 1, "limit": 2, "startIndex": 1, "endIndex": 3, "total": 10}
    assert len((await client.ok("POST", "roles/search", {"limit": -1}))["roles"]) == 10
    for limit in (501, -2):
        assert (await client.post("roles/search", {"limit": limit})).error["code"] == 3


async def test_only_some_roles_can_be_given_in_a_workspace(client: Client) -> None:
    """Those without a right over the whole cluster."""
    here = await client.ok("POST", "roles/search/by-assignability", {"limit": 50, "workspaceId": 1})
    assert {role["roleId"] for role in here["roles"]} == {2, 4, 5, 6, 7, 9}
    assert (await client.ok("POST", "roles/search/by-assignability", {"limit": 50}))["pagination"]["total"] == 10


async def test_a_role_is_given_shown_and_taken_away(client: Client, app: App) -> None:
    """Everywhere and in a workspace, to a user and to a group; each view shows it."""
    place, team = await workspace(app, "lab"), await group(client, "team", 2)
    assert await client.ok("POST", "roles/add-assignments", to_user(2, 4) | to_group(team, 5, place)) == {}
    named = {"permissions": [], "scopeTypeMask": {"cluster": True, "workspace": True}}
    viewer = {"role": {"roleId": 4, "name": "Viewer"} | named, "scopeCluster": True}
    editor = {"role": {"roleId": 5, "name": "Editor"} | named, "scopeCluster": False, "scopeWorkspaceId": place}

    summary = await client.ok("GET", "permissions/summary", user="determined")
    assert [role["roleId"] for role in summary["roles"]] == [4, 5]
    assert summary["assignments"] == [
        {"roleId": 4, "scopeCluster": True, "scopeWorkspaceIds": []},
        {"roleId": 5, "scopeCluster": False, "scopeWorkspaceIds": [place]},
    ]
    found = (await client.ok("GET", "roles/search/by-user/2"))["roles"]
    assert found[0]["userRoleAssignments"] == [{"userId": 2, "roleAssignment": viewer}]
    assert found[1]["groupRoleAssignments"] == [{"groupId": team, "roleAssignment": editor}]
    of_team = await client.ok("GET", f"roles/search/by-group/{team}")
    assert [role["name"] for role in of_team["roles"]] == ["Editor"]
    assert of_team["assignments"] == summary["assignments"][1:]
    (by_id,) = (await client.ok("POST", "roles/search/by-ids", {"roleIds": [5, 5]}))["roles"]
    assert by_id["groupRoleAssignments"] == [{"groupId": team, "roleAssignment": editor}]

    assert await client.ok("POST", "roles/remove-assignments", to_user(2, 4) | to_group(team, 5, place)) == {}
    assert (await client.ok("GET", "permissions/summary", user="determined"))["roles"] == []
    assert await client.ok("POST", "roles/remove-assignments", to_user(2, 4)) == {}


async def test_who_works_in_a_workspace(client: Client, app: App) -> None:
    """Users and groups with a role in it, with their roles; by a part of the name; roles elsewhere are not meant."""
    place, team = await workspace(app, "lab"), await group(client, "team", 1, 2)
    await client.ok("POST", "roles/add-assignments", to_user(2, 4, place) | to_group(team, 5, place))
    answer = await client.ok("GET", f"roles/workspace/{place}", user="determined")
    assert [(one["name"], len(one["users"])) for one in answer["groups"]] == [("team", 2)]
    assert [user["username"] for user in answer["usersAssignedDirectly"]] == ["determined"]
    assert [one["role"]["name"] for one in answer["assignments"]] == ["Viewer", "Editor"]
    assert answer["assignments"][0]["userRoleAssignments"][0]["roleAssignment"]["scopeWorkspaceId"] == place
    only = await client.ok("GET", f"roles/workspace/{place}", name="EAM")
    assert (len(only["groups"]), only["usersAssignedDirectly"], len(only["assignments"])) == (1, [], 1)
    empty = await client.ok("GET", "roles/workspace/1")
    assert empty == {"groups": [], "usersAssignedDirectly": [], "assignments": []}
    assert (await client.get("roles/workspace/99")).error["code"] == 5


async def test_assignments_give_nothing_in_this_mode(client: Client) -> None:
    """An administrator's role does not make an administrator."""
    await client.ok("POST", "roles/add-assignments", to_user(2, 1))
    assert (await client.post("groups", {"name": "x"}, user="determined")).status == 403


async def test_members_give_nothing(client: Client) -> None:
    """403 to give and to take; an empty request is 400 before that."""
    for path in ("roles/add-assignments", "roles/remove-assignments"):
        assert (await client.post(path, to_user(2, 4), user="determined")).error["code"] == 7
        assert (await client.post(path, to_user(2, 4, 1), user="determined")).error["code"] == 7
        assert (await client.post(path, {}, user="determined")).error["code"] == 3


async def test_bad_assignments_are_refused_whole(client: Client) -> None:
    """Unknown things, a cluster's role for one workspace, contradictions, what is held: and nothing of the request is stored."""
    await client.ok("POST", "roles/add-assignments", to_user(2, 4, 1))
    both = to_user(2, 5, 1)
    both["userRoleAssignments"][0]["roleAssignment"]["scopeCluster"] = True
    for body, code in (
        (to_user(99, 4), 5),
        (to_user(2, 99), 5),
        (to_user(2, 4, 99), 5),
        (to_group(99, 4), 5),
        (to_group(1, 4), 5),
        (to_user(2, 1, 1), 3),
        (to_user(2, 0), 3),
        (both, 3),
        ({"userRoleAssignments": [{"userId": 2}]}, 3),
        (to_user(2, 4, 1), 6),
        ({"userRoleAssignments": to_user(2, 5)["userRoleAssignments"] * 2}, 6),
        (to_user(2, 5) | to_group(99, 5), 5),
    ):
        assert (await client.post("roles/add-assignments", body)).error["code"] == code, body
    assert [role["roleId"] for role in (await client.ok("GET", "permissions/summary", user="determined"))["roles"]] == [4]


async def test_without_a_scope_a_role_is_given_everywhere(client: Client) -> None:
    """The command line client leaves both fields out."""
    body = {"userRoleAssignments": [{"userId": 2, "roleAssignment": {"role": {"roleId": 4}, "scopeWorkspaceId": None}}]}
    await client.ok("POST", "roles/add-assignments", body)
    assert (await client.ok("GET", "permissions/summary", user="determined"))["assignments"][0]["scopeCluster"] is True


async def test_unknown_things_are_not_found(client: Client) -> None:
    """Roles, users and groups that roles are asked for."""
    assert (await client.post("roles/search/by-ids", {"roleIds": [1, 99]})).error["code"] == 5
    assert (await client.get("roles/search/by-user/99")).error["code"] == 5
    assert (await client.get("roles/search/by-group/1")).error["code"] == 5
    assert (await client.ok("POST", "roles/search/by-ids", {}))["roles"] == []
