"""Logs of tasks and trials: read by page, followed until the task is over, filtered; and lines that tasks send themselves."""

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from typing import Any, TypeVar

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.logs import level_of, task_line, trial_line
from undeterred.base.errors import Invalid
from undeterred.base.struct import Struct
from undeterred.core.loglines import LogLine
from undeterred.core.regex import compile_pattern
from undeterred.core.rights import Right
from undeterred.engine import logs as engine_logs
from undeterred.engine.waiters import wait
from undeterred.store import logs, runs, tasks
from undeterred.store.database import Tx
from undeterred.store.logs import LogFilter
from undeterred.wire import messages as m

T = TypeVar("T")

PAGE = 1000
POLL_SECONDS = 5.0
"""How long a follower waits at most for a wake before it looks by itself."""


class Source(Struct, frozen=True):
    """Whose log: its tasks, and how to tell that nothing more will come."""

    task_ids: tuple[str, ...]
    over: Callable[[Tx], bool]

    @property
    def keys(self) -> tuple[tuple[str, str], ...]:
        """What is woken when lines come or the end has come."""
        return tuple(("logs", task_id) for task_id in self.task_ids)


@operation("TaskLogs", needs=Right.VIEW_EXPERIMENT_ARTIFACTS, task=True)
async def task_logs(call: Call, req: m.TaskLogsRequest) -> AsyncIterator[m.TaskLogsResponse]:
    """The lines of a task, oldest first unless asked otherwise; with `follow` those to come, until the task is over."""
    if req.limit < 0:
        raise Invalid(f"limit must not be negative, got {req.limit}; 0 means all")
    if req.limit and req.follow:
        raise Invalid("limit and follow exclude each other")
    source = await call.read(lambda tx: _of_task(call, tx, req.task_id))
    which = _filter(req, tuple(req.allocation_ids))
    async for row in _lines(call, source, which, req):
        yield task_line(row)


@operation("TrialLogs", needs=Right.VIEW_EXPERIMENT_ARTIFACTS, task=True)
async def trial_logs(call: Call, req: m.TrialLogsRequest) -> AsyncIterator[m.TrialLogsResponse]:
    """The same for all tasks of a trial."""
    source = await call.read(lambda tx: _of_trial(call, tx, req.trial_id))
    if req.limit < 0:
        return
    async for row in _lines(call, source, _filter(req), req):
        yield trial_line(row, req.trial_id)


@operation("TaskLogsFields", needs=Right.VIEW_EXPERIMENT_ARTIFACTS)
async def task_logs_fields(call: Call, req: m.TaskLogsFieldsRequest) -> AsyncIterator[m.TaskLogsFieldsResponse]:
    """The values that the lines have in each field one can filter by; with `follow` again whenever they change."""
    source = await call.read(lambda tx: _of_task(call, tx, req.task_id))
    async for found in _fields(call, source, follow=req.follow):
        yield m.TaskLogsFieldsResponse(
            allocation_ids=found["allocation_id"],
            agent_ids=found["agent_id"],
            container_ids=found["container_id"],
            rank_ids=found["rank"],
            stdtypes=found["stdtype"],
            sources=found["source"],
        )


@operation("TrialLogsFields", needs=Right.VIEW_EXPERIMENT_ARTIFACTS)
async def trial_logs_fields(call: Call, req: m.TrialLogsFieldsRequest) -> AsyncIterator[m.TrialLogsFieldsResponse]:
    """The same for all tasks of a trial."""
    source = await call.read(lambda tx: _of_trial(call, tx, req.trial_id))
    async for found in _fields(call, source, follow=req.follow):
        yield m.TrialLogsFieldsResponse(
            agent_ids=found["agent_id"],
            container_ids=found["container_id"],
            rank_ids=found["rank"],
            stdtypes=found["stdtype"],
            sources=found["source"],
        )


@operation("PostTaskLogs", needs=Right.UPDATE_EXPERIMENT, task=True)
async def post_task_logs(call: Call, req: m.PostTaskLogsRequest) -> m.PostTaskLogsResponse:
    """Add lines to the log of one task, in their order."""
    if not req.logs:
        raise Invalid("logs: at least one line is required")
    task_id = req.logs[0].task_id
    if not task_id:
        raise Invalid("logs: the taskId of each line must say whose it is")
    if any(line.task_id != task_id for line in req.logs):
        raise Invalid("logs: all lines of one call must belong to one task")
    if any(isinstance(line.id, int) for line in req.logs):
        raise Invalid("logs: lines get their ids from the server; leave id out")
    lines = [_line(line) for line in req.logs]

    def post(tx: Tx) -> None:
        _require_task(call, tx, task_id, Right.UPDATE_EXPERIMENT)
        engine_logs.append(tx, task_id, lines)

    await call.write(post)
    return m.PostTaskLogsResponse()


def _line(line: m.TaskLog) -> LogLine:
    ended = line.log.endswith("\n")
    return LogLine(
        text=line.log[:-1] if ended else line.log,
        time=int(line.timestamp) if isinstance(line.timestamp, int) else 0,
        level=line.level.removeprefix("LOG_LEVEL_") if isinstance(line.level, m.LogLevel) else None,
        source=line.source if isinstance(line.source, str) else "",
        stdtype=line.stdtype if isinstance(line.stdtype, str) else None,
        rank=line.rank_id if isinstance(line.rank_id, int) else None,
        agent_id=line.agent_id if isinstance(line.agent_id, str) else None,
        container_id=line.container_id if isinstance(line.container_id, str) else None,
        allocation_id=line.allocation_id if isinstance(line.allocation_id, str) else None,
        ended=ended,
    )


def _filter(req: Any, allocation_ids: tuple[str, ...] = ()) -> LogFilter:
    return LogFilter(
        allocation_ids=allocation_ids,
        agent_ids=tuple(req.agent_ids),
        container_ids=tuple(req.container_ids),
        rank_ids=tuple(req.rank_ids),
        levels=tuple(level_of(level) for level in req.levels),
        stdtypes=tuple(req.stdtypes),
        sources=tuple(req.sources),
        before=None if req.timestamp_before is None else int(req.timestamp_before),
        after=None if req.timestamp_after is None else int(req.timestamp_after),
        search="" if req.enable_regex else req.search_text,
    )


def _of_task(call: Call, tx: Tx, task_id: str) -> Source:
    _require_task(call, tx, task_id, Right.VIEW_EXPERIMENT_ARTIFACTS)
    return Source((task_id,), lambda later: tasks.get(later, task_id).end_time is not None)


def _require_task(call: Call, tx: Tx, task_id: str, right: Right) -> None:
    task = tasks.get(tx, task_id)
    run_id = runs.of_task(tx, task_id)
    workspace, owner = (task.workspace_id, task.user_id) if run_id is None else _home(tx, run_id)
    call.require(tx, right, workspace=workspace, owner=owner, missing=f"task {task_id} not found", tasks=(task_id,))


def _home(tx: Tx, run_id: int) -> tuple[int, int]:
    run = runs.get(tx, run_id)
    return run.workspace_id, run.user_id


def _of_trial(call: Call, tx: Tx, trial_id: int) -> Source:
    run = runs.get(tx, trial_id)
    task_ids = tuple(runs.task_ids(tx, trial_id))
    call.require(
        tx,
        Right.VIEW_EXPERIMENT_ARTIFACTS,
        workspace=run.workspace_id,
        owner=run.user_id,
        missing=f"trial {trial_id} not found",
        tasks=task_ids,
    )
    return Source(task_ids, lambda later: runs.get(later, trial_id).end_time is not None)


async def _lines(call: Call, source: Source, which: LogFilter, req: Any) -> AsyncIterator[Any]:
    """Pages until there are no more; a follower then waits for the next lines until the task is over."""
    pattern = compile_pattern(req.search_text) if req.enable_regex and req.search_text else None
    descending = req.order_by == m.OrderBy.ORDER_BY_DESC and not req.follow
    last: int | None = None
    left = req.limit or None
    waited = False
    with call.engine.waiters.on(*source.keys) as event:
        while True:
            event.clear()
            size = PAGE if left is None or pattern else min(PAGE, left)
            rows, over = await _page(call, source, which, last, size, descending)
            if waited:  # asked after what all read together: who asked before could come late for it, and read it alone
                await call.go_on()
            for row in rows:
                last = row.id
                if pattern is not None and not pattern.search(row.text.rstrip("\n")):
                    continue
                yield row
                if left is not None:
                    left -= 1
                    if left == 0:
                        return
            if len(rows) < size:
                if not req.follow or over:
                    return
                await _wait(call, source, event)
                waited = True


async def _page(
    call: Call, source: Source, which: LogFilter, last: int | None, size: int, descending: bool
) -> tuple[Sequence[Any], bool]:
    """One page and whether the task was over when it was read."""
    return await _shared(
        call,
        source,
        (which, last, size, descending),
        lambda tx: logs.page(tx, source.task_ids, which, last, size, descending=descending),
    )


async def _shared(call: Call, source: Source, what: Hashable, load: Callable[[Tx], T]) -> tuple[T, bool]:
    """What `load` reads and whether the task was over; all who want the same of a log as it now is share one query."""
    key = (source.task_ids, what, call.engine.waiters.version(*source.keys))
    return await call.engine.sharing.once(key, lambda: call.read(lambda tx: (load(tx), source.over(tx))))


async def _wait(call: Call, source: Source, event: asyncio.Event) -> None:
    """Wait for news. Who has waited long looks together with all others who follow the log, so that they share that look, too."""
    if not await wait(event, POLL_SECONDS):
        call.engine.waiters.wake(source.keys)


async def _fields(call: Call, source: Source, *, follow: bool) -> AsyncIterator[dict[str, list[Any]]]:
    sent: dict[str, list[Any]] | None = None
    with call.engine.waiters.on(*source.keys) as event:
        while True:
            event.clear()
            found, over = await _shared(call, source, ("fields",), lambda tx: logs.fields(tx, source.task_ids))
            if sent is not None:  # after a wait, as in `_lines`
                await call.go_on()
            if found != sent:
                yield found
                sent = found
            if not follow or over:
                return
            await _wait(call, source, event)
