"""Random lives of commands, notebooks and trees of generic tasks, with crashes of the server between any two steps.

Whatever happens: a task holds an allocation exactly while its state says so, no slot is given twice, credentials live as long as
their allocation, and once nothing disturbs any more every task comes to its end.
"""

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.engine.fakes import FakeClock, FakeLauncher
from tests.engine.helpers import World, live_out
from undeterred.base import json
from undeterred.base.errors import Failure
from undeterred.base.settings import Settings
from undeterred.engine import allocations, tasks
from undeterred.engine.engine import Engine
from undeterred.engine.launchers import Launchers
from undeterred.engine.services.launcher import LauncherService
from undeterred.engine.services.observer import ObserverService
from undeterred.engine.services.orphans import OrphanService
from undeterred.engine.services.scheduler import SchedulerService
from undeterred.engine.tasks import Launch, NewTask
from undeterred.engine.waiters import Waiters
from undeterred.store import allocations as allocation_rows
from undeterred.store.database import Database
from undeterred.store.schema.identity import sessions
from undeterred.store.schema.tasks import allocations as allocation_table
from undeterred.store.schema.tasks import tasks as task_table

ENDED = {"COMPLETED", "CANCELED", "ERROR"}


class Tasks(RuleBasedStateMachine):
    """See the module."""

    template: Path

    @initialize()
    def begin(self) -> None:
        """An empty server with three slots on two machines."""
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "life.db")
        self.clock = FakeClock()
        self.db = Database(f"sqlite:///{self.folder / 'life.db'}", self.clock)
        self.launcher = FakeLauncher((2, 1))
        self.world = World.make(self.db)
        self._new_engine()

    def teardown(self) -> None:
        """Come to the end, then check everything once more."""
        if not hasattr(self, "db"):
            return
        try:
            self._settle()
        finally:
            self.db.close()
            shutil.rmtree(self.folder)

    # --- what happens

    @rule(kind=st.sampled_from(["COMMAND", "NOTEBOOK"]), slots=st.integers(0, 2))
    def create(self, kind: str, slots: int) -> None:
        """A user starts a command or a notebook."""
        self._create(kind, slots)

    @rule(parent=st.none() | st.integers(0, 5), no_pause=st.booleans(), slots=st.integers(0, 1))
    def create_generic(self, parent: int | None, no_pause: bool, slots: int) -> None:
        """A user or a task starts a generic task."""
        every = [row for row in self._tasks() if row.task_type == "GENERIC" and row.end_time is None]
        parent_id = None if parent is None or not every else every[parent % len(every)].id
        self._create("GENERIC", slots, parent_id=parent_id, no_pause=no_pause, preemptible=True)

    @rule(which=st.integers(0, 7), act=st.sampled_from([tasks.pause, tasks.unpause, tasks.kill, "tree"]))
    def act(self, which: int, act: Any) -> None:
        """A user does something to a task, allowed or not."""
        every = self._tasks()
        if not every:
            return
        with contextlib.suppress(Failure):
            if act == "tree":
                self.world.do(tasks.kill, every[which % len(every)].id, from_root=True)
            else:
                self.world.do(act, every[which % len(every)].id)

    @rule()
    def schedule(self) -> None:
        """The scheduler passes."""
        asyncio.run(self.scheduler.run_once())

    @rule()
    def launch(self) -> None:
        """The launcher service passes."""
        asyncio.run(self.launching.run_once())

    @rule()
    def observe(self) -> None:
        """The observer passes."""
        self.clock.micros += 10_000_000
        asyncio.run(self.observer.run_once())

    @precondition(lambda self: self.launcher.live())
    @rule(which=st.integers(0, 9), code=st.sampled_from([0, 0, 1]), acknowledges=st.booleans())
    def exit(self, which: int, code: int, acknowledges: bool) -> None:
        """A task ends by itself, maybe because it was asked to."""
        name = self._live(which)
        row = self.db.read_now(lambda tx: allocation_rows.get(tx, name))
        if acknowledges and row.preempt_at is not None:
            self.db.write_now(lambda tx: allocations.acknowledge(tx, name))
        self.launcher.end(name, code)

    @precondition(lambda self: self.launcher.live())
    @rule(which=st.integers(0, 9))
    def listen(self, which: int) -> None:
        """A task gets ready, so that it can be asked to leave."""
        name = self._live(which)
        self.db.write_now(lambda tx: allocations.ready(tx, name))

    @precondition(lambda self: self.launcher.live())
    @rule(which=st.integers(0, 9))
    def lose(self, which: int) -> None:
        """A machine or a supervisor is lost."""
        self.launcher.lose(self._live(which))

    @rule(when=st.sampled_from(["between", "starting", "cleaning"]))
    def crash(self, when: str) -> None:
        """The server dies: between two steps, after a start that is not written down, after an end that is not cleaned up."""
        self.launcher.die_after_submit = when == "starting"
        self.launcher.die_before_release = when == "cleaning"
        self.clock.micros += 10_000_000
        with contextlib.suppress(asyncio.CancelledError):
            if when != "between":
                asyncio.run((self.launching if when == "starting" else self.observer).run_once())
        self.launcher.die_after_submit = self.launcher.die_before_release = False
        self._new_engine()

    # --- what must hold

    @invariant()
    def a_task_holds_what_its_state_says(self) -> None:
        """Active and stopping ones have one open allocation, paused and ended ones none; what has ended has an end."""
        if not hasattr(self, "db"):
            return
        held: dict[str, int] = {}
        for row in self._open():
            held[row.task_id] = held.get(row.task_id, 0) + 1
        for task in self._tasks():
            if task.task_type != "GENERIC":
                assert (task.state, held.get(task.id, 0)) == (None, 0 if task.end_time else 1)
                continue
            idle = task.state == "PAUSED" or task.state in ENDED
            assert held.get(task.id, 0) == (0 if idle else 1), (task.state, held)
            assert (task.end_time is not None) == (task.state in ENDED)

    @invariant()
    def no_slot_is_given_twice(self) -> None:
        """Open allocations hold different slots, and only those that exist."""
        if not hasattr(self, "db"):
            return
        held = [
            (agent, slot)
            for row in self._open()
            if row.state != "PENDING"
            for agent, slots in json.loads(row.nodes)
            for slot in slots
        ]
        assert len(held) == len(set(held))
        assert set(held) <= {("agent-0", 0), ("agent-0", 1), ("agent-1", 0)}

    @invariant()
    def credentials_end_with_their_allocation(self) -> None:
        """No session belongs to an allocation that is over."""
        if not hasattr(self, "db"):
            return
        keys = self.db.read_now(lambda tx: tx.values(sessions.select().with_only_columns(sessions.c.allocation_id)))
        assert {key for key in keys if key} <= {row.id for row in self._open()}

    # --- machinery

    def _create(self, kind: str, slots: int, **more: Any) -> None:
        new = NewTask(
            task_type=kind,
            user_id=self.world.user_id,
            workspace_id=self.world.workspace_id,
            name=kind,
            config={},
            launch=Launch(("true",)),
            resource_pool="default",
            slots=slots,
            **more,
        )
        self.world.do(tasks.create, new)

    def _new_engine(self) -> None:
        """All memory of the server is lost."""
        launchers = Launchers({"default": self.launcher})
        engine = Engine(self.db, Settings(), self.clock, Waiters(), "cluster", "master", launchers=launchers)
        asyncio.run(engine.open())
        self.scheduler = SchedulerService(self.db, launchers, engine.pools)
        self.launching = LauncherService(self.db, self.clock, launchers, engine.ground)
        self.observer = ObserverService(self.db, self.clock, launchers, Waiters())
        self.orphans = OrphanService(self.db, launchers)

    def _tasks(self) -> list[Any]:
        return self.db.read_now(lambda tx: tx.rows(task_table.select().order_by(task_table.c.start_time, task_table.c.id)))

    def _open(self) -> list[Any]:
        return self.db.read_now(
            lambda tx: tx.rows(allocation_table.select().where(allocation_table.c.state != allocation_rows.ENDED))
        )

    def _live(self, which: int) -> str:
        live = self.launcher.live()
        return live[which % len(live)]

    def _settle(self) -> None:
        """Nothing disturbs any more: what is paused goes on, everything ends."""
        for task in self._tasks():
            if task.state == "PAUSED":
                with contextlib.suppress(Failure):
                    self.world.do(tasks.unpause, task.id)
        for _ in range(200):
            if not self._open():
                break
            self.clock.micros += 100_000_000
            asyncio.run(self.scheduler.run_once())
            asyncio.run(self.launching.run_once())
            for name in self.launcher.live():
                self.launcher.end(name, 0)
            asyncio.run(self.observer.run_once())
            asyncio.run(self.orphans.run_once())
            for task in self._tasks():
                if task.state == "PAUSED":
                    self.world.do(tasks.unpause, task.id)
        assert self._open() == []
        assert all(task.end_time is not None for task in self._tasks())
        assert self.launcher.live() == []
        assert len(self.launcher.starts) == len(set(self.launcher.starts))


def test_random_lives_of_tasks_keep_every_promise(template: Path) -> None:
    """See the module."""
    live_out(Tasks, template, lives=15, steps=40)
