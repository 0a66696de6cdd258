"""Random lives: users act, tasks report and exit, machines are lost, the server dies between any two steps.

Whatever happens: no slot is given twice, no trial is lost or made twice, every line of a log is stored once, what the tasks
reported is what the search was told, and once nothing disturbs any more every experiment comes to its end.
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
from tests.engine.helpers import World, config, live_out
from undeterred.base import json
from undeterred.base.errors import Failure
from undeterred.base.settings import Settings
from undeterred.core.search import recover
from undeterred.core.search.log import event_from_json
from undeterred.core.search.registry import method_for
from undeterred.engine import allocations, experiments, trials
from undeterred.engine.engine import Engine
from undeterred.engine.launchers import Launchers
from undeterred.engine.reports import store_batch
from undeterred.engine.services.launcher import LauncherService
from undeterred.engine.services.observer import ObserverService
from undeterred.engine.services.orphans import OrphanService
from undeterred.engine.services.scheduler import SchedulerService
from undeterred.engine.waiters import Waiters
from undeterred.store import allocations as allocation_rows
from undeterred.store import runs, searches
from undeterred.store.database import Database, Tx
from undeterred.store.reports import Report
from undeterred.store.schema.experiments import experiments as experiment_table
from undeterred.store.schema.experiments import runs as run_table
from undeterred.store.schema.logs import task_logs
from undeterred.store.schema.tasks import allocations as allocation_table

ENDED = {"COMPLETED", "CANCELED", "ERROR"}
SEARCHERS: list[dict[str, Any]] = [
    {"name": "single"},
    {"name": "random", "max_trials": 4, "max_concurrent_trials": 2},
    {"name": "grid", "max_concurrent_trials": 2},
    {
        "name": "async_halving",
        "max_trials": 5,
        "max_concurrent_trials": 2,
        "num_rungs": 2,
        "divisor": 2,
        "max_time": 4,
        "time_metric": "t",
    },
    {"name": "adaptive_asha", "max_trials": 5, "max_concurrent_trials": 2, "max_time": 4, "time_metric": "t", "divisor": 2}
    | {"mode": "standard", "max_rungs": 3, "bracket_rungs": []},
]
SLOTS = 3


class Life(RuleBasedStateMachine):
    """One server's life, with many deaths."""

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
        self.written: dict[str, list[str]] = {}
        self.told: dict[int, int] = {}
        self.steps: dict[int, int] = {}
        self.engines = 0
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

    @rule(searcher=st.sampled_from(SEARCHERS), activate=st.booleans(), slots=st.integers(0, 2))
    def create(self, searcher: dict[str, Any], activate: bool, slots: int) -> None:
        """A user submits an experiment."""
        resources = {"slots_per_trial": slots, "resource_pool": "default", "priority": None, "weight": 1}
        space = {"x": {"type": "categorical", "vals": [1, 2, 3]}}
        self.world.create(config(searcher, resources=resources, hyperparameters=space, max_restarts=1), activate=activate)

    @rule(
        which=st.integers(0, 5),
        act=st.sampled_from(
            [experiments.activate, experiments.pause, experiments.cancel, experiments.kill, experiments.continue_]
        ),
    )
    def act(self, which: int, act: Any) -> None:
        """A user does something to an experiment, allowed or not."""
        every = self._experiments()
        if every:
            self._try(act, every[which % len(every)].id)

    @rule(which=st.integers(0, 9))
    def kill_trial(self, which: int) -> None:
        """A user kills a trial."""
        every = self._runs()
        if every:
            self._try(experiments.kill_trial, every[which % len(every)].id)

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
    @rule(which=st.integers(0, 9), loss=st.sampled_from([0.1, 0.5, 0.9, float("nan")]))
    def report(self, which: int, loss: float) -> None:
        """A task writes a line, validates, and says how far it is."""
        name = self._live(which)
        run = self._run_of(name)
        step = self.steps[run.id] = self.steps.get(run.id, 0) + 1
        self._write(name, f"{name} line {step}")
        report = Report(run.id, run.run_number, "validation", step, None, {"loss": loss, "t": step})
        self.db.write_now(lambda tx: store_batch(tx, [report]))
        self.db.write_now(lambda tx: trials.progress(tx, runs.get(tx, run.id), min(1.0, step / 10)))

    @precondition(lambda self: self.launcher.live())
    @rule(which=st.integers(0, 9), code=st.sampled_from([0, 0, 1]), acknowledges=st.booleans())
    def exit(self, which: int, code: int, acknowledges: bool) -> None:
        """A task ends by itself, maybe because it was asked to."""
        name = self._live(which)
        row = self.db.read_now(lambda tx: allocation_rows.get(tx, name))
        if acknowledges and row.preempt_at is not None:
            self.db.write_now(lambda tx: allocations.acknowledge(tx, name))
        self._write(name, f"{name} last words")
        self.launcher.end(name, code)

    @precondition(lambda self: self.launcher.live())
    @rule(which=st.integers(0, 9))
    def listen(self, which: int) -> None:
        """A task asks whether it is to leave."""
        name = self._live(which)
        self.db.write_now(lambda tx: allocations.ready(tx, name))

    @precondition(lambda self: self.launcher.live())
    @rule(which=st.integers(0, 9))
    def invalid(self, which: int) -> None:
        """A task says that its hyperparameters cannot work."""
        run = self._run_of(self._live(which))
        self.db.write_now(lambda tx: trials.left_early(tx, runs.get(tx, run.id), trials.ExitReason.INVALID_HP))

    @precondition(lambda self: self.launcher.live())
    @rule(which=st.integers(0, 9))
    def lose(self, which: int) -> None:
        """A machine or a supervisor is lost."""
        self.launcher.lose(self._live(which))

    @rule()
    def crash(self) -> None:
        """The server dies and starts again."""
        self._new_engine()

    @rule()
    def crash_while_starting(self) -> None:
        """The server dies after a task has started and before it has written that down."""
        self.launcher.die_after_submit = True
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self.launching.run_once())
        self.launcher.die_after_submit = False
        self._new_engine()

    @rule()
    def crash_while_cleaning(self) -> None:
        """The server dies after an exit is written down and before the launcher has been told to forget the task."""
        self.launcher.die_before_release = True
        self.clock.micros += 10_000_000
        with contextlib.suppress(asyncio.CancelledError):
            asyncio.run(self.observer.run_once())
        self.launcher.die_before_release = False
        self._new_engine()

    @rule(failing=st.booleans())
    def trouble(self, failing: bool) -> None:
        """The launcher cannot start anything, or can again."""
        self.launcher.fail_with = OSError("no processes left") if failing else None

    # --- what must hold

    @invariant()
    def no_slot_is_given_twice(self) -> None:
        """Open allocations hold different slots, and only those that exist."""
        if not hasattr(self, "db"):
            return
        held: list[tuple[str, int]] = []
        for row in self._open():
            held += [(agent, slot) for agent, slots in json.loads(row.nodes) for slot in slots] if row.state != "PENDING" else []
        assert len(held) == len(set(held))
        assert set(held) <= {("agent-0", 0), ("agent-0", 1), ("agent-1", 0)}

    @invariant()
    def a_trial_has_one_open_allocation_at_most(self) -> None:
        """And ended trials and paused ones without an allocation hold nothing."""
        if not hasattr(self, "db"):
            return
        tasks = [row.task_id for row in self._open()]
        assert len(tasks) == len(set(tasks))

    @invariant()
    def a_search_has_exactly_the_trials_it_asked_for(self) -> None:
        """Replaying the log from the seed names the same trials that exist."""
        if not hasattr(self, "db"):
            return
        for experiment in self._experiments():
            start, entries = self.db.read_now(lambda tx, one=experiment.id: (searches.start(tx, one), searches.after(tx, one, 0)))
            search = method_for(json.loads(start))
            recover(search, None, [event_from_json(json.loads(entry.event)) for entry in entries])
            made = [run.request_id for run in self._runs(experiment.id)]
            assert len(set(made)) == len(made)
            if experiment.state in ("ACTIVE", "PAUSED"):
                assert made == search.trial_ids()
            else:
                assert made == search.trial_ids()[: len(made)]

    @invariant()
    def no_more_trials_hold_slots_than_may_run_at_once(self) -> None:
        """The limit of concurrent trials holds, also while stopped ones leave."""
        if not hasattr(self, "db"):
            return
        by_experiment: dict[int, int] = {}
        for row in self._open():
            experiment_id = int(row.task_id.partition(".")[0])
            by_experiment[experiment_id] = by_experiment.get(experiment_id, 0) + 1
        for experiment in self._experiments():
            if not experiment.continued:
                assert by_experiment.get(experiment.id, 0) <= 2

    # --- machinery

    def _new_engine(self) -> None:
        """All memory of the server is lost."""
        self.engines += 1
        launchers = Launchers({"default": self.launcher})
        engine = Engine(self.db, Settings(), self.clock, Waiters(), "cluster", "master", launchers=launchers)
        asyncio.run(engine.open())
        self.scheduler = SchedulerService(self.db, launchers, engine.pools)
        self.launching = LauncherService(self.db, self.clock, launchers, engine.ground)
        self.observer = ObserverService(self.db, self.clock, launchers, Waiters())
        self.orphans = OrphanService(self.db, launchers)

    def _try(self, function: Any, *args: Any) -> None:
        try:
            self.db.write_now(lambda tx: function(tx, *args))
        except Failure:
            return

    def _experiments(self) -> list[Any]:
        return self.db.read_now(lambda tx: tx.rows(experiment_table.select().order_by(experiment_table.c.id)))

    def _runs(self, experiment_id: int | None = None) -> list[Any]:
        query = run_table.select().order_by(run_table.c.id)
        if experiment_id is not None:
            query = query.where(run_table.c.experiment_id == experiment_id)
        return self.db.read_now(lambda tx: tx.rows(query))

    def _open(self) -> list[Any]:
        return self.db.read_now(
            lambda tx: tx.rows(allocation_table.select().where(allocation_table.c.state != allocation_rows.ENDED))
        )

    def _live(self, which: int) -> str:
        live = self.launcher.live()
        return live[which % len(live)]

    def _run_of(self, allocation_id: str) -> Any:
        task_id = allocation_id.rpartition(".")[0]

        def find(tx: Tx) -> Any:
            run_id = runs.of_task(tx, task_id)
            assert run_id is not None
            return runs.get(tx, run_id)

        return self.db.read_now(find)

    def _write(self, allocation_id: str, line: str) -> None:
        self.launcher.write(allocation_id, line)
        self.written.setdefault(allocation_id, []).append(line)

    def _settle(self) -> None:
        """Nothing disturbs any more: everything ends, slots come free, and every line is there once."""
        self.launcher.fail_with = None
        for experiment in self._experiments():
            if experiment.state == "PAUSED":
                self._try(experiments.activate, experiment.id)
        for _ in range(400):
            if not self._open():
                break
            self.clock.micros += 100_000_000
            asyncio.run(self.scheduler.run_once())
            asyncio.run(self.launching.run_once())
            for name in self.launcher.live():
                self.launcher.end(name, 0)
            asyncio.run(self.observer.run_once())
            asyncio.run(self.orphans.run_once())
        assert self._open() == []
        assert {experiment.state for experiment in self._experiments()} <= ENDED
        assert {run.state for run in self._runs()} <= ENDED
        assert self.launcher.live() == []
        for allocation_id, lines in self.written.items():
            query = task_logs.select().where(task_logs.c.allocation_id == allocation_id, task_logs.c.source != "master")
            stored = self.db.read_now(
                lambda tx, query=query: [row.text.rstrip("\n") for row in tx.rows(query.order_by(task_logs.c.id))]
            )
            assert stored == lines
        assert len(self.launcher.starts) == len(set(self.launcher.starts))


def test_random_lives_keep_every_promise(template: Path) -> None:
    """See the module."""
    live_out(Life, template, lives=10, steps=40)
