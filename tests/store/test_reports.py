"""Metric reports: idempotent, merged, rolled back after a restart, folded into summaries."""

from typing import Any

import pytest
import sqlalchemy as sa

from tests import rows
from undeterred.base import json
from undeterred.base.errors import Exists, Invalid, NotFound
from undeterred.store.database import Database
from undeterred.store.reports import Report, store
from undeterred.store.schema.experiments import experiments, runs
from undeterred.store.schema.metrics import metric_groups, reports


class Trial:
    """One trial and what is stored of it."""

    def __init__(self, db: Database) -> None:
        self.db = db
        self.experiment_id = db.write_now(rows.experiment)
        self.id = db.write_now(lambda tx: rows.run(tx, self.experiment_id))
        self.told: list[dict[str, Any]] = []

    def report(self, group: str, steps: int | None, metrics: dict[str, Any], run: int = 1, time: int | None = None) -> Any:
        """Send one report; its failure or None."""
        return self.batch(Report(self.id, run, group, steps, time, metrics))[0]

    def batch(self, *batch: Report) -> list[Any]:
        """Send several in one transaction."""
        return self.db.write_now(lambda tx: store(tx, batch, lambda _tx, _row, metrics: self.told.append(dict(metrics))))

    def restart(self) -> None:
        """The next start of the trial."""
        self.db.write_now(lambda tx: tx.run(sa.update(runs).where(runs.c.id == self.id).values(run_number=runs.c.run_number + 1)))

    @property
    def row(self) -> Any:
        """The run's row."""
        return self.db.read_now(lambda tx: tx.row(sa.select(runs).where(runs.c.id == self.id)))

    @property
    def summaries(self) -> Any:
        """Group -> metric -> entry."""
        return json.loads(self.row.summary_metrics)

    def live(self, group: str) -> list[tuple[Any, Any]]:
        """(steps, metrics) of the reports that count, by steps."""
        query = (
            sa.select(reports.c.steps, reports.c.metrics)
            .join(metric_groups, metric_groups.c.id == reports.c.group_id)
            .where(reports.c.run_id == self.id, metric_groups.c.name == group, reports.c.archived.is_(False))
            .order_by(reports.c.steps)
        )
        return [(row.steps, json.loads(row.metrics)) for row in self.db.read_now(lambda tx: tx.rows(query))]


@pytest.fixture
def trial(db: Database) -> Trial:
    """A fresh trial."""
    return Trial(rows.seeded(db))


def test_a_report_is_stored_and_folded(trial: Trial) -> None:
    """Rows, summary and number of batches follow each report."""
    assert trial.report("training", 10, {"loss": 1.0}) is None
    assert trial.report("training", 20, {"loss": 0.5}) is None
    assert trial.live("training") == [(10, {"loss": 1.0}), (20, {"loss": 0.5})]
    entry = trial.summaries["training"]["loss"]
    assert (entry["count"], entry["min"], entry["max"], entry["last"]) == (2, 0.5, 1, 0.5)
    assert trial.row.total_batches == 20


def test_a_report_sent_again_is_stored_once(trial: Trial) -> None:
    """After a lost answer the same report is accepted and counts once, alone or in one batch."""
    first = Report(trial.id, 1, "training", 10, 5, {"loss": 1.0, "bad": "NaN"})
    assert trial.batch(first, first) == [None, None]
    assert trial.batch(first) == [None]
    assert len(trial.live("training")) == 1
    assert trial.summaries["training"]["loss"]["count"] == 1


def test_a_validation_sent_again_is_told_once(trial: Trial) -> None:
    """The search hears of a validation once."""
    for _ in range(3):
        assert trial.report("validation", 10, {"loss": 0.3}) is None
    assert trial.told == [{"loss": 0.3}]


def test_a_profiling_report_sent_again_is_stored_once(trial: Trial) -> None:
    """Reports without steps are the same when time and values are."""
    for _ in range(2):
        assert trial.report("gpu", None, {"util": 3}, time=77) is None
    assert trial.report("gpu", None, {"util": 3}, time=78) is None
    assert len(trial.live("gpu")) == 2
    assert trial.summaries == {}


def test_another_value_for_the_same_step_conflicts(trial: Trial) -> None:
    """New names join, a changed value is refused, and what was stored stays."""
    trial.report("training", 10, {"loss": 1})
    assert trial.report("training", 10, {"acc": 2}) is None
    assert isinstance(trial.report("training", 10, {"loss": 3}), Exists)
    assert trial.live("training") == [(10, {"loss": 1, "acc": 2})]
    assert trial.summaries["training"]["acc"]["last"] == 2


def test_one_refused_report_does_not_touch_the_others(trial: Trial) -> None:
    """Failures are values, one per report."""
    outcome = trial.batch(
        Report(trial.id, 1, "training", 1, None, {"a": 1}),
        Report(999, 1, "training", 1, None, {"a": 1}),
        Report(trial.id, 7, "training", 2, None, {"a": 1}),
        Report(trial.id, 1, "training", 3, None, {"a": 1}),
    )
    assert [type(item) for item in outcome] == [type(None), NotFound, Invalid, type(None)]
    assert [steps for steps, _ in trial.live("training")] == [1, 3]


def test_a_restarted_trial_takes_its_steps_again(trial: Trial) -> None:
    """Reports of the earlier start at the same or later steps no longer count; other groups keep the step itself."""
    for steps in (10, 20, 30):
        trial.report("training", steps, {"loss": steps})
        trial.report("validation", steps, {"loss": steps / 100})
    trial.restart()
    assert trial.report("training", 20, {"loss": 21}, run=2) is None
    assert trial.live("training") == [(10, {"loss": 10}), (20, {"loss": 21})]
    assert [steps for steps, _ in trial.live("validation")] == [10, 20]
    assert trial.summaries["training"]["loss"]["count"] == 2
    assert trial.row.total_batches == 20
    assert trial.report("validation", 20, {"loss": 0.9}, run=2) is None
    assert trial.live("validation") == [(10, {"loss": 0.1}), (20, {"loss": 0.9})]


def test_the_best_validation_follows_a_rollback(trial: Trial) -> None:
    """An archived best is replaced by the best that is left."""
    trial.report("validation", 10, {"loss": 0.5})
    trial.report("validation", 20, {"loss": 0.1})
    assert trial.row.searcher_metric_value == 0.1
    trial.restart()
    trial.report("validation", 15, {"loss": 0.4}, run=2)
    assert trial.row.searcher_metric_value == 0.4
    best = trial.db.read_now(lambda tx: tx.value(sa.select(experiments.c.best_run_id)))
    assert best == trial.id


def test_nan_is_never_the_best(trial: Trial) -> None:
    """A NaN is the latest validation and never the best."""
    trial.report("validation", 1, {"loss": "NaN"})
    assert (trial.row.searcher_metric_value, trial.row.best_report_id) == (None, None)
    trial.report("validation", 2, {"loss": 3})
    trial.report("validation", 3, {"loss": "NaN"})
    assert trial.row.searcher_metric_value == 3
    assert trial.row.latest_report_id > trial.row.best_report_id


def test_a_report_of_an_earlier_start_is_refused(trial: Trial) -> None:
    """A zombie of the first start cannot write into the second."""
    trial.restart()
    assert isinstance(trial.report("training", 1, {"a": 1}, run=1), Invalid)
    assert trial.live("training") == []
