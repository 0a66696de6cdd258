"""Runs: searching them, and acting on many of them, one result for each."""

from collections.abc import Callable, Sequence
from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import few, given, pagination
from undeterred.api.views.runs import flat_run
from undeterred.base.errors import Failure, Invalid, NotFound
from undeterred.base.struct import Struct
from undeterred.core.filters.columns import Table
from undeterred.core.filters.sort import parse_sort
from undeterred.core.filters.tree import parse
from undeterred.core.rights import Right, Rule
from undeterred.core.rights.basic import MOVE_EXPERIMENT
from undeterred.engine import moves
from undeterred.engine import runs as lifecycle
from undeterred.store import projects, run_lists, runs
from undeterred.store.database import Tx
from undeterred.store.paging import sql_page
from undeterred.wire import messages as m

Act = Callable[[Tx, Any], None]
"""Does something to a run (its row); raises when it cannot be done."""


class _Asked(Struct, frozen=True):
    """Which runs an action is for."""

    right: Right
    project_id: int
    ids: Sequence[int]
    filter: str | None
    rule: Rule | None = None


@operation("SearchRuns", needs=Right.VIEW_EXPERIMENT_METADATA)
async def search_runs(call: Call, req: m.SearchRunsRequest) -> m.SearchRunsResponse:
    """Runs of one project, or without one of all."""
    chosen, keys = parse(Table.RUNS, given(req.filter)), parse_sort(Table.RUNS, given(req.sort))
    project_id = given(req.project_id)

    def load(tx: Tx) -> m.SearchRunsResponse:
        if project_id is not None:
            _require_project(call, tx, Right.VIEW_EXPERIMENT_METADATA, project_id)
        scope = call.scope(tx, Right.VIEW_EXPERIMENT_METADATA)
        rows, page = run_lists.search(tx, scope, project_id, chosen, keys, lambda total: sql_page(req.offset, req.limit, total))
        return m.SearchRunsResponse(runs=[flat_run(row, tx.now) for row in rows], pagination=pagination(page))

    return await call.read(load)


@operation("PauseRuns", needs=Right.UPDATE_EXPERIMENT)
async def pause_runs(call: Call, req: m.PauseRunsRequest) -> m.PauseRunsResponse:
    """Pause runs that are alone in their experiment."""
    asked = _named(_Asked(Right.UPDATE_EXPERIMENT, req.project_id, req.run_ids, given(req.filter)))
    return m.PauseRunsResponse(results=await _each(call, asked, lifecycle.pause))


@operation("ResumeRuns", needs=Right.UPDATE_EXPERIMENT)
async def resume_runs(call: Call, req: m.ResumeRunsRequest) -> m.ResumeRunsResponse:
    """Let paused runs that are alone in their experiment go on."""
    asked = _named(_Asked(Right.UPDATE_EXPERIMENT, req.project_id, req.run_ids, given(req.filter)))
    return m.ResumeRunsResponse(results=await _each(call, asked, lifecycle.resume))


@operation("KillRuns", needs=Right.UPDATE_EXPERIMENT)
async def kill_runs(call: Call, req: m.KillRunsRequest) -> m.KillRunsResponse:
    """End runs at once; those that have ended stay as they are."""
    asked = _Asked(Right.UPDATE_EXPERIMENT, req.project_id, req.run_ids, given(req.filter))
    return m.KillRunsResponse(results=await _each(call, asked, lifecycle.kill))


@operation("ArchiveRuns", needs=Right.UPDATE_EXPERIMENT_METADATA)
async def archive_runs(call: Call, req: m.ArchiveRunsRequest) -> m.ArchiveRunsResponse:
    """Hide ended runs from lists."""
    asked = _Asked(Right.UPDATE_EXPERIMENT_METADATA, req.project_id, req.run_ids, given(req.filter))
    return m.ArchiveRunsResponse(results=await _each(call, asked, lifecycle.archive))


@operation("UnarchiveRuns", needs=Right.UPDATE_EXPERIMENT_METADATA)
async def unarchive_runs(call: Call, req: m.UnarchiveRunsRequest) -> m.UnarchiveRunsResponse:
    """Show archived runs in lists again."""
    asked = _Asked(Right.UPDATE_EXPERIMENT_METADATA, req.project_id, req.run_ids, given(req.filter))
    return m.UnarchiveRunsResponse(results=await _each(call, asked, lifecycle.unarchive))


@operation("DeleteRuns", needs=Right.DELETE_EXPERIMENT)
async def delete_runs(call: Call, req: m.DeleteRunsRequest) -> m.DeleteRunsResponse:
    """Begin the deletion of ended runs with their checkpoints, metrics and logs; an experiment goes with its last run."""
    asked = _Asked(Right.DELETE_EXPERIMENT, req.project_id, req.run_ids, given(req.filter))
    return m.DeleteRunsResponse(results=await _each(call, asked, lifecycle.delete))


@operation("MoveRuns", needs=(Right.DELETE_EXPERIMENT, Right.CREATE_EXPERIMENT))
async def move_runs(call: Call, req: m.MoveRunsRequest) -> m.MoveRunsResponse:
    """Move runs into another project, each with its whole experiment; those of a search stay behind if that is asked for."""
    asked = _Asked(Right.DELETE_EXPERIMENT, req.source_project_id, req.run_ids, given(req.filter), MOVE_EXPERIMENT)
    await call.read(lambda tx: _destination(call, tx, req.destination_project_id))
    if req.source_project_id == req.destination_project_id:
        await call.read(lambda tx: _chosen(call, tx, asked))
        return m.MoveRunsResponse()
    moved: set[int] = set()

    def move(tx: Tx, run: Any) -> None:
        if req.skip_multitrial and lifecycle.in_search(tx, run):
            raise Invalid(f"run {run.id} is part of a search and stays")
        moves.move(tx, run.experiment_id, _destination(call, tx, req.destination_project_id))

    results = []
    for run_id in await call.read(lambda tx: _chosen(call, tx, asked)):
        error, experiment_id = await _try(call, asked, run_id, move, moved)
        if not error and experiment_id:
            moved.add(experiment_id)
        results.append(m.RunActionResult(error=error, id=run_id))
    return m.MoveRunsResponse(results=results)


def _named(asked: _Asked) -> _Asked:
    if not asked.ids and asked.filter is None:
        raise Invalid("name the runs: runIds or filter is required")
    return asked


async def _each(call: Call, asked: _Asked, act: Act) -> list[m.RunActionResult]:
    """Act on each in a transaction of its own, so that one refusal leaves the others as they are."""
    results = []
    for run_id in await call.read(lambda tx: _chosen(call, tx, asked)):
        error, _ = await _try(call, asked, run_id, act)
        results.append(m.RunActionResult(error=error, id=run_id))
    return results


async def _try(
    call: Call, asked: _Asked, run_id: int, act: Act, done: frozenset[int] | set[int] = frozenset()
) -> tuple[str, int]:
    """Why nothing happened to a run (empty when it did), and its experiment; runs of experiments in `done` went with them."""

    def work(tx: Tx) -> int:
        row = runs.get(tx, run_id)
        if row.experiment_id not in done:
            act(tx, _target(call, tx, asked, row))
        return int(row.experiment_id)

    try:
        return "", await call.write(work)
    except NotFound:
        return f"run {run_id} not found", 0
    except Failure as failure:
        return str(failure), 0


def _chosen(call: Call, tx: Tx, asked: _Asked) -> list[int]:
    """Ids of the runs that are named, or chosen by the filter among those of the project that the caller may see."""
    scope = call.scope(tx, asked.right)
    if asked.project_id:
        _require_project(call, tx, Right.VIEW_PROJECT, asked.project_id)
    if asked.filter is None:
        return list(dict.fromkeys(few(asked.ids, "runIds")))
    if not asked.project_id:
        raise Invalid("a filter needs the id of a project")
    return run_lists.ids(tx, scope, asked.project_id, parse(Table.RUNS, asked.filter))


def _target(call: Call, tx: Tx, asked: _Asked, row: Any) -> Any:
    call.require(
        tx,
        asked.right,
        workspace=row.workspace_id,
        owner=row.user_id,
        workspace_owner=row.workspace_owner,
        rule=asked.rule,
        missing=f"run {row.id} not found",
    )
    if asked.project_id and row.project_id != asked.project_id:
        raise NotFound(f"run {row.id} is not in project {asked.project_id}")
    return row


def _require_project(call: Call, tx: Tx, right: Right, project_id: int) -> None:
    row = projects.get(tx, project_id)
    missing = f"project {project_id} not found"
    call.require(tx, right, workspace=row.workspace_id, owner=row.user_id, missing=missing)


def _destination(call: Call, tx: Tx, project_id: int) -> Any:
    project = moves.destination(tx, project_id)
    call.require(tx, Right.CREATE_EXPERIMENT, workspace=project.workspace_id, missing=f"project {project_id} not found")
    return project
