"""Runs are deleted one by one."""

from typing import Any

import sqlalchemy as sa

from tests import rows
from undeterred.engine.runs import DELETE
from undeterred.engine.services.run_deletion import MOST_ATTEMPTS, SOON_S, RunDeletionService
from undeterred.store import events, runs, seed
from undeterred.store.database import Database, Tx
from undeterred.store.schema.experiments import experiments
from undeterred.store.schema.metrics import metric_groups, reports


async def prepared(db: Database) -> tuple[int, int]:
    """A run with reports whose files are being removed; its id and that of the work it waits for."""

    def fill(tx: Tx) -> tuple[int, int]:
        seed.seed(tx, "hash")
        experiment = rows.experiment(tx)
        run = rows.run(tx, experiment, state="COMPLETED", checkpoint_count=2, checkpoint_size=7, searcher_metric_value=1.0)
        rows.run(tx, experiment, checkpoint_count=1, checkpoint_size=5, searcher_metric_value=2.0)
        group = tx.insert(metric_groups, name="training")
        for steps in range(3):
            tx.insert(reports, run_id=run, run_number=1, group_id=group, steps=steps, time=0, metrics="{}")
        waits = events.put(tx, "some.files", {})
        events.put(tx, DELETE, {"run_id": run, "waits_for": [waits]})
        return run, waits

    return await db.write(fill)


def state(tx: Tx) -> tuple[list[int], int, list[Any]]:
    """Ids of the runs, the number of reports, and what the experiment sums up."""
    kept = [row.id for row in runs.of_experiment(tx, 1)]
    sums = tx.row(sa.select(experiments.c.best_run_id, experiments.c.checkpoint_count, experiments.c.checkpoint_size))
    return kept, int(tx.value(sa.select(sa.func.count()).select_from(reports))), list(sums or ())


async def test_a_run_goes_once_its_files_are_gone(db: Database) -> None:
    """Until then it stays and is looked at again soon; its experiment knows what is left."""
    run, waits = await prepared(db)
    service = RunDeletionService(db)
    await service.run_once()
    assert (await db.read(state))[0] == [run, run + 1]
    assert service.period == SOON_S
    await db.write(lambda tx: events.done(tx, waits))
    await service.run_once()
    assert await db.read(state) == ([run + 1], 0, [run + 1, 1, 5])
    assert await db.read(lambda tx: events.due(tx, DELETE)) == []
    assert service.period > SOON_S


async def test_a_run_whose_files_cannot_be_removed_stays(db: Database) -> None:
    """After some attempts its deletion is given up, and nothing of it is lost."""
    run, waits = await prepared(db)
    for _ in range(MOST_ATTEMPTS):
        await db.write(lambda tx: events.again(tx, waits, tx.now, "no such disk"))
    await RunDeletionService(db).run_once()
    kept, count, _ = await db.read(state)
    assert (kept, count) == ([run, run + 1], 3)
    assert await db.read(lambda tx: events.due(tx, DELETE)) == []
