"""What tests of several areas set up: users, workspaces, projects, roles."""

from typing import Any

from tests.conftest import PASSWORD
from tests.support import Client

CLUSTER_ADMIN, WORKSPACE_ADMIN, WORKSPACE_CREATOR, VIEWER, EDITOR = 1, 2, 3, 4, 5


async def user(client: Client, name: str, **fields: Any) -> int:
    """A new active user with the common password; its id."""
    body = {"user": {"username": name, "active": True} | fields, "password": PASSWORD}
    return int((await client.ok("POST", "users", body))["user"]["id"])


async def workspace(client: Client, name: str, by: str = "admin", **fields: Any) -> int:
    """A new workspace; its id."""
    return int((await client.ok("POST", "workspaces", {"name": name} | fields, user=by))["workspace"]["id"])


async def project(client: Client, workspace_id: int, name: str, by: str = "admin", **fields: Any) -> dict[str, Any]:
    """A new project."""
    answer = await client.ok("POST", f"workspaces/{workspace_id}/projects", {"name": name} | fields, user=by)
    made: dict[str, Any] = answer["project"]
    return made


async def grant(client: Client, user_id: int, role: int, workspace_id: int | None = None) -> None:
    """Give a user a role, in a workspace or everywhere."""
    where: dict[str, Any] = {"scopeCluster": True} if workspace_id is None else {"scopeWorkspaceId": workspace_id}
    assignment = {"userId": user_id, "roleAssignment": {"role": {"roleId": role}} | where}
    await client.ok("POST", "roles/add-assignments", {"userRoleAssignments": [assignment]})
