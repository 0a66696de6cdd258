"""How long the logs of an experiment's trials are kept."""

from typing import Any

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.experiments.bulk import Bulk, each
from undeterred.api.operation import operation
from undeterred.base import json
from undeterred.base.errors import Refused
from undeterred.core.lifecycle.experiment import TERMINAL
from undeterred.core.retention.logs import check_days
from undeterred.core.rights import Right
from undeterred.store import experiments, expiry
from undeterred.store.database import Tx
from undeterred.wire import messages as m


@operation("PutExperimentRetainLogs", needs=Right.UPDATE_EXPERIMENT)
async def put_experiment(call: Call, req: m.PutExperimentRetainLogsRequest) -> m.PutExperimentRetainLogsResponse:
    """Keep the logs of an ended experiment's trials for so many days after their end, -1 for ever."""
    days = check_days(req.num_days)
    await call.write(lambda tx: _keep(tx, targets.experiment(call, tx, Right.UPDATE_EXPERIMENT, req.experiment_id), days))
    return m.PutExperimentRetainLogsResponse()


@operation("PutExperimentsRetainLogs", needs=Right.UPDATE_EXPERIMENT)
async def put_experiments(call: Call, req: m.PutExperimentsRetainLogsRequest) -> m.PutExperimentsRetainLogsResponse:
    """The same for many experiments."""
    days = check_days(req.num_days)
    bulk = Bulk(Right.UPDATE_EXPERIMENT, lambda tx, row: _keep(tx, row, days), TERMINAL)
    return m.PutExperimentsRetainLogsResponse(results=await each(call, bulk, req.project_id, req.experiment_ids, req.filters))


def _keep(tx: Tx, row: Any, days: int) -> None:
    if row.state not in TERMINAL:
        raise Refused(f"experiment {row.id} is {row.state}: how long its logs are kept can be changed once it has ended")
    config = json.loads(row.config)
    config["retention_policy"] = {**(config.get("retention_policy") or {}), "log_retention_days": days}
    experiments.update(tx, row.id, log_retention_days=days, config=json.dumps(config))
    expiry.set_of_experiment(tx, row.id, days)
