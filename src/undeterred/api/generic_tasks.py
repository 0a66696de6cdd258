"""Generic tasks: any command line, with children that are ended and paused together with it."""

from collections.abc import Mapping
from typing import Any

from undeterred.api.call import Call
from undeterred.api.ntsc import common
from undeterred.api.ntsc.common import Asked, Setup
from undeterred.api.operation import operation
from undeterred.api.views.common import given
from undeterred.base import json
from undeterred.base.errors import Invalid, NotFound, Refused
from undeterred.core.config.mask import mask_task
from undeterred.core.config.ntsc import TaskKind
from undeterred.core.config.parse import parse_tree
from undeterred.core.rights import Right
from undeterred.engine import tasks
from undeterred.engine.tasks import Launch
from undeterred.store import projects
from undeterred.store import tasks as rows
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_TYPE = "GENERIC"
_FIRST_PROJECT = 1


@operation("CreateGenericTask", needs=(Right.CREATE_NSC, Right.VIEW_NSC), task=True)
async def create(call: Call, req: m.CreateGenericTaskRequest) -> m.CreateGenericTaskResponse:
    """Run a command line, as a child of another task or as a copy of one if wanted; a task may make children of itself."""
    parent_id, fork_id = given(req.parent_id), given(req.forked_from)
    if req.inherit_context is True and (not parent_id or req.context_directory):
        raise Invalid("inheritContext takes the files of the parent: give a parentId and no contextDirectory")
    parent, fork, workspace_id = await call.read(lambda tx: _surroundings(call, tx, req))
    own = () if parent is None or parent.workspace_id != workspace_id else (parent.id,)
    asked = Asked(
        config=_config(req.config, fork),
        workspace_id=workspace_id,
        files=req.context_directory,
        tasks=own,
        below=None if fork is None else json.loads(fork.config),
    )
    prepared = await common.prepare(call, TaskKind.GENERIC, asked)
    digest = await common.store_files(call, req.context_directory) or _inherited(req, parent, fork)
    setup = Setup(Launch(argv=common.command_line(prepared.resolved.entrypoint)), {"forked_from": fork_id})
    no_pause = given(req.no_pause)
    more = {
        "parent_id": parent_id or None,
        "no_pause": parent is not None if no_pause is None else no_pause,
        "preemptible": True,
    }

    def make(tx: Tx) -> str:
        common.require_create(call, tx, workspace_id, asked.tasks)
        return tasks.create(tx, common.new_task(call, _TYPE, prepared, setup, digest, **more))

    return m.CreateGenericTaskResponse(task_id=await call.write(make))


@operation("GetGenericTaskConfig", needs=Right.VIEW_NSC, task=True)
async def get_config(call: Call, req: m.GetGenericTaskConfigRequest) -> m.GetGenericTaskConfigResponse:
    """The complete configuration as JSON text; empty for tasks of other kinds."""

    def load(tx: Tx) -> str:
        task = _target(call, tx, Right.VIEW_NSC, req.task_id)
        return json.dumps(mask_task(json.loads(task.config))) if task.task_type == _TYPE else ""

    return m.GetGenericTaskConfigResponse(config=await call.read(load))


@operation("KillGenericTask", needs=Right.UPDATE_NSC, task=True)
async def kill(call: Call, req: m.KillGenericTaskRequest) -> m.KillGenericTaskResponse:
    """End a task and all below it, or with `killFromRoot` the whole tree it belongs to."""

    def act(tx: Tx) -> None:
        task = _generic(call, tx, req.task_id)
        if task.end_time is not None:
            raise Refused(f"task {task.id} has ended already: it is {task.state}")
        tasks.kill(tx, task.id, from_root=req.kill_from_root)

    await call.write(act)
    return m.KillGenericTaskResponse()


@operation("PauseGenericTask", needs=Right.UPDATE_NSC, task=True)
async def pause(call: Call, req: m.PauseGenericTaskRequest) -> m.PauseGenericTaskResponse:
    """Let a task and those below it that allow it give their slots back."""
    await call.write(lambda tx: tasks.pause(tx, _generic(call, tx, req.task_id).id))
    return m.PauseGenericTaskResponse()


@operation("UnpauseGenericTask", needs=Right.UPDATE_NSC, task=True)
async def unpause(call: Call, req: m.UnpauseGenericTaskRequest) -> m.UnpauseGenericTaskResponse:
    """Let a paused task and those below it go on."""
    await call.write(lambda tx: tasks.unpause(tx, _generic(call, tx, req.task_id).id))
    return m.UnpauseGenericTaskResponse()


def _surroundings(call: Call, tx: Tx, req: m.CreateGenericTaskRequest) -> tuple[Any | None, Any | None, int]:
    """Parent, the task to copy, and the workspace: that of the project, else of the parent, else the first project's."""
    parent_id, fork_id, project_id = given(req.parent_id), given(req.forked_from), given(req.project_id)
    parent = _relative(call, tx, parent_id, "parentId") if parent_id else None
    fork = _relative(call, tx, fork_id, "forkedFrom") if fork_id else None
    if parent is not None and parent.end_time is not None:
        raise Refused(f"task {parent.id} has ended: it takes no more children")
    if parent is not None and not project_id:
        return parent, fork, parent.workspace_id
    project = projects.get(tx, project_id or _FIRST_PROJECT)
    if project.archived:
        raise Refused(f"project {project.name} is archived: nothing new can be made in it")
    return parent, fork, project.workspace_id


def _relative(call: Call, tx: Tx, task_id: str, field: str) -> Any:
    task = _target(call, tx, Right.VIEW_NSC, task_id)
    if task.task_type != _TYPE:
        raise Invalid(f"{field}: {task_id[:80]} is a {task.task_type}, not a generic task")
    return task


def _config(text: str, fork: Any | None) -> Mapping[str, Any]:
    """What is submitted; slots and pool of a copy are those of its original unless others are given. Raises Invalid."""
    if fork is None:
        return parse_tree(text)
    submitted = parse_tree(text) if text.strip() else {}
    own = submitted.get("resources") or {}
    if not isinstance(own, Mapping):
        return submitted
    original = json.loads(fork.config)["resources"]
    return {**submitted, "resources": {"slots": original["slots"], "resource_pool": original["resource_pool"], **own}}


def _inherited(req: m.CreateGenericTaskRequest, parent: Any | None, fork: Any | None) -> str | None:
    """Digest of the context directory that a task without files of its own takes over."""
    source = parent if req.inherit_context is True else fork
    return None if source is None else source.context_digest


def _target(call: Call, tx: Tx, right: Right, task_id: str) -> Any:
    """The row of a task on which the caller has the right; a task's token reaches its own task and all below it."""
    missing = f"task {task_id[:80]} not found"
    task = rows.find(tx, task_id)
    if task is None:
        raise NotFound(missing)
    call.require(
        tx,
        right,
        workspace=task.workspace_id,
        owner=task.user_id,
        workspace_owner=task.workspace_owner,
        missing=missing,
        tasks=_line(tx, task_id) if call.who.task_id else (),
    )
    return task


def _line(tx: Tx, task_id: str) -> list[str]:
    """A task and all above it."""
    parents = {row.id: row.parent_id for row in rows.tree(tx, task_id)}
    line: list[str] = []
    name: str | None = task_id
    while name is not None and name not in line:
        line.append(name)
        name = parents.get(name)
    return line


def _generic(call: Call, tx: Tx, task_id: str) -> Any:
    task = _target(call, tx, Right.UPDATE_NSC, task_id)
    if task.task_type != _TYPE:
        raise Refused(f"{task_id[:80]} is a {task.task_type}, not a generic task")
    return task
