"""How long the logs of trials are kept, and removing those whose time is over. Experiments: `experiments/retention.py`."""

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import or_unset
from undeterred.core.retention.logs import FOREVER, MAX_DAYS, remaining_days
from undeterred.core.rights import Right
from undeterred.engine.retention import clean_logs
from undeterred.store import runs
from undeterred.store.database import Tx
from undeterred.wire import messages as m
from undeterred.wire.leaves import Int64


@operation("PutTrialRetainLogs", needs=Right.UPDATE_EXPERIMENT)
async def put_trial(call: Call, req: m.PutTrialRetainLogsRequest) -> m.PutTrialRetainLogsResponse:
    """Keep a trial's logs for so many days after its end, -1 for ever.

    Clients may send any number: less than -1 counts as 0, more than 32767 as 32767.
    """
    days = req.num_days if req.num_days == FOREVER else min(max(req.num_days, 0), MAX_DAYS)

    def keep(tx: Tx) -> None:
        targets.trial(call, tx, Right.UPDATE_EXPERIMENT, req.trial_id)
        runs.update(tx, req.trial_id, log_retention_days=days)

    await call.write(keep)
    return m.PutTrialRetainLogsResponse()


@operation("GetTrialRemainingLogRetentionDays", needs=Right.VIEW_EXPERIMENT_METADATA)
async def get_remaining(
    call: Call, req: m.GetTrialRemainingLogRetentionDaysRequest
) -> m.GetTrialRemainingLogRetentionDaysResponse:
    """Whole days until the logs may go: -1 for never, nothing while the trial lives or when nobody set a number."""

    def load(tx: Tx) -> int | None:
        row = targets.trial(call, tx, Right.VIEW_EXPERIMENT_METADATA, req.id)
        default = call.settings.retention_policy.log_retention_days
        return remaining_days(tx.now, row.end_time, row.log_retention_days, default)

    return m.GetTrialRemainingLogRetentionDaysResponse(remaining_days=or_unset(await call.read(load)))


@operation("CleanupLogs", needs=Right.UPDATE_MASTER_CONFIG)
async def cleanup(call: Call, _req: m.CleanupLogsRequest) -> m.CleanupLogsResponse:
    """Remove all expired logs now; how many lines that were."""
    await call.read(lambda tx: call.require(tx, Right.UPDATE_MASTER_CONFIG))
    removed = await clean_logs(call.services.db, call.settings.retention_policy.log_retention_days)
    return m.CleanupLogsResponse(removed_count=Int64(removed))
