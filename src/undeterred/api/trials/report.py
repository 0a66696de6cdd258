"""What trials measure: the hot path of the whole server."""

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.base.errors import Invalid
from undeterred.core.metrics import checks
from undeterred.core.metrics.checks import TRAINING, VALIDATION
from undeterred.core.rights import Right
from undeterred.store import runs
from undeterred.store.database import Tx
from undeterred.store.reports import Report
from undeterred.wire import messages as m


@operation("ReportTrialMetrics", needs=Right.UPDATE_EXPERIMENT, task=True)
async def report_trial_metrics(call: Call, req: m.ReportTrialMetricsRequest) -> m.ReportTrialMetricsResponse:
    """Store a report of any group of metrics; sent again it is accepted and stored once."""
    await _report(call, req.metrics, req.group)
    return m.ReportTrialMetricsResponse()


@operation("ReportTrialTrainingMetrics", needs=Right.UPDATE_EXPERIMENT, task=True)
async def report_training(call: Call, req: m.ReportTrialTrainingMetricsRequest) -> m.ReportTrialTrainingMetricsResponse:
    """The same for the group `training`."""
    await _report(call, req.training_metrics, TRAINING)
    return m.ReportTrialTrainingMetricsResponse()


@operation("ReportTrialValidationMetrics", needs=Right.UPDATE_EXPERIMENT, task=True)
async def report_validation(call: Call, req: m.ReportTrialValidationMetricsRequest) -> m.ReportTrialValidationMetricsResponse:
    """The same for the group `validation`, which the search hears of."""
    await _report(call, req.validation_metrics, VALIDATION)
    return m.ReportTrialValidationMetricsResponse()


async def _report(call: Call, sent: m.TrialMetrics | None, group: str) -> None:
    sent = sent or m.TrialMetrics()
    checks.check_group(group)
    await call.permit(sent.trial_id, Right.UPDATE_EXPERIMENT, lambda tx: _require(call, tx, sent.trial_id))
    if sent.metrics is None:
        raise Invalid("metrics: required, an object with avgMetrics")
    averages = sent.metrics.avg_metrics
    if averages is not None and not isinstance(averages, dict):
        raise Invalid("metrics.avgMetrics: must be an object")
    steps = sent.steps_completed if isinstance(sent.steps_completed, int) else None
    if steps is not None or group not in checks.PROFILING:
        checks.check_steps(steps)
    report = Report(
        run_id=sent.trial_id,
        run_number=sent.trial_run_id,
        group=group,
        steps=steps,
        time=int(sent.report_time) if isinstance(sent.report_time, int) else None,
        metrics=checks.check_values(averages),
        batches=[batch for batch in sent.metrics.batch_metrics if isinstance(batch, dict)] or None,
    )
    await call.engine.reports.submit(report)


def _require(call: Call, tx: Tx, trial_id: int) -> None:
    run = runs.get(tx, trial_id)
    tasks = runs.task_ids(tx, trial_id) if call.who.task_id else ()
    call.require(
        tx,
        Right.UPDATE_EXPERIMENT,
        workspace=run.workspace_id,
        owner=run.user_id,
        missing=f"trial {trial_id} not found",
        tasks=tasks,
    )
