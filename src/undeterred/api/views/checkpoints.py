"""Checkpoints as clients see them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from undeterred.api.views.common import UNSET, free, or_unset, when
from undeterred.api.views.experiments import masked_config
from undeterred.base import json
from undeterred.core.metrics.checks import number
from undeterred.store.checkpoints import Shown
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double, Int64


def checkpoint_messages(found: Sequence[Shown]) -> list[m.Checkpoint]:
    """Checkpoints of `store.checkpoints.load`; the configuration of an experiment is masked once for all of them."""
    configs: dict[int, msgspec.Raw] = {}
    messages = []
    for one in found:
        config = None
        if one.config is not None:
            config = configs.get(one.row.experiment_id) or masked_config(one.config)
            configs[one.row.experiment_id] = config
        messages.append(_message(one, config))
    return messages


def checkpoint_message(one: Shown) -> m.Checkpoint:
    """One of them."""
    return checkpoint_messages([one])[0]


def resources(text: str) -> dict[str, Int64]:
    """Stored files and their sizes."""
    return {path: Int64(size) for path, size in json.loads(text).items()}


def _message(one: Shown, config: msgspec.Raw | None) -> m.Checkpoint:
    row = one.row
    return m.Checkpoint(
        task_id=row.task_id or "",
        allocation_id=or_unset(row.allocation_id),
        uuid=row.uuid,
        report_time=when(row.report_time),
        resources=resources(row.resources),
        metadata=free(row.metadata),
        state=m.CheckpointState("STATE_" + row.state),
        training=_training(one, config),
        storage_id=or_unset(row.storage_id),
    )


def _training(one: Shown, config: msgspec.Raw | None) -> m.CheckpointTrainingMetadata:
    row = one.row
    return m.CheckpointTrainingMetadata(
        trial_id=or_unset(row.run_id),
        experiment_id=or_unset(row.experiment_id),
        experiment_config=config,
        hparams=free(row.hparams),
        training_metrics=_metrics(one.training, batches=True),
        validation_metrics=_metrics(one.validation, batches=False),
        searcher_metric=_searcher_metric(one),
    )


def _metrics(report: Any | None, *, batches: bool) -> m.Metrics:
    if report is None:
        return m.Metrics()
    listed = json.loads(report.batch_metrics) if batches and report.batch_metrics else []
    return m.Metrics(avg_metrics=free(report.metrics), batch_metrics=listed)


def _searcher_metric(one: Shown) -> Double | msgspec.UnsetType:
    if one.validation is None or not one.row.searcher_metric:
        return UNSET
    value = number(json.members(one.row.searcher_metric)(one.validation.metrics)[0])
    return UNSET if value is None else Double(value)
