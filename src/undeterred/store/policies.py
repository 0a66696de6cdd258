"""Config policies: invariants and constraints, of the cluster (no workspace) and of workspaces."""

from typing import Any

import sqlalchemy as sa

from undeterred.base import json
from undeterred.store.database import Tx
from undeterred.store.schema.spaces import config_policies


def find(tx: Tx, workspace_id: int | None, workload_type: str) -> dict[str, Any] | None:
    """The policy of a workload type as `{"invariant_config", "constraints"}` (what was given), or None."""
    row = tx.row(
        sa.select(config_policies).where(
            config_policies.c.workspace_id.is_(None) if workspace_id is None else config_policies.c.workspace_id == workspace_id,
            config_policies.c.workload_type == workload_type,
        )
    )
    if row is None:
        return None
    parts = {"invariant_config": row.invariant_config, "constraints": row.constraints}
    return {name: json.loads(text) for name, text in parts.items() if text is not None}
