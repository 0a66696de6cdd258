"""What notebooks, shells, commands and TensorBoards have in common: launching, listing, reading, killing, their priority."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from undeterred.api.call import Call
from undeterred.api.views.common import choose, is_descending, pagination
from undeterred.base import json
from undeterred.base.errors import Invalid, NotFound, Refused
from undeterred.base.ids import new_uuid, random_name
from undeterred.base.struct import Struct, field
from undeterred.core.config import policy
from undeterred.core.config.ntsc import ResolvedTask, TaskKind, default_description, resolve_ntsc, wanted
from undeterred.core.pools import Pool
from undeterred.core.rights import Right
from undeterred.engine import contexts, jobs, pools, tasks
from undeterred.engine.tasks import Launch, NewTask
from undeterred.launch.spec import ContextFile
from undeterred.store import blobs, ntsc, policies, templates, workspaces
from undeterred.store.database import Tx
from undeterred.store.ntsc import TaskFilter
from undeterred.store.paging import memory_page
from undeterred.wire import messages as m

DEFAULT_WORKSPACE = 1
_SORTS = {
    "SORT_BY_UNSPECIFIED": "id",
    "SORT_BY_ID": "id",
    "SORT_BY_DESCRIPTION": "description",
    "SORT_BY_START_TIME": "start_time",
    "SORT_BY_WORKSPACE_ID": "workspace_id",
}

T = TypeVar("T")


class Kind(Struct, frozen=True):
    """One of the kinds."""

    word: TaskKind
    task_type: str
    noun: str


class ListRequest(Protocol):
    """The request of a list; the kinds differ in the enum of their sort keys, not in its values."""

    order_by: m.OrderBy
    offset: int
    limit: int
    users: list[str]
    user_ids: list[int]
    workspace_id: int

    @property
    def sort_by(self) -> str:
        """The name of the sort key."""


class Asked(Struct, frozen=True):
    """What a request to launch says."""

    config: Mapping[str, Any]
    """As submitted."""
    template: str = ""
    workspace_id: int = 0
    """0: the first workspace."""
    files: Sequence[m.File] = ()
    """The context directory."""
    tasks: tuple[str, ...] = ()
    """Tasks whose tokens may launch this."""
    below: Mapping[str, Any] | None = None
    """What counts where the configuration says nothing, in place of a template."""


class Prepared(Struct, frozen=True):
    """A checked request, and where its task goes."""

    workspace: Any
    pool: Pool
    resolved: ResolvedTask
    files: Sequence[m.File] = ()
    task_id: str = field(default_factory=new_uuid)


class Setup(Struct, frozen=True):
    """What the kind makes of a prepared task."""

    launch: Launch
    detail: Mapping[str, Any] = field(default_factory=dict)
    """What it keeps beside."""


class _Place(Struct, frozen=True):
    workspace: Any
    pool: Pool
    template: Mapping[str, Any] | None
    limits: policy.Constraints


async def prepare(
    call: Call,
    kind: TaskKind,
    asked: Asked,
    *,
    inherited: Mapping[str, Any] | None = None,
    idle_timeout: int | None = None,
) -> Prepared:
    """Check a request: rights, pool, capacity, configuration, config policies.

    `inherited` and `idle_timeout` are those of `resolve_ntsc`. Raises Invalid for mistakes and for more slots than the pool
    can ever give, NotFound for an unknown workspace or template, Refused for an archived workspace.
    """
    place = await call.read(lambda tx: _place(call, tx, kind, asked))
    scheduled_by_priority = place.pool.scheduler == "priority"
    resolved = await asyncio.to_thread(
        resolve_ntsc,
        kind,
        asked.config,
        place.template,
        call.engine.ground.defaults[place.pool.name],
        pool=place.pool.name,
        priority=place.pool.default_priority if scheduled_by_priority else None,
        description=default_description(kind, random_name()),
        inherited=inherited,
        idle_timeout=idle_timeout,
        has_files=bool(asked.files),
    )
    policy.check_constraints(place.limits, slots=resolved.slots, priority=resolved.priority)
    return Prepared(place.workspace, place.pool, resolved, asked.files)


def _place(call: Call, tx: Tx, kind: TaskKind, asked: Asked) -> _Place:
    workspace = require_create(call, tx, asked.workspace_id or DEFAULT_WORKSPACE, asked.tasks)
    if workspace.archived:
        raise Refused(f"workspace {workspace.name} is archived: nothing new can be made in it")
    template = json.loads(templates.get(tx, asked.template).config) if asked.template else asked.below
    ask = wanted(kind, asked.config)
    pool = pools.choose(call.engine.pools, ask.pool, ask.slots, workspace)
    excess = pools.exceeds(tx, pool, ask.slots, single_node=True)
    if excess:
        raise Invalid(excess)
    limits = policy.constraints(*policies.both(tx, workspace.id, "NTSC"))
    return _Place(workspace, pool, template, limits)


def require_create(call: Call, tx: Tx, workspace_id: int, task_ids: tuple[str, ...] = ()) -> Any:
    """The workspace, if the caller may launch something in it; raises NotFound or Forbidden."""
    workspace = workspaces.get(tx, workspace_id)
    missing = f"workspace {workspace_id} not found"
    owner = workspace.user_id
    call.require(tx, Right.CREATE_NSC, workspace=workspace_id, workspace_owner=owner, missing=missing, tasks=task_ids)
    return workspace


async def start(call: Call, kind: Kind, prepared: Prepared, setup: Setup) -> Any:
    """Let the task join the queue; its row of `store.ntsc`."""
    digest = await store_files(call, prepared.files)

    def create(tx: Tx) -> Any:
        require_create(call, tx, prepared.workspace.id)
        tasks.create(tx, new_task(call, kind.task_type, prepared, setup, digest))
        return ntsc.find(tx, kind.task_type, prepared.task_id)

    return await call.write(create)


def new_task(call: Call, task_type: str, prepared: Prepared, setup: Setup, digest: str | None, **more: Any) -> NewTask:
    """The task as the engine makes it; `more` are fields that only generic tasks have."""
    resolved = prepared.resolved
    return NewTask(
        task_type=task_type,
        user_id=call.who.user_id,
        workspace_id=prepared.workspace.id,
        name=resolved.description,
        config=resolved.config,
        launch=setup.launch,
        resource_pool=prepared.pool.name,
        slots=resolved.slots,
        context_digest=digest,
        detail=setup.detail,
        priority=resolved.priority,
        weight=resolved.weight,
        task_id=prepared.task_id,
        **more,
    )


async def store_files(call: Call, files: Sequence[m.File]) -> str | None:
    """Keep a context directory; its digest, None for no files."""
    if not files:
        return None
    listed = [ContextFile(file.path, file.content, file.type, file.mode, int(file.mtime)) for file in files]
    return await blobs.store(call.services.db, await asyncio.to_thread(contexts.pack, listed))


def command_line(entrypoint: Sequence[str]) -> tuple[str, ...]:
    """What is run for an entrypoint: a single text is a line for the shell."""
    return ("/bin/sh", "-c", entrypoint[0]) if len(entrypoint) == 1 else tuple(entrypoint)


async def listed(call: Call, kind: Kind, req: ListRequest, message: Callable[[Any], T]) -> tuple[list[T], m.Pagination]:
    """A page of the tasks of a kind that live or ended within the last day."""
    chosen = TaskFilter(kind.task_type, req.users, req.user_ids, req.workspace_id)
    sort, descending = choose(_SORTS, req.sort_by, "sortBy"), is_descending(req.order_by)

    def load(tx: Tx) -> tuple[list[T], m.Pagination]:
        scope = call.scope(tx, Right.VIEW_NSC)
        if chosen.workspace_id:
            missing = f"workspace {chosen.workspace_id} not found"
            workspaces.get(tx, chosen.workspace_id)
            call.require(tx, Right.VIEW_NSC, workspace=chosen.workspace_id, missing=missing)
        page = memory_page(req.offset, req.limit, ntsc.count(tx, scope, chosen))
        rows = ntsc.search(tx, scope, chosen, sort, descending=descending, start=page.start, end=page.end)
        return [message(row) for row in rows], pagination(page)

    return await call.read(load)


def target(call: Call, tx: Tx, kind: Kind, task_id: str, right: Right) -> Any:
    """The row of a task on which the caller has the right; raises NotFound (also where it is hidden) or Forbidden."""
    missing = f"{kind.noun} {task_id[:80]} not found"
    row = ntsc.find(tx, kind.task_type, task_id)
    if row is None:
        raise NotFound(missing)
    call.require(
        tx,
        right,
        workspace=row.workspace_id,
        owner=row.user_id,
        workspace_owner=row.workspace_owner,
        missing=missing,
        tasks=(task_id,),
    )
    return row


async def get(call: Call, kind: Kind, task_id: str) -> Any:
    """The row of a task that the caller may see."""
    return await call.read(lambda tx: target(call, tx, kind, task_id, Right.VIEW_NSC))


async def kill(call: Call, kind: Kind, task_id: str) -> tuple[Any, bool]:
    """End a task at once; its row, and whether it had not ended before. Killing an ended one changes nothing."""

    def act(tx: Tx) -> tuple[Any, bool]:
        row = target(call, tx, kind, task_id, Right.UPDATE_NSC)
        if row.end_time is not None:
            return row, False
        tasks.kill(tx, task_id, why=f"it was killed by {call.who.username}")
        call.engine.flow.apply(tx)  # what still waited has ended by now
        return ntsc.find(tx, kind.task_type, task_id), True

    return await call.write(act)


async def set_priority(call: Call, kind: Kind, task_id: str, priority: int) -> Any:
    """Change the priority of a task; its row.

    As clients may send any number, one above 99 counts as 99, a negative one as 1, and 0 (nothing given) changes nothing.
    Raises Invalid where a config policy forbids it.
    """

    def act(tx: Tx) -> Any:
        row = target(call, tx, kind, task_id, Right.UPDATE_NSC)
        if not priority:
            return row
        number = min(max(priority, 1), 99)
        limits = policy.constraints(*policies.both(tx, row.workspace_id, "NTSC"))
        policy.check_constraints(limits, priority=number)
        jobs.set_priority(tx, row.job_id, number)
        return ntsc.find(tx, kind.task_type, task_id)

    return await call.write(act)
