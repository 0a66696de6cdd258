"""Experiments that go into another project, with all that carries the project's or the workspace's number."""

from typing import Any

import sqlalchemy as sa

from undeterred.store.database import Tx
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.spaces import projects
from undeterred.store.schema.tasks import jobs, tasks


def move_experiment(tx: Tx, experiment: Any, project_id: int, workspace_id: int) -> None:
    """Put an experiment (its row) into a project: its runs get new numbers there, its job and tasks follow."""
    tx.run(sa.update(experiments).where(experiments.c.id == experiment.id).values(project_id=project_id, values_stale=True))
    run_ids = tx.values(sa.select(runs.c.id).where(runs.c.experiment_id == experiment.id).order_by(runs.c.id))
    if run_ids:
        first = _take_local_ids(tx, project_id, len(run_ids))
        statement = (
            sa.update(runs)
            .where(runs.c.id == sa.bindparam("run"))
            .values(project_id=sa.bindparam("project"), local_id=sa.bindparam("local"), values_stale=True)
        )
        numbered = [{"run": run, "project": project_id, "local": first + place} for place, run in enumerate(run_ids)]
        tx.conn.execute(statement, numbered)
    if experiment.job_id and experiment.workspace_id != workspace_id:
        for table, column in ((jobs, jobs.c.id), (tasks, tasks.c.job_id)):
            tx.run(sa.update(table).where(column == experiment.job_id).values(workspace_id=workspace_id))


def _take_local_ids(tx: Tx, project_id: int, number: int) -> int:
    """The first of `number` new local numbers of runs in a project."""
    statement = (
        sa.update(projects)
        .where(projects.c.id == project_id)
        .values(run_counter=projects.c.run_counter + number)
        .returning(projects.c.run_counter)
    )
    return int(tx.value(statement)) - number + 1
