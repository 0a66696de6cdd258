"""The built-in roles are the recorded ones."""

import json

from tests.core.rights.test_permissions import ROOT, recorded_roles
from undeterred.core.rights.permissions import Right
from undeterred.core.rights.roles import ROLES, WORKSPACE_ADMIN, rights_of


def test_roles_are_listed_as_recorded():
    """Ids, names, rights and their order, and where a role may be granted equal the recorded list, sorted by name."""
    ours = [
        (role.id, role.name, role.workspace_assignable, [right.wire_name for right in role.permissions])
        for role in sorted(ROLES.values(), key=lambda role: role.name)
    ]
    theirs = [
        (role["roleId"], role["name"], role["scopeTypeMask"]["workspace"], [p["id"] for p in role["permissions"]])
        for role in recorded_roles()
    ]
    assert ours == theirs


def test_roles_of_an_assignee_are_listed_as_recorded():
    """Lists by group show the rights of WorkspaceAdmin in their own order."""
    steps = json.loads((ROOT / "tests/conformance/golden/04_groups_rbac.json").read_text())["steps"]
    body = next(step["body"] for step in steps if step["id"] == "080-GetRolesAssignedToGroup-member-group")
    (role,) = body["roles"]
    assert [right.wire_name for right in WORKSPACE_ADMIN.permissions_of_assignee] == [p["id"] for p in role["permissions"]]


def test_the_first_role_holds_everything_and_an_unknown_one_nothing():
    """ClusterAdmin lacks no right; an id without a role grants none."""
    assert rights_of(1) == frozenset(Right)
    assert rights_of(99) == frozenset()
