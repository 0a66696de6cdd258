"""Random lives of trials that run elsewhere: programs start, report, fall silent and come back, the server dies in between.

A few lines of Python say what must be stored; after every step the database is held against them.
"""

import asyncio
import contextlib
import shutil
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.engine.fakes import FakeClock
from tests.engine.helpers import World, config, live_out
from undeterred.base import json
from undeterred.base.errors import Failure
from undeterred.base.struct import Struct, field
from undeterred.engine import experiments, unmanaged
from undeterred.engine.reports import store_batch
from undeterred.engine.routes import Routes
from undeterred.engine.services.watchdog import SILENCE, WatchdogService
from undeterred.store import runs
from undeterred.store.database import Database, Tx
from undeterred.store.reports import Report
from undeterred.store.schema.metrics import reports as report_table
from undeterred.store.schema.tasks import tasks as task_table

FURTHEST = ["PAUSED", "CANCELED", "ERROR", "COMPLETED", "RUNNING"]
"""An experiment is where its furthest trial is; a running one is called ACTIVE there."""
EXTERNAL = ("one", "two")
MINUTE = 60_000_000


class Trial(Struct):
    """What must be stored of a trial."""

    experiment: int
    external: str | None
    hparams: dict[str, Any]
    state: str = "PAUSED"
    starts: int = 0
    heard: int = 0
    """When it last gave a sign of life, at the latest."""
    live: list[tuple[int, int, float]] = field(default_factory=list)
    """Reports that count, in the order of their arrival: start, steps, loss."""


class Died(Exception):
    """The server, before it could commit."""


class Elsewhere(RuleBasedStateMachine):
    """One server and the programs that report to it."""

    template: Path

    @initialize()
    def begin(self) -> None:
        """An empty server."""
        self.folder = Path(tempfile.mkdtemp())
        shutil.copy(self.template, self.folder / "life.db")
        self.clock = FakeClock()
        self._open()
        self.world = World.make(self.db)
        self.started = 0
        """The trial that began last: whatever it was before is forgotten."""
        self.experiments: list[int] = []
        self.trials: dict[int, Trial] = {}

    def teardown(self) -> None:
        """Nothing stays."""
        if hasattr(self, "db"):
            self.db.close()
            shutil.rmtree(self.folder)

    # --- what happens

    @rule()
    def make_experiment(self) -> None:
        """A program registers an experiment."""

        def make(tx: Tx) -> int:
            return experiments.create_unmanaged(
                tx, project_id=self.world.project_id, user_id=self.world.user_id, config=config(), original_config=""
            )

        self.experiments.append(self.db.write_now(make))

    @precondition(lambda self: self.experiments)
    @rule(which=st.integers(0, 3), external=st.sampled_from([None, *EXTERNAL]), x=st.integers(0, 9))
    def make_trial(self, which: int, external: str | None, x: int) -> None:
        """A program registers a trial, or finds the one of its name again."""
        experiment = self.experiments[which % len(self.experiments)]
        if external is None:
            made = self.world.do(unmanaged.create_trial, experiment, {"x": x})
            new = True
        else:
            made, new = self.world.do(unmanaged.put_trial, experiment, {"x": x}, external)
        known = self.trials.get(made)
        assert new == (known is None)
        if known is None:
            assert external is None or all(
                (one.experiment, one.external) != (experiment, external) for one in self.trials.values()
            )
            self.trials[made] = Trial(experiment, external, {"x": x}, heard=self.clock.micros)
        else:
            assert (known.experiment, known.external) == (experiment, external)
            known.hparams, known.heard = {"x": x}, self.clock.micros

    @precondition(lambda self: self.trials)
    @rule(which=st.integers(0, 9), resume=st.booleans())
    def start(self, which: int, resume: bool) -> None:
        """A program begins, or begins again if it says so."""
        run_id, trial = self._trial(which)
        if trial.starts and not resume:
            self._refused(unmanaged.start, run_id, resume=False)
            return
        run = self.world.do(unmanaged.start, run_id, resume=resume)
        self.started = run_id
        trial.starts, trial.state, trial.heard = trial.starts + 1, "RUNNING", self.clock.micros
        assert run.run_number == trial.starts

    @precondition(lambda self: self.trials)
    @rule(which=st.integers(0, 9), state=st.sampled_from([None, *FURTHEST, "STOPPING_KILLED", "ACTIVE", ""]))
    def patch(self, which: int, state: str | None) -> None:
        """A program says what it is doing, in words that it may use or not."""
        run_id, trial = self._trial(which)
        self.started = 0
        if state is not None and state not in FURTHEST:
            self._refused(unmanaged.patch, run_id, state)
            return
        self.world.do(unmanaged.patch, run_id, state)
        trial.state, trial.heard = state or trial.state, self.clock.micros

    @precondition(lambda self: self.trials)
    @rule(which=st.integers(0, 9), behind=st.integers(0, 1), steps=st.integers(1, 6), loss=st.integers(0, 3))
    def report(self, which: int, behind: int, steps: int, loss: int) -> None:
        """A program reports; or a program of an earlier start does, which is not heard."""
        run_id, trial = self._trial(which)
        number, value = trial.starts - behind, loss / 2
        same = [one for one in trial.live if one[:2] == (number, steps)]
        if behind or (same and same[0][2] != value):
            self._refused(_report, run_id, number, steps, value)
            return
        self.world.do(_report, run_id, number, steps, value)
        trial.heard = self.clock.micros
        trial.live = [one for one in trial.live if one[0] == number or one[1] < steps]
        if not same:
            trial.live.append((number, steps, value))

    @rule(minutes=st.integers(1, 4))
    def time_passes(self, minutes: int) -> None:
        """And somebody looks who has fallen silent."""
        self.clock.micros += minutes * MINUTE
        asyncio.run(self.watchdog.run_once())
        for trial in self.trials.values():
            if trial.state == "RUNNING" and trial.heard < self.clock.micros - SILENCE:
                trial.state = "ERROR"

    @precondition(lambda self: self.trials)
    @rule(which=st.integers(0, 9))
    def die(self, which: int) -> None:
        """The server dies when it has done all but the commit."""
        run_id, trial = self._trial(which)

        def all_but_commit(tx: Tx) -> None:
            unmanaged.start(tx, run_id, resume=True)
            _report(tx, run_id, trial.starts + 1, 1, 9.0)
            unmanaged.patch(tx, run_id, "CANCELED")
            unmanaged.create_trial(tx, trial.experiment, {}, "never")
            raise Died

        with contextlib.suppress(Died):
            self.db.write_now(all_but_commit)
        self.db.close()
        self._open()
        self.world = self.world.again(self.db)

    # --- what must hold

    @invariant()
    def trials_are_as_they_were_told(self) -> None:
        """Each once, with its state, its number of starts and its hyperparameters."""
        if not hasattr(self, "trials"):
            return
        for experiment in self.experiments:
            stored = {run.id: run for run in self.world.runs(experiment)}
            assert stored.keys() == {id_ for id_, trial in self.trials.items() if trial.experiment == experiment}
            for id_, run in stored.items():
                trial = self.trials[id_]
                assert (run.state, run.run_number, json.loads(run.hparams)) == (trial.state, trial.starts, trial.hparams)
                if run.state in ("COMPLETED", "CANCELED", "ERROR"):
                    assert run.end_time is not None
                elif id_ == self.started:
                    assert (run.end_time, run.error) == (None, "")
        tasks = self.db.read_now(lambda tx: tx.rows(task_table.select()))
        assert len(tasks) == len(self.trials)

    @invariant()
    def experiments_follow_their_trials(self) -> None:
        """The furthest trial decides."""
        for experiment in getattr(self, "experiments", []):
            states = [trial.state for trial in self.trials.values() if trial.experiment == experiment]
            furthest = max(states, key=FURTHEST.index, default="PAUSED")
            row = self.world.experiment(experiment)
            assert row.state == {"RUNNING": "ACTIVE"}.get(furthest, furthest) or (row.state == "RUNNING" == furthest)

    @invariant()
    def what_counts_is_what_was_reported(self) -> None:
        """Once each; summaries and the number of batches are those of the reports that count."""
        for id_, trial in getattr(self, "trials", {}).items():
            query = report_table.select().where(report_table.c.run_id == id_, report_table.c.archived.is_(False))
            rows = self.db.read_now(lambda tx, query=query: tx.rows(query.order_by(report_table.c.id)))
            assert [(row.run_number, row.steps, json.loads(row.metrics)["loss"]) for row in rows] == trial.live
            run = self.db.read_now(lambda tx, id_=id_: runs.get(tx, id_))
            assert run.total_batches == max((steps for _, steps, _ in trial.live), default=0)
            summary = json.loads(run.summary_metrics).get("training", {}).get("loss")
            losses = [loss for _, _, loss in trial.live]
            assert (summary is None) == (not losses)
            if summary is not None:
                found = (summary["count"], summary["sum"], summary["min"], summary["max"], summary["last"])
                assert found == (len(losses), sum(losses), min(losses), max(losses), losses[-1])

    # --- means

    def _open(self) -> None:
        self.db = Database(f"sqlite:///{self.folder / 'life.db'}", self.clock)
        self.watchdog = WatchdogService(self.db, Routes(self.clock), self.clock)

    def _trial(self, which: int) -> tuple[int, Trial]:
        return list(self.trials.items())[which % len(self.trials)]

    def _refused(self, function: Any, *args: Any, **kwargs: Any) -> None:
        try:
            self.world.do(function, *args, **kwargs)
        except Failure:
            return
        raise AssertionError(f"{function.__name__}{args} was not refused")


def _report(tx: Tx, run_id: int, number: int, steps: int, loss: float) -> None:
    (outcome,) = store_batch(tx, [Report(run_id, number, "training", steps, None, {"loss": loss})])
    if outcome is not None:
        raise outcome


def test_random_lives_elsewhere_keep_every_promise(template: Path) -> None:
    """See the module."""
    live_out(Elsewhere, template, lives=15, steps=30)
