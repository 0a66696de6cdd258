"""Trials as clients see them."""

from collections.abc import Sequence
from typing import Any

import msgspec

from undeterred.api.views.common import free, or_unset, when
from undeterred.base import json
from undeterred.base.clock import Micros
from undeterred.core.lifecycle import shown
from undeterred.core.lifecycle.allocation import AllocationState
from undeterred.core.lifecycle.trial import TrialState
from undeterred.core.metrics import summary
from undeterred.store import trials
from undeterred.store.database import Tx
from undeterred.store.trials import Trial
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double, Int64


def trial_message(trial: Trial, now: Micros) -> m.Trial:
    """A trial of `store.trials`; `now` ends the duration of one that has not ended."""
    row = trial.row
    message = bare_message(row, now, trial.allocations)
    message.total_batches_processed = row.total_batches
    message.best_validation = _validation(row.best_time, row.best_steps, row.best_metrics)
    message.latest_validation = _validation(row.latest_time, row.latest_steps, row.latest_metrics)
    message.best_checkpoint = _checkpoint(trial.checkpoint)
    message.warm_start_checkpoint_uuid = row.warm_start_checkpoint or ""
    message.task_ids = list(trial.task_ids)
    message.task_id = message.task_ids[0] if message.task_ids else ""
    message.total_checkpoint_size = Int64(row.checkpoint_size)
    message.checkpoint_count = row.checkpoint_count
    message.summary_metrics = summaries(row.summary_metrics)
    message.log_retention_days = or_unset(row.log_retention_days)
    message.metadata = or_unset(free(row.metadata))
    message.log_policy_matched = or_unset(row.log_policy_matched or None)
    message.runner_state = row.runner_state
    return message


def bare_message(row: Any, now: Micros, allocations: Sequence[str] = ()) -> m.Trial:
    """A trial without anything that it has reported, as it stands beside its series."""
    return m.Trial(
        id=row.id,
        experiment_id=row.experiment_id,
        start_time=when(row.start_time),
        end_time=when(row.end_time),
        state=shown_state(row, allocations),
        restarts=min(row.restarts, row.max_restarts),
        hparams=free(row.hparams),
        wall_clock_time=Double(((now if row.end_time is None else row.end_time) - row.start_time) / 1_000_000),
    )


def shown_state(row: Any, allocations: Sequence[str]) -> m.TrialState:
    """The word shown: an ACTIVE trial is as far as its allocation."""
    states = [AllocationState(state) for state in allocations]
    return m.TrialState("STATE_" + shown.trial(TrialState(row.state), states, unmanaged=row.unmanaged))


def load_message(tx: Tx, trial_id: int) -> m.Trial:
    """One trial, as `GetTrial` and the calls that make or change one answer it."""
    return trial_message(trials.load(tx, [trial_id])[0], tx.now)


def summaries(text: str) -> msgspec.Raw:
    """Stored summaries under the keys that clients know; what is below a group is not looked into."""
    if text == "{}":
        return msgspec.Raw(b"{}")
    return msgspec.Raw(json.dumps_finite(summary.document(json.parts(text))).encode())  # type: ignore[arg-type]


def workload_message(time: Micros, steps: int | None, metrics: str, batches: str | None = None) -> m.MetricsWorkload:
    """One report as older clients know it."""
    values: Any = [] if batches is None else free(batches)
    return m.MetricsWorkload(
        end_time=when(time),
        metrics=m.Metrics(avg_metrics=free(metrics), batch_metrics=values),
        total_batches=steps or 0,
    )


def checkpoint_workload(row: Any, *, metadata: bool) -> m.CheckpointWorkload:
    """One checkpoint as older clients know it."""
    return m.CheckpointWorkload(
        uuid=row.uuid,
        end_time=when(row.report_time),
        state=m.CheckpointState("STATE_" + row.state),
        resources={name: Int64(size) for name, size in json.loads(row.resources).items()},
        total_batches=row.steps_completed,
        metadata=free(row.metadata) if metadata else None,
    )


def _validation(time: Micros | None, steps: int | None, metrics: str | None) -> m.MetricsWorkload | None:
    return None if time is None or metrics is None else workload_message(time, steps, metrics)


def _checkpoint(row: Any | None) -> m.CheckpointWorkload | None:
    return None if row is None else checkpoint_workload(row, metadata=False)
