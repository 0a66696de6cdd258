"""The attributes that searches filter and sort by, as SQL."""

import enum
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from undeterred.base.clock import Micros
from undeterred.base.struct import Struct
from undeterred.store.experiment_rows import NUM_TRIALS
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.identity import users
from undeterred.store.schema.spaces import projects, workspaces

STATE_ORDER = (
    "ACTIVE",
    "PAUSED",
    "STOPPING_COMPLETED",
    "STOPPING_CANCELED",
    "STOPPING_ERROR",
    "COMPLETED",
    "CANCELED",
    "ERROR",
    "DELETED",
    "DELETING",
    "DELETE_FAILED",
    "STOPPING_KILLED",
    "QUEUED",
    "PULLING",
    "STARTING",
    "RUNNING",
)
"""States in the order in which a sort by state puts them."""

Expression = sa.ColumnElement[Any]

BEST_VALUE = sa.select(runs.c.searcher_metric_value).where(runs.c.id == experiments.c.best_run_id).scalar_subquery()
"""Of an experiment: the best value of the searcher's metric."""
BEST_EXTERNAL_ID = sa.select(runs.c.external_id).where(runs.c.id == experiments.c.best_run_id).scalar_subquery()
OWNER_NAME = sa.func.coalesce(sa.func.nullif(users.c.display_name, ""), users.c.username)
PARENT_ARCHIVED = sa.or_(projects.c.archived, workspaces.c.archived)
_other = runs.alias("other")
_SECOND = (
    sa.select(_other.c.id)
    .where(_other.c.experiment_id == experiments.c.id)
    .order_by(_other.c.id)
    .offset(1)
    .limit(1)
    .correlate(experiments)
    .scalar_subquery()
)
MULTITRIAL = sa.or_(experiments.c.searcher_name != "single", _SECOND.is_not(None))
"""Of an experiment: whether its runs are part of a search."""
LOCAL_ID = projects.c.key + "-" + sa.cast(runs.c.local_id, sa.Text)
RUN_ARCHIVED = sa.or_(runs.c.archived, experiments.c.archived)


def in_order(column: Expression) -> Expression:
    """A stored state as its place in `STATE_ORDER`."""
    return sa.case({word: place for place, word in enumerate(STATE_ORDER)}, value=column, else_=None)


def seconds(table: sa.Table, now: Micros) -> Expression:
    """How long something took, or has taken so far."""
    return (sa.func.coalesce(table.c.end_time, now) - table.c.start_time) / sa.literal(1_000_000.0)


class Needs(enum.Enum):
    """Which tables an attribute of a run is read from."""

    RUN = "the run's row"
    EXPERIMENT = "the row of its experiment"
    ALL = "both, with owner, project and workspace"


class Attribute(Struct, frozen=True):
    """One attribute; `value` is what filters compare, `order` what sorts go by (the value unless given)."""

    value: Callable[[Micros], Expression]
    order: tuple[Expression, ...] = ()
    needs: Needs = Needs.ALL

    def keys(self, now: Micros) -> tuple[Expression, ...]:
        """What a sort goes by."""
        return self.order or (self.value(now),)


def _at(value: Expression, *order: Expression, needs: Needs = Needs.ALL) -> Attribute:
    return Attribute(lambda _now: value, order, needs)


def _of_run(value: Expression, *order: Expression) -> Attribute:
    return _at(value, *order, needs=Needs.RUN)


def _of_experiment(value: Expression, *order: Expression) -> Attribute:
    return _at(value, *order, needs=Needs.EXPERIMENT)


def _text(value: Expression, *, needs: Needs = Needs.ALL) -> Attribute:
    """An empty text sorts as a missing one."""
    return _at(value, sa.func.nullif(value, ""), needs=needs)


EXPERIMENTS: dict[str, Attribute] = {
    "id": _at(experiments.c.id),
    "name": _text(experiments.c.name),
    "description": _text(experiments.c.description),
    "tags": _at(experiments.c.labels),
    "forkedFrom": _at(experiments.c.parent_id),
    "startTime": _at(experiments.c.start_time),
    "endTime": _at(experiments.c.end_time),
    "duration": Attribute(lambda now: seconds(experiments, now)),
    "numTrials": _at(NUM_TRIALS),
    "state": _at(experiments.c.state, in_order(experiments.c.state)),
    "searcherType": _text(experiments.c.searcher_name),
    "resourcePool": _text(experiments.c.resource_pool),
    "progress": _at(sa.func.coalesce(experiments.c.progress, 0.0)),
    "checkpointSize": _at(experiments.c.checkpoint_size),
    "checkpointCount": _at(experiments.c.checkpoint_count),
    "user": _at(experiments.c.user_id, OWNER_NAME),
    "searcherMetric": _text(experiments.c.searcher_metric),
    "searcherMetricsVal": _at(BEST_VALUE),
    "externalExperimentId": _at(experiments.c.external_id),
    "externalTrialId": _at(BEST_EXTERNAL_ID),
    "archived": _at(experiments.c.archived),
}

RUNS: dict[str, Attribute] = {
    "id": _of_run(runs.c.id),
    "experimentDescription": _text(experiments.c.description, needs=Needs.EXPERIMENT),
    "tags": _of_experiment(experiments.c.labels),
    "forkedFrom": _of_experiment(experiments.c.parent_id),
    "startTime": _of_run(runs.c.start_time),
    "endTime": _of_run(runs.c.end_time),
    "duration": Attribute(lambda now: seconds(runs, now), needs=Needs.RUN),
    "state": _of_run(runs.c.state, in_order(runs.c.state)),
    "searcherType": _text(experiments.c.searcher_name, needs=Needs.EXPERIMENT),
    "resourcePool": _text(experiments.c.resource_pool, needs=Needs.EXPERIMENT),
    "checkpointSize": _of_run(runs.c.checkpoint_size),
    "checkpointCount": _of_run(runs.c.checkpoint_count),
    "user": _of_experiment(experiments.c.user_id, OWNER_NAME),
    "searcherMetric": _text(experiments.c.searcher_metric, needs=Needs.EXPERIMENT),
    "searcherMetricsVal": _of_run(runs.c.searcher_metric_value),
    "externalExperimentId": _of_experiment(experiments.c.external_id),
    "projectId": _of_run(runs.c.project_id),
    "externalRunId": _of_run(runs.c.external_id),
    "experimentProgress": _of_experiment(experiments.c.progress),
    "experimentId": _of_run(runs.c.experiment_id),
    "experimentName": _text(experiments.c.name, needs=Needs.EXPERIMENT),
    "isExpMultitrial": _of_experiment(MULTITRIAL),
    "parentArchived": _at(PARENT_ARCHIVED),
    "localId": _at(LOCAL_ID, projects.c.key, runs.c.local_id),
    "archived": _at(RUN_ARCHIVED),
}
