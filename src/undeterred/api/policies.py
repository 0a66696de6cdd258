"""Config policies: what administrators fix and limit, for everything or for one workspace."""

import asyncio
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.base.errors import Invalid
from undeterred.core.config.policy import check_workload, parse_policy
from undeterred.core.rights import Right
from undeterred.store import policies, workspaces
from undeterred.store.database import Tx
from undeterred.wire import messages as m

LONGEST = 1_000_000
"""Characters of a policy."""


@operation("GetGlobalConfigPolicies", needs=Right.VIEW_GLOBAL_CONFIG_POLICIES)
async def get_global(call: Call, req: m.GetGlobalConfigPoliciesRequest) -> m.GetGlobalConfigPoliciesResponse:
    """The policy that holds everywhere; an empty object when there is none."""
    found = await _get(call, Right.VIEW_GLOBAL_CONFIG_POLICIES, None, req.workload_type)
    return m.GetGlobalConfigPoliciesResponse(config_policies=found)


@operation("GetWorkspaceConfigPolicies", needs=Right.VIEW_WORKSPACE_CONFIG_POLICIES)
async def get_of_workspace(call: Call, req: m.GetWorkspaceConfigPoliciesRequest) -> m.GetWorkspaceConfigPoliciesResponse:
    """The policy of a workspace; an empty object when there is none."""
    found = await _get(call, Right.VIEW_WORKSPACE_CONFIG_POLICIES, req.workspace_id, req.workload_type)
    return m.GetWorkspaceConfigPoliciesResponse(config_policies=found)


@operation("PutGlobalConfigPolicies", needs=Right.MODIFY_GLOBAL_CONFIG_POLICIES)
async def put_global(call: Call, req: m.PutGlobalConfigPoliciesRequest) -> m.PutGlobalConfigPoliciesResponse:
    """Set the policy that holds everywhere, as YAML or JSON text."""
    stored = await _put(call, Right.MODIFY_GLOBAL_CONFIG_POLICIES, None, req.workload_type, req.config_policies)
    return m.PutGlobalConfigPoliciesResponse(config_policies=stored)


@operation("PutWorkspaceConfigPolicies", needs=Right.MODIFY_WORKSPACE_CONFIG_POLICIES)
async def put_of_workspace(call: Call, req: m.PutWorkspaceConfigPoliciesRequest) -> m.PutWorkspaceConfigPoliciesResponse:
    """Set the policy of a workspace, as YAML or JSON text; where both set the same, the one that holds everywhere wins."""
    right = Right.MODIFY_WORKSPACE_CONFIG_POLICIES
    stored = await _put(call, right, req.workspace_id, req.workload_type, req.config_policies)
    return m.PutWorkspaceConfigPoliciesResponse(config_policies=stored)


@operation("DeleteGlobalConfigPolicies", needs=Right.MODIFY_GLOBAL_CONFIG_POLICIES)
async def delete_global(call: Call, req: m.DeleteGlobalConfigPoliciesRequest) -> m.DeleteGlobalConfigPoliciesResponse:
    """Remove the policy that holds everywhere, if there is one."""
    await _delete(call, Right.MODIFY_GLOBAL_CONFIG_POLICIES, None, req.workload_type)
    return m.DeleteGlobalConfigPoliciesResponse()


@operation("DeleteWorkspaceConfigPolicies", needs=Right.MODIFY_WORKSPACE_CONFIG_POLICIES)
async def delete_of_workspace(call: Call, req: m.DeleteWorkspaceConfigPoliciesRequest) -> m.DeleteWorkspaceConfigPoliciesResponse:
    """Remove the policy of a workspace, if there is one."""
    await _delete(call, Right.MODIFY_WORKSPACE_CONFIG_POLICIES, req.workspace_id, req.workload_type)
    return m.DeleteWorkspaceConfigPoliciesResponse()


async def _get(call: Call, right: Right, workspace_id: int | None, workload: str) -> dict[str, Any]:
    check_workload(workload)

    def load(tx: Tx) -> dict[str, Any]:
        _require(call, tx, right, workspace_id)
        return policies.find(tx, workspace_id, workload) or {}

    return await call.read(load)


async def _put(call: Call, right: Right, workspace_id: int | None, workload: str, text: str) -> dict[str, Any]:
    check_workload(workload)
    await call.read(lambda tx: _require(call, tx, right, workspace_id))
    if len(text) > LONGEST:
        raise Invalid(f"configPolicies has {len(text)} characters; at most {LONGEST} are allowed")
    policy = await asyncio.to_thread(parse_policy, text, workload)

    def put(tx: Tx) -> dict[str, Any]:
        _require(call, tx, right, workspace_id)
        policies.put(tx, workspace_id, workload, policy, call.who.user_id)
        return policies.find(tx, workspace_id, workload) or {}

    return await call.write(put)


async def _delete(call: Call, right: Right, workspace_id: int | None, workload: str) -> None:
    check_workload(workload)

    def delete(tx: Tx) -> None:
        _require(call, tx, right, workspace_id)
        policies.delete(tx, workspace_id, workload)

    await call.write(delete)


def _require(call: Call, tx: Tx, right: Right, workspace_id: int | None) -> None:
    if workspace_id is None:
        call.require(tx, right)
        return
    row = workspaces.get(tx, workspace_id)
    missing = f"workspace {workspace_id} not found"
    call.require(tx, right, workspace=row.id, workspace_owner=row.user_id, missing=missing)
