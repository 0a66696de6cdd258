"""Basic mode: everybody works with everything, owners and admins delete, admins run the cluster.

One rule per right. Where one right covers acts of different weight in this mode (a note on a project and its new name),
the caller passes the rule of that act to `decide` instead.
"""

import enum

from undeterred.core.rights.permissions import Right


class Rule(enum.Enum):
    """Who may; an admin always may."""

    EVERYONE = "everyone"
    OWNER = "the owner of the thing"
    WORKSPACE_OWNER = "the owner of its workspace"
    OWNER_OR_WORKSPACE_OWNER = "the owner of the thing or of its workspace"
    ADMIN = "admins only"


_RESTRICTED: dict[Right, Rule] = {
    Right.DELETE_EXPERIMENT: Rule.OWNER,
    Right.UPDATE_WORKSPACE: Rule.WORKSPACE_OWNER,
    Right.DELETE_WORKSPACE: Rule.WORKSPACE_OWNER,
    Right.SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG: Rule.WORKSPACE_OWNER,
    Right.SET_WORKSPACE_DEFAULT_RESOURCE_POOL: Rule.WORKSPACE_OWNER,
    Right.SET_WORKSPACE_AGENT_USER_GROUP: Rule.ADMIN,
    Right.UPDATE_PROJECT: Rule.OWNER_OR_WORKSPACE_OWNER,
    Right.DELETE_PROJECT: Rule.OWNER_OR_WORKSPACE_OWNER,
    Right.DELETE_MODEL_REGISTRY: Rule.OWNER,
    Right.DELETE_MODEL_VERSION: Rule.OWNER,
    Right.DELETE_OTHER_USER_MODEL_REGISTRY: Rule.ADMIN,
    Right.DELETE_OTHER_USER_MODEL_VERSION: Rule.ADMIN,
    Right.EDIT_WEBHOOKS: Rule.WORKSPACE_OWNER,
    Right.MODIFY_WORKSPACE_CONFIG_POLICIES: Rule.WORKSPACE_OWNER,
    Right.ASSIGN_ROLES: Rule.ADMIN,
    Right.UPDATE_ROLES: Rule.ADMIN,
    Right.UPDATE_GROUP: Rule.ADMIN,
    Right.ADMINISTRATE_USER: Rule.ADMIN,
    Right.ADMINISTRATE_OAUTH: Rule.ADMIN,
    Right.UPDATE_AGENTS: Rule.ADMIN,
    Right.VIEW_SENSITIVE_AGENT_INFO: Rule.ADMIN,
    Right.VIEW_MASTER_CONFIG: Rule.ADMIN,
    Right.UPDATE_MASTER_CONFIG: Rule.ADMIN,
    Right.MODIFY_RP_WORKSPACE_BINDINGS: Rule.ADMIN,
    Right.SET_WORKSPACE_NAMESPACE_BINDINGS: Rule.ADMIN,
    Right.SET_RESOURCE_QUOTAS: Rule.ADMIN,
    Right.MODIFY_GLOBAL_CONFIG_POLICIES: Rule.ADMIN,
    Right.ADMINISTRATE_TOKEN: Rule.ADMIN,
    Right.UPDATE_TOKEN: Rule.ADMIN,
    Right.CREATE_TOKEN: Rule.ADMIN,
    Right.CREATE_OTHER_TOKEN: Rule.ADMIN,
    Right.VIEW_OTHER_TOKEN: Rule.ADMIN,
    Right.VIEW_TOKEN: Rule.ADMIN,
}

RULES: dict[Right, Rule] = {right: _RESTRICTED.get(right, Rule.EVERYONE) for right in Right}
"""Right -> who holds it in basic mode."""

ADD_PROJECT_NOTE = Rule.EVERYONE
"""A note on a project needs the right to update it in rbac mode and nothing in basic mode."""

PATCH_PROJECT = Rule.WORKSPACE_OWNER
"""Name, description and key of a project belong to the owner of its workspace, not to who made the project."""

MOVE_EXPERIMENT = Rule.EVERYONE
"""Moving an experiment needs the right to delete it in rbac mode and nothing in basic mode."""


def may(rule: Rule, *, admin: bool, owner: bool, workspace_owner: bool) -> bool:
    """Whether somebody may act, given what they are to the thing."""
    if admin or rule is Rule.EVERYONE:
        return True
    by_owner = owner and rule in (Rule.OWNER, Rule.OWNER_OR_WORKSPACE_OWNER)
    by_workspace = workspace_owner and rule in (Rule.WORKSPACE_OWNER, Rule.OWNER_OR_WORKSPACE_OWNER)
    return by_owner or by_workspace
