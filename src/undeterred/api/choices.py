"""The filter by which requests choose experiments, for the areas that have one."""

from undeterred.base.errors import Invalid
from undeterred.store.experiment_bulk import Choice
from undeterred.wire import messages as m


def choice_of(filters: m.BulkExperimentFilters, project_id: int = 0, *, archived: bool | None = None) -> Choice:
    """A filter as the store takes it; `project_id` and `archived` stand in where it says nothing. Raises Invalid."""
    states = []
    for state in filters.states:
        if not isinstance(state, m.ExperimentState) or state is m.ExperimentState.STATE_UNSPECIFIED:
            raise Invalid(f"filters.states: {state} is no state of an experiment")
        states.append(state.value.removeprefix("STATE_"))
    return Choice(
        project_id=filters.project_id or project_id,
        name=filters.name,
        description=filters.description,
        labels=tuple(filters.labels),
        archived=archived if filters.archived is None else filters.archived,
        states=tuple(states),
        user_ids=tuple(filters.user_ids),
        excluded_ids=tuple(filters.excluded_experiment_ids),
    )
