"""Deletion of workspaces and projects: decided at once, carried out by `services/deletion.py` where anything is inside.

Also what follows a project into another workspace.
"""

from undeterred.base.errors import Refused
from undeterred.core.lifecycle.experiment import DELETABLE, ExperimentState
from undeterred.core.spaces import DELETING
from undeterred.engine import keys, tasks
from undeterred.store import projects, workspaces
from undeterred.store.database import Tx


def delete_workspace(tx: Tx, workspace_id: int) -> bool:
    """Delete a workspace and all in it; whether it is gone already.

    Its notebooks, shells, commands and TensorBoards are killed. Raises Refused while it holds models, experiments that run, or
    checkpoints that are registered as model versions.
    """
    models = workspaces.count_models(tx, workspace_id)
    if models:
        raise Refused(f"workspace {workspace_id} holds {models} models; move or delete them first")
    inside = projects.of_workspace(tx, workspace_id)
    check_deletable(tx, inside)
    for task_id in workspaces.live_tasks(tx, workspace_id):
        tasks.kill(tx, task_id, why="its workspace is deleted")
    if not inside:
        workspaces.delete(tx, workspace_id)
        return True
    workspaces.update(tx, workspace_id, state=DELETING, error_message="")
    _begin(tx, inside)
    return False


def delete_project(tx: Tx, project_id: int) -> bool:
    """Delete a project and its experiments; whether it is gone already. Raises Refused as `delete_workspace` does."""
    check_deletable(tx, [project_id])
    if not projects.experiments_in(tx, [project_id], limit=1):
        projects.delete(tx, project_id)
        return True
    _begin(tx, [project_id])
    return False


def check_deletable(tx: Tx, project_ids: list[int]) -> None:
    """Raises Refused while an experiment of these projects runs, or has a checkpoint that is a registered model version."""
    living = [row.id for row in projects.experiments_in(tx, project_ids) if not can_go(row.state, unmanaged=row.unmanaged)]
    if living:
        shown = ", ".join(map(str, living[:10]))
        raise Refused(f"{len(living)} experiments have not ended ({shown}); cancel or kill them first")
    registered = projects.registered_in(tx, project_ids)
    if registered:
        shown = ", ".join(f"{row.name} (experiment {row.experiment_id})" for row in registered)
        raise Refused(f"checkpoints are registered as versions of models: {shown}; delete those versions first")


def can_go(state: str, *, unmanaged: bool) -> bool:
    """Whether an experiment may be deleted with its project: it has ended, or nobody ever began its trials."""
    return state in DELETABLE or state == DELETING or (unmanaged and state == ExperimentState.PAUSED)


def project_moved(tx: Tx, project_id: int, workspace_id: int) -> None:
    """The jobs and tasks of a project's experiments belong to its new workspace."""
    projects.move_work(tx, project_id, workspace_id)
    tx.wake(keys.SCHEDULER)


def _begin(tx: Tx, project_ids: list[int]) -> None:
    for project_id in project_ids:
        projects.update(tx, project_id, state=DELETING, error_message="")
    projects.retry_deletions(tx, project_ids)
    tx.wake(keys.DELETION)
