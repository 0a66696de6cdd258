"""Time-outs: preemption, idleness, silence."""

import pytest

from tests.engine.fakes import FakeClock
from tests.engine.helpers import World, config
from undeterred.base.clock import SECOND
from undeterred.engine import allocations, experiments, tasks, unmanaged
from undeterred.engine.routes import Routes
from undeterred.engine.services.watchdog import SILENCE, WatchdogService
from undeterred.engine.tasks import Launch, NewTask
from undeterred.store import allocations as rows
from undeterred.store import experiments as stored
from undeterred.store import runs
from undeterred.store.database import Database


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


@pytest.fixture
def watchdog(world: World, clock: FakeClock) -> WatchdogService:
    """The service."""
    return WatchdogService(world.db, Routes(clock), clock)


async def started(world: World, task_id: str) -> str:
    """Let the task's allocation run; its id."""

    def work(tx: object) -> str:
        row = rows.open_of_task(tx, task_id)  # type: ignore[arg-type]
        assert row is not None
        allocations.assign(tx, row.id, [("agent", [0])])  # type: ignore[arg-type]
        allocations.submitted(tx, row.id, "{}", "{}")  # type: ignore[arg-type]
        allocations.running(tx, row.id, ["127.0.0.1"], {})  # type: ignore[arg-type]
        allocations.ready(tx, row.id)  # type: ignore[arg-type]
        return str(row.id)

    return await world.db.write(work)


async def test_a_trial_that_does_not_leave_in_time_is_ended(world: World, watchdog: WatchdogService, clock: FakeClock) -> None:
    """After its own preemption timeout, not before."""
    new = experiments.NewExperiment(
        project_id=world.project_id,
        workspace_id=world.workspace_id,
        user_id=world.user_id,
        config=config(preemption_timeout=60),
        original_config="",
        context_digest=None,
        activate=True,
    )
    experiment = await world.db.write(lambda tx: experiments.create(tx, new))
    (run,) = await world.db.read(lambda tx: runs.of_experiment(tx, experiment))
    (task,) = await world.db.read(lambda tx: runs.task_ids(tx, run.id))
    allocation = await started(world, task)
    await world.db.write(lambda tx: experiments.pause(tx, experiment))
    for seconds, killed in ((0, False), (50, False), (20, True)):
        clock.micros += seconds * SECOND
        await watchdog.run_once()
        row = await world.db.read(lambda tx: rows.get(tx, allocation))
        assert (row.kill_at is not None) is killed


@pytest.mark.parametrize("reports", [False, True])
async def test_an_idle_notebook_is_ended(world: World, clock: FakeClock, reports: bool) -> None:
    """After so long without traffic, and where it reports by itself not before it says that it is idle."""
    routes = Routes(clock)
    watchdog = WatchdogService(world.db, routes, clock)
    new = NewTask(
        task_type="NOTEBOOK",
        user_id=world.user_id,
        workspace_id=world.workspace_id,
        name="n",
        config={},
        launch=Launch(("x",), idle_seconds=100, idle_reports=reports),
        resource_pool="default",
        slots=0,
    )
    task = await world.db.write(lambda tx: tasks.create(tx, new))
    allocation = await started(world, task)

    async def ended(seconds: int) -> bool:
        clock.micros += seconds * SECOND
        await watchdog.run_once()
        return (await world.db.read(lambda tx: rows.get(tx, allocation))).kill_at is not None

    assert not await ended(60)
    routes.used(task)
    assert not await ended(60)
    if reports:
        assert not await ended(200)
        routes.reported_idle(task, idle=True)
    assert await ended(60)


async def test_a_silent_unmanaged_trial_has_failed(world: World, watchdog: WatchdogService, clock: FakeClock) -> None:
    """With the time of its last sign of life as its end; a sign of life in time keeps it running."""
    experiment = await world.db.write(
        lambda tx: experiments.create_unmanaged(
            tx, project_id=world.project_id, user_id=world.user_id, config=config(), original_config=""
        )
    )
    run = await world.db.write(lambda tx: unmanaged.create_trial(tx, experiment, {}))
    await world.db.write(lambda tx: unmanaged.start(tx, run, resume=False))
    clock.micros += SILENCE - 60 * SECOND
    await world.db.write(lambda tx: unmanaged.patch(tx, run, None))
    last = clock.micros
    clock.micros += SILENCE - 60 * SECOND
    await watchdog.run_once()
    assert (await world.db.read(lambda tx: runs.get(tx, run))).state == "RUNNING"
    clock.micros += 2 * 60 * SECOND
    await watchdog.run_once()
    row = await world.db.read(lambda tx: runs.get(tx, run))
    assert row.state == "ERROR"
    assert last - SECOND < row.end_time <= last
    assert (await world.db.read(lambda tx: stored.get(tx, experiment))).state == "ERROR"
