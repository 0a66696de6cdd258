"""Tasks that are no trials: notebooks, shells, commands, TensorBoards and generic tasks, from their creation to their end.

A task of these kinds has one job and, at a time, one allocation. Trials are tasks, too; `trials.py` drives those.
"""

from collections.abc import Mapping
from typing import Any

from undeterred.base import json
from undeterred.base.clock import SECOND
from undeterred.base.errors import NotFound, Refused
from undeterred.base.ids import new_uuid
from undeterred.base.settings import PREEMPTION_TIMEOUT
from undeterred.base.struct import Struct, asdict, field
from undeterred.core.lifecycle.exits import Cause, ExitFacts
from undeterred.core.lifecycle.task import TRANSITIONS, Member, TaskState, end_of_allocation, to_kill, to_pause, to_resume
from undeterred.engine import allocations, keys
from undeterred.engine.facts import TaskEnded
from undeterred.store import allocations as allocation_rows
from undeterred.store import jobs, tasks
from undeterred.store.database import Tx

ENTRY_TYPES = ("NOTEBOOK", "SHELL", "COMMAND", "TENSORBOARD", "CHECKPOINT_GC", "GENERIC")


class Proxied(Struct, frozen=True):
    """A port of a task that the proxy serves."""

    port: str
    """Name of the variable that holds the port (one of `Launch.port_names`), or the number as text."""
    service: str = ""
    """Below `/proxy/`: empty is the task's id; a number as text is `<task id>:<number>`."""
    tcp: bool = False
    """Raw TCP over a WebSocket instead of HTTP."""
    unauthenticated: bool = False


class Launch(Struct, frozen=True):
    """How a task is started, as plain data that is stored with it."""

    argv: tuple[str, ...]
    """Command; the task's own `python` comes first on its PATH."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables of the task's kind; the configuration's own variables come beside."""
    port_names: tuple[str, ...] = ()
    """Variables that each get a free port."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Extra text files, by path relative to the work folder (names ending in `.key` are made private)."""
    ready_port: str = ""
    """Variable of the port on which the task is ready as soon as something listens; empty: ready when it runs."""
    proxied: tuple[Proxied, ...] = ()
    idle_seconds: int | None = None
    """Ended after so long without proxied traffic and without a report of activity; None: never."""
    idle_reports: bool = False
    """Whether the task reports by itself that it is idle; without its word it counts as active."""


class NewTask(Struct, frozen=True, kw_only=True):
    """What `create` needs. The configuration is resolved and complete."""

    task_type: str
    """One of `ENTRY_TYPES`."""
    user_id: int
    workspace_id: int | None
    name: str
    """Its description, shown in lists and in the queue."""
    config: Mapping[str, Any]
    launch: Launch
    resource_pool: str
    slots: int
    context_digest: str | None = None
    """Digest of the tar archive in `store/blobs.py`."""
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What the kind keeps beside (keys of a shell, ids of a TensorBoard, ...)."""
    preemptible: bool = False
    single_node: bool = True
    priority: int | None = None
    weight: float = 1.0
    parent_id: str | None = None
    """Of generic tasks: the task that started it."""
    no_pause: bool = False
    task_id: str = field(default_factory=new_uuid)


def create(tx: Tx, new: NewTask) -> str:
    """Make a task with its job, and let it join the queue; the task's id."""
    job_id = new_uuid()
    jobs.create(
        tx,
        job_id,
        new.task_type,
        new.user_id,
        new.workspace_id,
        resource_pool=new.resource_pool,
        priority=new.priority,
        weight=new.weight,
    )
    tasks.create(
        tx,
        new.task_id,
        new.task_type,
        job_id=job_id,
        user_id=new.user_id,
        workspace_id=new.workspace_id,
        name=new.name,
        parent_id=new.parent_id,
        no_pause=new.no_pause,
        state=TaskState.ACTIVE if new.task_type == "GENERIC" else None,
        config=json.dumps(new.config),
        context_digest=new.context_digest,
        launch=json.dumps(_launch_data(new)),
        detail=json.dumps(new.detail),
    )
    _request(tx, tasks.get(tx, new.task_id), preemptible=new.preemptible)
    return new.task_id


def kill(tx: Tx, task_id: str, *, from_root: bool = False, why: str = "it was killed") -> None:
    """End a task (of a generic one: all below it, or with `from_root` the whole tree) at once. Ended ones stay as they are."""
    task = tasks.get(tx, task_id)
    if task.task_type != "GENERIC":
        _stop(tx, task_id, graceful=False, why=why)
        return
    tree = {row.id: row for row in tasks.tree(tx, task_id)}
    for name in to_kill(_members(tree), task_id, from_root=from_root):
        state = TaskState(tree[name].state)
        if _stop(tx, name, graceful=False, why=why):
            if TaskState.STOPPING_CANCELED in TRANSITIONS[state]:
                tasks.update(tx, name, state=TaskState.STOPPING_CANCELED)
        else:
            _end(tx, name, TaskState.CANCELED)


def pause(tx: Tx, task_id: str) -> None:
    """A generic task and those below it give their slots back. Raises Refused when there is nothing to pause."""
    tree = {row.id: row for row in tasks.tree(tx, task_id)}
    _generic(tree, task_id)
    names = to_pause(_members(tree), task_id)
    if not names:
        raise Refused(f"task {task_id} is {tree[task_id].state} and cannot be paused")
    for name in names:
        tasks.update(tx, name, state=TaskState.STOPPING_PAUSED)
        if not _stop(tx, name, graceful=True, why="the task is paused"):
            tasks.update(tx, name, state=TaskState.PAUSED)


def unpause(tx: Tx, task_id: str) -> None:
    """A paused generic task and those below it go on. Raises Refused when nothing of it is paused."""
    tree = {row.id: row for row in tasks.tree(tx, task_id)}
    _generic(tree, task_id)
    names = to_resume(_members(tree), task_id)
    if not names:
        raise Refused(f"task {task_id} is {tree[task_id].state} and cannot be resumed")
    for name in names:
        tasks.update(tx, name, state=TaskState.ACTIVE)
        _request(tx, tasks.get(tx, name), preemptible=True)


def end(tx: Tx, task_id: str, why: str) -> None:
    """End a task that is not needed any more (idle, its limits reached)."""
    _stop(tx, task_id, graceful=True, why=why)


def allocation_exited(tx: Tx, task_id: str, facts: ExitFacts) -> None:
    """The allocation of a task that is no trial is over, and the task with it unless it is paused."""
    task = tasks.get(tx, task_id)
    unwanted = facts.cause not in (Cause.KILLED, Cause.DROPPED)
    bad = unwanted and (facts.cause is not Cause.EXITED or facts.exit_code != 0)
    if task.task_type != "GENERIC":
        _end(tx, task_id, None)
        return
    left = facts.preempted and facts.acked
    state = end_of_allocation(TaskState(task.state), failed=bad and not left)
    if state is TaskState.PAUSED:
        tasks.update(tx, task_id, state=state)
        tx.wake(keys.task(task_id))
    else:
        _end(tx, task_id, state)


def _end(tx: Tx, task_id: str, state: TaskState | None) -> None:
    tasks.update(tx, task_id, end_time=tx.now, **({} if state is None else {"state": state}))
    tx.wake(keys.task(task_id), ("logs", task_id))
    tx.fact(TaskEnded(task_id))


def _request(tx: Tx, task: Any, *, preemptible: bool) -> None:
    launch = json.loads(task.launch)
    allocations.request(
        tx,
        allocations.Ask(
            task_id=task.id,
            number=tasks.next_allocation(tx, task.id),
            name=task.name or f"{task.task_type.capitalize()} {task.id}",
            resource_pool=launch["resource_pool"],
            slots=launch["slots"],
            preemptible=preemptible,
            single_node=launch["single_node"],
            preemption_timeout=launch["preemption_timeout"],
        ),
    )


def _stop(tx: Tx, task_id: str, *, graceful: bool, why: str) -> bool:
    row = allocation_rows.open_of_task(tx, task_id)
    if row is None:
        return False
    allocations.stop(tx, row, graceful=graceful, why=why)
    return True


def _generic(tree: Mapping[str, Any], task_id: str) -> None:
    if task_id not in tree:
        raise NotFound(f"task {task_id[:80]} not found")
    if tree[task_id].task_type != "GENERIC":
        raise Refused(f"only generic tasks can be paused and resumed; {task_id} is a {tree[task_id].task_type}")


def _members(tree: Mapping[str, Any]) -> dict[str, Member]:
    return {name: Member(row.parent_id, TaskState(row.state), row.no_pause) for name, row in tree.items() if row.state}


def _launch_data(new: NewTask) -> dict[str, Any]:
    launch, timeout = new.launch, new.config.get("preemption_timeout")
    return {
        "argv": list(launch.argv),
        "env": dict(launch.env),
        "port_names": list(launch.port_names),
        "files": dict(launch.files),
        "ready_port": launch.ready_port,
        "proxied": [asdict(proxied) for proxied in launch.proxied],
        "idle_seconds": launch.idle_seconds,
        "idle_reports": launch.idle_reports,
        "resource_pool": new.resource_pool,
        "slots": new.slots,
        "single_node": new.single_node,
        "preemption_timeout": PREEMPTION_TIMEOUT if timeout is None else int(timeout) * SECOND,
    }
