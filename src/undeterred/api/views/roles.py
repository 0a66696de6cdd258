"""Roles and their assignments as clients see them."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from undeterred.core.rights.permissions import GLOBAL_ONLY, Right, describe
from undeterred.core.rights.roles import ROLES, Role
from undeterred.wire import messages as m


def role_message(role: Role, permissions: Iterable[Right] | None = None) -> m.Role:
    """A built-in role; `permissions` gives its rights in another order."""
    rights = role.permissions if permissions is None else permissions
    return m.Role(
        role_id=role.id,
        name=role.name,
        permissions=[_permission(right) for right in rights],
        scope_type_mask=m.ScopeTypeMask(cluster=True, workspace=role.workspace_assignable),
    )


def _permission(right: Right) -> m.Permission:
    return m.Permission(
        id=m.PermissionType[right.wire_name],
        name=describe(right).name,
        scope_type_mask=m.ScopeTypeMask(cluster=True, workspace=right not in GLOBAL_ONLY),
    )


def summaries(rows: Iterable[Any]) -> list[m.RoleAssignmentSummary]:
    """One summary per role of assignment rows sorted by role: everywhere, or in which workspaces."""
    found = []
    for role_id, of_role in groupby(rows, key=lambda row: row.role_id):
        places = {row.workspace_id for row in of_role}
        workspace_ids = sorted(place for place in places if place is not None)
        found.append(m.RoleAssignmentSummary(role_id=role_id, scope_workspace_ids=workspace_ids, scope_cluster=None in places))
    return found


def with_assignments(role: Role, rows: Iterable[Any], permissions: Iterable[Right] | None = None) -> m.RoleWithAssignments:
    """A role with those of the assignment rows that are its own."""
    groups, users = [], []
    for row in rows:
        if row.role_id != role.id:
            continue
        if row.user_id is None:
            groups.append(m.GroupRoleAssignment(group_id=row.group_id, role_assignment=_assignment(role, row)))
        else:
            users.append(m.UserRoleAssignment(user_id=row.user_id, role_assignment=_assignment(role, row)))
    return m.RoleWithAssignments(role=role_message(role, permissions), group_role_assignments=groups, user_role_assignments=users)


def _assignment(role: Role, row: Any) -> m.RoleAssignment:
    """One assignment; the role in it is only named: no permissions, and both scopes marked."""
    named = m.Role(role_id=role.id, name=role.name, scope_type_mask=m.ScopeTypeMask(cluster=True, workspace=True))
    if row.workspace_id is None:
        return m.RoleAssignment(role=named, scope_cluster=True)
    return m.RoleAssignment(role=named, scope_workspace_id=row.workspace_id)


def by_name() -> list[Role]:
    """Every role, as lists show them."""
    return sorted(ROLES.values(), key=lambda role: role.name)
