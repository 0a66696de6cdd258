"""Roles: which there are, who holds them where, giving and taking them away.

In basic mode assignments are stored and shown, and give no rights.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.api.views.common import few, given, pagination
from undeterred.api.views.groups import group_details
from undeterred.api.views.roles import role_message, summaries, with_assignments
from undeterred.api.views.users import user_message
from undeterred.base.errors import Forbidden, Invalid, NotFound
from undeterred.core.rights import Right
from undeterred.core.rights.roles import ROLES, Role
from undeterred.store import groups, roles, users
from undeterred.store.database import Tx
from undeterred.store.paging import GROUP_MAX, group_page
from undeterred.store.roles import Assignment
from undeterred.wire import messages as m

_BY_NAME = tuple(sorted(ROLES.values(), key=lambda role: role.name))


@operation("ListRoles", needs=Needs.LOGIN)
async def list_roles(_call: Call, req: m.ListRolesRequest) -> m.ListRolesResponse:
    """Every role with its permissions, by name."""
    found, page = _cut(_BY_NAME, req.offset, req.limit)
    return m.ListRolesResponse(roles=found, pagination=page)


@operation("SearchRolesAssignableToScope", needs=Needs.LOGIN)
async def search_roles(_call: Call, req: m.SearchRolesAssignableToScopeRequest) -> m.SearchRolesAssignableToScopeResponse:
    """The roles that can be given everywhere, or those that can be given in a workspace."""
    fitting = [role for role in _BY_NAME if req.workspace_id is None or role.workspace_assignable]
    found, page = _cut(fitting, req.offset, req.limit)
    return m.SearchRolesAssignableToScopeResponse(roles=found, pagination=page)


@operation("GetRolesByID", needs=Needs.LOGIN)
async def get_roles_by_id(call: Call, req: m.GetRolesByIDRequest) -> m.GetRolesByIDResponse:
    """Roles with everybody who holds them."""
    wanted = [_role(role_id) for role_id in dict.fromkeys(few(req.role_ids, "roleIds"))]
    rows = await call.read(lambda tx: _known_to(call, tx, roles.of_roles(tx, req.role_ids)))
    return m.GetRolesByIDResponse(roles=[with_assignments(role, rows) for role in wanted])


@operation("GetPermissionsSummary", needs=Needs.LOGIN)
async def get_permissions_summary(call: Call, _req: m.GetPermissionsSummaryRequest) -> m.GetPermissionsSummaryResponse:
    """The roles of the caller, its own and those of its groups."""
    rows = await call.read(lambda tx: roles.of_user(tx, call.who.user_id))
    return m.GetPermissionsSummaryResponse(roles=[role_message(role) for role in _roles_of(rows)], assignments=summaries(rows))


@operation("GetRolesAssignedToUser", needs=Needs.LOGIN)
async def get_roles_assigned_to_user(call: Call, req: m.GetRolesAssignedToUserRequest) -> m.GetRolesAssignedToUserResponse:
    """The roles of a user, its own and those of its groups."""

    def load(tx: Tx) -> list[Any]:
        users.get(tx, req.user_id)
        rows = roles.of_user(tx, req.user_id)
        return rows if req.user_id == call.who.user_id else _known_to(call, tx, rows)

    rows = await call.read(load)
    found = [with_assignments(role, rows, role.permissions_of_assignee) for role in _roles_of(rows)]
    return m.GetRolesAssignedToUserResponse(roles=found)


@operation("GetRolesAssignedToGroup", needs=Needs.LOGIN)
async def get_roles_assigned_to_group(call: Call, req: m.GetRolesAssignedToGroupRequest) -> m.GetRolesAssignedToGroupResponse:
    """The roles of a group."""

    def load(tx: Tx) -> list[Any]:
        groups.get(tx, req.group_id)
        rows = roles.of_group(tx, req.group_id)
        return rows if call.rbac and req.group_id in call.subject(tx).groups else _known_to(call, tx, rows)

    rows = await call.read(load)
    found = [role_message(role, role.permissions_of_assignee) for role in _roles_of(rows)]
    return m.GetRolesAssignedToGroupResponse(roles=found, assignments=summaries(rows))


@operation("GetGroupsAndUsersAssignedToWorkspace", needs=Right.VIEW_WORKSPACE)
async def get_groups_and_users_assigned_to_workspace(
    call: Call, req: m.GetGroupsAndUsersAssignedToWorkspaceRequest
) -> m.GetGroupsAndUsersAssignedToWorkspaceResponse:
    """Who holds a role in a workspace, with the role; `name` is a part of the name of the user or group."""

    def load(tx: Tx) -> m.GetGroupsAndUsersAssignedToWorkspaceResponse:
        missing = f"workspace {req.workspace_id} not found"
        call.require(tx, Right.VIEW_WORKSPACE, workspace=req.workspace_id, missing=missing)
        if not roles.known_workspaces(tx, [req.workspace_id]):
            raise NotFound(missing)
        rows = roles.of_workspace(tx, req.workspace_id, req.name)
        group_ids = {row.group_id for row in rows if row.user_id is None}
        members = groups.members(tx, group_ids)
        return m.GetGroupsAndUsersAssignedToWorkspaceResponse(
            groups=[group_details(group, members[group.id]) for group in groups.search(tx, among=group_ids)],
            users_assigned_directly=[user_message(row) for row in users.of_ids(tx, {row.user_id for row in rows} - {None})],
            assignments=[with_assignments(role, rows, role.permissions_of_assignee) for role in _roles_of(rows)],
        )

    return await call.read(load)


@operation("AssignRoles", needs=Right.ASSIGN_ROLES)
async def assign_roles(call: Call, req: m.AssignRolesRequest) -> m.AssignRolesResponse:
    """Give roles to users and groups, each in one workspace or everywhere; all of them or none."""
    await _change(call, req, roles.assign)
    return m.AssignRolesResponse()


@operation("RemoveAssignments", needs=Right.ASSIGN_ROLES)
async def remove_assignments(call: Call, req: m.RemoveAssignmentsRequest) -> m.RemoveAssignmentsResponse:
    """Take roles away from users and groups; a role that is not held is passed over."""
    await _change(call, req, roles.remove)
    return m.RemoveAssignmentsResponse()


async def _change(
    call: Call, req: m.AssignRolesRequest | m.RemoveAssignmentsRequest, act: Callable[[Tx, Collection[Assignment]], None]
) -> None:
    to_users = [(one.user_id, *_what(one.role_assignment)) for one in few(req.user_role_assignments, "userRoleAssignments")]
    to_groups = [(one.group_id, *_what(one.role_assignment)) for one in few(req.group_role_assignments, "groupRoleAssignments")]
    if not to_users and not to_groups:
        raise Invalid("name at least one of userRoleAssignments and groupRoleAssignments")
    places = {place for _, _, place in (*to_users, *to_groups)}

    def change(tx: Tx) -> None:
        for place in places:
            _require_giving(call, tx, place)
        named = {place for place in places if place is not None}
        _check_known("workspace", named, roles.known_workspaces(tx, named))
        for _, role_id, place in (*to_users, *to_groups):
            _check_fits(_role(role_id), place, giving=act is roles.assign)
        own = groups.own(tx, [user_id for user_id, _, _ in to_users])
        _check_known("user", [user_id for user_id, _, _ in to_users], own)
        group_ids = [group_id for group_id, _, _ in to_groups]
        _check_known("group", group_ids, groups.known(tx, group_ids))
        wanted = [Assignment(own[user_id], role_id, place) for user_id, role_id, place in to_users]
        with users.keep_an_admin(tx, rbac=call.rbac):
            act(tx, [*wanted, *(Assignment(*one) for one in to_groups)])
        call.forget_sessions(tx)

    await call.write(change)


def _require_giving(call: Call, tx: Tx, place: int | None) -> None:
    """Go on only where the caller may give roles: a workspace it cannot see is not found, the whole cluster is refused."""
    if place is not None:
        call.require(tx, Right.ASSIGN_ROLES, workspace=place, missing=f"workspace {place} not found")
    elif not call.allows(tx, Right.ASSIGN_ROLES):
        raise Forbidden(f"user {call.who.username} may not give roles over the whole cluster")


def _what(assignment: m.RoleAssignment | None) -> tuple[int, int | None]:
    """The role and the workspace, None for everywhere, that an assignment names."""
    if assignment is None or assignment.role is None or not assignment.role.role_id:
        raise Invalid("each assignment needs a roleAssignment with role.roleId")
    place = given(assignment.scope_workspace_id)
    if place is not None and assignment.scope_cluster:
        raise Invalid("an assignment is for one workspace (scopeWorkspaceId) or for all (scopeCluster), not for both")
    return assignment.role.role_id, place


def _check_fits(role: Role, place: int | None, *, giving: bool) -> None:
    if giving and place is not None and not role.workspace_assignable:
        raise Invalid(f"the role {role.name} holds rights over the whole cluster and cannot be given in one workspace")


def _check_known(kind: str, named: Iterable[int], known: Collection[int]) -> None:
    for one in named:
        if one not in known:
            raise NotFound(f"{kind} {one} not found")


def _role(role_id: int) -> Role:
    if role_id not in ROLES:
        raise NotFound(f"role {role_id} not found")
    return ROLES[role_id]


def _roles_of(rows: Iterable[Any]) -> list[Role]:
    """The roles in assignment rows sorted by role, each once."""
    return [ROLES[role_id] for role_id in dict.fromkeys(row.role_id for row in rows)]


def _known_to(call: Call, tx: Tx, rows: list[Any]) -> list[Any]:
    """Those of the assignment rows that the caller may know: in rbac mode where it may itself give roles."""
    if not call.rbac:
        return rows
    scope = call.scope(tx, Right.ASSIGN_ROLES)
    return [row for row in rows if scope.admits(row.workspace_id)]


def _cut(found: Sequence[Role], offset: int, limit: int) -> tuple[list[m.Role], m.Pagination]:
    """A page of roles; without a limit all of them, as if the largest limit had been asked for."""
    page = group_page(offset, limit or GROUP_MAX, len(found))
    start = max(page.start, 0)
    return [role_message(role) for role in found[start : start + page.end - page.start]], pagination(page)
