"""Lists of experiments."""

from typing import Any

import pytest

from tests import rows
from undeterred.core.rights import Scope
from undeterred.store import experiment_lists, experiments
from undeterred.store.database import Database, Tx
from undeterred.store.experiment_lists import SORTS, ExperimentFilter, IdFilter

EVERYWHERE = Scope(everywhere=True)


@pytest.fixture
def world(db: Database) -> Database:
    """Three experiments, ids from 1."""
    rows.seeded(db)

    def fill(tx: Tx) -> None:
        rows.experiment(tx, name="alpha", description="One", labels='["a,","b"]', progress=None)
        rows.experiment(tx, name="Beta", user_id=2, archived=True, state="PAUSED", labels='["b","\\"q\\""]', progress=0.5)
        rows.experiment(tx, name="ALPHA 2", state="COMPLETED", parent_id=1, checkpoint_count=3)
        for experiment, values in ((1, (3.0, 1.0)), (2, (2.0,))):
            for value in values:
                rows.run(tx, experiment, searcher_metric_value=value)
        experiments.update(tx, 1, best_run_id=2)
        experiments.update(tx, 2, best_run_id=3)

    db.write_now(fill)
    return db


def ids(tx: Tx, which: ExperimentFilter, sort: str = "id", *, descending: bool = False, scope: Scope = EVERYWHERE) -> list[int]:
    """All that a filter chooses."""
    total = experiment_lists.count(tx, scope, which)
    page = experiment_lists.page(tx, scope, which, sort, descending=descending, start=0, end=100)
    assert len(page) == total
    return [row.id for row in page]


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({}, [1, 2, 3]),
        ({"name": "alpha"}, [1, 3]),
        ({"name": "%2"}, [3]),
        ({"description": "ONE"}, [1]),
        ({"labels": ["b"]}, [1, 2]),
        ({"labels": ["b", "a,"]}, [1]),
        ({"labels": ['"q"']}, [2]),
        ({"labels": [","]}, []),
        ({"archived": True}, [2]),
        ({"archived": False}, [1, 3]),
        ({"states": ["PAUSED", "COMPLETED"]}, [2, 3]),
        ({"users": ["determined"]}, [2]),
        ({"users": ["determined", "admin"], "user_ids": [1]}, [1, 3]),
        ({"ids": IdFilter(gt=1, lte=3)}, [2, 3]),
        ({"ids": IdFilter(gte=2, lt=3)}, [2]),
        ({"ids": IdFilter(incl=[1, 3, 99], not_in=[3])}, [1]),
        ({"project_id": 1}, [1, 2, 3]),
        ({"project_id": 2}, []),
    ],
)
def test_filters(world: Database, which: dict[str, Any], expected: list[int]) -> None:
    """Each narrows the list; labels must all be there, of the others one is enough."""
    assert world.read_now(lambda tx: ids(tx, ExperimentFilter(**which))) == expected


@pytest.mark.parametrize(
    ("sort", "up", "down"),
    [
        ("id", [1, 2, 3], [3, 2, 1]),
        ("name", [3, 2, 1], [1, 2, 3]),
        ("description", [1, 2, 3], [1, 3, 2]),
        ("state", [1, 2, 3], [3, 2, 1]),
        ("num_trials", [3, 2, 1], [1, 2, 3]),
        ("progress", [1, 3, 2], [2, 3, 1]),
        ("user", [1, 3, 2], [2, 3, 1]),
        ("forked_from", [3, 1, 2], [3, 2, 1]),
        ("checkpoint_count", [1, 2, 3], [3, 2, 1]),
        ("metric", [1, 2, 3], [2, 1, 3]),
    ],
)
def test_sort_orders(world: Database, sort: str, up: list[int], down: list[int]) -> None:
    """Missing values last both ways, ties by id in the same direction."""
    assert world.read_now(lambda tx: ids(tx, ExperimentFilter(), sort)) == up
    assert world.read_now(lambda tx: ids(tx, ExperimentFilter(), sort, descending=True)) == down


def test_every_sort_works(world: Database) -> None:
    """All keys give all rows."""
    for sort in SORTS:
        assert sorted(world.read_now(lambda tx, sort=sort: ids(tx, ExperimentFilter(), sort))) == [1, 2, 3]


def test_only_what_may_be_seen(world: Database) -> None:
    """Experiments of other workspaces are neither listed nor counted, nor are their labels."""
    nowhere = Scope(everywhere=False, workspaces=frozenset())
    assert world.read_now(lambda tx: ids(tx, ExperimentFilter(), scope=nowhere)) == []
    assert world.read_now(lambda tx: experiment_lists.labels(tx, nowhere, 0)) == []


def test_labels_of_most_experiments_come_first(world: Database) -> None:
    """Each once; of equals the first in the alphabet."""
    assert world.read_now(lambda tx: experiment_lists.labels(tx, EVERYWHERE, 0)) == ["b", '"q"', "a,"]
    assert world.read_now(lambda tx: experiment_lists.labels(tx, EVERYWHERE, 2)) == []


def test_pages(world: Database) -> None:
    """Rows from start to end; none for an empty range."""
    which = ExperimentFilter()

    def page(tx: Tx, start: int, end: int) -> list[int]:
        return [row.id for row in experiment_lists.page(tx, EVERYWHERE, which, "id", descending=False, start=start, end=end)]

    assert world.read_now(lambda tx: page(tx, 1, 2)) == [2]
    assert world.read_now(lambda tx: page(tx, 2, 2)) == []
