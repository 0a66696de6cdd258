"""The ten built-in roles and the rights each one holds; there are no others."""

from collections.abc import Iterable

from undeterred.base.struct import Struct
from undeterred.core.rights.permissions import GLOBAL_ONLY, Right

_LISTED: tuple[Right, ...] = (
    Right.CREATE_EXPERIMENT,
    Right.UPDATE_EXPERIMENT,
    Right.VIEW_PROJECT,
    Right.UPDATE_ROLES,
    Right.UPDATE_EXPERIMENT_METADATA,
    Right.UPDATE_GROUP,
    Right.CREATE_WORKSPACE,
    Right.DELETE_WORKSPACE,
    Right.UPDATE_PROJECT,
    Right.DELETE_PROJECT,
    Right.ASSIGN_ROLES,
    Right.ADMINISTRATE_USER,
    Right.VIEW_EXPERIMENT_ARTIFACTS,
    Right.UPDATE_WORKSPACE,
    Right.VIEW_EXPERIMENT_METADATA,
    Right.DELETE_EXPERIMENT,
    Right.VIEW_WORKSPACE,
    Right.CREATE_PROJECT,
    Right.SET_WORKSPACE_AGENT_USER_GROUP,
    Right.EDIT_WEBHOOKS,
    Right.SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG,
    Right.VIEW_MODEL_REGISTRY,
    Right.EDIT_MODEL_REGISTRY,
    Right.CREATE_MODEL_REGISTRY,
    Right.CREATE_NSC,
    Right.VIEW_NSC,
    Right.UPDATE_NSC,
    Right.UPDATE_AGENTS,
    Right.DELETE_MODEL_REGISTRY,
    Right.VIEW_MASTER_LOGS,
    Right.VIEW_CLUSTER_USAGE,
    Right.VIEW_SENSITIVE_AGENT_INFO,
    Right.VIEW_TEMPLATES,
    Right.UPDATE_TEMPLATES,
    Right.CREATE_TEMPLATES,
    Right.DELETE_TEMPLATES,
    Right.CONTROL_STRICT_JOB_QUEUE,
    Right.DELETE_MODEL_VERSION,
    Right.DELETE_OTHER_USER_MODEL_REGISTRY,
    Right.DELETE_OTHER_USER_MODEL_VERSION,
    Right.VIEW_MASTER_CONFIG,
    Right.UPDATE_MASTER_CONFIG,
    Right.ADMINISTRATE_OAUTH,
    Right.SET_WORKSPACE_DEFAULT_RESOURCE_POOL,
    Right.MODIFY_RP_WORKSPACE_BINDINGS,
    Right.VIEW_EXTERNAL_JOBS,
    Right.SET_WORKSPACE_NAMESPACE_BINDINGS,
    Right.SET_RESOURCE_QUOTAS,
    Right.VIEW_RESOURCE_QUOTAS,
    Right.VIEW_WEBHOOKS,
    Right.MODIFY_GLOBAL_CONFIG_POLICIES,
    Right.MODIFY_WORKSPACE_CONFIG_POLICIES,
    Right.VIEW_GLOBAL_CONFIG_POLICIES,
    Right.VIEW_WORKSPACE_CONFIG_POLICIES,
    Right.ADMINISTRATE_TOKEN,
    Right.UPDATE_TOKEN,
    Right.CREATE_TOKEN,
    Right.CREATE_OTHER_TOKEN,
    Right.VIEW_OTHER_TOKEN,
    Right.VIEW_TOKEN,
)
"""All rights in the order in which clients of the compatible API are used to see them."""


class Role(Struct, frozen=True):
    """A named set of rights; `permissions` is in listing order."""

    id: int
    name: str
    permissions: tuple[Right, ...]

    @property
    def workspace_assignable(self) -> bool:
        """Whether it may be granted for one workspace: not when it holds a right that only the whole cluster can give."""
        return GLOBAL_ONLY.isdisjoint(self.permissions)

    @property
    def permissions_of_assignee(self) -> tuple[Right, ...]:
        """The same rights in the order in which lists by user and by group show them."""
        return _moved(self.permissions, Right.UPDATE_PROJECT, before=Right.DELETE_PROJECT)


def _moved(rights: tuple[Right, ...], one: Right, *, before: Right) -> tuple[Right, ...]:
    if one not in rights or before not in rights:
        return rights
    rest = [right for right in rights if right is not one]
    rest.insert(rest.index(before), one)
    return tuple(rest)


def _ordered(rights: Iterable[Right]) -> tuple[Right, ...]:
    """Listing order; outside ClusterAdmin the right to edit webhooks stands just before the one to view them."""
    return _moved(tuple(right for right in _LISTED if right in set(rights)), Right.EDIT_WEBHOOKS, before=Right.VIEW_WEBHOOKS)


_POLICY_VIEWS = {Right.VIEW_GLOBAL_CONFIG_POLICIES, Right.VIEW_WORKSPACE_CONFIG_POLICIES}
_VIEWS = _POLICY_VIEWS | {
    Right.VIEW_EXPERIMENT_ARTIFACTS,
    Right.VIEW_EXPERIMENT_METADATA,
    Right.VIEW_NSC,
    Right.VIEW_WORKSPACE,
    Right.VIEW_PROJECT,
    Right.VIEW_MODEL_REGISTRY,
    Right.VIEW_TEMPLATES,
    Right.VIEW_RESOURCE_QUOTAS,
    Right.VIEW_WEBHOOKS,
}
_EDITS = _VIEWS | {
    Right.CREATE_EXPERIMENT,
    Right.UPDATE_EXPERIMENT,
    Right.UPDATE_EXPERIMENT_METADATA,
    Right.DELETE_EXPERIMENT,
    Right.CREATE_NSC,
    Right.UPDATE_NSC,
    Right.CREATE_PROJECT,
    Right.UPDATE_PROJECT,
    Right.EDIT_MODEL_REGISTRY,
    Right.CREATE_MODEL_REGISTRY,
    Right.DELETE_MODEL_REGISTRY,
    Right.DELETE_MODEL_VERSION,
    Right.UPDATE_TEMPLATES,
    Right.CREATE_TEMPLATES,
    Right.DELETE_TEMPLATES,
    Right.EDIT_WEBHOOKS,
}
_WORKSPACE_ADMIN = _EDITS | {
    Right.UPDATE_WORKSPACE,
    Right.DELETE_WORKSPACE,
    Right.SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG,
    Right.SET_WORKSPACE_DEFAULT_RESOURCE_POOL,
    Right.DELETE_PROJECT,
    Right.ASSIGN_ROLES,
    Right.DELETE_OTHER_USER_MODEL_REGISTRY,
    Right.DELETE_OTHER_USER_MODEL_VERSION,
    Right.MODIFY_WORKSPACE_CONFIG_POLICIES,
}
_GEN_AI = (_EDITS | {Right.DELETE_PROJECT, Right.CREATE_WORKSPACE}) - {Right.EDIT_WEBHOOKS, Right.VIEW_WEBHOOKS}

CLUSTER_ADMIN = Role(1, "ClusterAdmin", _LISTED)
WORKSPACE_ADMIN = Role(
    2,
    "WorkspaceAdmin",
    _moved(_ordered(_WORKSPACE_ADMIN), Right.UPDATE_PROJECT, before=Right.SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG),
)
"""What the creator of a workspace gets in it unless the settings name another role."""

ROLES: dict[int, Role] = {
    role.id: role
    for role in (
        CLUSTER_ADMIN,
        WORKSPACE_ADMIN,
        Role(3, "WorkspaceCreator", _ordered(_POLICY_VIEWS | {Right.CREATE_WORKSPACE})),
        Role(4, "Viewer", _ordered(_VIEWS)),
        Role(5, "Editor", _ordered(_EDITS)),
        Role(6, "ModelRegistryViewer", _ordered(_POLICY_VIEWS | {Right.VIEW_MODEL_REGISTRY})),
        Role(7, "EditorRestricted", _ordered(_EDITS - {Right.CREATE_NSC, Right.UPDATE_NSC})),
        Role(8, "GenAIUser", _ordered(_GEN_AI)),
        Role(9, "EditorProjectRestricted", _ordered(_EDITS - {Right.CREATE_PROJECT, Right.UPDATE_PROJECT})),
        Role(10, "TokenCreator", _ordered({Right.UPDATE_TOKEN, Right.CREATE_TOKEN, Right.VIEW_TOKEN})),
    )
}
"""Role id -> role."""

_HELD: dict[int, frozenset[Right]] = {role.id: frozenset(role.permissions) for role in ROLES.values()}


def rights_of(role_id: int) -> frozenset[Right]:
    """The rights a role holds; none for an id that is no role."""
    return _HELD.get(role_id, frozenset())
