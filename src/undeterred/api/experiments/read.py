"""Reading one experiment: the experiment itself, with its configuration and its place in the queue."""

from typing import Any

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.experiments import load_message
from undeterred.api.views.jobs import in_order, job_summary
from undeterred.core import pools
from undeterred.core.rights import Right
from undeterred.store import experiments, queue
from undeterred.store.database import Tx
from undeterred.wire import messages as m


@operation("GetExperiment", needs=Right.VIEW_EXPERIMENT_METADATA, task=True)
async def get_experiment(call: Call, req: m.GetExperimentRequest) -> m.GetExperimentResponse:
    """One experiment with its configuration and, while it waits for slots or holds some, its place in the queue."""

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
        return m.GetExperimentResponse(experiment=message, config=message.config, job_summary=_summary(call, tx, row))

    return await call.read(load)


def _summary(call: Call, tx: Tx, experiment: Any) -> m.JobSummary | None:
    pool = pools.find(call.engine.pools, experiment.resource_pool)
    if pool is None or experiment.job_id is None or not queue.is_open(tx, experiment.job_id):
        return None
    for ahead, row in enumerate(in_order(queue.open_jobs(tx, pool.name), pool)):
        if row.id == experiment.job_id:
            return job_summary(row, pool, ahead)
    return None
