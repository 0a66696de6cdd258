"""Lists of experiments and of their labels."""

from undeterred.api.call import Call
from undeterred.api.operation import operation
from undeterred.api.views.common import choose, few, given, is_descending, pagination
from undeterred.api.views.experiments import listed_experiment
from undeterred.core.rights import Right
from undeterred.store import experiment_lists, experiment_rows, projects
from undeterred.store.database import Tx
from undeterred.store.experiment_lists import ExperimentFilter, IdFilter
from undeterred.store.paging import sql_page
from undeterred.wire import messages as m
from undeterred.wire.leaves import Double

_By = m.GetExperimentsRequestSortBy
_SORTS = {
    _By.SORT_BY_UNSPECIFIED: "id",
    _By.SORT_BY_ID: "id",
    _By.SORT_BY_DESCRIPTION: "description",
    _By.SORT_BY_START_TIME: "start_time",
    _By.SORT_BY_END_TIME: "end_time",
    _By.SORT_BY_STATE: "state",
    _By.SORT_BY_NUM_TRIALS: "num_trials",
    _By.SORT_BY_PROGRESS: "progress",
    _By.SORT_BY_USER: "user",
    _By.SORT_BY_NAME: "name",
    _By.SORT_BY_FORKED_FROM: "forked_from",
    _By.SORT_BY_RESOURCE_POOL: "resource_pool",
    _By.SORT_BY_PROJECT_ID: "project_id",
    _By.SORT_BY_CHECKPOINT_SIZE: "checkpoint_size",
    _By.SORT_BY_CHECKPOINT_COUNT: "checkpoint_count",
    _By.SORT_BY_SEARCHER_METRIC_VAL: "metric",
}
_STATES = {state: state.value.removeprefix("STATE_") for state in list(m.ExperimentState)[1:]}
"""The stored word of each state that a list can be filtered by."""


@operation("GetExperiments", needs=Right.VIEW_EXPERIMENT_METADATA)
async def get_experiments(call: Call, req: m.GetExperimentsRequest) -> m.GetExperimentsResponse:
    """Experiments of one project, or with project id 0 of all."""
    which = _filter(req)
    sort, descending = choose(_SORTS, req.sort_by, "sortBy"), is_descending(req.order_by)

    def load(tx: Tx) -> m.GetExperimentsResponse:
        _require_project(call, tx, req.project_id)
        scope = call.scope(tx, Right.VIEW_EXPERIMENT_METADATA)
        page = sql_page(req.offset, req.limit, experiment_lists.count(tx, scope, which))
        rows = experiment_lists.page(tx, scope, which, sort, descending=descending, start=page.start, end=page.end)
        allocations = experiment_rows.allocation_states(tx, [row.job_id for row in rows if row.state == "ACTIVE"])
        shown = []
        for row in rows:
            message = listed_experiment(row, allocations.get(row.job_id, ()), tx.now)
            if req.show_trial_data and row.best_value is not None:
                message.best_trial_searcher_metric = Double(row.best_value)
            shown.append(message)
        return m.GetExperimentsResponse(experiments=shown, pagination=pagination(page))

    return await call.read(load)


@operation("GetExperimentLabels", needs=Right.VIEW_EXPERIMENT_METADATA)
async def get_experiment_labels(call: Call, req: m.GetExperimentLabelsRequest) -> m.GetExperimentLabelsResponse:
    """The labels in use in one project, or with project id 0 in all; those of most experiments first."""

    def load(tx: Tx) -> list[str]:
        _require_project(call, tx, req.project_id)
        return experiment_lists.labels(tx, call.scope(tx, Right.VIEW_EXPERIMENT_METADATA), req.project_id)

    return m.GetExperimentLabelsResponse(labels=await call.read(load))


def _require_project(call: Call, tx: Tx, project_id: int) -> None:
    if project_id:
        row = projects.get(tx, project_id)
        missing = f"project {project_id} not found"
        call.require(tx, Right.VIEW_EXPERIMENT_METADATA, workspace=row.workspace_id, owner=row.user_id, missing=missing)


def _filter(req: m.GetExperimentsRequest) -> ExperimentFilter:
    wanted = req.experiment_id_filter or m.Int32FieldFilter()
    return ExperimentFilter(
        project_id=req.project_id,
        name=req.name,
        description=req.description,
        labels=tuple(few(req.labels, "labels")),
        archived=req.archived,
        states=tuple(choose(_STATES, state, "states") for state in few(req.states, "states")),
        users=tuple(few(req.users, "users")),
        user_ids=tuple(few(req.user_ids, "userIds")),
        ids=IdFilter(
            lt=given(wanted.lt),
            lte=given(wanted.lte),
            gt=given(wanted.gt),
            gte=given(wanted.gte),
            incl=tuple(few(wanted.incl, "experimentIdFilter.incl")),
            not_in=tuple(few(wanted.not_in, "experimentIdFilter.notIn")),
        ),
    )
