"""Reading one experiment: the experiment itself, its files, its history."""

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.experiments import load_message
from undeterred.core.rights import Right
from undeterred.store import experiments
from undeterred.store.database import Tx
from undeterred.wire import messages as m


@operation("GetExperiment", needs=Right.VIEW_EXPERIMENT_METADATA, task=True)
async def get_experiment(call: Call, req: m.GetExperimentRequest) -> m.GetExperimentResponse:
    """One experiment with its configuration and, while it is active, its place in the queue."""

    def load(tx: Tx) -> m.GetExperimentResponse:
        row = experiments.get(tx, req.experiment_id)
        missing = f"experiment {req.experiment_id} not found"
        call.require(
            tx,
            Right.VIEW_EXPERIMENT_METADATA,
            workspace=row.workspace_id,
            missing=missing,
            tasks=experiments.task_ids(tx, row.id) if call.who.task_id else (),
        )
        message = load_message(tx, req.experiment_id)
        return m.GetExperimentResponse(experiment=message, config=message.config)

    return await call.read(load)
