"""Runs as the run tables show them."""

from typing import Any

from undeterred.api.views.common import UNSET, free, or_unset, when
from undeterred.api.views.experiments import seconds
from undeterred.api.views.trials import summaries
from undeterred.base import json
from undeterred.base.clock import Micros
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double, Int64


def flat_run(row: Any, now: Micros) -> m.FlatRun:
    """A row of `store.run_lists`; its state is the stored one."""
    value = row.searcher_metric_value
    return m.FlatRun(
        id=row.id,
        start_time=when(row.start_time),
        end_time=when(row.end_time),
        state=m.TrialState("STATE_" + row.state),
        labels=json.loads(row.labels),
        checkpoint_size=Int64(row.checkpoint_size),
        checkpoint_count=row.checkpoint_count,
        searcher_metric_value=UNSET if value is None else Double(value),
        external_run_id=or_unset(row.external_id),
        hyperparameters=or_unset(free(row.hparams)),
        summary_metrics=summaries(row.summary_metrics),
        user_id=row.user_id,
        duration=seconds(row.start_time, row.end_time, now),
        project_id=row.project_id,
        project_name=row.project_name,
        workspace_id=row.workspace_id,
        workspace_name=row.workspace_name,
        parent_archived=row.parent_archived,
        experiment=_experiment(row),
        metadata=or_unset(free(row.metadata)),
        archived=row.shown_archived,
        local_id=row.shown_local_id,
        log_policy_matched=or_unset(row.log_policy_matched or None),
    )


def _experiment(row: Any) -> m.FlatRunExperiment:
    return m.FlatRunExperiment(
        id=row.experiment_id,
        searcher_type=row.searcher_name,
        searcher_metric=row.searcher_metric,
        forked_from=or_unset(row.parent_id),
        external_experiment_id=or_unset(row.external_experiment_id),
        resource_pool=row.resource_pool,
        progress=Double(row.experiment_progress or 0),
        description=row.description,
        name=row.name,
        unmanaged=row.unmanaged,
        is_multitrial=row.multitrial,
    )
