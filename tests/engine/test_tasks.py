"""Notebooks, commands and generic tasks: their life from the queue to their end."""

from typing import Any

import pytest

from tests.engine.helpers import World
from undeterred.base import json
from undeterred.base.errors import NotFound, Refused
from undeterred.core.lifecycle.exits import Cause
from undeterred.engine import tasks
from undeterred.engine.routes import Routes, Stage
from undeterred.engine.tasks import Launch, NewTask, Proxied
from undeterred.store import allocations as rows
from undeterred.store import tasks as stored
from undeterred.store.database import Database


@pytest.fixture
def world(db: Database) -> World:
    """An empty world."""
    return World.make(db)


def make(world: World, task_type: str = "GENERIC", **more: Any) -> str:
    """A task in the queue; its id."""
    launch = more.pop("launch", Launch(("sleep", "1"), {"A": "b"}, port_names=("PORT",), proxied=(Proxied("PORT"),)))
    new = NewTask(
        task_type=task_type,
        user_id=world.user_id,
        workspace_id=world.workspace_id,
        name="a task",
        config={"environment": {"proxy_ports": [{"proxy_port": 8000, "proxy_tcp": True, "unauthenticated": True}]}},
        launch=launch,
        resource_pool="default",
        slots=1,
        **more,
    )
    task_id: str = world.do(tasks.create, new)
    return task_id


def state(world: World, task_id: str) -> str | None:
    """The state of a generic task."""
    found: str | None = world.db.read_now(lambda tx: stored.get(tx, task_id).state)
    return found


def test_a_command_ends_with_its_process(world: World) -> None:
    """Whatever the exit code: no second try."""
    for code in (0, 3):
        task_id = make(world, "COMMAND")
        (allocation,) = world.open()
        assert allocation.id == f"{task_id}.1"
        world.start(allocation.id)
        world.exit(allocation.id, code)
        row = world.db.read_now(lambda tx, one=task_id: stored.get(tx, one))
        assert (row.state, row.end_time is not None) == (None, True)
        assert world.open() == []
        assert world.db.read_now(lambda tx, one=allocation.id: rows.get(tx, one)).exit_code == code


def test_killing_a_waiting_command_takes_it_out_of_the_queue(world: World) -> None:
    """And killing it again changes nothing."""
    task_id = make(world, "COMMAND")
    world.do(tasks.kill, task_id)
    world.do(tasks.kill, task_id)
    assert world.open() == []
    with pytest.raises(NotFound):
        world.do(tasks.kill, "nobody")


def test_only_generic_tasks_pause(world: World) -> None:
    """A notebook is refused, and so is a second pause."""
    notebook = make(world, "NOTEBOOK")
    with pytest.raises(Refused):
        world.do(tasks.pause, notebook)
    generic = make(world)
    world.do(tasks.pause, generic)
    with pytest.raises(Refused):
        world.do(tasks.pause, generic)
    with pytest.raises(NotFound):
        world.do(tasks.pause, "nobody")


def test_a_generic_task_pauses_resumes_and_completes(world: World) -> None:
    """The first allocation is killed, the second one is asked to leave."""
    task_id = make(world)
    (first,) = world.open()
    world.start(first.id)
    world.do(tasks.pause, task_id)
    assert (state(world, task_id), world.open()[0].kill_at is not None) == ("STOPPING_PAUSED", True)
    world.exit(first.id, 137, Cause.KILLED)
    assert state(world, task_id) == "PAUSED"
    world.do(tasks.unpause, task_id)
    (second,) = world.open()
    world.start(second.id)
    world.do(tasks.pause, task_id)
    assert world.open()[0].preempt_at is not None
    world.acknowledge(second.id)
    world.exit(second.id, 0)
    world.do(tasks.unpause, task_id)
    (third,) = world.open()
    world.start(third.id)
    world.exit(third.id, 0)
    assert state(world, task_id) == "COMPLETED"


def test_a_failing_generic_task_ends_in_error(world: World) -> None:
    """Also when its machine is lost."""
    for code, cause in ((1, Cause.EXITED), (None, Cause.LOST)):
        task_id = make(world)
        (allocation,) = world.open()
        world.start(allocation.id)
        world.exit(allocation.id, code, cause)
        assert state(world, task_id) == "ERROR"


def test_trees_are_killed_from_their_root_and_paused_without_those_that_opt_out(world: World) -> None:
    """A child is killed alone, or the whole tree; pausing the parent leaves `no_pause` children running."""
    parent = make(world)
    child, stubborn = make(world, parent_id=parent), make(world, parent_id=parent, no_pause=True)
    grandchild = make(world, parent_id=child)
    world.do(tasks.pause, parent)
    assert [state(world, one) for one in (parent, child, stubborn, grandchild)] == ["PAUSED", "PAUSED", "ACTIVE", "PAUSED"]
    world.do(tasks.unpause, parent)
    world.do(tasks.kill, child)
    assert [state(world, one) for one in (parent, child, grandchild)] == ["ACTIVE", "CANCELED", "CANCELED"]
    world.do(tasks.kill, stubborn, from_root=True)
    assert [state(world, one) for one in (parent, stubborn)] == ["CANCELED", "CANCELED"]
    assert world.open() == []


def test_services_are_found_while_the_task_runs(world: World) -> None:
    """By the task's id, by its id and a configured port; unknown ports have no service; what waits or has ended says so."""
    task_id = make(world, "NOTEBOOK")
    routes = Routes(world.db.clock)

    def find(service: str) -> Any:
        return world.db.read_now(lambda tx: routes.find(tx, service))

    (allocation,) = world.open()
    assert (find(task_id).stage, find(task_id).port) == (Stage.WAITING, 0)
    world.start(allocation.id)
    world.do(rows.update, allocation.id, ports=json.dumps({"PORT": 2900}))
    assert (find(task_id).port, find(task_id).tcp, find(task_id).address) == (2900, False, "127.0.0.1")
    tcp = find(f"{task_id}:8000")
    assert (tcp.port, tcp.tcp, tcp.unauthenticated) == (8000, True, True)
    assert find(f"{task_id}:9") is None
    assert find("nobody") is None
    world.exit(allocation.id)
    assert find(task_id).stage is Stage.OVER


def test_activity_is_traffic_or_the_task_s_own_word(world: World) -> None:
    """A task that reports by itself counts as active until it says that it is idle."""
    routes, now = Routes(world.db.clock), world.db.clock.now()
    began = routes.last_activity("t", now)
    routes.used("t")
    used = routes.last_activity("t", now)
    assert began <= used
    assert routes.last_activity("t", now + 9, reports=True) == now + 9
    routes.reported_idle("t", idle=True)
    assert routes.last_activity("t", now + 9, reports=True) == used
    routes.forget("t")
    assert routes.last_activity("t", now) == began
