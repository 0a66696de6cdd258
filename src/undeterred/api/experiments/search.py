"""Searching experiments by any column."""

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import given, or_unset, pagination
from undeterred.api.views.experiments import listed_experiment
from undeterred.api.views.trials import trial_message
from undeterred.base.clock import Micros
from undeterred.core.filters.columns import Table
from undeterred.core.filters.sort import parse_sort
from undeterred.core.filters.tree import parse
from undeterred.core.rights import Right
from undeterred.store import experiment_lists, experiment_rows, projects, trials
from undeterred.store.database import Tx
from undeterred.store.paging import sql_page
from undeterred.store.trials import Trial
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double


@operation("SearchExperiments", needs=Right.VIEW_EXPERIMENT_METADATA)
async def search_experiments(call: Call, req: m.SearchExperimentsRequest) -> m.SearchExperimentsResponse:
    """Experiments of one project, or without one of all, each with its best trial."""
    chosen, keys = parse(Table.EXPERIMENTS, given(req.filter)), parse_sort(Table.EXPERIMENTS, given(req.sort))
    project_id = given(req.project_id)

    def load(tx: Tx) -> m.SearchExperimentsResponse:
        if project_id is not None:
            _require_project(call, tx, project_id)
        scope = call.scope(tx, Right.VIEW_EXPERIMENT_METADATA)
        rows, page = experiment_lists.search(
            tx, scope, project_id, chosen, keys, lambda total: sql_page(req.offset, req.limit, total)
        )
        allocations = experiment_rows.allocation_states(tx, [row.job_id for row in rows if row.state == "ACTIVE"])
        best = {one.row.id: one for one in trials.load(tx, [row.best_run_id for row in rows if row.best_run_id is not None])}
        shown = []
        for row in rows:
            message = listed_experiment(row, allocations.get(row.job_id, ()), tx.now)
            message.best_trial_id = or_unset(row.best_run_id)
            message.external_trial_id = or_unset(row.best_external_id)
            trial = best.get(row.best_run_id)
            shown.append(m.SearchExperimentExperiment(experiment=message, best_trial=_best(trial, row.best_value, tx.now)))
        return m.SearchExperimentsResponse(experiments=shown, pagination=pagination(page))

    return await call.read(load)


def _require_project(call: Call, tx: Tx, project_id: int) -> None:
    row = projects.get(tx, project_id)
    missing = f"project {project_id} not found"
    call.require(tx, Right.VIEW_EXPERIMENT_METADATA, workspace=row.workspace_id, owner=row.user_id, missing=missing)


def _best(trial: Trial | None, value: float | None, now: Micros) -> m.Trial | None:
    """The best trial: with its best value of the searcher's metric, and without its checkpoint, unlike in other answers."""
    if trial is None:
        return None
    message = trial_message(trial, now)
    message.searcher_metric_value = Double(value or 0)
    message.best_checkpoint = None
    return message
