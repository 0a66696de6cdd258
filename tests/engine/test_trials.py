"""Log policies, excluded nodes, restarts, kills and preemption of single trials."""

from typing import Any

import pytest

from tests.engine.helpers import World, config
from undeterred.base.settings import Settings
from undeterred.core.lifecycle.exits import Cause
from undeterred.core.loglines import LogLine
from undeterred.engine import agents, allocations, experiments, logs, trials
from undeterred.engine.engine import Engine
from undeterred.engine.waiters import Waiters
from undeterred.launch.launcher import Node
from undeterred.launch.spec import Device
from undeterred.store import allocations as rows
from undeterred.store import tasks
from undeterred.store.database import Database
from undeterred.store.schema.logs import task_logs

POLICIES = [
    {"name": "no retry", "pattern": ".*CUDA out of memory.*", "action": "cancel_retries"},
    {"pattern": "bad node", "action": {"type": "exclude_node"}},
    {"name": "seen", "pattern": "warning: \\d+"},
    {"name": "off", "pattern": None},
]


@pytest.fixture
def world(db: Database) -> World:
    """An empty world."""
    return World.make(db)


def lines_of(world: World, task_id: str) -> list[str]:
    """What the server has said about a task."""
    query = task_logs.select().where(task_logs.c.task_id == task_id, task_logs.c.source == "master").order_by(task_logs.c.id)
    return world.db.read_now(lambda tx: [row.text for row in tx.rows(query)])


def write(world: World, allocation: Any, text: str) -> None:
    """A task writes a line."""
    line = LogLine(text, 1, stdtype="stdout", agent_id="agent", allocation_id=allocation.id)
    world.do(logs.append, allocation.task_id, [line])


def test_a_matching_line_forbids_further_tries(world: World) -> None:
    """The next failure ends the trial although restarts are left, and the log says which line did it."""
    world.create(config(log_policies=POLICIES, max_restarts=5))
    (allocation,) = world.open()
    world.start(allocation.id)
    write(world, allocation, "RuntimeError: CUDA out of memory. Tried to allocate")
    world.exit(allocation.id, 1)
    (run,) = world.runs(1)
    assert (run.state, run.restarts, run.log_policy_matched) == ("ERROR", 0, "no retry")
    said = "".join(lines_of(world, allocation.task_id))
    assert "CUDA out of memory. Tried to allocate" in said


def test_a_policy_with_a_name_only_is_shown_and_decides_nothing(world: World) -> None:
    """Run and task carry the label; the configuration that a trial prints matches nothing."""
    world.create(config(log_policies=POLICIES, max_restarts=1))
    (allocation,) = world.open()
    world.start(allocation.id)
    write(world, allocation, '{"log_policies": [{"pattern": ".*CUDA out of memory.*"}]}')
    write(world, allocation, "warning: 17 items")
    world.exit(allocation.id, 1)
    (run,) = world.runs(1)
    assert (run.state, run.restarts, run.log_policy_matched) == ("ACTIVE", 1, "seen")


def test_an_excluded_node_is_remembered_once_and_ends_a_trial_that_fits_nowhere_else(world: World) -> None:
    """With one machine left out of one the trial cannot run again."""
    nodes = [Node("agent", "127.0.0.1", "default", (Device(0),))]
    world.do(agents.register, nodes)
    world.create(config(log_policies=POLICIES, max_restarts=5))
    (allocation,) = world.open()
    world.start(allocation.id)
    write(world, allocation, "bad node")
    write(world, allocation, "bad node")
    assert world.do(tasks.excluded, allocation.task_id) == {"agent"}
    world.exit(allocation.id, 1)
    assert world.runs(1)[0].state == "ERROR"


def test_with_warnings_only_it_waits_for_another_node(world: World) -> None:
    """The setting `launch_error: false` lets it stay in the queue."""
    Engine(world.db, Settings(launch_error=False), world.db.clock, Waiters(), "c", "m")
    world.do(agents.register, [Node("agent", "127.0.0.1", "default", (Device(0),))])
    world.create(config(log_policies=POLICIES, max_restarts=5))
    (allocation,) = world.open()
    world.start(allocation.id)
    write(world, allocation, "bad node")
    world.exit(allocation.id, 1)
    assert [row.state for row in world.open()] == ["PENDING"]


def test_a_rejected_start_is_not_tried_again(world: World) -> None:
    """The launcher says that it can never work."""
    world.create(config(max_restarts=5))
    (allocation,) = world.open()
    world.start(allocation.id)
    world.exit(allocation.id, None, Cause.REJECTED, "environment.drop_capabilities")
    (run,) = world.runs(1)
    assert (run.state, "drop_capabilities" in run.error) == ("ERROR", True)


def test_preemption_by_the_scheduler_comes_back_to_the_queue(world: World) -> None:
    """The experiment stays active; the trial joins the queue again in the transaction of its exit."""
    experiment = world.create()
    (allocation,) = world.open()
    world.start(allocation.id)
    world.do(lambda tx: allocations.stop(tx, rows.locked(tx, allocation.id), graceful=True, why="its slots are needed"))
    world.acknowledge(allocation.id)
    world.exit(allocation.id, 0)
    assert world.experiment(experiment).state == "ACTIVE"
    (again,) = world.open()
    assert (again.state, world.runs(experiment)[0].restarts) == ("PENDING", 0)


def test_a_failure_after_a_request_to_leave_is_forgiven_only_when_it_was_acknowledged(world: World) -> None:
    """Acknowledged: it gave way. Not acknowledged: it failed."""
    for acknowledged, restarts in ((True, 0), (False, 1)):
        experiment = world.create()
        (allocation,) = world.open()
        world.start(allocation.id)
        world.do(lambda tx, one=allocation: allocations.stop(tx, rows.locked(tx, one.id), graceful=True, why="slots"))
        if acknowledged:
            world.acknowledge(allocation.id)
        world.exit(allocation.id, 1)
        assert world.runs(experiment)[0].restarts == restarts
        world.do(experiments.kill, experiment)


def test_an_exit_is_applied_once(world: World) -> None:
    """A second report of the same exit changes nothing."""
    experiment = world.create(config(max_restarts=1))
    (allocation,) = world.open()
    world.start(allocation.id)
    world.exit(allocation.id, 1)
    world.exit(allocation.id, 1)
    assert world.runs(experiment)[0].restarts == 1
    assert len(world.open()) == 1


def test_an_ended_trial_reports_no_progress(world: World) -> None:
    """What comes late is dropped without an error."""
    experiment = world.create()
    (run,) = world.runs(experiment)
    world.do(experiments.kill, experiment)
    world.do(trials.progress, world.runs(experiment)[0], 0.7)
    assert world.runs(experiment)[0].progress is None
    assert run.progress is None


def test_the_log_tells_the_story(world: World) -> None:
    """Scheduling, assignment, start, request to leave, end and what it means, each in one line."""
    experiment = world.create()
    (allocation,) = world.open()
    world.start(allocation.id)
    world.do(experiments.pause, experiment)
    world.acknowledge(allocation.id)
    world.exit(allocation.id, 0)
    story = lines_of(world, allocation.task_id)
    for number, part in enumerate(
        ("Scheduling", "assigned to agent", "have started", "asked to leave", "terminated", "gave way")
    ):
        assert part in story[number]
