"""The table that searches read, and what it holds of each column."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from tests import rows
from undeterred.core.filters.values import CellKind, Form
from undeterred.store import experiments, run_values, runs
from undeterred.store.database import Database, Tx
from undeterred.store.reports import Report, store
from undeterred.store.run_values import EXPERIMENTS, RUNS, Found
from undeterred.store.schema.run_values import run_values as table


@pytest.fixture
def run_id(db: Database) -> int:
    """A run with hyperparameters."""
    rows.seeded(db)
    return db.write_now(lambda tx: rows.run(tx, rows.experiment(tx), hparams='{"lr":0.5,"n":{"m":"x"}}'))


def report(tx: Tx, run_id: int, steps: int, loss: float) -> None:
    """A validation."""
    assert store(tx, [Report(run_id, 1, "validation", steps, None, {"loss": loss})]) == [None]


def stored(tx: Tx) -> set[tuple[Any, ...]]:
    """Kind, number and text of all stored cells."""
    return {(row.kind, row.number, row.text) for row in tx.rows(sa.select(table))}


def test_what_changes_a_run_makes_it_stale(db: Database, run_id: int) -> None:
    """New runs, reports, hyperparameters and metadata; other changes do not, and a refresh ends it."""

    def check(tx: Tx) -> None:
        def stale() -> bool:
            return run_values.stale_runs(tx, 2**60, 10) == [run_id]

        assert stale()
        for change in (
            lambda: report(tx, run_id, 1, 0.5),
            lambda: runs.update(tx, run_id, hparams="{}"),
            lambda: runs.update(tx, run_id, metadata="{}"),
        ):
            run_values.refresh(tx, RUNS, [run_id])
            assert not stale()
            runs.update(tx, run_id, archived=True)
            assert not stale()
            change()
            assert stale()

    db.write_now(check)


def test_a_refresh_writes_only_what_changed(db: Database, run_id: int) -> None:
    """Cells that are gone are removed, others stay as they are."""

    def check(tx: Tx) -> None:
        assert run_values.refresh(tx, RUNS, [run_id]) == 2
        assert run_values.refresh(tx, RUNS, [run_id]) == 0
        report(tx, run_id, 1, 2)
        assert run_values.refresh(tx, RUNS, [run_id]) == 4
        report(tx, run_id, 2, 1)
        assert run_values.refresh(tx, RUNS, [run_id]) == 2 * 3  # last, min and mean
        assert stored(tx) == {(1, 0.5, ""), (4, 0, "x"), (1, 1, ""), (1, 2, ""), (1, 1.5, "")}
        runs.update(tx, run_id, hparams="{}", metadata='{"a":1}')
        assert run_values.refresh(tx, RUNS, [run_id]) == 3

    db.write_now(check)


def test_a_run_that_reports_often_is_left_alone(db: Database, run_id: int) -> None:
    """Until it is quiet or has ended; those that wait longest come first."""

    def check(tx: Tx) -> None:
        report(tx, run_id, 1, 1)
        assert run_values.stale_runs(tx, tx.now - 10, 10) == []
        assert run_values.stale_runs(tx, tx.now + 1, 10) == [run_id]
        runs.update(tx, run_id, end_time=tx.now)
        other = rows.run(tx, 1, start_time=1)
        assert run_values.stale_runs(tx, tx.now - 10, 10) == [other, run_id]
        assert run_values.stale_runs(tx, tx.now - 10, 1) == [other]

    db.write_now(check)


def test_values_go_with_their_run(db: Database, run_id: int) -> None:
    """A run that is deleted leaves no cell behind."""

    def check(tx: Tx) -> None:
        run_values.refresh(tx, RUNS, [run_id])
        experiments.delete(tx, 1)
        assert stored(tx) == set()

    db.write_now(check)


@pytest.mark.parametrize("fresh", [False, True])
def test_a_summary_tells_kinds_forms_and_bounds(db: Database, run_id: int, fresh: bool) -> None:
    """Of every column of a project, whether its values are stored or newer; stale cells do not count."""

    def check(tx: Tx) -> None:
        report(tx, run_id, 1, 9)
        run_values.refresh(tx, RUNS, [run_id])
        report(tx, run_id, 2, 1)
        other = rows.run(tx, 1, hparams='{"lr":"high"}', metadata='{"l":[1,2]}')
        rows.run(tx, 1, hparams='{"lr":"NaN"}')
        if fresh:
            run_values.refresh(tx, RUNS, run_values.stale_runs(tx, 2**60, 10))
        found = run_values.summarize(tx, RUNS, 1)
        assert found["h:lr"] == Found(
            frozenset((CellKind.NUMBER, CellKind.TEXT, CellKind.NAN)), frozenset((Form.SINGLE,)), 0.5, 0.5
        )
        assert (found["m:validation.loss.last"].low, found["m:validation.loss.max"].high) == (1, 9)
        assert found["d:l"].forms == {Form.MEMBER}
        assert set(found) == {"h:lr", "h:n.m", "d:l", *(f"m:validation.loss.{one}" for one in ("last", "min", "max", "mean"))}
        assert run_values.summarize(tx, RUNS, 2) == {}
        assert other

    db.write_now(check)


def test_experiments_have_their_own_values(db: Database) -> None:
    """Those of their configuration, stale after it changed."""
    rows.seeded(db)

    def check(tx: Tx) -> None:
        config = {"hyperparameters": {"lr": {"type": "int", "minval": 1, "maxval": 5}}}
        one = rows.experiment(tx, config=json.dumps(config))
        expected = {"h:lr": Found(frozenset((CellKind.NUMBER,)), frozenset((Form.BOUND,)), 1, 5)}
        assert run_values.summarize(tx, EXPERIMENTS, 1) == expected
        assert run_values.stale_experiments(tx, 10) == [one]
        assert run_values.refresh(tx, EXPERIMENTS, [one]) == 2
        assert run_values.stale_experiments(tx, 10) == []
        assert run_values.summarize(tx, EXPERIMENTS, 1) == expected
        experiments.update(tx, one, notes="n")
        assert run_values.stale_experiments(tx, 10) == []
        experiments.update(tx, one, config="{}")
        assert run_values.summarize(tx, EXPERIMENTS, 1) == {}

    db.write_now(check)
