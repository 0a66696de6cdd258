"""The life of experiments and their trials, without services: allocations start and exit as the test says."""

import pytest

from tests.engine.helpers import World, config
from undeterred.base.errors import Refused
from undeterred.core.lifecycle.exits import Cause
from undeterred.engine import experiments
from undeterred.store.database import Database


@pytest.fixture
def world(db: Database) -> World:
    """An empty world."""
    return World.make(db)


def test_a_single_search_ends_completed_with_its_trial(world: World) -> None:
    """One trial, one allocation; exit code 0 completes both, and progress is 1."""
    experiment_id = world.create()
    (allocation,) = world.open()
    world.start(allocation.id)
    world.exit(allocation.id)
    (run,) = world.runs(experiment_id)
    experiment = world.experiment(experiment_id)
    assert (run.state, experiment.state, experiment.progress) == ("COMPLETED", "COMPLETED", 1.0)
    assert run.end_time is not None
    assert experiment.end_time is not None
    assert world.open() == []


def test_an_experiment_that_was_not_activated_has_its_trial_and_no_allocation(world: World) -> None:
    """It is PAUSED with its first trial; activation lets the trial join the queue."""
    experiment_id = world.create(activate=False)
    assert [run.state for run in world.runs(experiment_id)] == ["PAUSED"]
    assert world.open() == []
    world.do(experiments.activate, experiment_id)
    assert [allocation.state for allocation in world.open()] == ["PENDING"]


def test_a_failing_trial_is_restarted_max_restarts_times(world: World) -> None:
    """Two restarts are allowed, so it starts three times; then trial and experiment are in ERROR."""
    experiment_id = world.create(config(max_restarts=2))
    starts = 0
    while world.open():
        starts += 1
        (allocation,) = world.open()
        world.start(allocation.id)
        world.exit(allocation.id, 1)
    (run,) = world.runs(experiment_id)
    assert (starts, run.run_number, run.restarts, run.state) == (3, 3, 3, "ERROR")
    assert world.experiment(experiment_id).state == "ERROR"


def test_a_lost_allocation_does_not_count_as_a_restart(world: World) -> None:
    """The machine's fault is tried again for nothing."""
    experiment_id = world.create(config(max_restarts=0))
    for _ in range(3):
        (allocation,) = world.open()
        world.start(allocation.id)
        world.exit(allocation.id, None, Cause.LOST)
    (run,) = world.runs(experiment_id)
    assert (run.restarts, run.state, len(world.open())) == (0, "ACTIVE", 1)


def test_pause_asks_and_resume_goes_on_as_the_next_run(world: World) -> None:
    """Pausing asks the trial to leave; its acknowledged clean exit is no completion; activation starts run 2."""
    experiment_id = world.create()
    (first,) = world.open()
    world.start(first.id)
    world.do(experiments.pause, experiment_id)
    assert world.open()[0].preempt_at is not None
    world.acknowledge(first.id)
    world.exit(first.id, 0)
    assert [run.state for run in world.runs(experiment_id)] == ["PAUSED"]
    world.do(experiments.activate, experiment_id)
    (second,) = world.open()
    assert second.id == first.id.removesuffix(".1") + ".2"


def test_a_clean_exit_without_acknowledgement_completes_a_paused_trial(world: World) -> None:
    """The script had finished its work when it was asked to leave."""
    experiment_id = world.create()
    (allocation,) = world.open()
    world.start(allocation.id)
    world.do(experiments.pause, experiment_id)
    world.exit(allocation.id, 0)
    assert world.experiment(experiment_id).state == "COMPLETED"


def test_pausing_takes_a_waiting_allocation_out_of_the_queue(world: World) -> None:
    """Nothing has started, so nothing is asked to leave."""
    experiment_id = world.create()
    world.do(experiments.pause, experiment_id)
    assert world.open() == []
    world.do(experiments.activate, experiment_id)
    assert len(world.open()) == 1


def test_activation_while_the_trial_leaves_starts_it_again_at_its_exit(world: World) -> None:
    """No second allocation exists beside the one that is leaving."""
    experiment_id = world.create()
    (first,) = world.open()
    world.start(first.id)
    world.do(experiments.pause, experiment_id)
    world.do(experiments.activate, experiment_id)
    assert len(world.open()) == 1
    world.acknowledge(first.id)
    world.exit(first.id, 0)
    (second,) = world.open()
    assert second.id != first.id


def test_cancel_is_graceful_and_kill_is_not(world: World) -> None:
    """A canceled trial is asked to leave; a later kill ends it; both end CANCELED."""
    experiment_id = world.create()
    (allocation,) = world.open()
    world.start(allocation.id)
    world.do(experiments.cancel, experiment_id)
    assert (world.open()[0].preempt_at is not None, world.open()[0].kill_at) == (True, None)
    world.do(experiments.kill, experiment_id)
    assert world.open()[0].kill_at is not None
    world.exit(allocation.id, 137, Cause.KILLED)
    assert world.experiment(experiment_id).state == "CANCELED"
    assert [run.state for run in world.runs(experiment_id)] == ["CANCELED"]


def test_cancel_and_kill_of_an_ended_experiment_change_nothing(world: World) -> None:
    """They are idempotent, also on what has ended."""
    experiment_id = world.create()
    world.do(experiments.kill, experiment_id)
    ended = world.experiment(experiment_id)
    world.do(experiments.cancel, experiment_id)
    world.do(experiments.kill, experiment_id)
    assert world.experiment(experiment_id) == ended


def test_killing_a_trial_of_a_search_cancels_it_alone(world: World) -> None:
    """The search is told and goes on."""
    experiment_id = world.create(config({"name": "random", "max_trials": 3, "max_concurrent_trials": 1}))
    (run,) = world.runs(experiment_id)
    world.do(experiments.kill_trial, run.id)
    assert [run.state for run in world.runs(experiment_id)] == ["CANCELED", "ACTIVE"]
    assert len(world.open()) == 1


def test_a_random_search_runs_all_its_trials_few_at_a_time(world: World) -> None:
    """Never more than two are alive, five in all, and the experiment completes."""
    experiment_id = world.create(config({"name": "random", "max_trials": 5, "max_concurrent_trials": 2}))
    while world.open():
        assert len(world.open()) <= 2
        allocation = world.open()[0]
        world.start(allocation.id)
        world.exit(allocation.id)
    assert [run.state for run in world.runs(experiment_id)] == ["COMPLETED"] * 5
    assert world.experiment(experiment_id).state == "COMPLETED"


def test_continue_runs_a_single_trial_again_as_a_new_task(world: World) -> None:
    """Same experiment, same trial, task id with -1, run number goes on, restarts start at 0."""
    experiment_id = world.create(config(max_restarts=0))
    (first,) = world.open()
    world.start(first.id)
    world.exit(first.id, 1)
    assert world.experiment(experiment_id).state == "ERROR"
    world.do(experiments.continue_, experiment_id)
    (again,) = world.open()
    assert again.task_id == first.task_id + "-1"
    world.start(again.id)
    world.exit(again.id)
    (run,) = world.runs(experiment_id)
    assert (run.state, run.restarts, run.run_number) == ("COMPLETED", 0, 2)
    assert world.experiment(experiment_id).state == "COMPLETED"


def test_continue_of_a_random_search_runs_only_what_did_not_complete(world: World) -> None:
    """The search takes the continued trial back and ends again when it is gone."""
    experiment_id = world.create(config({"name": "random", "max_trials": 2, "max_concurrent_trials": 2}, max_restarts=0))
    bad, good = world.open()
    for allocation, code in ((bad, 1), (good, 0)):
        world.start(allocation.id)
        world.exit(allocation.id, code)
    assert world.experiment(experiment_id).state == "COMPLETED"
    world.do(experiments.continue_, experiment_id)
    (again,) = world.open()
    assert again.task_id == bad.task_id + "-1"
    world.start(again.id)
    world.exit(again.id)
    assert [run.state for run in world.runs(experiment_id)] == ["COMPLETED", "COMPLETED"]
    assert world.experiment(experiment_id).state == "COMPLETED"
    with pytest.raises(Refused, match="nothing to continue"):
        world.do(experiments.continue_, experiment_id)


def test_archive_needs_an_end_and_a_change(world: World) -> None:
    """A live experiment is refused, and so is doing it twice."""
    experiment_id = world.create()
    with pytest.raises(Refused):
        world.do(experiments.set_archived, experiment_id, archived=True)
    world.do(experiments.kill, experiment_id)
    world.do(experiments.set_archived, experiment_id, archived=True)
    with pytest.raises(Refused):
        world.do(experiments.set_archived, experiment_id, archived=True)
    world.do(experiments.set_archived, experiment_id, archived=False)
    assert world.experiment(experiment_id).archived is False


def test_a_new_engine_goes_on_where_the_old_one_stopped(world: World) -> None:
    """Everything that decides is in the database: a search continues with the same trials as one that was never interrupted."""
    searcher = {"name": "random", "max_trials": 4, "max_concurrent_trials": 1}
    one, other = world.create(config(searcher)), world.create(config(searcher))
    for _ in range(4):
        for allocation in world.open():
            world.start(allocation.id)
            world.exit(allocation.id)
        world = world.again()
    assert [run.request_id for run in world.runs(one)] == [run.request_id for run in world.runs(other)]
    assert [run.hparams for run in world.runs(one)] == [run.hparams for run in world.runs(other)]
    assert {world.experiment(one).state, world.experiment(other).state} == {"COMPLETED"}
