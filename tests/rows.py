"""Rows for tests of the store and the engine: the least that foreign keys demand."""

from typing import Any

import sqlalchemy as sa

from undeterred.store import seed
from undeterred.store.database import Database, Tx
from undeterred.store.schema.experiments import experiments, runs


def seeded(db: Database) -> Database:
    """First users, workspace 1 and project 1."""
    db.write_now(lambda tx: seed.seed(tx, "hash"))
    return db


def experiment(tx: Tx, **columns: Any) -> int:
    """An unmanaged experiment in project 1 of user 1 whose searcher metric is `loss`, smaller being better."""
    values = {
        "project_id": 1,
        "user_id": 1,
        "name": "test",
        "state": "ACTIVE",
        "config": "{}",
        "start_time": tx.now,
        "unmanaged": True,
        "searcher_name": "single",
        "searcher_metric": "loss",
        "smaller_is_better": True,
    }
    return tx.insert(experiments, **(values | columns))


def run(tx: Tx, experiment_id: int, **columns: Any) -> int:
    """A running trial in its first start."""
    values = {"experiment_id": experiment_id, "project_id": 1, "state": "RUNNING", "run_number": 1, "start_time": tx.now}
    return tx.insert(runs, **(values | columns))


def total_batches(run_id: int) -> Any:
    """The query for a run's number of batches."""
    return sa.select(runs.c.total_batches).where(runs.c.id == run_id)


def restarted(run_id: int) -> Any:
    """The statement after which a run is in its next start."""
    return sa.update(runs).where(runs.c.id == run_id).values(run_number=runs.c.run_number + 1)
