"""Moving experiments between projects, and what that asks of both."""

from typing import Any

from undeterred.base.errors import Refused
from undeterred.core.spaces import check_open
from undeterred.engine import keys
from undeterred.store import experiments, moves, projects
from undeterred.store.database import Tx


def destination(tx: Tx, project_id: int) -> Any:
    """The row of a project that takes experiments; raises NotFound, or Refused for one that is archived or being deleted."""
    project = projects.get(tx, project_id)
    check_open(f"project {project_id}", archived=project.shown_archived, state=project.state)
    return project


def move(tx: Tx, experiment_id: int, project: Any) -> None:
    """Move one experiment with its runs; nothing happens when it is there already. Raises Refused for an archived one."""
    experiment = experiments.locked(tx, experiment_id)
    if experiment.archived:
        raise Refused(f"experiment {experiment_id} is archived; unarchive it before it is moved")
    if experiment.project_id != project.id:
        moves.move_experiment(tx, experiment, project.id, project.workspace_id)
        tx.wake(keys.SCHEDULER, keys.experiment(experiment_id))
