"""Searches as they run: log, snapshots, recovery, early stopping, custom searches, and methods that break."""

import asyncio
import json
from typing import Any

import pytest

from tests.engine.helpers import World, config
from undeterred.base.errors import Invalid, NotFound, Refused
from undeterred.core.lifecycle.exits import Cause
from undeterred.core.search import NewTrial, Tell
from undeterred.engine import search as engine_search
from undeterred.engine import trials
from undeterred.engine.reports import store_batch
from undeterred.engine.services.snapshots import SnapshotService
from undeterred.store import experiments, runs, searches
from undeterred.store.database import Database, Tx
from undeterred.store.reports import Report

HALVING = {
    "name": "async_halving",
    "max_trials": 6,
    "max_concurrent_trials": 2,
    "num_rungs": 2,
    "divisor": 2,
    "max_time": 4,
    "time_metric": "t",
}


@pytest.fixture
def world(db: Database) -> World:
    """An empty world."""
    return World.make(db)


def validate(world: World, run: Any, loss: Any, time: int, **more: Any) -> None:
    """A trial reports a validation."""
    metrics = {"loss": loss, "t": time} | more
    report = Report(run.id, run.run_number, "validation", time, None, metrics)
    assert world.do(store_batch, [report]) == [None]


def log(world: World, experiment: int) -> list[Any]:
    """The events of a search, the start left out."""
    return [json.loads(row.event) for row in world.db.read_now(lambda tx: searches.after(tx, experiment, 0))]


def running(world: World, experiment: int) -> list[Any]:
    """Start whatever waits; the trials that run."""
    for allocation in world.open():
        if allocation.state == "PENDING":
            world.start(allocation.id)
    return [run for run in world.runs(experiment) if run.state == "ACTIVE"]


def test_a_stop_makes_the_trial_leave_and_its_successor_waits_for_it(world: World) -> None:
    """The loser is asked to leave and counts as completed; the new trial asks for slots only when the loser is gone."""
    experiment = world.create(config(HALVING))
    good, bad = running(world, experiment)
    validate(world, good, 0.1, 2)
    validate(world, bad, 0.9, 2)
    stopped = world.runs(experiment)[1]
    assert (stopped.state, stopped.stopped_by_searcher) == ("STOPPING_COMPLETED", True)
    leaving = next(row for row in world.open() if row.preempt_at is not None)
    assert len(world.open()) == 2
    new = world.runs(experiment)[2]
    assert new.waits_for == stopped.id
    world.acknowledge(leaving.id)
    world.exit(leaving.id, 0)
    assert [run.state for run in world.runs(experiment)] == ["ACTIVE", "COMPLETED", "ACTIVE"]
    assert len(world.open()) == 2


def test_reports_after_a_stop_are_stored_and_decide_nothing(world: World) -> None:
    """They enter no rung and make no trial."""
    experiment = world.create(config(HALVING))
    good, bad = running(world, experiment)
    validate(world, good, 0.1, 2)
    validate(world, bad, 0.9, 2)
    before = len(world.runs(experiment))
    for time in (3, 4, 5):
        validate(world, bad, 0.01, time)
    assert len(world.runs(experiment)) == before
    assert world.experiment(experiment).best_run_id == bad.id


def test_a_missing_metric_fails_the_trial_alone(world: World) -> None:
    """With a line that says what is missing; the search draws a successor and goes on."""
    experiment = world.create(config(HALVING, max_restarts=5))
    first, _ = running(world, experiment)
    report = Report(first.id, first.run_number, "validation", 2, None, {"other": 1})
    assert world.do(store_batch, [report]) == [None]
    failed = world.runs(experiment)[0]
    assert failed.state == "STOPPING_ERROR"
    assert "loss" in failed.error
    allocation = next(row for row in world.open() if row.kill_at is not None)
    world.exit(allocation.id, 137, Cause.KILLED)
    assert world.runs(experiment)[0].state == "ERROR"
    assert world.experiment(experiment).state == "ACTIVE"


def test_a_new_process_decides_as_the_old_one_would_have(db: Database) -> None:
    """One life without interruption and one with a new engine before every report: the same trials, stops and log."""
    one, other = World.make(db), None
    ids = [one.create(config(HALVING)), one.create(config(HALVING))]
    losses = iter([0.5, 0.4, 0.9, 0.3, 0.8, 0.2, 0.7, 0.6, 0.45, 0.1, 0.05, 0.55, 0.65, 0.15, 0.35, 0.25])
    plan = list(losses)
    for number, experiment in enumerate(ids):
        values = iter(plan)
        for time in (2, 4):
            for run in running(one, experiment):
                world = one.again() if number else one
                validate(world, run, next(values), time)
                for row in world.open():
                    if row.preempt_at is not None:
                        world.acknowledge(row.id)
                        world.exit(row.id, 0)
    del other
    assert log(one, ids[0]) == log(one, ids[1])
    first, second = one.runs(ids[0]), one.runs(ids[1])
    assert [(run.request_id, run.hparams, run.state) for run in first] == [
        (run.request_id, run.hparams, run.state) for run in second
    ]


async def test_snapshots_and_later_events_give_the_same_as_the_whole_log(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a snapshot after every second event a new engine goes on exactly."""
    monkeypatch.setattr(engine_search, "EVENTS_PER_SNAPSHOT", 2)
    world = await asyncio.to_thread(World.make, db)
    searcher = {"name": "random", "max_trials": 6, "max_concurrent_trials": 1}
    experiment = await asyncio.to_thread(world.create, config(searcher))
    for _ in range(6):
        (allocation,) = world.open()
        await asyncio.to_thread(world.start, allocation.id)
        await asyncio.to_thread(world.exit, allocation.id)
        await SnapshotService(db, world.engine.search).run_once()
        if world.experiment(experiment).progress > 0.4:
            world = world.again()
    stored = world.db.read_now(lambda tx: searches.snapshot(tx, experiment))
    assert stored.seq >= 2
    assert world.engine.search.take_due() == []
    assert world.experiment(experiment).state == "COMPLETED"
    assert len(world.runs(experiment)) == 6


def test_a_transaction_that_fails_leaves_no_trace_in_the_search(world: World) -> None:
    """The state in memory was ahead; the next event rebuilds it."""
    experiment = world.create(config({"name": "random", "max_trials": 3, "max_concurrent_trials": 1}))

    def exit_and_fail(tx: Tx) -> None:
        run = runs.of_experiment(tx, experiment)[0]
        trials.stop(tx, run, trials.TrialState.STOPPING_KILLED, "test")
        world.engine.flow.apply(tx)
        raise Invalid("undone")

    with pytest.raises(Invalid):
        world.db.write_now(exit_and_fail)
    (allocation,) = world.open()
    world.start(allocation.id)
    world.exit(allocation.id)
    assert [run.state for run in world.runs(experiment)] == ["COMPLETED", "ACTIVE"]
    assert [event["type"] for event in log(world, experiment)] == ["trial_exited"]


def test_a_search_that_breaks_ends_its_experiment_and_nothing_else(world: World) -> None:
    """The report is stored; the experiment ends in ERROR and says why."""
    experiment = world.create(config(HALVING))
    good, _ = running(world, experiment)

    class Broken:
        """A search whose method has a defect."""

        def slim(self, event: Any) -> Any:
            """All of it."""
            return event

        def apply(self, event: Any) -> Any:
            """Fail."""
            raise ZeroDivisionError("a defect")

    world.engine.search._live[experiment].search = Broken()  # type: ignore[assignment]
    validate(world, good, 0.1, 2)
    row = world.experiment(experiment)
    assert (row.state, "a defect" in row.error) == ("STOPPING_ERROR", True)
    for allocation in world.open():
        world.exit(allocation.id, 137, Cause.KILLED)
    assert world.experiment(experiment).state == "ERROR"
    assert world.experiment(experiment).best_run_id == good.id


def test_a_custom_search_is_asked_and_told(world: World) -> None:
    """An outside program makes trials, hears of them, may go away and come back, and ends the search."""
    experiment = world.create(config({"name": "custom"}))

    def row(tx: Tx) -> Any:
        return experiments.locked(tx, experiment)

    def tell(number: str, **what: Any) -> engine_search.Told:
        told: engine_search.Told = world.do(lambda tx: world.engine.search.tell(tx, row(tx), Tell(number, **what)))
        return told

    assert world.open() == []
    first = tell("1", create=(NewTrial({"x": 0.5}), NewTrial()))
    again = tell("1", create=(NewTrial({"x": 0.5}), NewTrial()))
    assert (first.repeated, again.repeated) == (False, True)
    assert first.made == again.made == tuple(run.request_id for run in world.runs(experiment))
    assert len(world.open()) == 2
    world = world.again()
    assert tell("1", create=(NewTrial(),)) == again
    validate(world, running(world, experiment)[0], 0.3, 1)
    with pytest.raises(NotFound):
        tell("2", stop=("nobody",))
    tell("3", shutdown=True)
    for allocation in world.open():
        world.acknowledge(allocation.id)
        world.exit(allocation.id, 0)
    assert world.experiment(experiment).state == "COMPLETED"
    assert [entry["type"] for entry in log(world, experiment)] == [
        "tell",
        "validation_completed",
        "tell",
        "trial_exited",
        "trial_exited",
    ]
    with pytest.raises(Refused, match="COMPLETED"):
        tell("4", create=(NewTrial(),))
    assert tell("1") == again
    assert experiment not in world.engine.search._live


def test_other_searches_are_not_told_what_to_do(world: World) -> None:
    """A random search decides by itself."""
    experiment = world.create(config({"name": "random", "max_trials": 2, "max_concurrent_trials": 1}))
    with pytest.raises(Invalid, match="custom"):
        world.do(lambda tx: world.engine.search.tell(tx, experiments.locked(tx, experiment), Tell("1", shutdown=True)))


def test_progress_never_falls_over_a_restart(world: World) -> None:
    """0.5 before the new engine, 0.5 after it although the trial has not reported again."""
    experiment = world.create()
    (run,) = running(world, experiment)
    for value in (0.25, 0.5):
        world.do(trials.progress, run, value)
    assert world.experiment(experiment).progress == 0.5
    world = world.again()
    world.do(trials.progress, run, 0.4)
    assert world.experiment(experiment).progress == 0.5


def test_a_canceled_trial_is_no_progress(world: World) -> None:
    """Two of four are killed: nothing has been done yet."""
    experiment = world.create(config({"name": "random", "max_trials": 4, "max_concurrent_trials": 2}))
    for run in running(world, experiment):
        world.do(trials.stop, run, trials.TrialState.STOPPING_KILLED, "test")
    for allocation in world.open():
        if allocation.kill_at is not None:
            world.exit(allocation.id, 137, Cause.KILLED)
    assert world.experiment(experiment).progress == 0


def test_a_replacement_is_drawn_for_invalid_hyperparameters(world: World) -> None:
    """Three good samples are wanted, the first says that it is invalid: four trials in all."""
    experiment = world.create(config({"name": "random", "max_trials": 3, "max_concurrent_trials": 1}))
    for number in range(4):
        (run,) = running(world, experiment)
        if number == 0:
            world.do(trials.left_early, run, trials.ExitReason.INVALID_HP)
        world.exit(world.open()[0].id, 0)
    assert len(world.runs(experiment)) == 4
    assert world.experiment(experiment).state == "COMPLETED"


def test_a_grid_whose_trials_all_fail_ends_in_error_and_stays_within_its_limit(world: World) -> None:
    """Eight points, two at a time, eight trials and no more."""
    space = {"a": {"type": "categorical", "vals": [1, 2]}, "b": {"type": "categorical", "vals": [1, 2, 3, 4]}}
    experiment = world.create(config({"name": "grid", "max_concurrent_trials": 2}, hyperparameters=space, max_restarts=0))
    while world.open():
        assert len(world.open()) <= 2
        running(world, experiment)
        world.exit(world.open()[0].id, 1)
    made = world.runs(experiment)
    assert len({run.hparams for run in made}) == len(made) == 8
    assert world.experiment(experiment).state == "ERROR"
