"""The actions of `actions.py` on many experiments of a project, chosen by their ids or by a filter, one result for each."""

from collections.abc import Collection, Sequence

from undeterred.api.call import Call
from undeterred.api.choices import choice_of
from undeterred.api.experiments import actions
from undeterred.api.experiments.actions import Act
from undeterred.api.operation import operation
from undeterred.base.errors import Failure, Invalid
from undeterred.base.struct import Struct
from undeterred.core.lifecycle.experiment import DELETABLE, TERMINAL, ExperimentState
from undeterred.core.rights import Right
from undeterred.store import experiment_bulk, projects
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_LIVE = frozenset(ExperimentState) - DELETABLE - {ExperimentState.DELETING, ExperimentState.DELETED}


class Bulk(Struct, frozen=True):
    """One action: its right, and of which experiments a filter chooses."""

    right: Right
    act: Act
    states: Collection[str]
    archived: bool | None = None


_ACTIVATE = Bulk(Right.UPDATE_EXPERIMENT, actions.activate, _LIVE, archived=False)
_PAUSE = Bulk(Right.UPDATE_EXPERIMENT, actions.pause, _LIVE, archived=False)
_CANCEL = Bulk(Right.UPDATE_EXPERIMENT, actions.cancel, _LIVE)
_KILL = Bulk(Right.UPDATE_EXPERIMENT, actions.kill, _LIVE)
_ARCHIVE = Bulk(Right.UPDATE_EXPERIMENT_METADATA, actions.archive, TERMINAL, archived=False)
_UNARCHIVE = Bulk(Right.UPDATE_EXPERIMENT_METADATA, actions.unarchive, TERMINAL, archived=True)
_DELETE = Bulk(Right.DELETE_EXPERIMENT, actions.delete, DELETABLE)


@operation("ActivateExperiments", needs=Right.UPDATE_EXPERIMENT)
async def activate(call: Call, req: m.ActivateExperimentsRequest) -> m.ActivateExperimentsResponse:
    """Let paused experiments go on."""
    return m.ActivateExperimentsResponse(results=await each(call, _ACTIVATE, req.project_id, req.experiment_ids, req.filters))


@operation("PauseExperiments", needs=Right.UPDATE_EXPERIMENT)
async def pause(call: Call, req: m.PauseExperimentsRequest) -> m.PauseExperimentsResponse:
    """Pause experiments."""
    return m.PauseExperimentsResponse(results=await each(call, _PAUSE, req.project_id, req.experiment_ids, req.filters))


@operation("CancelExperiments", needs=Right.UPDATE_EXPERIMENT)
async def cancel(call: Call, req: m.CancelExperimentsRequest) -> m.CancelExperimentsResponse:
    """Cancel experiments."""
    return m.CancelExperimentsResponse(results=await each(call, _CANCEL, req.project_id, req.experiment_ids, req.filters))


@operation("KillExperiments", needs=Right.UPDATE_EXPERIMENT)
async def kill(call: Call, req: m.KillExperimentsRequest) -> m.KillExperimentsResponse:
    """Kill experiments."""
    return m.KillExperimentsResponse(results=await each(call, _KILL, req.project_id, req.experiment_ids, req.filters))


@operation("ArchiveExperiments", needs=Right.UPDATE_EXPERIMENT_METADATA)
async def archive(call: Call, req: m.ArchiveExperimentsRequest) -> m.ArchiveExperimentsResponse:
    """Archive ended experiments."""
    return m.ArchiveExperimentsResponse(results=await each(call, _ARCHIVE, req.project_id, req.experiment_ids, req.filters))


@operation("UnarchiveExperiments", needs=Right.UPDATE_EXPERIMENT_METADATA)
async def unarchive(call: Call, req: m.UnarchiveExperimentsRequest) -> m.UnarchiveExperimentsResponse:
    """Show archived experiments again."""
    return m.UnarchiveExperimentsResponse(results=await each(call, _UNARCHIVE, req.project_id, req.experiment_ids, req.filters))


@operation("DeleteExperiments", needs=Right.DELETE_EXPERIMENT)
async def delete(call: Call, req: m.DeleteExperimentsRequest) -> m.DeleteExperimentsResponse:
    """Begin the deletion of ended experiments."""
    return m.DeleteExperimentsResponse(results=await each(call, _DELETE, req.project_id, req.experiment_ids, req.filters))


async def each(
    call: Call, bulk: Bulk, project_id: int, ids: Sequence[int], filters: m.BulkExperimentFilters | None
) -> list[m.ExperimentActionResult]:
    """Act on each in a transaction of its own, so that one refusal leaves the others as they are."""
    wanted = await call.read(lambda tx: chosen(call, tx, bulk, project_id, ids, filters))
    results = []
    for experiment_id in wanted:
        error = ""
        try:
            await call.write(lambda tx, one=experiment_id: _act(call, tx, bulk, project_id, one))  # type: ignore[misc]
        except Failure as failure:
            error = str(failure)
        results.append(m.ExperimentActionResult(error=error, id=experiment_id))
    return results


def chosen(
    call: Call, tx: Tx, bulk: Bulk, project_id: int, ids: Sequence[int], filters: m.BulkExperimentFilters | None
) -> list[int]:
    """Ids of the experiments that a request means: those it names, or those its filter chooses and the caller may see."""
    scope = call.scope(tx, bulk.right)
    if filters is None:
        return list(dict.fromkeys(ids))
    choice = choice_of(filters, project_id, archived=bulk.archived)
    return experiment_bulk.ids(tx, scope, choice, bulk.states)


def _act(call: Call, tx: Tx, bulk: Bulk, project_id: int, experiment_id: int) -> None:
    row = actions.target(call, tx, experiment_id, bulk.right)
    if project_id and row.project_id != project_id:
        name = projects.get(tx, project_id).name
        raise Invalid(f"experiment {experiment_id} is not in the project {name}")
    bulk.act(tx, row)
