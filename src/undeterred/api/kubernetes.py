"""Namespaces and quotas of workspaces on Kubernetes clusters; without such a cluster there is nothing to bind."""

from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import Needs, operation
from undeterred.api.views.common import few
from undeterred.base.errors import Invalid, NotFound, Refused
from undeterred.core.rights import Right
from undeterred.store import workspaces
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_NONE = "this server runs no Kubernetes cluster"


@operation("GetKubernetesResourceManagers", needs=Needs.LOGIN)
async def get_managers(_call: Call, _req: m.GetKubernetesResourceManagersRequest) -> m.GetKubernetesResourceManagersResponse:
    """The names of the Kubernetes clusters that this server runs: none."""
    return m.GetKubernetesResourceManagersResponse()


@operation("SetWorkspaceNamespaceBindings", needs=Right.SET_WORKSPACE_NAMESPACE_BINDINGS)
async def set_bindings(call: Call, req: m.SetWorkspaceNamespaceBindingsRequest) -> m.SetWorkspaceNamespaceBindingsResponse:
    """Bind a workspace to namespaces."""

    def check(tx: Tx) -> None:
        _require(call, tx, Right.SET_WORKSPACE_NAMESPACE_BINDINGS, req.workspace_id)
        if req.cluster_namespace_meta:
            raise Invalid(f"clusterNamespaceMeta: {_NONE}, so workspaces have no namespaces")

    await call.read(check)
    return m.SetWorkspaceNamespaceBindingsResponse()


@operation("DeleteWorkspaceNamespaceBindings", needs=Right.SET_WORKSPACE_NAMESPACE_BINDINGS)
async def delete_bindings(
    call: Call, req: m.DeleteWorkspaceNamespaceBindingsRequest
) -> m.DeleteWorkspaceNamespaceBindingsResponse:
    """Take bindings of a workspace to namespaces away."""

    def check(tx: Tx) -> None:
        _require(call, tx, Right.SET_WORKSPACE_NAMESPACE_BINDINGS, req.workspace_id)
        if req.cluster_names:
            raise Invalid(f"clusterNames: {_NONE}, so no workspace is bound to a namespace")

    await call.read(check)
    return m.DeleteWorkspaceNamespaceBindingsResponse()


@operation("ListWorkspaceNamespaceBindings", needs=Right.VIEW_WORKSPACE)
async def list_bindings(call: Call, req: m.ListWorkspaceNamespaceBindingsRequest) -> m.ListWorkspaceNamespaceBindingsResponse:
    """The namespaces of a workspace; refused, as in the original, where no cluster could have any."""

    def check(tx: Tx) -> None:
        _require(call, tx, Right.VIEW_WORKSPACE, req.id)
        raise Refused(f"{_NONE}, so workspaces have no namespaces")

    await call.read(check)
    return m.ListWorkspaceNamespaceBindingsResponse()


@operation("BulkAutoCreateWorkspaceNamespaceBindings", needs=Right.SET_WORKSPACE_NAMESPACE_BINDINGS)
async def bulk_bind(
    call: Call, req: m.BulkAutoCreateWorkspaceNamespaceBindingsRequest
) -> m.BulkAutoCreateWorkspaceNamespaceBindingsResponse:
    """Make namespaces for many workspaces."""
    wanted = few(req.workspace_ids, "workspaceIds")

    def check(tx: Tx) -> None:
        call.require(tx, Right.SET_WORKSPACE_NAMESPACE_BINDINGS)
        unknown = sorted(set(wanted) - workspaces.known(tx, wanted))
        if unknown:
            raise NotFound(f"workspaceIds: {', '.join(map(str, unknown[:20]))} not found")
        if wanted:
            raise Invalid(f"workspaceIds: {_NONE} in which namespaces could be made")

    await call.read(check)
    return m.BulkAutoCreateWorkspaceNamespaceBindingsResponse()


@operation("GetWorkspacesWithDefaultNamespaceBindings", needs=Right.SET_WORKSPACE_NAMESPACE_BINDINGS)
async def get_default_bound(
    call: Call, _req: m.GetWorkspacesWithDefaultNamespaceBindingsRequest
) -> m.GetWorkspacesWithDefaultNamespaceBindingsResponse:
    """Workspaces that have no namespace of their own: all of them."""

    def load(tx: Tx) -> list[int]:
        call.require(tx, Right.SET_WORKSPACE_NAMESPACE_BINDINGS)
        return workspaces.ids(tx, call.scope(tx, Right.SET_WORKSPACE_NAMESPACE_BINDINGS))

    return m.GetWorkspacesWithDefaultNamespaceBindingsResponse(workspace_ids=await call.read(load))


@operation("SetResourceQuotas", needs=Right.SET_RESOURCE_QUOTAS)
async def set_quotas(call: Call, req: m.SetResourceQuotasRequest) -> m.SetResourceQuotasResponse:
    """Limit what a workspace uses of each cluster."""

    def check(tx: Tx) -> None:
        _require(call, tx, Right.SET_RESOURCE_QUOTAS, req.id)
        if req.cluster_quota_pairs:
            raise NotFound(f"clusterQuotaPairs: there is no Kubernetes cluster named {', '.join(req.cluster_quota_pairs)}")

    await call.read(check)
    return m.SetResourceQuotasResponse()


@operation("GetKubernetesResourceQuotas", needs=Right.VIEW_RESOURCE_QUOTAS)
async def get_quotas(call: Call, req: m.GetKubernetesResourceQuotasRequest) -> m.GetKubernetesResourceQuotasResponse:
    """The limits of a workspace; refused, as in the original, where no cluster could have any."""

    def check(tx: Tx) -> None:
        _require(call, tx, Right.VIEW_RESOURCE_QUOTAS, req.id)
        raise Refused(f"{_NONE}, so workspaces have no resource quotas")

    await call.read(check)
    return m.GetKubernetesResourceQuotasResponse()


def _require(call: Call, tx: Tx, right: Right, workspace_id: int) -> Any:
    row = workspaces.get(tx, workspace_id)
    call.require(tx, right, workspace=row.id, workspace_owner=row.user_id, missing=f"workspace {row.id} not found")
    return row
