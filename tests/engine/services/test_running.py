"""The services that schedule, start, watch and end tasks, over a launcher whose tasks exist in memory."""

import asyncio
import logging
from typing import Any

import pytest

from tests.engine.fakes import FakeClock, FakeLauncher
from tests.engine.helpers import World, config
from undeterred.base.clock import DAY
from undeterred.base.errors import Busy, Invalid
from undeterred.base.settings import Settings
from undeterred.engine import agents, allocations, experiments, jobs
from undeterred.engine.engine import Engine
from undeterred.engine.launchers import Launchers
from undeterred.engine.running import Running
from undeterred.engine.services.launcher import LauncherService
from undeterred.engine.services.observer import ObserverService
from undeterred.engine.services.orphans import OrphanService
from undeterred.engine.services.scheduler import SchedulerService
from undeterred.engine.services.sessions import SessionService
from undeterred.engine.services.watchdog import WatchdogService
from undeterred.engine.waiters import Waiters
from undeterred.store import allocations as rows
from undeterred.store import runs
from undeterred.store import sessions as session_rows
from undeterred.store.database import Database
from undeterred.store.schema.base import metadata
from undeterred.store.schema.identity import sessions
from undeterred.store.schema.logs import task_logs

PREEMPTING = {"scheduler": {"type": "priority", "preemption": True}}


class Site(World):
    """A world with one pool, a launcher and the services, each run by hand."""

    launcher: FakeLauncher
    scheduler: SchedulerService
    launching: LauncherService
    observer: ObserverService
    orphans: OrphanService

    def furnish(self, launcher: FakeLauncher, settings: Settings) -> "Site":
        """Give it its launcher and services."""
        launchers = Launchers({"default": launcher})
        waiters = Waiters()
        engine = Engine(
            self.db, settings, self.db.clock, waiters, "cluster", "master", launchers=launchers, master_url="http://m"
        )
        self.engine, self.launcher = engine, launcher
        self.scheduler = SchedulerService(self.db, launchers, engine.pools)
        self.launching = LauncherService(self.db, self.db.clock, launchers, engine.ground)
        self.observer = ObserverService(self.db, self.db.clock, launchers, waiters)
        self.orphans = OrphanService(self.db, launchers)
        return self

    async def open_engine(self) -> None:
        """As at the start of a server."""
        await self.engine.open()

    async def passes(self) -> None:
        """Scheduler, launcher and observer once each."""
        await self.scheduler.run_once()
        await self.launching.run_once()
        self.observer._changed.set()
        for name in self.launcher.tasks:
            self.observer.look_at(name)
        await self.observer.run_once()

    async def states(self) -> list[str]:
        """States of open allocations, in order of their requests."""
        found: list[str] = await self.db.read(lambda tx: [row.state for row in rows.open_with_jobs(tx)])
        return found

    async def make(self, settings: dict[str, Any] | None = None) -> int:
        """An active experiment."""
        new = experiments.NewExperiment(
            project_id=self.project_id,
            workspace_id=self.workspace_id,
            user_id=self.user_id,
            config=settings or config(),
            original_config="",
            context_digest=None,
            activate=True,
        )
        return await self.db.write(lambda tx: experiments.create(tx, new))


@pytest.fixture
async def site(db: Database) -> Site:
    """Two slots on one machine."""
    site = Site(db)
    await db.write(site._seed)
    site.furnish(FakeLauncher((2,)), Settings())
    await site.open_engine()
    return site


async def test_a_trial_runs_from_the_queue_to_its_end(site: Site) -> None:
    """Slots, start, log, exit: one pass each, and nothing is left behind."""
    experiment = await site.make()
    assert await site.states() == ["PENDING"]
    await site.passes()
    assert await site.states() == ["RUNNING"]
    (name,) = site.launcher.live()
    spec = site.launcher.tasks[name].spec
    assert spec.trial is not None
    assert (spec.trial.trial_run_id, spec.cluster.master_url, spec.nodes[0].slot_ids) == (1, "http://m", (0,))
    for number in range(3):
        site.launcher.write(name, f"line {number}")
    await site.passes()
    site.launcher.write(name, "last line")
    site.launcher.end(name, 0)
    await site.passes()
    assert await site.states() == []
    assert site.launcher.tasks[name].released
    row = await site.db.read(lambda tx: tx.row(task_logs.select().where(task_logs.c.text.like("last line%"))))
    assert row.allocation_id == name
    assert await site.db.read(lambda tx: tx.rows(sessions.select().where(sessions.c.kind == "allocation"))) == []
    assert (await site.db.read(lambda tx: experiments.experiments.get(tx, experiment))).state == "COMPLETED"


async def test_the_token_of_a_task_is_with_the_task_only(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """Neither the database nor the server's log has it in clear; with it the task is known."""
    caplog.set_level(logging.DEBUG)
    await site.make()
    await site.passes()
    (name,) = site.launcher.live()
    token = site.launcher.tasks[name].spec.session_token
    kept = await site.db.read(lambda tx: "".join(str(tx.rows(table.select())) for table in metadata.sorted_tables))
    assert (name in kept, token in kept, token in caplog.text) == (True, False, False)
    found = await site.db.read(lambda tx: session_rows.find(tx, token))
    assert (found.kind, found.allocation_id, found.user_id) == ("allocation", name, site.user_id)


async def test_a_clock_that_jumps_by_days_ends_nothing(db: Database) -> None:
    """A new server whose clock is eight days ahead finds the trial and its credentials; it goes on to its end."""
    db.clock = clock = FakeClock()
    site = Site(db)
    await db.write(site._seed)
    launcher = FakeLauncher((2,))
    site.furnish(launcher, Settings())
    await site.open_engine()
    await site.make()
    await site.passes()
    (name,) = launcher.live()
    clock.micros += 8 * DAY
    site.furnish(launcher, Settings())
    await site.open_engine()
    for _ in range(2):
        await site.passes()
        await site.orphans.run_once()
        await WatchdogService(db, site.engine.routes, clock).run_once()
        await SessionService(db).run_once()
    assert (await site.states(), launcher.live(), launcher.tasks[name].kills) == (["RUNNING"], [name], 0)
    token = launcher.tasks[name].spec.session_token
    assert (await db.read(lambda tx: session_rows.find(tx, token))).allocation_id == name
    launcher.end(name, 0)
    await site.passes()
    (run,) = await db.read(lambda tx: runs.of_experiment(tx, 1))
    assert (run.state, run.restarts, run.run_number) == ("COMPLETED", 0, 1)
    assert await db.read(lambda tx: session_rows.find(tx, token)) is None


async def test_slots_are_never_given_twice_and_the_queue_keeps_its_order(site: Site) -> None:
    """Three experiments of one slot each on two slots: the third waits, says why, and starts when one ends."""
    for _ in range(3):
        await site.make()
    await site.passes()
    assert await site.states() == ["RUNNING", "RUNNING", "PENDING"]
    waiting = (await site.db.read(rows.open_with_jobs))[2]
    assert waiting.waiting_reason
    site.launcher.end(site.launcher.live()[0], 0)
    await site.passes()
    await site.passes()
    assert await site.states() == ["RUNNING", "RUNNING"]


async def test_a_more_important_job_takes_the_slots_of_a_less_important_one(db: Database) -> None:
    """The newest of the least important is asked to leave, comes back to the queue and resumes; restarts stay 0."""
    site = Site(db)
    await db.write(site._seed)
    site.furnish(FakeLauncher((2,)), Settings(resource_manager=PREEMPTING))
    await site.open_engine()

    def with_priority(number: int) -> dict[str, Any]:
        return config(resources={"slots_per_trial": 1, "resource_pool": "default", "priority": number, "weight": 1})

    one, two = await site.make(with_priority(40)), await site.make(with_priority(40))
    await site.passes()
    for name in site.launcher.live():
        await db.write(lambda tx, name=name: allocations.ready(tx, name))  # type: ignore[misc]
    await site.make(with_priority(30))
    await site.passes()
    asked = [row for row in await db.read(rows.open_with_jobs) if row.preempt_at is not None]
    assert [row.task_id.partition(".")[0] for row in asked] == [str(two)]
    await db.write(lambda tx: allocations.acknowledge(tx, asked[0].id))
    site.launcher.end(asked[0].id, 0)
    await site.passes()
    await site.passes()
    running = {row.task_id.partition(".")[0]: row.state for row in await db.read(rows.open_with_jobs)}
    assert running == {str(one): "RUNNING", "3": "RUNNING", str(two): "PENDING"}
    await db.write(lambda tx: jobs.set_priority(tx, experiments.experiments.get(tx, two).job_id, 1))
    await site.passes()
    asked = [row for row in await db.read(rows.open_with_jobs) if row.preempt_at is not None or row.kill_at is not None]
    assert len(asked) == 1


async def test_a_kill_before_the_start_starts_nothing(site: Site) -> None:
    """The allocation had its slots but no process yet."""
    experiment = await site.make()
    await site.scheduler.run_once()
    await site.db.write(lambda tx: experiments.kill(tx, experiment))
    await site.launching.run_once()
    assert (await site.states(), site.launcher.starts) == ([], [])


async def test_a_kill_while_it_runs_ends_the_process(site: Site) -> None:
    """The launcher is told once; the exit counts as ours."""
    experiment = await site.make()
    await site.passes()
    (name,) = site.launcher.live()
    await site.db.write(lambda tx: experiments.kill(tx, experiment))
    await site.launching.run_once()
    await site.launching.run_once()
    assert site.launcher.tasks[name].kills == 1
    await site.passes()
    row = await site.db.read(lambda tx: rows.get(tx, name))
    assert (row.cause, row.exit_code) == ("KILLED", 137)
    assert (await site.db.read(lambda tx: experiments.experiments.get(tx, experiment))).state == "CANCELED"


async def test_a_start_that_cannot_work_is_rejected_and_one_that_may_is_repeated(site: Site) -> None:
    """Invalid options end the trial with their text; a launcher in trouble is asked again."""
    site.launcher.fail_with = Invalid("bind_mounts: leads out")
    first = await site.make(config(max_restarts=5))
    await site.passes()
    row = await site.db.read(lambda tx: experiments.experiments.get(tx, first))
    assert row.state == "ERROR"
    site.launcher.fail_with = Busy("no processes left")
    await site.make()
    await site.passes()
    assert await site.states() == ["ASSIGNED"]
    site.launcher.fail_with = None
    site.launching._trouble.clear()
    await site.passes()
    assert await site.states() == ["RUNNING"]


async def test_disabling_an_agent_ends_its_work_and_draining_lets_it_finish(site: Site) -> None:
    """Nothing new starts on it either way; enabling brings it back."""
    await site.make()
    await site.passes()
    await site.db.write(lambda tx: agents.disable(tx, "agent-0", drain=True))
    await site.make()
    await site.passes()
    assert await site.states() == ["RUNNING", "PENDING"]
    await site.db.write(lambda tx: agents.disable(tx, "agent-0", drain=False))
    await site.passes()
    await site.passes()
    assert await site.states() == ["PENDING", "PENDING"]
    assert (await site.engine.inventory())[0].enabled is False
    await site.db.write(lambda tx: agents.enable(tx, "agent-0"))
    await site.passes()
    assert await site.states() == ["RUNNING", "RUNNING"]


async def test_a_disabled_slot_is_not_given(site: Site) -> None:
    """One of two slots is left; what the slot holds is ended."""
    await site.make()
    await site.passes()
    await site.db.write(lambda tx: agents.set_slot(tx, "agent-0", 0, enabled=False))
    await site.make()
    await site.passes()
    await site.passes()
    held = await site.db.read(lambda tx: [row.nodes for row in rows.holding(tx)])
    assert held == ['[["agent-0",[1]]]']


async def test_a_job_moves_to_another_pool(site: Site) -> None:
    """What runs is asked to leave and joins the other queue; the same pool is refused."""
    experiment = await site.make()
    await site.passes()
    job = (await site.db.read(lambda tx: experiments.experiments.get(tx, experiment))).job_id
    await site.db.write(lambda tx: jobs.move_pool(tx, job, "other"))
    await site.launching.run_once()
    await site.passes()
    (row,) = await site.db.read(rows.open_with_jobs)
    assert (row.state, row.resource_pool) == ("PENDING", "other")
    with pytest.raises(experiments.Refused):
        await site.db.write(lambda tx: jobs.move_pool(tx, job, "other"))


async def test_orphans_are_ended_when_they_were_there_twice(site: Site) -> None:
    """A task that no open allocation stands for; one that has ended is only removed."""
    await site.make()
    await site.passes()
    (name,) = site.launcher.live()
    facts = allocations.ExitFacts(allocations.Cause.LOST)
    await site.db.write(lambda tx: allocations.exited(tx, rows.locked(tx, name), facts))
    await site.orphans.run_once()
    assert site.launcher.live() == [name]
    await site.orphans.run_once()
    assert site.launcher.live() == []
    await site.orphans.run_once()
    assert site.launcher.tasks[name].released


async def test_one_task_in_trouble_does_not_hold_the_others_up(site: Site) -> None:
    """Reading the log of one fails; the other is followed all the same."""
    for _ in range(2):
        await site.make()
    await site.passes()
    bad, good = site.launcher.live()
    whole = site.launcher.read_lines

    async def read(handle: Any, *args: Any) -> Any:
        if bad in handle:
            raise OSError("disk")
        return await whole(handle, *args)

    site.launcher.read_lines = read  # type: ignore[method-assign]
    site.launcher.end(good, 0)
    await site.passes()
    assert (await site.db.read(lambda tx: rows.get(tx, good))).state == rows.ENDED


@pytest.fixture
async def running(site: Site) -> Running:
    """All services at work."""
    running = Running(site.engine)
    site.db.after_commit = site.engine.waiters.wake
    await running.start()
    return running


async def until(good: Any, seconds: float = 20) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(seconds):
        while not await good():  # noqa: ASYNC110 (nothing tells of a changed row)
            await asyncio.sleep(0.01)


async def test_stopping_leaves_tasks_running_and_says_how_many(site: Site, running: Running) -> None:
    """One task runs on; every service has run and none has failed."""
    await site.make()
    await until(lambda: _equal(site.states(), ["RUNNING"]))
    assert await running.stop(end_tasks=False) == 1
    assert len(site.launcher.live()) == 1
    states = running.states()
    assert all(state.runs and not state.error for state in states)


async def test_tasks_end_with_the_server_when_asked(site: Site, running: Running) -> None:
    """They are killed and their exits stored; what is still wanted waits for the next server."""
    await site.make()
    await until(lambda: _equal(site.states(), ["RUNNING"]))
    assert await running.stop(end_tasks=True) == 0
    assert site.launcher.live() == []
    assert await site.states() == ["PENDING"]


async def test_another_address_is_refused_while_tasks_live(site: Site) -> None:
    """They would report to where nobody is; told to adopt them, the server starts."""
    await site.make()
    await site.passes()

    def engine(**own: Any) -> Engine:
        return Engine(
            site.db, Settings(**own), site.db.clock, Waiters(), "c", "m", launchers=site.engine.launchers, master_url="http://b"
        )

    with pytest.raises(experiments.Refused, match="1 running tasks know this server as http://m"):
        await engine().open()
    await engine(undeterred=type(Settings().undeterred)(adopt_lost=True)).open()


async def _equal(wait: Any, wanted: Any) -> bool:
    return bool(await wait == wanted)
