"""What trials have measured that said that they use a checkpoint, or a version of a model."""

from typing import Any

import sqlalchemy as sa

from undeterred.core.rights import Scope
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import runs
from undeterred.store.schema.metrics import metric_groups, reports
from undeterred.store.schema.registry import trial_sources
from undeterred.store.schema.spaces import projects


def of_checkpoint(tx: Tx, scope: Scope, checkpoint_id: int, kind: str | None, group: str) -> list[Any]:
    """Reports of all trials that use a checkpoint: by trial, group and steps. An empty `group` means all, None any `kind`."""
    return _reports(tx, scope, kind, group, trial_sources.c.checkpoint_id == checkpoint_id)


def of_version(tx: Tx, scope: Scope, model_id: int, version: int, kind: str | None, group: str) -> list[Any]:
    """The same for a version of a model."""
    return _reports(tx, scope, kind, group, trial_sources.c.model_id == model_id, trial_sources.c.model_version == version)


def _reports(tx: Tx, scope: Scope, kind: str | None, group: str, *source: sa.ColumnElement[bool]) -> list[Any]:
    """The rows' columns are those of reports, and `group`."""
    query = sa.select(trial_sources.c.run_id).join(runs, runs.c.id == trial_sources.c.run_id).where(*source)
    if kind is not None:
        query = query.where(trial_sources.c.kind == kind)
    if not scope.everywhere:
        query = query.join(projects, projects.c.id == runs.c.project_id).where(projects.c.workspace_id.in_(scope.workspaces))
    found = (
        sa.select(reports, metric_groups.c.name.label("group"))
        .join(metric_groups, metric_groups.c.id == reports.c.group_id)
        .where(reports.c.run_id.in_(query), reports.c.archived.is_(False))
        .order_by(reports.c.run_id, metric_groups.c.name, reports.c.steps, reports.c.id)
    )
    return tx.rows(found.where(metric_groups.c.name == group) if group else found)
