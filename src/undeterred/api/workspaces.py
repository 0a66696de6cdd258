"""Workspaces: listing, creating, changing, pinning, archiving, deleting."""

from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, few, given, is_descending, pagination
from undeterred.api.views.users import agent_columns
from undeterred.api.views.workspaces import workspace_message
from undeterred.base.errors import Exists, Invalid, NotFound, Refused
from undeterred.base.json import dumps
from undeterred.core import pools as pool_rules
from undeterred.core.config.mask import read_storage
from undeterred.core.names import check_workspace_name, storable
from undeterred.core.rights import Right
from undeterred.core.rights.roles import WORKSPACE_ADMIN
from undeterred.core.spaces import check_open
from undeterred.engine import spaces
from undeterred.store import groups, pools, roles, workspaces
from undeterred.store.database import Tx
from undeterred.store.paging import memory_page
from undeterred.store.workspaces import WorkspaceFilter
from undeterred.wire import messages as m

_By = m.GetWorkspacesRequestSortBy
_SORTS = {_By.SORT_BY_UNSPECIFIED: "id", _By.SORT_BY_ID: "id", _By.SORT_BY_NAME: "name"}


@operation("GetWorkspaces", needs=Right.VIEW_WORKSPACE)
async def get_workspaces(call: Call, req: m.GetWorkspacesRequest) -> m.GetWorkspacesResponse:
    """Workspaces that the caller may see, by name, owner, pin or archive flag."""
    which = WorkspaceFilter(
        name=req.name,
        exact_name=req.name_case_sensitive,
        archived=req.archived,
        pinned=req.pinned,
        users=few(req.users, "users"),
        user_ids=few(req.user_ids, "userIds"),
    )
    sort, descending, viewer = choose(_SORTS, req.sort_by, "sortBy"), is_descending(req.order_by), call.who.user_id

    def load(tx: Tx) -> m.GetWorkspacesResponse:
        scope = call.scope(tx, Right.VIEW_WORKSPACE)
        page = memory_page(req.offset, req.limit, workspaces.count(tx, scope, which, viewer))
        rows = workspaces.search(tx, scope, which, viewer, sort, descending=descending, start=page.start, end=page.end)
        inside = workspaces.contents(tx, [row.id for row in rows])
        shown = [workspace_message(row, inside.get(row.id)) for row in rows]
        return m.GetWorkspacesResponse(workspaces=shown, pagination=pagination(page))

    return await call.read(load)


@operation("GetWorkspace", needs=Right.VIEW_WORKSPACE)
async def get_workspace(call: Call, req: m.GetWorkspaceRequest) -> m.GetWorkspaceResponse:
    """One workspace."""

    def load(tx: Tx) -> m.Workspace:
        row = workspaces.get(tx, req.id, call.who.user_id)
        _require(call, tx, Right.VIEW_WORKSPACE, row)
        return _shown(call, tx, req.id)

    return m.GetWorkspaceResponse(workspace=await call.read(load))


@operation("PostWorkspace", needs=Right.CREATE_WORKSPACE)
async def post_workspace(call: Call, req: m.PostWorkspaceRequest) -> m.PostWorkspaceResponse:
    """Create a workspace; its creator administrates it and has it pinned."""
    name = storable(req.name)
    check_workspace_name(name)
    columns: dict[str, Any] = agent_columns(given(req.agent_user_group))
    columns |= _storage(given(req.checkpoint_storage_config))
    wanted = {"default_compute_pool": req.default_compute_pool, "default_aux_pool": req.default_aux_pool}
    columns |= {column: pool for column, pool in wanted.items() if pool}
    _refuse_kubernetes(req.cluster_namespace_meta, req.cluster_quota_pairs)

    def create(tx: Tx) -> m.Workspace:
        call.require(tx, Right.CREATE_WORKSPACE)
        _check_free(tx, name, 0)
        workspace_id = workspaces.create(tx, name, call.who.user_id, **columns)
        _assign_creator(call, tx, workspace_id)
        row = workspaces.get(tx, workspace_id)
        for right in _rights_for(columns):
            _require(call, tx, right, row)
        workspaces.pin(tx, workspace_id, call.who.user_id)
        message = workspace_message(row)
        message.name, message.pinned = req.name, True
        return message

    return m.PostWorkspaceResponse(workspace=await call.write(create))


@operation("PatchWorkspace", needs=Right.UPDATE_WORKSPACE)
async def patch_workspace(call: Call, req: m.PatchWorkspaceRequest) -> m.PatchWorkspaceResponse:
    """Change what is given; the fields defaultComputePool and defaultAuxPool of older clients are not read."""
    patch = req.workspace or m.PatchWorkspace()
    _refuse_kubernetes(patch.cluster_namespace_meta, {})
    columns: dict[str, Any] = agent_columns(given(patch.agent_user_group)) | _storage(given(patch.checkpoint_storage_config))
    wanted = {
        "default_compute_pool": given(patch.default_compute_resource_pool),
        "default_aux_pool": given(patch.default_aux_resource_pool),
    }
    columns |= {column: pool or None for column, pool in wanted.items() if pool is not None}
    if patch.name is not None:
        columns["name"] = storable(patch.name)
        check_workspace_name(columns["name"])

    def change(tx: Tx) -> m.Workspace:
        row = workspaces.locked(tx, req.id)
        for right in (Right.UPDATE_WORKSPACE, *_rights_for(columns)):
            _require(call, tx, right, row)
        check_open(f"workspace {req.id}", archived=row.archived, immutable=row.immutable, state=row.state)
        if "name" in columns:
            _check_free(tx, columns["name"], req.id)
        _check_pools(call, tx, req.id, [pool for pool in wanted.values() if pool])
        if columns:
            workspaces.update(tx, req.id, **columns)
        return _shown(call, tx, req.id)

    return m.PatchWorkspaceResponse(workspace=await call.write(change))


@operation("DeleteWorkspace", needs=Right.DELETE_WORKSPACE)
async def delete_workspace(call: Call, req: m.DeleteWorkspaceRequest) -> m.DeleteWorkspaceResponse:
    """Delete a workspace with all its projects and experiments: at once when there are none, otherwise in the background."""

    def remove(tx: Tx) -> bool:
        row = workspaces.locked(tx, req.id)
        _require(call, tx, Right.DELETE_WORKSPACE, row)
        check_open(f"workspace {req.id}", immutable=row.immutable, state=row.state)
        call.forget_sessions(tx)
        return spaces.delete_workspace(tx, req.id)

    return m.DeleteWorkspaceResponse(completed=await call.write(remove))


@operation("ArchiveWorkspace", needs=Right.UPDATE_WORKSPACE)
async def archive_workspace(call: Call, req: m.ArchiveWorkspaceRequest) -> m.ArchiveWorkspaceResponse:
    """Hide a workspace and its projects from lists; nothing in it can be changed until it is unarchived."""
    await call.write(lambda tx: _set_archived(call, tx, req.id, archived=True))
    return m.ArchiveWorkspaceResponse()


@operation("UnarchiveWorkspace", needs=Right.UPDATE_WORKSPACE)
async def unarchive_workspace(call: Call, req: m.UnarchiveWorkspaceRequest) -> m.UnarchiveWorkspaceResponse:
    """Bring an archived workspace back."""
    await call.write(lambda tx: _set_archived(call, tx, req.id, archived=False))
    return m.UnarchiveWorkspaceResponse()


@operation("PinWorkspace", needs=Right.VIEW_WORKSPACE)
async def pin_workspace(call: Call, req: m.PinWorkspaceRequest) -> m.PinWorkspaceResponse:
    """Put a workspace into the caller's sidebar."""

    def pin(tx: Tx) -> None:
        _require(call, tx, Right.VIEW_WORKSPACE, workspaces.get(tx, req.id))
        if not workspaces.pin(tx, req.id, call.who.user_id):
            raise Refused(f"workspace {req.id} is pinned already")

    await call.write(pin)
    return m.PinWorkspaceResponse()


@operation("UnpinWorkspace", needs=Right.VIEW_WORKSPACE)
async def unpin_workspace(call: Call, req: m.UnpinWorkspaceRequest) -> m.UnpinWorkspaceResponse:
    """Take a workspace out of the caller's sidebar."""

    def unpin(tx: Tx) -> None:
        _require(call, tx, Right.VIEW_WORKSPACE, workspaces.get(tx, req.id))
        if not workspaces.unpin(tx, req.id, call.who.user_id):
            raise Refused(f"workspace {req.id} is not pinned")

    await call.write(unpin)
    return m.UnpinWorkspaceResponse()


def _require(call: Call, tx: Tx, right: Right, row: Any) -> None:
    call.require(
        tx, right, workspace=row.id, owner=row.user_id, workspace_owner=row.user_id, missing=f"workspace {row.id} not found"
    )


def _shown(call: Call, tx: Tx, workspace_id: int) -> m.Workspace:
    row = workspaces.get(tx, workspace_id, call.who.user_id)
    return workspace_message(row, workspaces.contents(tx, [workspace_id]).get(workspace_id))


def _set_archived(call: Call, tx: Tx, workspace_id: int, *, archived: bool) -> None:
    row = workspaces.locked(tx, workspace_id)
    _require(call, tx, Right.UPDATE_WORKSPACE, row)
    check_open(f"workspace {workspace_id}", immutable=row.immutable, state=row.state)
    workspaces.update(tx, workspace_id, archived=archived)


def _check_free(tx: Tx, name: str, workspace_id: int) -> None:
    found = workspaces.by_name(tx, name)
    if found is not None and found.id != workspace_id:
        raise Exists(f"there is a workspace named {name!r} already")


def _check_pools(call: Call, tx: Tx, workspace_id: int, names: list[str]) -> None:
    settings = call.settings
    known = [pool.name for pool in pool_rules.pools_of(settings.resource_manager, settings.resource_pools)]
    usable = pools.usable(tx, known, workspace_id)
    for name in names:
        if name not in usable:
            raise Invalid(f"{name!r} is no resource pool that workspace {workspace_id} may use; those are {', '.join(usable)}")


def _rights_for(columns: dict[str, Any]) -> list[Right]:
    """The rights, beside that for the workspace itself, that setting these columns needs."""
    needed = []
    if "agent_uid" in columns:
        needed.append(Right.SET_WORKSPACE_AGENT_USER_GROUP)
    if "checkpoint_storage" in columns:
        needed.append(Right.SET_WORKSPACE_CHECKPOINT_STORAGE_CONFIG)
    if "default_compute_pool" in columns or "default_aux_pool" in columns:
        needed.append(Right.SET_WORKSPACE_DEFAULT_RESOURCE_POOL)
    return needed


def _storage(config: Any) -> dict[str, Any]:
    return {} if config is None else {"checkpoint_storage": dumps(read_storage(config))}


def _assign_creator(call: Call, tx: Tx, workspace_id: int) -> None:
    """Give the creator the role that the settings name (WorkspaceAdmin by default) in the new workspace."""
    setting = call.settings.security.authz.workspace_creator_assign_role or {}
    if setting.get("enabled", True):
        group_id = groups.own(tx, [call.who.user_id])[call.who.user_id]
        call.forget_sessions(tx)
        roles.assign(tx, [roles.Assignment(group_id, int(setting.get("role_id", WORKSPACE_ADMIN.id)), workspace_id)])


def _refuse_kubernetes(namespaces: dict[str, Any], quotas: dict[str, int]) -> None:
    if namespaces:
        raise Invalid("clusterNamespaceMeta: this server runs no Kubernetes cluster, so workspaces have no namespaces")
    if quotas:
        raise NotFound(f"clusterQuotaPairs: there is no Kubernetes cluster named {', '.join(quotas)}")
