"""Config policies: invariants and constraints, of the cluster (no workspace) and of workspaces."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.store.database import Tx
from undeterred.store.schema.spaces import config_policies


def find(tx: Tx, workspace_id: int | None, workload_type: str) -> dict[str, Any] | None:
    """The policy of a workload type as `{"invariant_config", "constraints"}` (what was given), or None."""
    row = tx.row(sa.select(config_policies).where(*_at(workspace_id, workload_type)))
    if row is None:
        return None
    parts = {"invariant_config": row.invariant_config, "constraints": row.constraints}
    return {name: json.loads(text) for name, text in parts.items() if text is not None}


def both(tx: Tx, workspace_id: int | None, workload_type: str) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """The policies that hold in a workspace: the cluster's and its own; None for those that there are not."""
    own = None if workspace_id is None else find(tx, workspace_id, workload_type)
    return find(tx, None, workload_type), own


def put(tx: Tx, workspace_id: int | None, workload_type: str, policy: Mapping[str, Any], user_id: int) -> None:
    """Store a policy, in place of the one there was."""
    delete(tx, workspace_id, workload_type)
    parts = {name: json.dumps(policy[name]) for name in ("invariant_config", "constraints") if policy.get(name) is not None}
    tx.insert(
        config_policies, workspace_id=workspace_id, workload_type=workload_type, updated_at=tx.now, updated_by=user_id, **parts
    )


def delete(tx: Tx, workspace_id: int | None, workload_type: str) -> None:
    """Remove a policy, if there is one."""
    tx.run(sa.delete(config_policies).where(*_at(workspace_id, workload_type)))


def _at(workspace_id: int | None, workload_type: str) -> tuple[sa.ColumnElement[bool], ...]:
    where = config_policies.c.workspace_id
    same = where.is_(None) if workspace_id is None else where == workspace_id
    return same, config_policies.c.workload_type == workload_type
