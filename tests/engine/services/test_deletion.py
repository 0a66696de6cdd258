"""Deletion of experiments, projects and workspaces: complete, resumable, and given up with a reason."""

from typing import Any

import pytest

from tests.engine.helpers import World
from tests.rows import experiment, run
from undeterred.base.errors import NotFound
from undeterred.base.json import loads
from undeterred.engine import spaces
from undeterred.engine.services.deletion import MOST_ATTEMPTS, DeletionService
from undeterred.store import events, projects, workspaces
from undeterred.store import experiments as experiment_rows
from undeterred.store.database import Database, Tx
from undeterred.store.schema.base import metadata
from undeterred.store.schema.experiments import blobs, experiments
from undeterred.store.schema.logs import task_logs
from undeterred.store.schema.metrics import metric_groups, reports
from undeterred.store.schema.outbox import outbox
from undeterred.store.schema.registry import checkpoints, model_versions, models
from undeterred.store.schema.tasks import jobs, run_tasks, tasks


def full(tx: Tx, project_id: int, name: str = "e", **columns: Any) -> int:
    """An ended experiment with a trial that has a task, a log, metrics, a checkpoint and a context; its id."""
    tx.insert(jobs, id=f"job {name}", kind="EXPERIMENT", user_id=1, submitted_at=1)
    tx.insert(blobs, digest=f"digest {name}", seq=0, data=b"x")
    values = {"project_id": project_id, "state": "COMPLETED", "job_id": f"job {name}", "context_digest": f"digest {name}"}
    number = experiment(tx, unmanaged=False, **(values | columns))
    trial = run(tx, number, project_id=project_id, state="COMPLETED")
    tx.insert(tasks, id=f"task {name}", task_type="TRIAL", job_id=f"job {name}", start_time=1)
    tx.insert(run_tasks, run_id=trial, task_id=f"task {name}")
    for _ in range(3):
        tx.insert(task_logs, task_id=f"task {name}", time=1, text="line")
    group = tx.insert(metric_groups, name=f"group {name}")
    tx.insert(reports, run_id=trial, run_number=1, group_id=group, time=1, metrics="{}")
    tx.insert(checkpoints, uuid=f"uuid {name}", run_id=trial, report_time=1, state="COMPLETED")
    return number


def register(tx: Tx, name: str) -> None:
    """Make the experiment's checkpoint a version of a model in the first workspace."""
    model = tx.insert(models, name="m", user_id=1, workspace_id=1, created_at=1, updated_at=1)
    row = tx.row(checkpoints.select().where(checkpoints.c.uuid == f"uuid {name}"))
    tx.insert(model_versions, model_id=model, version=1, checkpoint_id=row.id, user_id=1, created_at=1, updated_at=1)  # type: ignore[union-attr]


def work_left(tx: Tx) -> list[tuple[str, Any]]:
    """Kind and payload of what is left to the collector."""
    return [(row.kind, loads(row.payload)) for row in tx.rows(outbox.select()) if row.kind != "experiment.delete"]


def collect(tx: Tx) -> None:
    """Do as the collector does when all goes well."""
    for row in tx.rows(outbox.select()):
        if row.kind != "experiment.delete":
            events.done(tx, row.id)


def fail_to_collect(tx: Tx) -> None:
    """Do as it does when the storage does not answer, often enough."""
    for row in tx.rows(outbox.select()):
        for _ in range(MOST_ATTEMPTS if row.kind != "experiment.delete" else 0):
            events.again(tx, row.id, tx.now, "no storage")


@pytest.fixture
def world(db: Database) -> World:
    """A project in a second workspace."""
    return World.make(db)


async def test_everything_of_a_workspace_goes(world: World) -> None:
    """Files first, then every row; contents that nothing else needs go, too; other experiments stay."""
    db = world.db

    def prepare(tx: Tx) -> int:
        full(tx, world.project_id, "a")
        full(tx, world.project_id, "b", state="DELETE_FAILED")
        experiment(tx, project_id=world.project_id, state="PAUSED")
        other = tx.insert(workspaces_table(), name="other", user_id=world.user_id, created_at=1)
        full(tx, projects.create(tx, "q", other, world.user_id, "Q"), "c")
        assert spaces.delete_workspace(tx, world.workspace_id) is False
        return other

    other = await db.write(prepare)
    service = DeletionService(db)
    await service.run_once()
    left = await db.read(work_left)
    assert sorted(kind for kind, _ in left) == ["checkpoints.remove"] * 2 + ["tensorboard.remove"] * 3
    assert sorted(payload["uuids"][0] for kind, payload in left if kind == "checkpoints.remove") == ["uuid a", "uuid b"]
    await db.write(collect)
    await DeletionService(db).run_once()
    assert await db.read(lambda tx: tx.values(workspaces_table().select().with_only_columns(workspaces_table().c.id))) == [other]
    for table, count in (
        (experiments, 1),
        (tasks, 1),
        (task_logs, 3),
        (reports, 1),
        (checkpoints, 1),
        (jobs, 1),
        (blobs, 1),
        (outbox, 0),
    ):
        assert len(await db.read(lambda tx, table=table: tx.rows(table.select()))) == count, table.name  # type: ignore[misc]


def workspaces_table() -> Any:
    """The table of workspaces."""
    return metadata.tables["workspaces"]


async def test_a_big_experiment_goes_in_slices(world: World) -> None:
    """Logs and runs of more than one slice are all removed."""

    def prepare(tx: Tx) -> None:
        number = full(tx, world.project_id, "a")
        for _ in range(45):
            run(tx, number, project_id=world.project_id)
        tx.conn.execute(task_logs.insert(), [{"task_id": "task a", "time": 1, "text": "x"} for _ in range(4500)])
        assert spaces.delete_project(tx, world.project_id) is False

    await world.db.write(prepare)
    service = DeletionService(world.db)
    await service.run_once()
    await world.db.write(collect)
    await service.run_once()
    assert await world.db.read(lambda tx: tx.rows(task_logs.select())) == []
    with pytest.raises(NotFound):
        await world.db.read(lambda tx: projects.get(tx, world.project_id))


async def test_a_storage_that_does_not_answer_ends_it(world: World) -> None:
    """The experiment, its project and its workspace say why; asked again, it goes through."""
    db = world.db
    number = await db.write(lambda tx: full(tx, world.project_id, "a"))
    await db.write(lambda tx: spaces.delete_workspace(tx, world.workspace_id))
    service = DeletionService(db)
    await service.run_once()
    assert service.period < 1
    await db.write(fail_to_collect)
    await service.run_once()
    row = await db.read(lambda tx: workspaces.get(tx, world.workspace_id))
    assert (row.state, "no storage" in row.error_message) == ("DELETE_FAILED", True)
    assert (await db.read(lambda tx: experiment_rows.get(tx, number))).state == "DELETE_FAILED"
    assert (await db.read(lambda tx: tx.rows(outbox.select())), service.period) == ([], 60.0)
    await db.write(lambda tx: spaces.delete_workspace(tx, world.workspace_id))
    await service.run_once()
    await db.write(collect)
    await service.run_once()
    with pytest.raises(NotFound):
        await db.read(lambda tx: workspaces.get(tx, world.workspace_id))


async def test_a_checkpoint_registered_meanwhile_stops_it(world: World) -> None:
    """Before its files are touched, and also while they are being removed."""
    db = world.db
    first = await db.write(lambda tx: full(tx, world.project_id, "a", state="DELETING"))
    await db.write(lambda tx: register(tx, "a"))
    await DeletionService(db).run_once()
    row = await db.read(lambda tx: experiment_rows.get(tx, first))
    assert (row.state, "model m" in row.error) == ("DELETE_FAILED", True)
    assert await db.read(work_left) == []
    second = await db.write(lambda tx: full(tx, world.project_id, "b", state="DELETING"))
    await DeletionService(db).run_once()

    def meanwhile(tx: Tx) -> None:
        tx.run(model_versions.delete())
        tx.run(models.delete())
        register(tx, "b")
        collect(tx)

    await db.write(meanwhile)
    await DeletionService(db).run_once()
    assert (await db.read(lambda tx: experiment_rows.get(tx, second))).state == "DELETE_FAILED"


async def test_an_experiment_that_came_and_runs_stops_its_project(world: World) -> None:
    """One that was moved in after the project was marked."""

    def prepare(tx: Tx) -> int:
        full(tx, world.project_id, "a")
        spaces.delete_project(tx, world.project_id)
        return experiment(tx, project_id=world.project_id, state="ACTIVE", unmanaged=False)

    number = await world.db.write(prepare)
    await DeletionService(world.db).run_once()
    row = await world.db.read(lambda tx: projects.get(tx, world.project_id))
    assert (row.state, str(number) in row.error_message) == ("DELETE_FAILED", True)
