"""Experiments with all that clients see beside the row itself: names of owner, project and workspace, trials, allocations."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import sqlalchemy as sa

from undeterred.base.errors import NotFound
from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.identity import users
from undeterred.store.schema.spaces import projects, workspaces
from undeterred.store.schema.tasks import allocations, tasks

JOINED = (
    experiments.join(users, users.c.id == experiments.c.user_id)
    .join(projects, projects.c.id == experiments.c.project_id)
    .join(workspaces, workspaces.c.id == projects.c.workspace_id)
)

NUM_TRIALS = sa.select(sa.func.count()).where(runs.c.experiment_id == experiments.c.id).correlate(experiments).scalar_subquery()

_BESIDE = [
    users.c.username,
    users.c.display_name,
    projects.c.name.label("project_name"),
    projects.c.user_id.label("project_owner_id"),
    projects.c.archived.label("project_archived"),
    workspaces.c.id.label("workspace_id"),
    workspaces.c.name.label("workspace_name"),
    workspaces.c.archived.label("workspace_archived"),
    workspaces.c.user_id.label("workspace_owner_id"),
    NUM_TRIALS.label("num_trials"),
]

SHOWN = sa.select(*[column for column in experiments.c if column.name not in ("context_digest", "error")], *_BESIDE).select_from(
    JOINED
)

LISTED = sa.select(
    *[column for column in experiments.c if column.name not in ("context_digest", "error", "original_config")],
    *_BESIDE,
).select_from(JOINED)
"""What lists show: without the text of the configuration as it was submitted."""


def get(tx: Tx, experiment_id: int) -> Any:
    """One experiment; raises NotFound, also for one that is being deleted for good."""
    row = tx.row(SHOWN.where(experiments.c.id == experiment_id))
    if row is None:
        raise NotFound(f"experiment {experiment_id} not found")
    return row


def trial_ids(tx: Tx, experiment_id: int) -> list[int]:
    """Ids of the trials, oldest first."""
    return tx.values(sa.select(runs.c.id).where(runs.c.experiment_id == experiment_id).order_by(runs.c.id))


def allocation_states(tx: Tx, job_ids: Collection[str]) -> dict[str, list[str]]:
    """States of the open allocations of these jobs: what tells QUEUED from RUNNING."""
    found: dict[str, list[str]] = defaultdict(list)
    wanted: Sequence[str] = [job for job in job_ids if job]
    if wanted:
        query = (
            sa.select(tasks.c.job_id, allocations.c.state)
            .join(tasks, tasks.c.id == allocations.c.task_id)
            .where(tasks.c.job_id.in_(wanted), allocations.c.state != "TERMINATED")
        )
        for row in tx.rows(query):
            found[row.job_id].append(row.state)
    return found
