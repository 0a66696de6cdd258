"""Moving experiments into another project."""

from typing import Any

from undeterred.api.call import Call
from undeterred.api.experiments.bulk import Bulk, chosen
from undeterred.api.operation import operation
from undeterred.api.views.common import few
from undeterred.base.errors import Failure, Invalid
from undeterred.core.lifecycle.experiment import ExperimentState
from undeterred.core.rights import Right
from undeterred.core.rights.basic import MOVE_EXPERIMENT
from undeterred.engine import moves
from undeterred.store import experiments
from undeterred.store.database import Tx
from undeterred.wire import messages as m

_STAYING = frozenset(ExperimentState) - {ExperimentState.DELETING, ExperimentState.DELETED}


@operation("MoveExperiment", needs=(Right.DELETE_EXPERIMENT, Right.CREATE_EXPERIMENT))
async def move_experiment(call: Call, req: m.MoveExperimentRequest) -> m.MoveExperimentResponse:
    """Move an experiment with its trials into another project."""

    def move(tx: Tx) -> None:
        _movable(call, tx, req.experiment_id)
        moves.move(tx, req.experiment_id, _destination(call, tx, req.destination_project_id))

    await call.write(move)
    return m.MoveExperimentResponse()


@operation("MoveExperiments", needs=(Right.DELETE_EXPERIMENT, Right.CREATE_EXPERIMENT))
async def move_experiments(call: Call, req: m.MoveExperimentsRequest) -> m.MoveExperimentsResponse:
    """Move experiments of one project into another, each by itself: one that stays does not hold up the others."""
    ids = few(req.experiment_ids, "experimentIds")
    bulk = Bulk(Right.DELETE_EXPERIMENT, lambda tx, row: None, _STAYING, archived=False)

    def choose(tx: Tx) -> list[int]:
        _destination(call, tx, req.destination_project_id)
        return chosen(call, tx, bulk, req.project_id, list(ids), req.filters)

    def move(tx: Tx, experiment_id: int) -> None:
        row = _movable(call, tx, experiment_id)
        if req.project_id and row.project_id != req.project_id:
            raise Invalid(f"experiment {experiment_id} is not in project {req.project_id}")
        moves.move(tx, experiment_id, _destination(call, tx, req.destination_project_id))

    results = []
    for experiment_id in await call.read(choose):
        error = ""
        try:
            await call.write(lambda tx, one=experiment_id: move(tx, one))  # type: ignore[misc]
        except Failure as failure:
            error = str(failure)
        results.append(m.ExperimentActionResult(error=error, id=experiment_id))
    return m.MoveExperimentsResponse(results=results)


def _movable(call: Call, tx: Tx, experiment_id: int) -> Any:
    row = experiments.get(tx, experiment_id)
    missing = f"experiment {experiment_id} not found"
    call.require(
        tx, Right.DELETE_EXPERIMENT, workspace=row.workspace_id, owner=row.user_id, rule=MOVE_EXPERIMENT, missing=missing
    )
    return row


def _destination(call: Call, tx: Tx, project_id: int) -> Any:
    project = moves.destination(tx, project_id)
    call.require(tx, Right.CREATE_EXPERIMENT, workspace=project.workspace_id, missing=f"project {project_id} not found")
    return project
