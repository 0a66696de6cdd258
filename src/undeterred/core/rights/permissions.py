"""Every right there is: its id and name on the wire, where it can be granted, and which right shows the thing it acts on.

Ids and names are those of the compatible API; roles (see `roles.py`) are sets of these.
"""

import enum

from undeterred.base.struct import Struct


class Right(enum.IntEnum):
    """One right; the value is its id on the wire (`PERMISSION_TYPE_<name>` there)."""

    CREATE_EXPERIMENT = 2001
    VIEW_EXPERIMENT_ARTIFACTS = 2002
    VIEW_EXPERIMENT_METADATA = 2003
    UPDATE_EXPERIMENT = 2004
    UPDATE_EXPERIMENT_METADATA = 2005
    DELETE_EXPERIMENT = 2006
    CREATE_NSC = 3001
    VIEW_NSC = 3002
    UPDATE_NSC = 3003
    VIEW_WORKSPACE = 4002
    UPDATE_WORKSPACE = 4003
    DELETE_WORKSPACE = 4004
    SET_WORKSPACE_AGENT_USER_GROUP = 4005
    SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG = 4006
    SET_WORKSPACE_DEFAULT_RESOURCE_POOL = 4007
    CREATE_PROJECT = 5001
    VIEW_PROJECT = 5002
    UPDATE_PROJECT = 5003
    DELETE_PROJECT = 5004
    ASSIGN_ROLES = 6002
    VIEW_MODEL_REGISTRY = 7001
    EDIT_MODEL_REGISTRY = 7002
    CREATE_MODEL_REGISTRY = 7003
    DELETE_MODEL_REGISTRY = 7004
    DELETE_MODEL_VERSION = 7005
    DELETE_OTHER_USER_MODEL_REGISTRY = 7006
    DELETE_OTHER_USER_MODEL_VERSION = 7007
    VIEW_MASTER_LOGS = 8001
    VIEW_CLUSTER_USAGE = 8002
    UPDATE_AGENTS = 8003
    VIEW_SENSITIVE_AGENT_INFO = 8004
    VIEW_MASTER_CONFIG = 8005
    UPDATE_MASTER_CONFIG = 8006
    VIEW_EXTERNAL_JOBS = 8007
    CONTROL_STRICT_JOB_QUEUE = 8101
    VIEW_TEMPLATES = 9001
    UPDATE_TEMPLATES = 9002
    CREATE_TEMPLATES = 9003
    DELETE_TEMPLATES = 9004
    MODIFY_RP_WORKSPACE_BINDINGS = 10001
    SET_WORKSPACE_NAMESPACE_BINDINGS = 11001
    SET_RESOURCE_QUOTAS = 11002
    VIEW_RESOURCE_QUOTAS = 11003
    MODIFY_GLOBAL_CONFIG_POLICIES = 11004
    MODIFY_WORKSPACE_CONFIG_POLICIES = 11005
    VIEW_GLOBAL_CONFIG_POLICIES = 11006
    VIEW_WORKSPACE_CONFIG_POLICIES = 11007
    ADMINISTRATE_TOKEN = 12001
    UPDATE_TOKEN = 12002
    CREATE_TOKEN = 12003
    CREATE_OTHER_TOKEN = 12004
    VIEW_OTHER_TOKEN = 12005
    VIEW_TOKEN = 12006
    ADMINISTRATE_USER = 91001
    ADMINISTRATE_OAUTH = 91002
    UPDATE_GROUP = 93001
    CREATE_WORKSPACE = 94001
    UPDATE_ROLES = 96001
    EDIT_WEBHOOKS = 97001
    VIEW_WEBHOOKS = 97002

    @property
    def wire_name(self) -> str:
        """The name of the enum value in the API."""
        return f"PERMISSION_TYPE_{self.name}"


class Description(Struct, frozen=True):
    """What people see of a right; `name` is compared by clients, `title` is for reading."""

    name: str
    title: str


GLOBAL_ONLY: frozenset[Right] = frozenset(
    {
        Right.ADMINISTRATE_USER,
        Right.ADMINISTRATE_OAUTH,
        Right.UPDATE_GROUP,
        Right.CREATE_WORKSPACE,
        Right.UPDATE_ROLES,
        Right.VIEW_MASTER_LOGS,
        Right.VIEW_CLUSTER_USAGE,
        Right.UPDATE_AGENTS,
        Right.VIEW_SENSITIVE_AGENT_INFO,
        Right.VIEW_MASTER_CONFIG,
        Right.UPDATE_MASTER_CONFIG,
        Right.VIEW_EXTERNAL_JOBS,
        Right.CONTROL_STRICT_JOB_QUEUE,
        Right.MODIFY_RP_WORKSPACE_BINDINGS,
        Right.SET_WORKSPACE_NAMESPACE_BINDINGS,
        Right.SET_RESOURCE_QUOTAS,
        Right.MODIFY_GLOBAL_CONFIG_POLICIES,
        Right.ADMINISTRATE_TOKEN,
        Right.UPDATE_TOKEN,
        Right.CREATE_TOKEN,
        Right.CREATE_OTHER_TOKEN,
        Right.VIEW_OTHER_TOKEN,
        Right.VIEW_TOKEN,
    }
)
"""Rights that act on the cluster as a whole: only a grant for the whole cluster gives them, never one for a workspace."""

OF_OTHERS: dict[Right, Right] = {
    Right.DELETE_MODEL_REGISTRY: Right.DELETE_OTHER_USER_MODEL_REGISTRY,
    Right.DELETE_MODEL_VERSION: Right.DELETE_OTHER_USER_MODEL_VERSION,
    Right.UPDATE_TOKEN: Right.ADMINISTRATE_TOKEN,
    Right.CREATE_TOKEN: Right.CREATE_OTHER_TOKEN,
    Right.VIEW_TOKEN: Right.VIEW_OTHER_TOKEN,
}
"""Right on one's own thing -> the right that the same act needs on a thing of somebody else."""

_FAMILIES: tuple[tuple[Right, tuple[Right, ...]], ...] = (
    (
        Right.VIEW_EXPERIMENT_METADATA,
        (
            Right.VIEW_EXPERIMENT_ARTIFACTS,
            Right.UPDATE_EXPERIMENT,
            Right.UPDATE_EXPERIMENT_METADATA,
            Right.DELETE_EXPERIMENT,
        ),
    ),
    (Right.VIEW_NSC, (Right.UPDATE_NSC,)),
    (
        Right.VIEW_WORKSPACE,
        (
            Right.CREATE_EXPERIMENT,
            Right.CREATE_NSC,
            Right.UPDATE_WORKSPACE,
            Right.DELETE_WORKSPACE,
            Right.SET_WORKSPACE_AGENT_USER_GROUP,
            Right.SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG,
            Right.SET_WORKSPACE_DEFAULT_RESOURCE_POOL,
            Right.CREATE_PROJECT,
            Right.ASSIGN_ROLES,
            Right.CREATE_MODEL_REGISTRY,
            Right.CREATE_TEMPLATES,
            Right.VIEW_RESOURCE_QUOTAS,
            Right.VIEW_WORKSPACE_CONFIG_POLICIES,
            Right.MODIFY_WORKSPACE_CONFIG_POLICIES,
        ),
    ),
    (Right.VIEW_PROJECT, (Right.UPDATE_PROJECT, Right.DELETE_PROJECT)),
    (
        Right.VIEW_MODEL_REGISTRY,
        (
            Right.EDIT_MODEL_REGISTRY,
            Right.DELETE_MODEL_REGISTRY,
            Right.DELETE_MODEL_VERSION,
            Right.DELETE_OTHER_USER_MODEL_REGISTRY,
            Right.DELETE_OTHER_USER_MODEL_VERSION,
        ),
    ),
    (Right.VIEW_TEMPLATES, (Right.UPDATE_TEMPLATES, Right.DELETE_TEMPLATES)),
    (Right.VIEW_WEBHOOKS, (Right.EDIT_WEBHOOKS,)),
)

VIEW_OF: dict[Right, Right] = {right: view for view, others in _FAMILIES for right in (view, *others)}
"""Right that can be granted per workspace -> the right without which the thing it acts on is not even known to exist."""

_NAMES: dict[Right, str] = {
    Right.CREATE_NSC: "create notebooks/shells/commands",
    Right.VIEW_NSC: "view notebooks/shells/commands",
    Right.UPDATE_NSC: "update notebooks/shells/commands",
    Right.SET_WORKSPACE_AGENT_USER_GROUP: "set agent user group on workspace",
    Right.SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG: "set checkpoint storage config on workspace",
    Right.SET_WORKSPACE_DEFAULT_RESOURCE_POOL: "set default resource pool on workspace",
    Right.VIEW_CLUSTER_USAGE: "view detailed cluster usage",
    Right.ADMINISTRATE_OAUTH: "manage oauth",
    Right.SET_WORKSPACE_NAMESPACE_BINDINGS: "set workspace-namespace bindings",
    Right.ADMINISTRATE_TOKEN: "administrate access token",
    Right.UPDATE_TOKEN: "update own access token",
    Right.CREATE_TOKEN: "create access token",
    Right.CREATE_OTHER_TOKEN: "create other access token",
    Right.VIEW_OTHER_TOKEN: "view other access token",
    Right.VIEW_TOKEN: "view own access token",
}

_TITLES: dict[Right, str] = {
    Right.CREATE_EXPERIMENT: "Submit and fork experiments",
    Right.VIEW_EXPERIMENT_ARTIFACTS: "Read logs, code, checkpoints and TensorBoard files of experiments",
    Right.VIEW_EXPERIMENT_METADATA: "See experiments, trials and their metrics",
    Right.UPDATE_EXPERIMENT: "Pause, resume, stop and report to experiments",
    Right.UPDATE_EXPERIMENT_METADATA: "Rename, label, annotate and archive experiments",
    Right.DELETE_EXPERIMENT: "Delete experiments and move them away",
    Right.CREATE_NSC: "Start notebooks, shells, commands and TensorBoards",
    Right.VIEW_NSC: "See and open notebooks, shells, commands and TensorBoards",
    Right.UPDATE_NSC: "Stop and reprioritise notebooks, shells, commands and TensorBoards",
    Right.VIEW_WORKSPACE: "See a workspace",
    Right.UPDATE_WORKSPACE: "Rename and archive a workspace",
    Right.DELETE_WORKSPACE: "Delete a workspace",
    Right.SET_WORKSPACE_AGENT_USER_GROUP: "Choose the Unix user that a workspace's tasks run as",
    Right.SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG: "Choose where a workspace's checkpoints are stored",
    Right.SET_WORKSPACE_DEFAULT_RESOURCE_POOL: "Choose a workspace's default resource pools",
    Right.CREATE_PROJECT: "Create projects",
    Right.VIEW_PROJECT: "See projects",
    Right.UPDATE_PROJECT: "Rename, annotate, archive and move projects",
    Right.DELETE_PROJECT: "Delete projects",
    Right.ASSIGN_ROLES: "Give roles to users and groups, and take them away",
    Right.VIEW_MODEL_REGISTRY: "See registered models",
    Right.EDIT_MODEL_REGISTRY: "Change registered models and add versions",
    Right.CREATE_MODEL_REGISTRY: "Register models",
    Right.DELETE_MODEL_REGISTRY: "Delete one's own registered models",
    Right.DELETE_MODEL_VERSION: "Delete one's own model versions",
    Right.DELETE_OTHER_USER_MODEL_REGISTRY: "Delete registered models of other users",
    Right.DELETE_OTHER_USER_MODEL_VERSION: "Delete model versions of other users",
    Right.VIEW_MASTER_LOGS: "Read the server's log",
    Right.VIEW_CLUSTER_USAGE: "See who used how many slots",
    Right.UPDATE_AGENTS: "Enable, disable and drain agents and slots",
    Right.VIEW_SENSITIVE_AGENT_INFO: "See which tasks and addresses agents hold",
    Right.VIEW_MASTER_CONFIG: "See the server's configuration",
    Right.UPDATE_MASTER_CONFIG: "Change the server's configuration and message",
    Right.VIEW_EXTERNAL_JOBS: "See jobs of other systems in the queue",
    Right.CONTROL_STRICT_JOB_QUEUE: "Change the queue where queue control is strict",
    Right.VIEW_TEMPLATES: "See templates",
    Right.UPDATE_TEMPLATES: "Change templates",
    Right.CREATE_TEMPLATES: "Create templates",
    Right.DELETE_TEMPLATES: "Delete templates",
    Right.MODIFY_RP_WORKSPACE_BINDINGS: "Bind resource pools to workspaces",
    Right.SET_WORKSPACE_NAMESPACE_BINDINGS: "Bind workspaces to Kubernetes namespaces",
    Right.SET_RESOURCE_QUOTAS: "Set the slot quota of a workspace",
    Right.VIEW_RESOURCE_QUOTAS: "See the slot quota of a workspace",
    Right.MODIFY_GLOBAL_CONFIG_POLICIES: "Set configuration policies of the cluster",
    Right.MODIFY_WORKSPACE_CONFIG_POLICIES: "Set configuration policies of a workspace",
    Right.VIEW_GLOBAL_CONFIG_POLICIES: "See configuration policies of the cluster",
    Right.VIEW_WORKSPACE_CONFIG_POLICIES: "See configuration policies of a workspace",
    Right.ADMINISTRATE_TOKEN: "Change and revoke access tokens of other users",
    Right.UPDATE_TOKEN: "Change and revoke one's own access tokens",
    Right.CREATE_TOKEN: "Create access tokens for oneself",
    Right.CREATE_OTHER_TOKEN: "Create access tokens for other users",
    Right.VIEW_OTHER_TOKEN: "See access tokens of other users",
    Right.VIEW_TOKEN: "See one's own access tokens",
    Right.ADMINISTRATE_USER: "Create and change users",
    Right.ADMINISTRATE_OAUTH: "Manage OAuth clients",
    Right.UPDATE_GROUP: "Create and change groups",
    Right.CREATE_WORKSPACE: "Create workspaces",
    Right.UPDATE_ROLES: "Define roles",
    Right.EDIT_WEBHOOKS: "Create, change and delete webhooks",
    Right.VIEW_WEBHOOKS: "See webhooks",
}


def describe(right: Right) -> Description:
    """Name and title of a right."""
    return Description(_NAMES.get(right, right.name.lower().replace("_", " ")), _TITLES[right])
