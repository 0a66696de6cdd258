"""Reading metric reports."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests import rows
from undeterred.core.metrics.ranges import Range
from undeterred.store import metrics, reports
from undeterred.store.database import Database, Tx
from undeterred.store.metrics import FIRST, After
from undeterred.store.reports import Report


@pytest.fixture
def trials(db: Database) -> tuple[Database, int, list[int]]:
    """A database with an experiment of three running trials."""
    rows.seeded(db)

    def make(tx: Tx) -> tuple[int, list[int]]:
        experiment = rows.experiment(tx)
        return experiment, [rows.run(tx, experiment) for _ in range(3)]

    return db, *db.write_now(make)


def put(db: Database, run: int, values: Mapping[int | None, Mapping[str, Any]], group: str = "training", start: int = 1) -> None:
    """Store reports: steps -> metrics."""
    batch = [Report(run, start, group, steps, 1000 + number, one) for number, (steps, one) in enumerate(values.items())]
    assert db.write_now(lambda tx: reports.store(tx, batch)) == [None] * len(batch)


def group_id(db: Database, name: str = "training") -> int:
    """The id of a metric group."""
    return db.read_now(lambda tx: metrics.group_ids(tx, [name]))[name]


def all_pages(db: Database, run: int, group: int, limit: int) -> list[list[int | None]]:
    """Steps of each page until there is no more."""
    pages, after = [], FIRST
    for _ in range(100):
        found, after = db.read_now(lambda tx, at=after: metrics.page(tx, run, group, at, limit))
        pages.append([row.steps for row in found])
        if after is None:
            return pages
    raise AssertionError("the pages do not end")


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 6, 7])
def test_pages_hold_every_report_once_and_in_order(trials: tuple[Database, int, list[int]], limit: int) -> None:
    """Negative steps first, reports without steps last, whatever the size of a page."""
    db, _, (run, other, _) = trials
    put(db, run, {10: {"a": 1}, -3: {"a": 1}, 0: {"a": 1}}, "gpu")
    put(db, run, {None: {"a": 1}}, "gpu")
    put(db, run, {None: {"a": 2}}, "gpu")
    put(db, other, {1: {"a": 1}}, "gpu")
    pages = all_pages(db, run, group_id(db, "gpu"), limit)
    assert [steps for page in pages for steps in page] == [-3, 0, 10, None, None]
    assert all(len(page) <= limit for page in pages)


def test_what_a_restart_archived_is_not_read(trials: tuple[Database, int, list[int]]) -> None:
    """By no way of reading."""
    db, experiment, (run, *_) = trials
    put(db, run, {10: {"a": 1}, 20: {"a": 2}, 30: {"a": 3}})
    db.write_now(lambda tx: tx.run(rows.restarted(run)))
    put(db, run, {20: {"a": 9}}, start=2)
    group = group_id(db)
    assert all_pages(db, run, group, 10) == [[10, 20]]
    series = db.read_now(lambda tx: metrics.series(tx, [run], {group: ("a",)}))[run, group]
    assert (series.steps, series.of("a")) == ([10, 20], [1, 9])
    assert db.read_now(lambda tx: metrics.steps_with(tx, experiment, group, "a")) == [10, 20]
    assert db.read_now(lambda tx: metrics.near(tx, experiment, group, "a", 0, 99)) == [(run, 10, 1), (run, 20, 9)]


def test_a_series_is_in_order_of_steps_however_it_was_reported(trials: tuple[Database, int, list[int]]) -> None:
    """Of each trial and group its own, with None where a report lacks the metric; ranges and ids limit it."""
    db, _, (run, other, _) = trials
    put(db, run, {30: {"a": 3, "b": "x"}, 10: {"a": 1}, 20: {"c": 5}})
    put(db, run, {10: {"a": 7}}, "validation")
    put(db, other, {10: {"a": 8}})
    training, validation = group_id(db), group_id(db, "validation")
    wanted = {training: ("a", "b"), validation: ("a",)}
    found = db.read_now(lambda tx: metrics.series(tx, [run, other], wanted))
    assert set(found) == {(run, training), (run, validation), (other, training)}
    series = found[run, training]
    assert (series.steps, series.of("a"), series.of("b")) == ([10, 20, 30], [1, None, 3], [None, None, "x"])
    limited = db.read_now(lambda tx: metrics.series(tx, [run], wanted, steps=(Range(gte=10), Range(without=frozenset({20})))))
    assert limited[run, training].steps == [10, 30]
    assert limited[run, training].times == [1001, 1000]
    timed = db.read_now(lambda tx: metrics.series(tx, [run], wanted, time=Range(gt=1000, lte=1001)))
    assert timed[run, training].steps == [10]
    newest = max(series.ids)
    assert (run, training) not in db.read_now(lambda tx: metrics.series(tx, [run], {training: ("a",)}, after=newest))


def test_profiles_are_in_order_of_time(trials: tuple[Database, int, list[int]]) -> None:
    """They have no steps."""
    db, _, (run, *_) = trials
    for time in (3, 1, 2):
        batch = [Report(run, 1, "gpu", None, time, {"load": time})]
        db.write_now(lambda tx, batch=batch: reports.store(tx, batch))
    group = group_id(db, "gpu")
    assert db.read_now(lambda tx: metrics.series(tx, [run], {group: ("load",)}))[run, group].of("load") == [1, 2, 3]


def test_steps_of_a_metric_are_those_where_any_trial_has_it(trials: tuple[Database, int, list[int]]) -> None:
    """Also where the first report at these steps lacks it; a null is no value."""
    db, experiment, (run, other, third) = trials
    put(db, run, {1: {"a": 1}, 2: {"b": 1}, 3: {"a": None}, 4: {"b": 1}})
    put(db, other, {2: {"a": 1}, 3: {"b": 1}})
    put(db, third, {5: {"n": {"a": 1}}})
    group = group_id(db)
    assert db.read_now(lambda tx: metrics.steps_with(tx, experiment, group, "a")) == [1, 2]


def test_names_are_those_of_all_trials(trials: tuple[Database, int, list[int]]) -> None:
    """Of every group but those of profilers."""
    db, experiment, (run, other, _) = trials
    put(db, run, {1: {"a": 1, 'q"': 2}})
    put(db, other, {1: {"b": 1}}, "my group/x")
    put(db, other, {1: {"load": 1}}, "gpu")
    assert db.read_now(lambda tx: metrics.names(tx, [experiment])) == {
        ("training", "a"),
        ("training", 'q"'),
        ("my group/x", "b"),
    }


def test_after_the_last_report_comes_nothing(trials: tuple[Database, int, list[int]]) -> None:
    """A page that begins behind everything is empty, and the last."""
    db, _, (run, *_) = trials
    put(db, run, {1: {"a": 1}})
    group = group_id(db)
    assert db.read_now(lambda tx: metrics.page(tx, run, group, After(5, 1, 99), 10)) == ([], None)
