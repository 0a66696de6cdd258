"""Trials as lists show them."""

from typing import Any

import pytest

from tests import rows
from undeterred.store import allocations, reports, runs, tasks, trials
from undeterred.store.database import Database, Tx
from undeterred.store.reports import Report
from undeterred.store.schema.registry import checkpoints
from undeterred.store.trials import Sort


@pytest.fixture
def base(db: Database) -> Database:
    """Users, a workspace and a project."""
    return rows.seeded(db)


class Experiment:
    """What a page needs of the row of an experiment."""

    def __init__(self, experiment_id: int, *, smaller_is_better: bool = True) -> None:
        self.id = experiment_id
        self.smaller_is_better = smaller_is_better
        self.searcher_metric = "loss"


def page(db: Database, experiment: Experiment, sort: Sort = Sort.ID, *, descending: bool = False, **wanted: Any) -> list[int]:
    """Ids of a page."""
    states, offset, limit = wanted.get("states", ()), wanted.get("offset", 0), wanted.get("limit", 0)
    found, _ = db.read_now(
        lambda tx: trials.page(tx, experiment, states, sort, descending=descending, offset=offset, limit=limit)
    )
    return [trial.row.id for trial in found]


VALUES = [0.2, 0.2, 0.2, 0.1, "NaN", "NaN", "Infinity", "-Infinity", None, None, "text", 5]


def validated(db: Database, *, smaller_is_better: bool) -> tuple[Experiment, list[int]]:
    """Twelve trials whose one validation has these values of the searcher's metric, if any."""

    def make(tx: Tx) -> tuple[int, list[int]]:
        experiment = rows.experiment(tx, smaller_is_better=smaller_is_better)
        made = [rows.run(tx, experiment) for _ in VALUES]
        batch = [
            Report(run, 1, "validation", 1, None, {"other": 1} if value is None else {"loss": value})
            for run, value in zip(made, VALUES, strict=True)
        ]
        assert reports.store(tx, batch) == [None] * 12
        return experiment, made

    experiment, made = db.write_now(make)
    return Experiment(experiment, smaller_is_better=smaller_is_better), made


@pytest.mark.parametrize("smaller", [True, False])
@pytest.mark.parametrize("descending", [True, False])
@pytest.mark.parametrize("sort", [Sort.BEST_VALIDATION, Sort.LATEST_VALIDATION])
def test_pages_by_a_metric_hold_every_trial_once(base: Database, sort: Sort, descending: bool, smaller: bool) -> None:
    """Whatever is missing, NaN or equal; the best comes first unless descending, what has no value last in both directions.

    NaN is never a best value; as the latest one it is the worst.
    """
    experiment, made = validated(base, smaller_is_better=smaller)
    pages = [page(base, experiment, sort, descending=descending, offset=offset, limit=5) for offset in (0, 5, 10)]
    found = [made.index(run) for one in pages for run in one]
    assert sorted(found) == list(range(12))
    best_first = [7, 3, 0, 1, 2, 11, 6] if smaller else [6, 11, 0, 1, 2, 3, 7]
    if descending:
        best_first = best_first[::-1]
    nan = {4, 5}
    ordered = [number for number in found if number not in nan | {8, 9, 10}]
    assert ordered == best_first
    last = {4, 5, 8, 9, 10} if sort is Sort.BEST_VALIDATION else {8, 9, 10}
    assert set(found[-len(last) :]) == last


def test_without_a_value_comes_last_in_both_directions(base: Database) -> None:
    """Of equals the older one first, the newer one first when descending."""

    def make(tx: Tx) -> tuple[int, list[int]]:
        experiment = rows.experiment(tx)
        return experiment, [rows.run(tx, experiment, end_time=end, log_retention_days=end) for end in (5, None, 3, None)]

    experiment_id, (a, b, c, d) = base.write_now(make)
    for sort in (Sort.END_TIME, Sort.LOG_RETENTION):
        assert page(base, Experiment(experiment_id), sort) == [c, a, b, d]
        assert page(base, Experiment(experiment_id), sort, descending=True) == [a, c, d, b]


@pytest.mark.parametrize("sort", list(Sort))
@pytest.mark.parametrize("descending", [True, False])
def test_every_order_is_total(base: Database, sort: Sort, descending: bool) -> None:
    """Pages of one cut any order without loss or repetition."""

    def make(tx: Tx) -> tuple[int, list[int]]:
        experiment = rows.experiment(tx)
        return experiment, [rows.run(tx, experiment, state=state, restarts=1) for state in ("RUNNING", "ERROR", "RUNNING")]

    experiment_id, made = base.write_now(make)
    experiment = Experiment(experiment_id)
    found = [run for offset in range(3) for run in page(base, experiment, sort, descending=descending, offset=offset, limit=1)]
    assert sorted(found) == made
    assert found == page(base, experiment, sort, descending=descending)


def test_states_are_those_stored_or_shown(base: Database) -> None:
    """An active trial is queued, pulling, starting or running, as its allocation is; it is always also active."""

    def make(tx: Tx) -> tuple[int, list[int]]:
        experiment = rows.experiment(tx, unmanaged=False)
        made = [rows.run(tx, experiment, state=state) for state in ("ACTIVE", "ACTIVE", "ACTIVE", "PAUSED")]
        for run, states in zip(made, ([], ["PENDING"], ["TERMINATED", "RUNNING"], []), strict=True):
            tasks.create(tx, f"t{run}", "TRIAL")
            runs.link_task(tx, run, f"t{run}", 0)
            for number, state in enumerate(states):
                allocations.create(tx, f"t{run}.{number}", f"t{run}")
                allocations.update(tx, f"t{run}.{number}", state=state)
        return experiment, made

    experiment_id, (a, b, c, d) = base.write_now(make)
    experiment = Experiment(experiment_id)
    assert page(base, experiment, states=["ACTIVE"]) == [a, b, c]
    assert page(base, experiment, states=["QUEUED"]) == [a, b]
    assert page(base, experiment, states=["RUNNING", "PAUSED"]) == [c, d]
    assert page(base, experiment, states=["PULLING", "COMPLETED"]) == []
    loaded = base.read_now(lambda tx: trials.load(tx, [c, a]))
    assert [(one.row.id, one.allocations, one.task_ids) for one in loaded] == [(c, ["RUNNING"], [f"t{c}"]), (a, (), [f"t{a}"])]


def test_the_best_checkpoint_is_the_one_with_the_best_validation(base: Database) -> None:
    """That of the best validation, or else the best among those validated; deleted and unvalidated ones do not count."""

    def make(tx: Tx) -> list[int]:
        experiment = rows.experiment(tx)
        made = [rows.run(tx, experiment, checkpoint_count=1) for _ in range(4)]
        batch = [
            Report(run, 1, "validation", steps, None, {"loss": value})
            for run in made
            for steps, value in ((1, 3), (2, 1), (3, 2), (4, "NaN"))
        ]
        reports.store(tx, batch)
        kept = {made[0]: (1, 2, 3), made[1]: (1, 3, 9), made[2]: (4, 9), made[3]: ()}
        for run, steps in kept.items():
            for step in steps:
                insert(tx, run, step)
        insert(tx, made[1], 2, "DELETED")
        insert(tx, made[1], 3, name="again")
        return made

    def insert(tx: Tx, run: int, steps: int, state: str = "COMPLETED", name: str = "") -> None:
        tx.insert(
            checkpoints, run_id=run, uuid=f"{run}-{steps}-{name}{state}", steps_completed=steps, state=state, report_time=tx.now
        )

    made = base.write_now(make)
    found = [one.checkpoint for one in base.read_now(lambda tx: trials.load(tx, made))]
    assert [one and one.steps_completed for one in found] == [2, 3, None, None]
    assert found[1].uuid.endswith("againCOMPLETED")


def test_thousands_of_trials_are_read_in_pieces(base: Database) -> None:
    """The number of parameters of a statement is no limit."""

    def make(tx: Tx) -> tuple[int, list[int]]:
        experiment = rows.experiment(tx)
        return experiment, [rows.run(tx, experiment) for _ in range(1100)]

    experiment_id, made = base.write_now(make)
    assert page(base, Experiment(experiment_id), limit=-1) == made
    assert [row.id for row in base.read_now(lambda tx: trials.bare(tx, made[::-1]))] == made[::-1]
    assert len(base.read_now(lambda tx: trials.owners(tx, made))) == 1100
