"""Workloads of a trial in one list."""

from typing import Any

import pytest

from tests import rows
from undeterred.base.clock import Micros
from undeterred.store import reports, workloads
from undeterred.store.database import Database, Tx
from undeterred.store.reports import Report
from undeterred.store.schema.registry import checkpoints
from undeterred.store.workloads import Kind

ALL = tuple(Kind)


@pytest.fixture
def trial(db: Database) -> tuple[Database, int]:
    """A trial with reports and checkpoints."""
    rows.seeded(db)

    def make(tx: Tx) -> int:
        run = rows.run(tx, rows.experiment(tx))
        batch = [
            Report(run, 1, "training", 10, 100, {"loss": 5, "x": "text"}, [{"loss": 4}]),
            Report(run, 1, "validation", 10, 100, {"loss": 2}),
            Report(run, 1, "training", 20, 50, {"loss": "NaN"}),
            Report(run, 1, "other", 15, 60, {"loss": 0}),
        ]
        assert reports.store(tx, batch) == [None] * 4
        checkpoint(tx, run, "a", 100, '{"steps_completed":10}', 10)
        checkpoint(tx, run, "b", 10, "{}", 0)
        checkpoint(tx, run, "c", 20, '{"steps_completed":0}', 0, "DELETED")
        return run

    return db, db.write_now(make)


def checkpoint(tx: Tx, run: int, uuid: str, time: Micros, metadata: str, steps: int, state: str = "COMPLETED") -> None:
    """A checkpoint."""
    tx.insert(checkpoints, run_id=run, uuid=uuid, report_time=time, metadata=metadata, steps_completed=steps, state=state)


def listed(trial: tuple[Database, int], kinds: tuple[Kind, ...] = ALL, **wanted: Any) -> list[Any]:
    """What a page holds: the uuid of checkpoints, kind and steps of the rest."""
    db, run = trial
    found, _ = db.read_now(lambda tx: workloads.page(tx, run, kinds, **wanted))
    return [one.row.uuid if one.kind is Kind.CHECKPOINT else (one.kind.name[0], one.row.steps) for one in found]


def test_by_steps_the_kinds_follow_one_another(trial: tuple[Database, int]) -> None:
    """A checkpoint that does not tell its steps is last in both directions; one at step 0 is first."""
    assert listed(trial) == ["c", ("T", 10), ("V", 10), "a", ("T", 20), "b"]
    assert listed(trial, descending=True) == [("T", 20), "a", ("V", 10), ("T", 10), "c", "b"]


def test_by_time(trial: tuple[Database, int]) -> None:
    """What came at the same time is in order of its kind."""
    assert listed(trial, by_time=True) == ["b", "c", ("T", 20), ("T", 10), ("V", 10), "a"]


def test_by_a_metric_what_has_no_number_is_last(trial: tuple[Database, int]) -> None:
    """NaN is the largest number; the rest is in order of steps."""
    assert listed(trial, metric="loss") == [("V", 10), ("T", 10), ("T", 20), "c", "a", "b"]
    assert listed(trial, metric="loss", descending=True) == [("T", 20), ("T", 10), ("V", 10), "a", "c", "b"]
    assert listed(trial, metric="nope") == listed(trial)


def test_kinds_and_deleted_checkpoints_can_be_left_out(trial: tuple[Database, int]) -> None:
    """Reports of other groups are no workloads."""
    assert listed(trial, (Kind.VALIDATION,)) == [("V", 10)]
    assert listed(trial, (Kind.CHECKPOINT,), deleted=False) == ["a", "b"]


@pytest.mark.parametrize("wanted", [{}, {"metric": "loss"}, {"by_time": True, "descending": True}])
def test_pages_are_cut_from_the_whole(trial: tuple[Database, int], wanted: dict[str, Any]) -> None:
    """In every order; the total counts everything."""
    db, run = trial
    whole = listed(trial, **wanted)
    assert [one for offset in range(6) for one in listed(trial, offset=offset, limit=1, **wanted)] == whole
    assert db.read_now(lambda tx: workloads.page(tx, run, ALL, offset=4, limit=5, **wanted))[1].total == 6


def test_values_per_batch_only_when_asked_for(trial: tuple[Database, int]) -> None:
    """They may be large."""
    db, run = trial
    with_them, _ = db.read_now(lambda tx: workloads.page(tx, run, (Kind.TRAINING,), batches=True))
    without, _ = db.read_now(lambda tx: workloads.page(tx, run, (Kind.TRAINING,)))
    assert [one.row.batch_metrics for one in with_them] == ['[{"loss":4}]', None]
    assert not hasattr(without[0].row, "batch_metrics")
