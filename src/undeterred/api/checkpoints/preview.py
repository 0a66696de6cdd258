"""What a policy of retention would remove, told before it is set."""

from collections.abc import Mapping
from typing import Any

from undeterred.api import targets
from undeterred.api.call import Call
from undeterred.base import clock, json
from undeterred.core.retention.checkpoints import plan, policy_of
from undeterred.core.rights import Right
from undeterred.store import checkpoints, collecting
from undeterred.store.database import Tx


async def preview_removal(call: Call, experiment_id: int, numbers: Mapping[str, int]) -> dict[str, Any]:
    """The checkpoints of an experiment that would go, with their validations, as `det experiment set gc-policy` shows them.

    `numbers` are those of `checkpoint_storage` that the policy sets; raises Invalid for negative ones.
    """
    policy = policy_of(dict(numbers))

    def load(tx: Tx) -> dict[str, Any]:
        experiment = targets.experiment(call, tx, Right.VIEW_EXPERIMENT_ARTIFACTS, experiment_id)
        ranked = collecting.ranked(tx, experiment)
        gone = plan(ranked, policy, smaller_is_better=experiment.smaller_is_better).delete
        ids = checkpoints.ids_of(tx, gone)
        return {
            "checkpoints": [_shown(one) for one in checkpoints.load(tx, ids)],
            "metric_name": experiment.searcher_metric,
        }

    return await call.read(load)


def _shown(one: checkpoints.Shown) -> dict[str, Any]:
    row = one.row
    metrics = None if one.validation is None else json.loads(one.validation.metrics)
    return {
        "UUID": row.uuid,
        "TrialID": row.run_id,
        "ReportTime": clock.to_text(row.report_time),
        "State": row.state,
        "StepsCompleted": row.steps_completed,
        "Resources": json.loads(row.resources),
        "Metadata": json.loads(row.metadata),
        "ValidationMetrics": metrics,
        "step": {"validation": metrics},
    }
