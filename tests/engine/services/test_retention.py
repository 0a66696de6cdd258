"""Logs go when their time has come."""

from typing import Any

import pytest

from tests.engine.fakes import FakeClock
from tests.engine.helpers import World, config
from undeterred.base.clock import DAY
from undeterred.base.errors import Invalid
from undeterred.base.settings import Retention
from undeterred.core.loglines import LogLine
from undeterred.engine import experiments, logs, tasks
from undeterred.engine.retention import clean_logs
from undeterred.engine.services.retention import RetentionService
from undeterred.engine.tasks import Launch, NewTask
from undeterred.store import runs
from undeterred.store.database import Database
from undeterred.store.schema.logs import task_logs


@pytest.fixture
def clock() -> FakeClock:
    """A clock that the test moves."""
    return FakeClock()


@pytest.fixture
async def world(db: Database, clock: FakeClock) -> World:
    """A world on that clock."""
    db.clock = clock
    world = World(db)
    await db.write(world._seed)
    return world


async def ended(world: World, days: int | None) -> str:
    """An ended trial that wrote a line and keeps its logs so long; its task."""
    policy = {} if days is None else {"retention_policy": {"log_retention_days": days}}
    new = experiments.NewExperiment(
        project_id=world.project_id,
        workspace_id=world.workspace_id,
        user_id=world.user_id,
        config=config(**policy),
        original_config="",
        context_digest=None,
    )
    experiment = await world.db.write(lambda tx: experiments.create(tx, new))
    (run,) = await world.db.read(lambda tx: runs.of_experiment(tx, experiment))
    (task,) = await world.db.read(lambda tx: runs.task_ids(tx, run.id))
    await world.db.write(lambda tx: logs.append(tx, task, [LogLine("a line", 1)]))
    await world.db.write(lambda tx: experiments.kill(tx, experiment))
    return task


async def left(world: World) -> set[str]:
    """Tasks that have lines."""
    return set(await world.db.read(lambda tx: tx.values(task_logs.select().with_only_columns(task_logs.c.task_id))))


async def test_each_trial_has_its_own_time(world: World, clock: FakeClock) -> None:
    """Its own days, else the cluster's; -1 is for ever; live trials keep theirs."""
    short, usual, ever = await ended(world, 1), await ended(world, None), await ended(world, -1)
    for days, expected in ((0, {short, usual, ever}), (2, {usual, ever}), (9, {ever}), (9_000, {ever})):
        clock.micros += days * DAY
        await clean_logs(world.db, 7)
        assert await left(world) == expected


async def test_without_a_setting_logs_stay(world: World, clock: FakeClock) -> None:
    """For ever."""
    task = await ended(world, None)
    clock.micros += 9_000 * DAY
    assert await clean_logs(world.db, None) == 0
    assert await left(world) == {task}


async def test_logs_of_notebooks_and_commands_go_too(world: World, clock: FakeClock) -> None:
    """By the cluster's setting, once they have ended."""
    new = NewTask(
        task_type="COMMAND",
        user_id=world.user_id,
        workspace_id=world.workspace_id,
        name="c",
        config={},
        launch=Launch(("x",)),
        resource_pool="default",
        slots=0,
    )
    task = await world.db.write(lambda tx: tasks.create(tx, new))
    clock.micros += 9 * DAY
    await clean_logs(world.db, 7)
    assert await left(world) == {task}
    await world.db.write(lambda tx: tasks.kill(tx, task))
    clock.micros += 9 * DAY
    assert await clean_logs(world.db, 7) > 0
    assert await left(world) == set()


async def test_the_schedule_is_followed_over_restarts(world: World, clock: FakeClock) -> None:
    """Every two days: not at the first start, and not again because the server was restarted."""
    task = await ended(world, 0)

    async def service(**more: Any) -> None:
        await RetentionService(world.db, clock, Retention(schedule="48h", **more)).run_once()

    await service()
    clock.micros += DAY
    await service()
    assert await left(world) == {task}
    clock.micros += DAY + 1000
    await service()
    assert await left(world) == set()


def test_a_wrong_schedule_is_told_at_the_start(db: Database) -> None:
    """Before anything runs."""
    with pytest.raises(Invalid, match="schedule"):
        RetentionService(db, FakeClock(), Retention(schedule="sometimes"))
